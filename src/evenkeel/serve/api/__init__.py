"""HTTP, SSE and WebSocket: translates requests and events, decides nothing."""
