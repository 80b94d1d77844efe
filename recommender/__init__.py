"""The recommender agent: products for a customer, with reasons."""
