"""Commands that measure: `python -m benchmarks.<name> [--quick]` prints one JSON line per figure."""
