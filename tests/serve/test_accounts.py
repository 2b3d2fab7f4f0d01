"""Accounts, tokens, the first administrator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from evenkeel.hotpath.ports.tokens import token_hash
from tests.serve.servers import Running, running
from tests.serve.tiny import tiny_agent
from tests.storages import Place

PROFILE = {
    "id", "username", "email", "roles", "status", "access_level", "unit_id", "unit", "daily_quota", "daily_quota_used",
    "daily_quota_date", "is_demo", "created_at", "updated_at", "last_login_at",
}  # fmt: skip


@asynccontextmanager
async def server_on(place: Place, **changes: Any) -> AsyncIterator[Running]:
    async with running(place, agent=tiny_agent, **changes) as server:
        yield server


async def login(server: Running, name: str, password: str) -> int:
    answer = await server.http.post("/wunder/auth/login", json={"username": name, "password": password})
    return answer.status_code


async def test_from_registration_to_logout(place: Place) -> None:
    async with server_on(place) as server:
        headers = await server.user("ann")
        me = (await server.http.get("/wunder/auth/me", headers=headers)).json()["data"]
        assert set(me) == PROFILE
        assert (me["id"], me["roles"], me["is_demo"]) == ("ann", ["user"], False)
        changed = await server.http.patch("/wunder/auth/me", json={"username": "anna"}, headers=headers)
        assert changed.json()["data"]["username"] == "anna"
        assert (await server.http.get("/wunder/auth/me", headers=headers)).json()["data"]["username"] == "anna"
        assert await login(server, "anna", "secret words") == 200
        assert await login(server, "anna", "guess") == 401
        assert await login(server, "nobody", "guess") == 401
        assert await login(server, "", "") == 400
        token = headers["authorization"].split()[1]
        assert token.startswith("wund_")
        assert len(token) == 5 + 32
        assert await server.server.parts.storage.tokens.owner(token) is None  # only its hash is stored
        assert await server.server.parts.storage.tokens.owner(token_hash(token)) is not None
        assert (await server.http.post("/wunder/auth/logout", headers=headers)).status_code == 200
        assert (await server.http.get("/wunder/auth/me", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"username": "ann", "password": "x"},
        {"username": "admin", "password": "x"},
        {"username": "with space", "password": "x"},
        {"username": "bob", "password": " "},
        {"username": "bob", "password": "x", "email": "nowhere"},
        {"username": "bob", "password": "x", "unit_id": "u1"},
        {"username": "bob", "password": "x" * 2000},
    ],
)
async def test_registrations_that_cannot_be(database: Place, body: dict[str, str]) -> None:
    if database.is_postgres:
        pytest.skip("one database is enough for what is checked before it")
    async with server_on(database) as server:
        await server.user("ann")
        assert (await server.http.post("/wunder/auth/register", json=body)).status_code == 400


async def test_the_first_administrator_comes_by_a_link_that_works_once(database: Place) -> None:
    async with server_on(database) as server:
        secret = await server.server.api.accounts.prepare_first_admin()
        assert await login(server, "admin", "admin") == 401
        setup = "/wunder/auth/setup"
        assert (await server.http.post(setup, json={"token": "guess", "password": "x"})).status_code == 403
        made = await server.http.post(setup, json={"token": secret, "password": "a password"})
        assert made.json()["data"]["user"]["roles"] == ["admin"]
        assert (await server.http.post(setup, json={"token": secret, "password": "other"})).status_code == 403
        assert await server.server.api.accounts.prepare_first_admin() == ""
        headers = {"authorization": f"Bearer {made.json()['data']['access_token']}"}
        assert (await server.http.get("/wunder/tools", headers=headers)).status_code == 200
        assert (await server.http.get("/wunder/tools", headers=await server.user("ann"))).status_code == 401


async def test_demonstration_is_refused_unless_it_was_asked_for(database: Place) -> None:
    async with server_on(database) as server:
        assert (await server.http.post("/wunder/auth/demo", json={})).status_code == 403
    async with server_on(database, auth__demo=True) as server:
        answers = [await server.http.post("/wunder/auth/demo", json={"demo_id": "visitor one!"}) for _ in range(2)]
        users = [answer.json()["data"]["user"] for answer in answers]
        assert [(user["username"], user["is_demo"]) for user in users] == [("demo_visitorone", True)] * 2
        assert await login(server, "admin", "admin") == 200
        assert await login(server, "demo_visitorone", "") == 400


async def test_a_flood_of_guesses_is_refused_before_hashing(database: Place) -> None:
    async with server_on(database, passwords__per_account=3) as server:
        await server.user("ann")
        statuses = await asyncio.gather(*(login(server, "ann", "guess") for _ in range(20)))
        assert statuses.count(429) >= 16
        answer = await server.http.post("/wunder/auth/login", json={"username": "ann", "password": "guess"})
        assert int(answer.headers["retry-after"]) >= 1
