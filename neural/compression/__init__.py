"""Smaller models: structured pruning of a trained encoder, and weights stored in fewer bits."""
