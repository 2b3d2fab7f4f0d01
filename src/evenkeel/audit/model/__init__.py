"""Leaf of the audit: the frozen values that pass between its rooms. Imports nothing of evenkeel but `kernel`."""
