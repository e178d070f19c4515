"""What can be said of shares, seeds and images: intervals, tests, corrections, power, sentences.
numpy and scipy only, scipy inside functions: it takes a second to import."""
