"""An agent's life: runs, versions, gate, publishing, feedback, audit; the shared pages and REST views."""
