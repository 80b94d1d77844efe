"""Pages on what becomes of scores: drift, outcomes, alerts, the clock, and the shadow."""
