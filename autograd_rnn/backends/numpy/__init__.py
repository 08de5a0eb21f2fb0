"""The step as source for NumPy, over all sequences at once."""
