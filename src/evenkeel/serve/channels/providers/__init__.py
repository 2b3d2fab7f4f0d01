"""One file a provider: how its calls are proved genuine, how its messages are read, how an answer is sent."""
