"""A version's model card: what it learnt from, how it did, against what, how surely and where it is weak.

The admin's page, the JSON and the one-file HTML are made of the same facts, tables and plots.
"""
