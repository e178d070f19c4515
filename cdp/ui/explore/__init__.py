"""The Explore page: sets on a map, their figures, class pairs, keeping a part."""
