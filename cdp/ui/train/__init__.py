"""The Train page: the form, the runs, their curves, one run in detail."""
