"""A model kept loaded, which answers about one customer in a fraction of a second.

`resident` holds a model and everybody's history, `partial` the world of one customer, `loop` reads
questions and writes replies (`handoff.serving`).
"""
