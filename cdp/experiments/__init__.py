"""Experiments: arms over seeds, made of ordinary sets, trainings and evaluations, to a verdict."""
