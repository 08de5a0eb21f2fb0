"""Walks, sweeps, copies, separating sets and names, for any graph whose nodes have `parents`."""
