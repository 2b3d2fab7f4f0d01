"""Tools: what the model may call. Each is a spec and a coroutine; results are texts or JSON, cut once."""
