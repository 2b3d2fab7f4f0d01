"""The small routes that front ends ask at their start: languages, agents, tools, an empty workspace."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.settings import LANGUAGES
from evenkeel.serve.api.texts import ALIASES

Answer = dict[str, object]


def small_routes(desk: Desk) -> APIRouter:
    """Each answers without touching the database more than once."""
    router = APIRouter(prefix="/wunder", tags=["other"])

    @router.get("/i18n", summary="Languages that texts come in")
    async def languages() -> Answer:
        return {
            "default_language": desk.settings.default_language,
            "supported_languages": list(LANGUAGES),
            "aliases": ALIASES,
        }

    @router.get("/agents", summary="Agents of one's own; there is the default one, which is in no list")
    async def agents(request: Request) -> Answer:
        await desk.user(request)
        return {"data": {"total": 0, "items": []}}

    @router.get("/agents/shared", summary="Agents that others share")
    async def shared(request: Request) -> Answer:
        await desk.user(request)
        return {"data": {"total": 0, "items": []}}

    @router.get("/agents/running", summary="What runs now in one's main sessions")
    async def running(request: Request) -> Answer:
        user = await desk.user(request)
        main = sorted(await desk.main_sessions(user.user_id, {""}))
        states = await desk.runs.states(main)
        items = [
            {"agent_id": "", "session_id": session_id, "state": state.value}
            for session_id, state in states.items()
            if state.active
        ]
        return {"data": {"total": len(items), "items": items}}

    @router.get("/tools", summary="Tools that runs can use", tags=["run"])
    async def tools() -> Answer:
        return {"tools": [{"name": name, "description": text} for name, text in await desk.runs.tools()]}

    @router.get("/workspace/content", summary="A folder of one's workspace; files are reached through the agent")
    async def workspace(request: Request, path: Annotated[str, Query(max_length=1024)] = "") -> Answer:
        await desk.user(request)
        return {"path": path, "type": "dir", "entries": [], "total": 0, "offset": 0, "limit": 0, "tree_version": 0}

    return router
