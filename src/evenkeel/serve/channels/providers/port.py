"""What a provider's adapter does. Pure but for `send`, which gets its HTTP client passed in."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from evenkeel.hotpath.ports.dispatcher import SendResult
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.channels.messages import ChannelMessage, Outbound
from evenkeel.serve.channels.settings import AccountSettings


class NotGenuineError(EvenkeelError):
    """The call is not signed, or not by the one it claims to be from."""


class UnreadableError(EvenkeelError):
    """The body is not what this provider sends."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A call as it arrived. `headers` have lower-case names."""

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """What a call held: messages, or an `answer` that the provider wants back as it is (a challenge)."""

    messages: tuple[ChannelMessage, ...] = ()
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One POST of JSON that delivers a message or a part of it."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Http(Protocol):
    """The way out: guarded, bounded, with tokens kept until they end."""

    async def post(self, call: Call) -> SendResult:
        """Send; the answer's body is judged by its status, and by `code` where a provider says errors with 200."""
        ...

    async def token(self, key: str, call: Call, field: str) -> str:
        """An access token: kept under `key` until it ends (`expires_in` or `expire` of the answer, in seconds), else
        asked for by `call` and read from `field`. Raises `TokenError`.
        """
        ...


class Provider(Protocol):
    """One chat provider."""

    def receive(self, account_id: str, account: AccountSettings, inbound: Inbound) -> Received:
        """Check and read. Raises `NotGenuineError`, `UnreadableError`."""
        ...

    def proves_itself(self, account: AccountSettings) -> bool:
        """Whether this account's calls are signed, so that no API key is needed in front of them."""
        ...

    async def send(self, outbound: Outbound, account: AccountSettings, http: Http) -> SendResult:
        """Deliver one message."""
        ...


def constant_time_equal(given: str, wanted: str) -> bool:
    """Compare secrets without telling how much of them fits."""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())
