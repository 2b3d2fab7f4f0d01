"""Runtime performance: what the event loop, the threads and the memory are made to do."""
