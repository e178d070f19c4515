"""The Theory page: settings of the Gaussian model on the left, its views on the right, and where a
sample set lies on its map."""
