"""The table of all trainings: read once and kept, labelled, filtered, sorted and grouped."""
