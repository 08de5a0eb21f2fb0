"""Recurrent layers, and stacks and files of them."""
