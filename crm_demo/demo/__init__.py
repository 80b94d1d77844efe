"""`manage.py demo`: fill a CRM, start web and worker, fine-tune the agents, show how it goes."""
