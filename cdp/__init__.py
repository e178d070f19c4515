"""Contrastive-DP Studio: guided diffusion for robust classifiers, and the tools to tell whether it helps."""

__version__ = "0.1.0"
