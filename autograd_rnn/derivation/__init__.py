"""The chain rule written out with its numbers, and checked."""
