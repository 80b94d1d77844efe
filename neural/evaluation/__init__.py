"""How good the answers are: metrics with full ranking, classification metrics, curves."""
