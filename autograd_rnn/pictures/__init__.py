"""Pictures of a graph, a network or a sweep."""
