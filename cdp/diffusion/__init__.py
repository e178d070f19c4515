"""Sampling (a generator of steps) and training (a generator of metrics) of diffusion models."""
