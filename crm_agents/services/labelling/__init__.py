"""Human labels: what is asked, in which order, who said what, and what training makes of it."""
