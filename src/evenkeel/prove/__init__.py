"""Act 3: scenario in, verdict out.

`measure` is the leaf: histograms, counters, censuses of processes, and the values that every room passes on. `load` drives
a server over the network: processes, the model simulator, clients, arrivals. A file in `scenarios` says what is done and
what it must show. `compare` and `verdict` are pure statistics. `runner` knows every room: A/A first, then A/B in random
order, then the evidence. Nothing here reaches into the server: what is measured is what a client, the operating system,
the database or `/metrics` can see.
"""
