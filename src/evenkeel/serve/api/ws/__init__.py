"""WebSockets: many requests over one connection (sections 3.2 to 3.4).

`messages` is what clients send, `outbound` how answers leave, `socket` one connection, `chat` and `wunder` the two
addresses. A stream over a socket is a reader of the bus, as an SSE response is: same events, same bytes, same cursor.
"""
