"""Transaction correctness: what is atomic, for how long, and who sees it when."""
