"""The step on JAX, on one device or many."""
