"""The demo shop: a simulator with known ground truth, and the one-command demo."""
