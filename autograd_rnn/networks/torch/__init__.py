"""Models from torch and to torch."""
