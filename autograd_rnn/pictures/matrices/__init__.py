"""The picture of a network by its matrices, and their tables."""
