"""Attacks on classifiers, and the training of classifiers and encoders that withstand them."""
