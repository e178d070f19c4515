"""The Gaussian model: closed forms, asymptotics and simulation of robust accuracy, and what a
sample set says of its quantities. The derivation: docs/theory.md."""
