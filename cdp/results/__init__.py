"""Runs read back: their state, curves, reports, comparison and the table of all runs."""
