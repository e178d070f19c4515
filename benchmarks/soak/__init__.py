"""Half an hour of eight people at work while everything goes wrong: ``python -m benchmarks.soak``."""
