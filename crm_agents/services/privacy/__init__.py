"""What a customer may ask: not to be profiled, to be shown everything, to be erased from it."""
