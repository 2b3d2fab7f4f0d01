"""Act 1, find: source in, one report and one task out. `pipeline` reads like the six phases."""
