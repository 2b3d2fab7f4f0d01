"""Outbound: the outbox's sender for all channels, behind the guard against private targets."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager

import httpx2
import msgspec

from evenkeel.hotpath.outbox import TargetRules, Templates
from evenkeel.hotpath.outbox.http import retry_after
from evenkeel.hotpath.outbox.targets import ForbiddenTargetError, check_target
from evenkeel.hotpath.ports.bounded import BoundedMaps, MapRules
from evenkeel.hotpath.ports.dispatcher import SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage
from evenkeel.kernel.clock import Clock
from evenkeel.serve.channels.accounts import Accounts, provider_of
from evenkeel.serve.channels.messages import Outbound
from evenkeel.serve.channels.providers.fields import number, text
from evenkeel.serve.channels.providers.port import Call
from evenkeel.serve.channels.settings import ChannelsSettings

CONNECTIONS = 100
ANSWER_BYTES = 64 * 1024
DETAIL_CHARACTERS = 200
EARLY_S = 60.0  # a token is asked for anew this long before it ends
THROTTLE_CODES = frozenset({4, 80007, 99991400, 11233, 11249})  # said with status 200 or 400 by some providers


class TokenError(Exception):
    """No access token could be had; `result` says why."""

    def __init__(self, result: SendResult) -> None:
        super().__init__(result.detail)
        self.result = result


@asynccontextmanager
async def open_sender(
    settings: ChannelsSettings, accounts: Accounts, templates: Templates, maps: BoundedMaps, clock: Clock
) -> AsyncIterator[Sender]:
    """A sender for `Dispatcher.serve`."""
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx2.AsyncClient(
        follow_redirects=False, trust_env=False, limits=limits, timeout=settings.timeout_s
    ) as client:
        rules = TargetRules(allow=settings.allow_targets)
        kept = maps.map(MapRules[str, tuple[str, float]]("channel-tokens", 10_000))

        async def send(message: ClaimedMessage) -> SendResult:
            account = accounts.find(message.channel, message.account_id)
            if account is None:
                return SendResult(SendClass.REJECTED, detail="this account is not configured")
            try:
                outbound = msgspec.json.decode(message.payload, type=Outbound)
            except msgspec.DecodeError as error:
                return SendResult(SendClass.REJECTED, detail=f"unreadable row: {error}")
            http = _Http(client, rules, templates, message, kept, clock)
            try:
                return await provider_of(message.channel).send(outbound, account, http)
            except TokenError as error:
                return error.result

        yield send


class _Http:
    """The way out of one message."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        rules: TargetRules,
        templates: Templates,
        message: ClaimedMessage,
        tokens: MutableMapping[str, tuple[str, float]],
        clock: Clock,
    ) -> None:
        self._client = client
        self._rules = rules
        self._template = templates.of(message.channel)
        self._key = message.idempotency_key or message.outbox_id
        self._tokens = tokens
        self._clock = clock

    async def post(self, call: Call) -> SendResult:
        """See the port."""
        try:
            response, body = await self._exchange(call)
        except ForbiddenTargetError as error:
            return SendResult(SendClass.FORBIDDEN_TARGET, detail=str(error))
        except httpx2.TimeoutException as error:
            return SendResult(SendClass.TIMEOUT, detail=_named(error))
        except (httpx2.HTTPError, OSError) as error:
            return SendResult(SendClass.UNAVAILABLE, detail=_named(error))
        return self._judged(response, body)

    async def token(self, key: str, call: Call, field: str) -> str:
        """See the port. Two messages at once may both ask: the later answer stays, both hold."""
        kept, ends = self._tokens.get(key, ("", 0.0))
        if kept and ends > self._clock.monotonic_s():
            return kept
        try:
            response, body = await self._exchange(call)
        except (httpx2.HTTPError, OSError, ForbiddenTargetError) as error:
            raise TokenError(SendResult(SendClass.UNAVAILABLE, detail=f"no access token: {_named(error)}")) from None
        token = text(body, field)
        if response.status_code >= httpx2.codes.BAD_REQUEST or not token:
            judged = self._judged(response, body)
            kind = SendClass.UNAVAILABLE if judged.kind in {SendClass.SENT, SendClass.REJECTED} else judged.kind
            raise TokenError(SendResult(kind, judged.retry_after_s, f"no access token: {judged.detail}"))
        lives_s = number(body, "expires_in") or number(body, "expire") or 0.0
        self._tokens[key] = (token, self._clock.monotonic_s() + max(0.0, lives_s - EARLY_S))
        return token

    async def _exchange(self, call: Call) -> tuple[httpx2.Response, object]:
        target = await check_target(call.url, self._rules)
        headers = {
            "Content-Type": "application/json",
            **call.headers,
            "Host": target.host_header,
            "Idempotency-Key": self._key,
        }
        request = self._client.build_request(
            "POST",
            target.pinned_url,
            content=msgspec.json.encode(call.body),
            headers=headers,
            extensions={"sni_hostname": target.host},  # the certificate is checked against the name, not the address
        )
        response = await self._client.send(request, stream=True)
        try:
            return response, _decoded(await _bounded(response))
        finally:
            await response.aclose()

    def _judged(self, response: httpx2.Response, body: object) -> SendResult:
        kind = self._template.meaning(response.status_code)
        code = number(body, "code")
        if code is None:
            code = number(body, "error", "code") if isinstance(body, dict) else None
        if code is not None and int(code) in THROTTLE_CODES:
            kind = SendClass.THROTTLED
        elif kind is SendClass.SENT and code not in {None, 0.0}:
            kind = SendClass.REJECTED
        if kind is SendClass.SENT:
            return SendResult(kind)
        wait_s = retry_after(response.headers.get("Retry-After", ""), self._clock.wall_s())
        said = text(body, "msg") or text(body, "message") or text(body, "error", "message")
        return SendResult(kind, wait_s, f"HTTP {response.status_code} {said}"[:DETAIL_CHARACTERS].strip())


async def _bounded(response: httpx2.Response) -> bytes:
    """A little of what the server says; the rest, however long, is not read."""
    read = bytearray()
    async for chunk in response.aiter_bytes(4096):
        read += chunk
        if len(read) >= ANSWER_BYTES:
            break
    return bytes(read[:ANSWER_BYTES])


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
