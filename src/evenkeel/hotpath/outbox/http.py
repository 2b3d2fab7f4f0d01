"""A sender of JSON over HTTP, for channels that are a URL: guarded, pinned, with an idempotency key.

Needs `httpx2` (extra `outbox-http`). Redirects are not followed and proxies from the environment are not used: both
would lead somewhere that was not checked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any

from evenkeel.hotpath.outbox.targets import ForbiddenTargetError, Resolve, TargetRules, check_target
from evenkeel.hotpath.outbox.templates import Templates
from evenkeel.hotpath.ports.dispatcher import SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage
from evenkeel.kernel.clock import Clock, SystemClock
from evenkeel.kernel.errors import ConfigurationError

DETAIL_BYTES = 200
CONNECTIONS = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an account's messages go, and with which headers (tokens, signatures)."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


EndpointOf = Callable[[ClaimedMessage], Awaitable[Endpoint | None]]
"""The endpoint of a message's account; None = the account has none, and the message counts as sent."""


@asynccontextmanager
async def http_sender(
    endpoint_of: EndpointOf,
    templates: Templates,
    rules: TargetRules | None = None,
    *,
    clock: Clock | None = None,
    resolve: Resolve | None = None,
    client_options: Mapping[str, Any] | None = None,
) -> AsyncIterator[Sender]:
    """A sender for `Dispatcher.serve`. Raises `ConfigurationError` when httpx2 is not installed."""
    http = _library()
    limits = http.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    options = {"limits": limits, "timeout": None, **(client_options or {})}  # the dispatcher has the time-out
    async with http.AsyncClient(follow_redirects=False, trust_env=False, **options) as client:
        sender = _HttpSender(
            client, http, endpoint_of, templates, rules or TargetRules(), clock or SystemClock(), resolve
        )
        yield sender.send


@dataclass(frozen=True, slots=True)
class _HttpSender:
    client: Any
    http: Any
    endpoint_of: EndpointOf
    templates: Templates
    rules: TargetRules
    clock: Clock
    resolve: Resolve | None

    async def send(self, message: ClaimedMessage) -> SendResult:
        """One POST. What goes wrong on the way is a class; only a cancel is raised."""
        endpoint = await self.endpoint_of(message)
        if endpoint is None:
            return SendResult(SendClass.SENT, detail="no endpoint")
        try:
            return await self._post(message, endpoint)
        except ForbiddenTargetError as error:
            return SendResult(SendClass.FORBIDDEN_TARGET, detail=str(error))
        except self.http.TimeoutException as error:
            return SendResult(SendClass.TIMEOUT, detail=_named(error))
        except (self.http.HTTPError, OSError) as error:
            return SendResult(SendClass.UNAVAILABLE, detail=_named(error))

    async def _post(self, message: ClaimedMessage, endpoint: Endpoint) -> SendResult:
        target = await check_target(endpoint.url, self.rules, self.resolve)
        headers = {
            "Content-Type": "application/json",
            **endpoint.headers,
            "Host": target.host_header,
            "Idempotency-Key": message.idempotency_key or message.outbox_id,
        }
        request = self.client.build_request(
            "POST",
            target.pinned_url,
            content=message.payload,
            headers=headers,
            extensions={"sni_hostname": target.host},  # the certificate is checked against the name, not the address
        )
        response = await self.client.send(request, stream=True)
        try:
            return await self._result(message, response)
        finally:
            await response.aclose()

    async def _result(self, message: ClaimedMessage, response: Any) -> SendResult:
        kind = self.templates.of(message.channel).meaning(response.status_code)
        if kind is SendClass.SENT:
            return SendResult(kind)
        retry_after_s = retry_after(response.headers.get("Retry-After", ""), self.clock.wall_s())
        body = await _beginning(response)
        return SendResult(kind, retry_after_s, f"HTTP {response.status_code} {body}".strip())


async def _beginning(response: Any) -> str:
    """A little of what the server says; the rest, however long, is not read."""
    async for chunk in response.aiter_bytes(DETAIL_BYTES):
        return str(bytes(chunk[:DETAIL_BYTES]).decode("utf-8", "replace"))
    return ""


def retry_after(value: str, now_s: float) -> float | None:
    """Seconds from a `Retry-After` header: a number, or a date (RFC 9110, 10.2.3); None if it is neither."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return max(0.0, when.timestamp() - now_s)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _library() -> Any:
    try:
        return import_module("httpx2")
    except ModuleNotFoundError:
        raise ConfigurationError("httpx2 is not installed.", hint="pip install 'evenkeel[outbox-http]'") from None
