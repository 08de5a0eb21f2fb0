"""Rendering by Graphviz, in a process of its own that is kept warm."""
