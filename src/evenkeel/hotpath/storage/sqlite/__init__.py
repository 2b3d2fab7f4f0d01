"""SQLite through APSW, which bundles its own library: system ones up to 3.51.2 can corrupt a WAL with several writers.

`group_commit` is the optimised path, `thread_hop` the rollback path; both run the same operations on the same
statements.
"""
