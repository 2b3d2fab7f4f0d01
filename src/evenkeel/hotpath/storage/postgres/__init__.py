"""PostgreSQL through asyncpg.

`native` is the optimised path, `thread_hop` the rollback path; both run the same operations on the same statements.
"""
