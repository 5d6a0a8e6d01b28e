"""Speed, measured: `python -m benchmarks.step`."""
