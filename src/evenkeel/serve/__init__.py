"""Act 2, put together: the agent backend, made of the parts in `evenkeel.hotpath`.

`app` is the composition root and the only file that knows every room. `agent` runs turns, `api` speaks HTTP, SSE and
WebSocket, `channels` talks to chat providers, `console` is the page at `/`. Rooms know `serve.ports` and the ports of
the hot path, never one another.
"""
