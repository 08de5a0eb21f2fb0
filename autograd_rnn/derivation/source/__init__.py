"""A derivative as Python: by matrices, by a loop over the steps, or a line for each quantity."""
