"""Distinguishability and fidelity of image sets: pure numpy functions of features, each figure with
an interval."""
