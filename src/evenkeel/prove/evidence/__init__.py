"""What a session of runs leaves behind: a JSON record with everything, a page that opens offline, a table in the terminal,
and baselines of ratios. Reads records, judges nothing anew."""
