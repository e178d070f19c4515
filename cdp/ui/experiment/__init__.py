"""The Experiment page."""
