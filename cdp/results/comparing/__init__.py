"""Trainings side by side: arms of several seeds, which numbers may be set against each other, and
what may be said of them."""
