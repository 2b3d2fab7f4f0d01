"""Query efficiency: how often and how much the database is asked."""
