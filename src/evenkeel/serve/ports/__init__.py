"""The leaf of the server: what its rooms say to one another. Imports the ports of the hot path and the kernel alone."""
