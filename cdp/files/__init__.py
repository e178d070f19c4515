"""Files as every room handles them: written whole, .npy and JSON read without surprises, and the
cache by content."""
