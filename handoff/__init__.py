"""The files that Django and torch both read: the only thing the two sides share.

dataset folder → run folder → artifact folder → score files.
Standard library, numpy and polars only; see `docs/reference/handoff.md`.
"""
