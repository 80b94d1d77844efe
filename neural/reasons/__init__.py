"""Score files with true reasons: facts counted in the customer's own history, never guesses."""
