"""The deep-learning side: torch, no Django. `python -m neural --help` is its command line."""
