"""What can be said of shares, seeds and images: intervals, paired tests, corrections, power. numpy
and scipy only."""
