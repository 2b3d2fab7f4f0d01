"""How a room describes its routes for `/openapi.json`: a table of these, shapes as `msgspec` structs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Meta

TEXT: Mapping[str, Any] = {"type": "string"}


def says(text: str) -> Meta:
    """The description of a field."""
    return Meta(description=text)


def parameter(
    name: str, place: str, description: str, schema: Mapping[str, Any] = TEXT, *, required: bool = False
) -> Mapping[str, Any]:
    """A parameter in OpenAPI's words. `place`: `path`, `query` or `header`."""
    needed = {"required": True} if required else {}
    return {"name": name, "in": place, **needed, "description": description, "schema": dict(schema)}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `name` is its `operationId`: what a generated client calls it. `answer` is the shape of a 200; `wrapped` = under `data`.
    `body`: what is sent (`listed` = one, a list, or `{"messages": […]}` of them). `errors`: statuses that the contract names
    beside those that every call of its kind can have. Where the router describes a route itself, `summary`, `tag`,
    `body` and `parameters` may stay empty.
    """

    method: str
    path: str
    name: str
    answer: type | None = None
    wrapped: bool = True
    streams: bool = False
    text: str = ""
    queues: bool = False
    summary: str = ""
    tag: str = ""
    body: type | None = None
    listed: bool = False
    errors: tuple[int, ...] = ()
    security: str = "user"
    parameters: tuple[Mapping[str, Any], ...] = ()
