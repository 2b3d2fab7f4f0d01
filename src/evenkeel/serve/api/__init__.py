"""HTTP, SSE and WebSocket: translates requests and events, decides nothing.

`build_api` answers the ASGI application. From outside in: `front` (language, trace id, duration, whatever fails),
`guard` (admin paths, body size), routes. Plain routes are FastAPI's; those that stream are plain ASGI in the same
application. Both transports read the bus through a `Subscription`: one cursor, the same bytes, and a client that is slow or
goes away is nobody else's business. Errors have one shape (`failures`).
"""

from evenkeel.serve.api.build import Api as Api
from evenkeel.serve.api.build import ApiOptions as ApiOptions
from evenkeel.serve.api.build import build_api as build_api
from evenkeel.serve.api.desk import has_key as has_key
