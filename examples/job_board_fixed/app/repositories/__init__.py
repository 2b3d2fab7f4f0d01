"""All SQL is behind these."""
