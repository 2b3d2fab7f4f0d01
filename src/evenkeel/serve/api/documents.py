"""The OpenAPI document: FastAPI writes the plain routes, this adds the ones that it does not see."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from evenkeel.serve.api.chat_streams import MessageBody
from evenkeel.serve.api.openai_routes import CompletionBody
from evenkeel.serve.api.wunder import WunderBody

Json = dict[str, Any]
REF = "#/components/schemas/{name}"
ERROR: Json = {
    "type": "object",
    "required": ["ok", "error", "detail"],
    "properties": {
        "ok": {"const": False},
        "error": {
            "type": "object",
            "required": ["code", "message", "status", "hint", "trace_id", "timestamp"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "status": {"type": "integer"},
                "hint": {"type": "string"},
                "trace_id": {"type": "string"},
                "timestamp": {"type": "number"},
            },
        },
        "detail": {"type": "object", "properties": {"message": {"type": "string"}}},
    },
}
SECURITY: Json = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
USER: list[Json] = [{"bearer": []}]
OPERATOR: list[Json] = [{"apiKey": []}, {"bearer": []}]
SESSION: Json = {"name": "session_id", "in": "path", "required": True, "schema": {"type": "string"}}


def with_streams(app: FastAPI) -> None:
    """Make `/openapi.json` complete; built once, when it is first asked for."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> Json:
    document: Json = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    bodies = (WunderBody, MessageBody, CompletionBody)
    _, schemas = msgspec.json.schema_components(bodies, ref_template=REF)
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update({**schemas, "Error": ERROR})
    components["securitySchemes"] = SECURITY
    document["paths"].update(_paths())
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _secure(path, operation)
    return document


def _secure(path: str, operation: Json) -> None:
    operation["responses"] = {
        **{status: found for status, found in operation["responses"].items() if status != "422"},
        "default": {"description": "An error", "content": _json(REF.format(name="Error"))},
    }
    open_paths = ("/health", "/metrics", "/wunder/i18n", "/wunder/auth/")
    if path in {"/wunder", "/wunder/tools"} or path.startswith("/v1"):
        operation["security"] = OPERATOR
    elif not path.startswith(open_paths) or path in {"/wunder/auth/me", "/wunder/auth/logout"}:
        operation["security"] = USER


def _paths() -> Json:
    cursor: Json = {
        "name": "after_event_id",
        "in": "query",
        "description": "Go on after this id. 0: from the beginning of the turn at work. None: what comes from now on.",
        "schema": {"type": "integer", "minimum": 0},
    }
    last: Json = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "As after_event_id, and wins over it: what a browser's EventSource sends.",
        "schema": {"type": "integer", "minimum": 0},
    }
    events = "Events as in docs/guide/streams.md"
    return {
        "/wunder": {
            "post": {
                "tags": ["run"],
                "summary": "Ask for a run on behalf of a user",
                "requestBody": _body(WunderBody),
                "responses": {
                    "200": {"description": f"The answer, or a stream. {events}", "content": _either()},
                    "202": {"description": "The session is busy; the request waits", "content": _json()},
                },
            }
        },
        "/wunder/chat/sessions/{session_id}/messages": {
            "post": {
                "tags": ["chat"],
                "summary": "Say something in a session",
                "parameters": [SESSION],
                "requestBody": _body(MessageBody),
                "responses": {
                    "200": {"description": f"The answer, or a stream. {events}", "content": _either()},
                    "202": {"description": "The session is busy; the request waits", "content": _json()},
                },
            }
        },
        "/wunder/chat/sessions/{session_id}/resume": {
            "get": {
                "tags": ["chat"],
                "summary": "Go on reading a session; ends when nothing is at work in it",
                "parameters": [SESSION, cursor, last],
                "responses": {"200": {"description": events, "content": {"text/event-stream": {}}}},
            }
        },
        "/v1/chat/completions": {
            "post": {
                "tags": ["openai"],
                "summary": "The agent, as OpenAI's clients know an API",
                "requestBody": _body(CompletionBody),
                "responses": {"200": {"description": "A completion, or a stream of chunks", "content": _either()}},
            }
        },
        "/v1/models": {
            "get": {
                "tags": ["openai"],
                "summary": "Names that a request may give as its model",
                "responses": {"200": {"description": "The list", "content": _json()}},
            }
        },
    }


def _body(shape: type) -> Json:
    return {"required": True, "content": _json(REF.format(name=shape.__name__))}


def _json(reference: str = "") -> Json:
    return {"application/json": {"schema": {"$ref": reference} if reference else {"type": "object"}}}


def _either() -> Json:
    return {**_json(), "text/event-stream": {}}
