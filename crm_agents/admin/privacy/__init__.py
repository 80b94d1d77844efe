"""Pages on what a customer may ask: the overview, and the steps on one customer's page."""
