"""From a web hook to an answer at the provider: real storage, real outbox, a real HTTP server as the provider."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evenkeel.hotpath.bounded import build_bounded
from evenkeel.hotpath.outbox import build_outbox
from evenkeel.hotpath.ports.bus import Subscription
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.metrics import Meters
from evenkeel.serve.channels import AccountSettings, ChannelsSettings, build_channels, open_delivery
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.channels.settings import FeishuSettings, WhatsAppSettings
from evenkeel.serve.ports.failures import CodedError, RunFailedError
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Answer, Begun, RunState, Usage
from tests.outboxes import QUICK, TEMPLATES
from tests.queues import until
from tests.serve.channels.test_providers import feishu_call, feishu_event, whatsapp_call, whatsapp_event
from tests.storages import Place

SECRET = "a-secret-of-the-test"


class Reader:
    """A subscription that nobody reads."""

    closed = 0

    async def aclose(self) -> None:
        Reader.closed += 1


@dataclass
class EchoRuns:
    """Runs that end at once, as the agent tells it: the answer is handed to `replies`, twice, as after a crash."""

    replies: Replies
    requests: list[RunRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    fails: bool = False

    async def submit(self, request: RunRequest) -> Begun:
        self.requests.append(request)
        outcome: Answer | RunFailedError = Answer(request.session_id, f"echo {request.question}", Usage(), "final_tool")
        if self.fails:
            outcome = RunFailedError("INTERNAL_ERROR", "The model is down.")
        for _ in range(2):
            await self.replies.settled(request, f"task_{len(self.requests)}", outcome)
        return Begun(request.session_id, 1, cast("Subscription", Reader()))

    async def outcome(self, begun: Begun) -> Answer:
        raise NotImplementedError

    async def cancel(self, session_id: str, by: CancelledBy = CancelledBy.USER) -> bool:
        self.cancelled.append(session_id)
        return False

    async def tools(self) -> Sequence[tuple[str, str]]:
        return []

    async def prompt(self, request: RunRequest) -> str:
        return request.agent_prompt

    async def states(self, session_ids: Sequence[str]) -> dict[str, RunState]:
        return dict.fromkeys(session_ids, RunState.IDLE)


@dataclass
class World:
    client: httpx2.AsyncClient
    runs: EchoRuns
    provider: Provider

    async def post(self, path: str, content: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        return await self.client.post(f"/wunder/channel/{path}", content=content, headers=dict(headers or {}))

    async def say(self, text: str, **changes: Any) -> dict[str, Any]:
        body = {"channel": "", "account_id": "desk", "peer": {"kind": "dm", "id": "p1"}, "type": "text", "text": text}
        answer = await self.post("sms/webhook", json.dumps({**body, **changes}).encode(), {"x-api-key": "k"})
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json()["data"])


@dataclass
class Provider:
    """The other side: an HTTP server that writes down what it is sent."""

    url: str = ""
    calls: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    answer: Callable[[str], tuple[int, Any]] = lambda path: (200, {"code": 0})

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path = lines[0].split()[1]
        self.calls.append((path, headers, json.loads(body)))
        status, value = self.answer(path)
        data = json.dumps(value).encode()
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(data)) + data)
        await writer.drain()
        writer.close()

    def texts(self) -> list[Any]:
        return [body for path, _, body in self.calls if "token" not in path]


def accounts(url: str) -> dict[str, dict[str, AccountSettings]]:
    return {
        "sms": {
            "desk": AccountSettings(outbound_url=f"{url}/sms", outbound_token="out"),
            "busy": AccountSettings(outbound_url=f"{url}/sms", per_s=1.0),
            "closed": AccountSettings(deny_peers=("p1",)),
            "guarded": AccountSettings(inbound_token="in"),
            "groups": AccountSettings(session="hybrid"),
        },
        "whatsapp": {
            "main": AccountSettings(
                whatsapp=WhatsAppSettings("555", "access", "verify-me", SECRET, base_url=f"{url}/graph")
            )
        },
        "feishu": {
            "main": AccountSettings(
                feishu=FeishuSettings("cli_1", "app-secret", encrypt_key=SECRET, base_url=f"{url}/lark")
            )
        },
    }


@asynccontextmanager
async def world(place: Place) -> AsyncIterator[World]:
    provider = Provider()
    server = await asyncio.start_server(provider.handle, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    switches, meters, clock = read_switches(place.profile), Meters(), SystemClock()
    settings = ChannelsSettings(accounts=accounts(provider.url), allow_targets=("127.0.0.0/8",))
    async with (
        server,
        place.open(meters) as storage,
        build_bounded(switches, meters) as maps,
        open_delivery(
            settings, maps, clock, build_outbox(QUICK, switches, meters, storage, templates=TEMPLATES)
        ) as outbox,
    ):
        replies = Replies(outbox)
        runs = EchoRuns(replies)
        unused = cast("Any", None)
        parts = Parts(
            "test",
            switches,
            meters,
            clock,
            storage,
            unused,
            unused,
            unused,
            unused,
            unused,
            outbox,
            unused,
            unused,
            maps,
        )
        has_key = lambda request: request.headers.get("x-api-key") == "k"  # noqa: E731
        channels = build_channels(parts, runs, replies, settings, has_key=has_key)
        app = Starlette(routes=channels.routes, exception_handlers={CodedError: refusal})
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            assert channels.needs_no_key("/wunder/channel/whatsapp/webhook")
            assert not channels.needs_no_key("/wunder/channel/sms/webhook")
            assert not channels.needs_no_key("/wunder/channel/qqbot/webhook")
            yield World(client, runs, provider)


async def refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, CodedError)
    return JSONResponse({"code": error.code, "message": error.message}, error.status)


async def test_an_answer_reaches_the_generic_channel_once(place: Place) -> None:
    async with world(place) as here:
        told = await here.say("hi", message_id="m1")
        assert told["accepted"] == 1
        assert told["errors"] == []
        await until(lambda: len(here.provider.calls) == 1)
        again = await here.say("hi", message_id="m1")
        assert again["session_ids"] == [""]
        await asyncio.sleep(0.1)
    ((path, headers, body),) = here.provider.calls
    assert (path, headers["authorization"]) == ("/sms", "Bearer out")
    assert headers["idempotency-key"] == "out_1"
    assert (body["text"], body["peer"]["id"], body["meta"]["message_id"]) == ("echo hi", "p1", "m1")
    assert len(here.runs.requests) == 1
    assert here.runs.requests[0].registered is False


async def test_a_conversation_keeps_its_session_until_new_is_said(place: Place) -> None:
    async with world(place) as here:
        first, second = (await here.say("one"))["session_ids"], (await here.say("two"))["session_ids"]
        assert first == second
        await here.say("/new")
        assert (await here.say("three"))["session_ids"] != first
        other = await here.say("four", peer={"kind": "dm", "id": "p2"})
        assert other["session_ids"] != first
        await here.say("/stop")
        assert len(here.runs.cancelled) == 1


async def test_groups_of_one_account_have_sessions_of_their_own(place: Place) -> None:
    async with world(place) as here:
        person = {"sender": {"id": "p1"}, "account_id": "groups"}
        alone = (await here.say("a", **person))["session_ids"]
        group = (await here.say("b", **person, peer={"kind": "group", "id": "g1"}))["session_ids"]
        assert alone != group
        assert (await here.say("c", **person, peer={"kind": "group", "id": "g1"}))["session_ids"] == group


async def test_limits_and_lists_of_peers_hold(place: Place) -> None:
    async with world(place) as here:
        assert (await here.say("x", account_id="closed"))["errors"] == ["This peer is not allowed."]
        for _ in range(2):
            await here.say("x", account_id="busy")
        assert len(here.runs.requests) == 1
        await until(lambda: len(here.provider.calls) == 2)
        assert {"Busy" in body["text"] for body in here.provider.texts()} == {True, False}


async def test_a_run_that_fails_says_so_to_the_peer(place: Place) -> None:
    async with world(place) as here:
        here.runs.fails = True
        await here.say("hi")
        await until(lambda: len(here.provider.calls) == 1)
        assert here.provider.texts()[0]["text"] == "The model is down."


async def test_whatsapp_from_signed_call_to_graph(place: Place) -> None:
    async with world(place) as here:
        call = whatsapp_call(whatsapp_event())
        answer = await here.post("whatsapp/webhook", call.body, call.headers)
        assert answer.json()["data"]["accepted"] == 1
        await until(lambda: len(here.provider.calls) == 1)
        ((path, headers, body),) = here.provider.calls
        assert (path, headers["authorization"]) == ("/graph/555/messages", "Bearer access")
        assert body["text"]["body"] == "echo hello"
        assert body["context"] == {"message_id": "wamid.1"}
        forged = whatsapp_call(whatsapp_event(), "someone else")
        assert (await here.post("whatsapp/webhook", forged.body, forged.headers)).status_code == 401
        query = "hub.mode=subscribe&hub.challenge=c1&hub.verify_token="
        assert (await here.client.get(f"/wunder/channel/whatsapp/webhook?{query}verify-me")).text == "c1"
        assert (await here.client.get(f"/wunder/channel/whatsapp/webhook?{query}guess")).status_code == 401


async def test_feishu_asks_for_one_token_and_takes_throttling_for_what_it_is(place: Place) -> None:
    throttled = [True]

    def answer(path: str) -> tuple[int, Any]:
        if "tenant_access_token" in path:
            return 200, {"code": 0, "tenant_access_token": "t-1", "expire": 7200}
        return (200, {"code": 99991400, "msg": "too many"}) if throttled and throttled.pop() else (200, {"code": 0})

    async with world(place) as here:
        here.provider.answer = answer
        for number in range(2):
            event = feishu_event()
            event["event"]["message"]["message_id"] = f"om_{number}"
            call = feishu_call(event)
            told = await here.post("feishu/webhook", call.body, call.headers)
            assert told.json()["data"]["errors"] == []
            await until(lambda seen=number: len(here.provider.texts()) >= seen + 2)  # type: ignore[misc]
        asked = [path for path, _, _ in here.provider.calls if "tenant_access_token" in path]
        assert len(asked) == 1
        sent = here.provider.texts()
        assert json.loads(sent[0]["content"]) == {"text": "echo hello"}


async def test_calls_without_key_token_or_account_are_refused(place: Place) -> None:
    async with world(place) as here:
        body = json.dumps(
            {"channel": "sms", "account_id": "guarded", "peer": {"kind": "dm", "id": "p"}, "type": "text"}
        )
        assert (await here.post("sms/webhook", body.encode())).status_code == 401
        assert (await here.post("sms/webhook", body.replace("guarded", "nobody").encode())).status_code == 400
        assert (await here.post("sms/webhook", b"{")).status_code == 400
        assert (await here.post("qqbot/webhook", b"{}")).status_code == 400
