"""The OpenAPI document: FastAPI reads bodies and parameters off its routes; the tables of operations say the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from evenkeel.serve.api import shapes
from evenkeel.serve.api.operations import OPERATIONS
from evenkeel.serve.ports.documents import Operation, parameter

Json = dict[str, Any]
REF = "#/components/schemas/{name}"
SECURITY: Json = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The server's key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A user's token, from a login; or the server's key"},
}
NEEDED: dict[str, list[Json]] = {"user": [{"bearer": []}], "operator": [{"apiKey": []}, {"bearer": []}]}
SESSION = parameter("session_id", "path", "A session of one's own", required=True)
EVENTS = {
    "llm_output_delta": shapes.DeltaEvent,
    "final": shapes.FinalEvent,
    "error": shapes.ErrorEvent,
    "queue_enter": shapes.QueueEvent,
    "queue_start": shapes.QueueEvent,
    "queue_finish": shapes.QueueEvent,
    "queue_fail": shapes.QueueEvent,
    "queued": shapes.QueuedRun,
}
"""Events whose inner data has a shape of its own; the others are in docs/guide/streams.md."""
FAILURES = {
    400: "The request makes no sense",
    401: "No token, or not one that is good for this",
    403: "Not allowed here",
    404: "There is none, or it is somebody else's",
    413: "The body is too large",
    422: "A key is missing or does not fit",
    429: "Too much at once: the session is busy, the quota is used up, or there were too many attempts",
    503: "Not now: closing, or the database is away",
}
RETRY: Json = {"retry-after": {"description": "Seconds", "schema": {"type": "integer"}}}
TRACE: Json = {
    "x-trace-id": {"description": "Names the request in the log", "schema": {"type": "string"}},
    "x-error-code": {"description": "The code of the error", "schema": {"type": "string"}},
}


def with_streams(app: FastAPI, described: Sequence[Operation] = ()) -> None:
    """Make `/openapi.json` complete; built once, when it is first asked for. `described` = routes of other rooms."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, (*OPERATIONS, *described))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, operations: Sequence[Operation]) -> Json:
    document: Json = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = document.setdefault("components", {})
    components["schemas"] = {**_kept(components.get("schemas", {})), **_schemas(operations)}
    components["securitySchemes"] = SECURITY
    components["responses"] = {
        **{str(status): _failure("Error", status) for status in FAILURES},
        **{f"OpenAI{status}": _failure("OpenAIError", status) for status in FAILURES},
    }
    for each in operations:
        found = document["paths"].setdefault(each.path, {}).setdefault(each.method, {})
        found.update(_operation(each, found))
    return document


def _kept(schemas: Json) -> Json:
    """FastAPI's own shape of errors is not what is answered."""
    return {name: shape for name, shape in schemas.items() if name not in {"HTTPValidationError", "ValidationError"}}


def _schemas(operations: Iterable[Operation]) -> Json:
    given = [shape for each in operations for shape in (each.answer, each.body) if shape is not None]
    wanted = dict.fromkeys([*given, shapes.Error, shapes.OpenAIError, *EVENTS.values()])
    _, found = msgspec.json.schema_components(tuple(wanted), ref_template=REF)
    answers = {_wrapper(shape): _wrapped(shape) for each in operations if each.wrapped and (shape := each.answer)}
    whole: Json = _itemised({**found, **answers, _wrapper(shapes.QueuedRun): _wrapped(shapes.QueuedRun)})
    return whole


def _itemised(value: Any) -> Any:
    """Arrays of anything say so: generators refuse the ones that say nothing of their items."""
    if isinstance(value, dict):
        found = {name: _itemised(each) for name, each in value.items()}
        return {**found, "items": {}} if found.get("type") == "array" and "items" not in found else found
    return [_itemised(each) for each in value] if isinstance(value, list) else value


def _wrapper(shape: type) -> str:
    return f"{shape.__name__}Answer"


def _wrapped(shape: type) -> Json:
    return {
        "title": _wrapper(shape),
        "type": "object",
        "description": (shape.__doc__ or "").strip(),
        "properties": {"data": {"$ref": REF.format(name=shape.__name__)}},
        "required": ["data"],
    }


def _operation(each: Operation, known: Json) -> Json:
    found: Json = {"operationId": each.name, "responses": _responses(each, known)}
    if each.summary:
        found |= {"summary": each.summary, "tags": [each.tag]}
        session = [SESSION] if "{session_id}" in each.path else []
        found["parameters"] = [*session, *map(dict, each.parameters)]
    if each.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(each)}}}
    if each.security in NEEDED:
        found["security"] = NEEDED[each.security]
    return found


def _body(each: Operation) -> Json:
    one: Json = _reference(each.body)
    if not each.listed:
        return one
    many: Json = {"type": "array", "items": one}
    several: Json = {"type": "object", "properties": {"messages": many}, "required": ["messages"]}
    return {"anyOf": [one, many, several]}


def _responses(each: Operation, known: Json) -> Json:
    content: Json = {}
    if each.answer is not None:
        name = _wrapper(each.answer) if each.wrapped else each.answer.__name__
        content["application/json"] = {"schema": {"$ref": REF.format(name=name)}}
    if each.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}, **_streamed(each)}
    if each.text:
        content["text/plain"] = {"schema": {"type": "string"}}
    meaning = each.text or (each.answer.__doc__ if each.answer else "") or "Events as in docs/guide/streams.md"
    found: Json = {"200": {"description": meaning.strip(), "content": content}}
    if each.queues:
        queued = {"schema": {"$ref": REF.format(name=_wrapper(shapes.QueuedRun))}}
        found["202"] = {"description": str(shapes.QueuedRun.__doc__), "content": {"application/json": queued}}
    if each.path == "/health/ready":
        found["503"] = {"description": "It takes no work", "content": content}
    prefix = "OpenAI" if each.path.startswith("/v1/") else ""
    for status in _failures(each, known):
        found.setdefault(str(status), {"$ref": f"#/components/responses/{prefix}{status}"})
    found["default"] = _failure("OpenAIError" if prefix else "Error")
    return found


def _failures(each: Operation, known: Json) -> list[int]:
    """The statuses that calls of this kind can have, and those that the contract names."""
    found = set(each.errors)
    if each.security:
        found |= {401, 503}
    if each.body is not None or "requestBody" in known:
        found |= {400, 413, 422}
    if "{session_id}" in each.path and not each.path.endswith("/messages"):  # that one makes an unknown session
        found.add(404)
    return sorted(found)


def _failure(shape: str, status: int = 0) -> Json:
    late = RETRY if status in {429, 503} else {}
    headers = {**TRACE, **late} if shape == "Error" else {"x-error-code": TRACE["x-error-code"], **late}
    content = {"application/json": {"schema": {"$ref": REF.format(name=shape)}}}
    return {"description": FAILURES.get(status, "An error"), "headers": headers, "content": content}


def _streamed(each: Operation) -> Json:
    """What the `data` of events is; no schema of OpenAPI can say it of a stream."""
    if each.path.startswith("/v1/"):
        return {}
    return {"x-event-data": {kind: _reference(shape) for kind, shape in EVENTS.items()}}


def _reference(shape: type | None) -> Json:
    return {"$ref": REF.format(name=shape.__name__ if shape else "")}
