"""Models: what is asked of one, what it streams back, and the two clients: OpenAI-compatible, and built in."""
