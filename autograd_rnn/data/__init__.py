"""Sequences with targets, real and generated."""
