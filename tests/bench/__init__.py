"""Speed and memory of the worker beside a floor measured in the same run: `python -m tests.bench`."""
