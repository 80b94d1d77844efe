"""Sweeps: trials of an agent that are compared by the validation window alone.

space       which settings are tried, checked against what a configuration allows (any process)
sweeps      start, stop, resume (any process)
results     the best trial and its settings (any process)
advancing   start the trials that are due, and end the sweep (worker)
watching    what a trial has reached, and whether it should go on (worker)
study       Optuna over the trials' rows (worker)
"""
