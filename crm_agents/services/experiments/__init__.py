"""Proof that an agent is worth having: who sees it is drawn by lot, and what they do is held side by side."""
