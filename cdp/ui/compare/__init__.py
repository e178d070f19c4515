"""The Compare page: the table of all runs, and the chosen ones side by side."""
