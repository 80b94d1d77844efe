"""Admin pages of the built-in tables."""
