"""Fitting a network to data."""
