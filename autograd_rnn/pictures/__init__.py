"""Pictures of a graph, a network or a sweep."""

from .rendering.render import Renderer

__all__ = ["Renderer"]
