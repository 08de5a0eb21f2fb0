"""Recurrent layers, and what is made of them."""
