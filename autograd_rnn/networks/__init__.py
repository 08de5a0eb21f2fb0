"""Recurrent layers, and networks built from them."""
