"""A customer's profile: readable traits."""
