"""`/wunder/chat/*` over plain HTTP (section 3.1). Every route acts on sessions of the caller's own."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from evenkeel.hotpath.ports.sessions import NewSession
from evenkeel.kernel.errors import NotFoundError
from evenkeel.serve.api.desk import Desk
from evenkeel.serve.api.front import language_in
from evenkeel.serve.api.history import rounds_of, session_detail
from evenkeel.serve.api.profiles import session_object, tool_overrides
from evenkeel.serve.ports.identity import Identity
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import RunState

Answer = dict[str, object]
DEFAULT_AGENTS = frozenset({"", "default", "__default__"})
PAGE = 200
TAIL = 500


class SessionBody(BaseModel):
    """A new session."""

    title: str | None = Field(None, max_length=512, description="None = from the first message")
    agent_id: str | None = Field(None, max_length=256, description="None = the default agent")


class ToolsBody(BaseModel):
    """Which tools a session may use; none = the usual ones."""

    tool_overrides: list[Annotated[str, Field(max_length=256)]] = Field(
        default_factory=list, max_length=256, description="Names of tools; none = the usual ones"
    )


class PromptBody(BaseModel):
    """For which tools."""

    tool_overrides: list[Annotated[str, Field(max_length=256)]] | None = Field(
        None, max_length=256, description="Names of tools; none = the usual ones"
    )
    agent_id: str | None = Field(None, max_length=256, description="None = the default agent")


def _asked(user: Identity, session_id: str, body: PromptBody | None, language: str) -> RunRequest:
    names = tuple((body and body.tool_overrides) or ())
    return RunRequest(user.user_id, "", session_id, tool_names=names, language=language)


def chat_routes(desk: Desk) -> APIRouter:
    """Sessions: made, listed, read, cancelled, deleted."""
    router = APIRouter(prefix="/wunder/chat", tags=["chat"])
    storage = desk.parts.storage

    @router.get("/transport", summary="Which way answers stream by default")
    async def transport(request: Request) -> Answer:
        await desk.user(request)
        return {"data": {"chat_stream_channel": desk.settings.chat_stream_channel}}

    @router.post("/sessions", summary="Make a session, and the main one of its agent")
    async def create(request: Request, body: SessionBody | None = None) -> Answer:
        user = await desk.user(request)
        agent_id = known_agent((body and body.agent_id) or "")
        session_id = f"sess_{secrets.token_hex(16)}"
        title = ((body and body.title) or "").strip()
        session = await storage.sessions.ensure(NewSession(session_id, user.user_id, title, agent_id))
        await storage.threads.bind(user.user_id, agent_id, session_id)
        return {"data": session_object(session, is_main=True)}

    @router.get("/sessions", summary="One's sessions, the newest message first")
    async def page(
        request: Request,
        page: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
        page_size: Annotated[int | None, Query(ge=1, le=PAGE)] = None,
        offset: Annotated[int | None, Query(ge=0, le=100_000_000)] = None,
        limit: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
        agent_id: Annotated[str | None, Query(max_length=256)] = None,
        parent_session_id: Annotated[str | None, Query(max_length=256)] = None,
    ) -> Answer:
        user = await desk.user(request)
        size = min(page_size or limit or 50, PAGE)
        start = (page - 1) * size if page is not None else offset or 0
        agent = "" if agent_id in DEFAULT_AGENTS else agent_id
        total, found = await storage.sessions.page(
            user.user_id, limit=size, offset=start, agent_id=agent, parent_session_id=parent_session_id or None
        )
        main = await desk.main_sessions(user.user_id, {session.agent_id for session in found})
        items = [session_object(session, is_main=session.session_id in main) for session in found]
        return {"data": {"total": total, "items": items}}

    @router.get("/sessions/{session_id}", summary="A session with its messages")
    async def detail(
        session_id: str, request: Request, limit: Annotated[int | None, Query(ge=1, le=100_000)] = None
    ) -> Answer:
        user = await desk.user(request)
        session = await desk.session(session_id, user)
        most = limit or TAIL if user.is_admin else min(limit or TAIL, TAIL)
        window = await storage.chat.window(session_id, user.user_id, limit=most)
        state = (await desk.runs.states([session_id])).get(session_id, RunState.IDLE)
        return {"data": session_detail(session, window, state)}

    @router.get("/sessions/{session_id}/events", summary="What a session's latest rounds said, without deltas")
    async def events(session_id: str, request: Request) -> Answer:
        user = await desk.user(request)
        await desk.session(session_id, user)
        state = (await desk.runs.states([session_id])).get(session_id, RunState.IDLE)
        tail = await storage.events.read_tail(session_id, limit=TAIL)
        return {
            "data": {
                "id": session_id,
                "rounds": rounds_of(tail.events),
                "running": state in {RunState.RUNNING, RunState.CANCELLING},
                "last_event_id": tail.last_id,
                "epoch": tail.epoch,
            }
        }

    @router.post("/sessions/{session_id}/cancel", summary="Stop what runs in a session, and what waits for it")
    async def cancel(session_id: str, request: Request) -> Answer:
        user = await desk.user(request)
        await desk.session(session_id, user)
        return {"data": {"cancelled": await desk.runs.cancel(session_id)}}

    @router.delete("/sessions/{session_id}", summary="Delete a session with all that belongs to it")
    async def delete(session_id: str, request: Request) -> Answer:
        user = await desk.user(request)
        await desk.session(session_id, user)
        await desk.runs.cancel(session_id)
        await storage.sessions.delete(session_id, user.user_id)
        return {"data": {"id": session_id}}

    return router


def tool_routes(desk: Desk) -> APIRouter:
    """What a session's runs are given: tools and instructions."""
    router = APIRouter(prefix="/wunder/chat", tags=["chat"])

    @router.post("/sessions/{session_id}/tools", summary="Limit a session to some tools")
    async def tools(session_id: str, body: ToolsBody, request: Request) -> Answer:
        user = await desk.user(request)
        names = msgspec.json.encode(body.tool_overrides).decode()
        await desk.parts.storage.sessions.set_tool_overrides(session_id, user.user_id, names)
        desk.tools_kept.pop(session_id, None)
        return {"data": {"id": session_id, "tool_overrides": body.tool_overrides}}

    @router.post("/system-prompt", summary="The instructions that a run would give its model")
    async def prompt(request: Request, body: PromptBody | None = None) -> Answer:
        user = await desk.user(request)
        return {"data": {"prompt": await desk.runs.prompt(_asked(user, "", body, language_in(request.scope)))}}

    @router.post("/sessions/{session_id}/system-prompt", summary="The same, in a session")
    async def session_prompt(session_id: str, request: Request, body: PromptBody | None = None) -> Answer:
        user = await desk.user(request)
        names = tuple(tool_overrides(await desk.session(session_id, user)))
        run = _asked(user, session_id, body, language_in(request.scope))
        run = msgspec.structs.replace(run, tool_names=run.tool_names or names)
        return {"data": {"prompt": await desk.runs.prompt(run)}}

    return router


def known_agent(agent_id: str) -> str:
    """The agent that an id means. Raises NotFoundError: there is the default one and no other."""
    if agent_id.strip() not in DEFAULT_AGENTS:
        raise NotFoundError(f"There is no agent {agent_id!r}.", hint="Leave agent_id out for the default agent.")
    return ""
