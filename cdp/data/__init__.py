"""Real data sets, sample sets on disk, and readers that check every byte from a user."""
