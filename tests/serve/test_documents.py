"""The OpenAPI document, as a generator of clients reads it, and real answers held against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.serve.servers import KEY, Running, running
from tests.serve.tiny import tiny_agent
from tests.storages import Place

OPERATOR = {"x-api-key": KEY}
Json = dict[str, Any]


async def document(server: Running) -> Json:
    found: Json = (await server.http.get("/openapi.json")).json()
    return found


def operations(openapi: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


async def test_a_client_can_be_made_from_it(database: Place) -> None:
    """Every reference leads somewhere, every call has a name, an answer with a shape, and errors."""
    async with running(database, agent=tiny_agent) as server:
        openapi = await document(server)
        for reference in references(openapi):
            found: Any = openapi
            for part in reference.removeprefix("#/").split("/"):
                found = found[part]
        names = [operation["operationId"] for _, _, operation in operations(openapi)]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and "_" not in name for name in names)  # none that was made up by a machine
        for path, method, operation in operations(openapi):
            assert operation["summary"], path
            assert operation["tags"], path
            shapes = [content.get("schema") for content in operation["responses"]["200"]["content"].values()]
            assert shapes, path
            assert all("$ref" in shape or shape == {"type": "string"} for shape in shapes), (path, method)
            assert operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"]
            in_path = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path
            if "security" in operation:
                assert "401" in operation["responses"], path


async def test_every_field_is_described(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        schemas = (await document(server))["components"]["schemas"]
        bare = [
            f"{name}.{field}"
            for name, schema in schemas.items()
            for field, shape in schema.get("properties", {}).items()
            if "description" not in shape and "$ref" not in shape
        ]
        assert bare == []
        for name, schema in schemas.items():
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema.get("description"), name
        assert list(refused(schemas)) == []


def refused(value: object) -> Iterator[Json]:
    """What generators of clients stumble over: arrays of nothing in particular, and enumerations of booleans."""
    if isinstance(value, dict):
        if (value.get("type") == "array" and "items" not in value) or {True, False} & {*value.get("enum", ())}:
            yield value
        for each in value.values():
            yield from refused(each)
    elif isinstance(value, list):
        for each in value:
            yield from refused(each)


class Checked:
    """Asks, and holds the answer against what the document says of it; what it does not say may not be there either."""

    def __init__(self, server: Running, openapi: Json) -> None:
        self._server, self._openapi = server, openapi

    async def ask(self, method: str, path: str, template: str, headers: dict[str, str], **more: Any) -> Json:
        answer = await self._server.http.request(method, path, headers=headers, **more)
        responses = self._openapi["paths"][template][method.lower()]["responses"]
        said = responses.get(str(answer.status_code), responses["default"])
        if "$ref" in said:
            said = self._openapi["components"]["responses"][said["$ref"].rsplit("/", 1)[1]]
        schema = said["content"]["application/json"]["schema"]
        whole = {**schema, "components": self._openapi["components"]}
        body: Json = answer.json()
        jsonschema.validate(body, whole)
        self._no_more(body, schema, template)
        return body

    def _no_more(self, value: object, schema: Json, where: str) -> None:
        if "$ref" in schema:
            schema = self._openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if isinstance(value, dict) and "properties" in schema:
            assert set(value) <= set(schema["properties"]), where
            for name, each in value.items():
                self._no_more(each, schema["properties"][name], f"{where}.{name}")
        elif isinstance(value, list) and "items" in schema:
            for each in value:
                self._no_more(each, schema["items"], where)


async def test_answers_are_what_it_says(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        checked = Checked(server, await document(server))
        user = await server.user("ann")
        one = "/wunder/chat/sessions/{session_id}"
        made = await checked.ask("POST", "/wunder/chat/sessions", "/wunder/chat/sessions", user)
        session = made["data"]["id"]
        here = one.replace("{session_id}", session)
        question = {"content": "hello", "stream": False}
        await checked.ask("POST", f"{here}/messages", f"{one}/messages", user, json=question)
        for path in ("", "/events"):
            await checked.ask("GET", here + path, one + path, user)
        await checked.ask("POST", f"{here}/tools", f"{one}/tools", user, json={"tool_overrides": ["read_file"]})
        await checked.ask("POST", f"{here}/system-prompt", f"{one}/system-prompt", user)
        await checked.ask("POST", f"{here}/cancel", f"{one}/cancel", user)
        for path in ("/wunder/chat/sessions", "/wunder/chat/transport", "/wunder/auth/me", "/wunder/auth/org_units"):
            await checked.ask("GET", path, path, user)
        for path in ("/wunder/i18n", "/wunder/agents", "/wunder/agents/running", "/wunder/workspace/content"):
            await checked.ask("GET", path, path, user)
        await checked.ask("GET", "/health/live", "/health/live", {})
        await checked.ask("DELETE", here, one, user)
        login = {"username": "ann", "password": "secret words"}
        await checked.ask("POST", "/wunder/auth/login", "/wunder/auth/login", {}, json=login)
        await checked.ask("POST", "/wunder/auth/logout", "/wunder/auth/logout", user)


async def test_answers_to_operators_are_what_it_says(database: Place) -> None:
    async with running(database, agent=tiny_agent) as server:
        checked = Checked(server, await document(server))
        question = {"user_id": "ann", "question": "hello", "stream": False}
        await checked.ask("POST", "/wunder", "/wunder", OPERATOR, json=question)
        await checked.ask("GET", "/wunder/tools", "/wunder/tools", OPERATOR)
        asked = {"messages": [{"role": "user", "content": "hello"}]}
        await checked.ask("POST", "/v1/chat/completions", "/v1/chat/completions", OPERATOR, json=asked)
        models = await checked.ask("GET", "/v1/models", "/v1/models", OPERATOR)
        name = models["data"][0]["id"]
        await checked.ask("GET", f"/v1/models/{name}", "/v1/models/{model}", OPERATOR)


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/wunder/auth/me", "/wunder/auth/me"),
        ("GET", "/wunder/chat/sessions/none", "/wunder/chat/sessions/{session_id}"),
        ("POST", "/wunder", "/wunder"),
        ("POST", "/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/wunder/auth/login", "/wunder/auth/login"),
        ("POST", "/wunder/channel/none/webhook", "/wunder/channel/{provider}/webhook"),
    ],
)
async def test_errors_are_what_it_says(database: Place, method: str, path: str, template: str) -> None:
    async with running(database, agent=tiny_agent) as server:
        checked = Checked(server, await document(server))
        user = await server.user("ann")
        for headers in ({}, user, OPERATOR):
            body = await checked.ask(method, path, template, headers, **({"json": {}} if method == "POST" else {}))
            if path == "/wunder/auth/me" and headers == user:
                assert "data" in body
            else:
                assert "error" in body
