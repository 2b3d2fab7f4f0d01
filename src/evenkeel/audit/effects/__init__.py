"""Calls to effects: the catalogue, resolution of names across files, and propagation over the call graph.

Contract: `catalogue` holds what libraries do (data), `link` turns facts into a linked index in which every call knows its
library name, its project targets and its effects, and every function what it reaches and by which witness path.
"""
