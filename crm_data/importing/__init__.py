"""Import of transaction files: mapping → reading → cleaning → spilling → settling → writing, with a report.

`running.import_transactions` is the whole way of one file; everything else here is one step of it.
"""
