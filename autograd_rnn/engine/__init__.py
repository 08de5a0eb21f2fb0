"""`Value`, and derivatives of every kind and order."""

from .value import Value

__all__ = ["Value"]
