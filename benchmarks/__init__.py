"""Timings side by side, the quality of the shipped model and the study of guidance; results are
regenerated, never typed in.

``python -m benchmarks`` for the timings, ``python -m benchmarks.quality`` and ``python -m
benchmarks.study_guidance`` for the rest.
"""
