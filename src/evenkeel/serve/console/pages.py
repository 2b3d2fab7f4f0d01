"""The console's files over HTTP: read once at start, sent with a tag, so a reload costs no body."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "cache-control": "no-cache",  # asks each time, and is answered 304: an upgrade shows at once
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One file as it is sent."""

    body: bytes
    media_type: str
    tag: str


def build_console() -> list[BaseRoute]:
    """Routes for `/` and `/console/…`. Reads the package's own files, a few dozen kilobytes, at once."""
    pages = {name: _page(name, data) for name, data in _walk(files(__package__) / "static", "")}
    routes: list[BaseRoute] = [Route("/", _sender(pages["index.html"]), methods=["GET"], include_in_schema=False)]
    routes += [
        Route(f"/console/{name}", _sender(page), methods=["GET"], include_in_schema=False)
        for name, page in pages.items()
        if name != "index.html"
    ]
    return routes


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif name[name.rfind(".") :] in _TYPES:
            found.append((name, entry.read_bytes()))
    return found


def _page(name: str, body: bytes) -> Page:
    return Page(body, _TYPES[name[name.rfind(".") :]], f'"{hashlib.sha256(body).hexdigest()[:20]}"')


def _sender(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        headers = {**_HEADERS, "etag": page.tag}
        if request.headers.get("if-none-match") == page.tag:
            return Response(status_code=304, headers=headers)
        return Response(page.body, media_type=page.media_type, headers=headers)

    return send
