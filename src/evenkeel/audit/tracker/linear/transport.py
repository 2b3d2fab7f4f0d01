"""One GraphQL request over HTTPS, and what its answer means. Linear answers failures with HTTP 200 too."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from evenkeel import __version__
from evenkeel.kernel.errors import (
    ConfigurationError,
    EvenkeelError,
    RateLimitedError,
    UnavailableError,
    UsageError,
)

ADDRESS = "https://api.linear.app/graphql"
MAX_BYTES = 4_000_000  # of an answer
TIMEOUT_S = 30.0  # for one request, answer included
PATIENCE_S = 15.0  # a rate limit that ends within this is waited for, once
DEFAULT_RETRY_S = 60.0  # when a rate limit does not say when it ends
_AGAIN = "Run it again: the task's id is kept, so no second task comes of it."

Variables = dict[str, Any]
Data = dict[str, Any]


def document(name: str) -> str:
    """A GraphQL document that ships, without its comments."""
    text = (resources.files("evenkeel.audit.tracker.linear") / "documents" / f"{name}.graphql").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def checked_address(address: str) -> str:
    """The address, when a key may be sent there: https, or http on this machine. Raises UsageError."""
    parts = urlsplit(address)
    local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if parts.scheme == "https" or (parts.scheme == "http" and local):
        return address
    raise UsageError(f"{address} is no address to send a key to.", hint="EVENKEEL_LINEAR_URL must begin with https://.")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key elsewhere: it is an answer like any other."""

    def redirect_request(self, *_: object) -> None:
        """None: it is not followed."""


@dataclass(frozen=True, slots=True)
class Api:
    """The service, and the key that opens it. The key is in no message and no representation."""

    key: str = field(repr=False)
    address: str = ADDRESS
    timeout_s: float = TIMEOUT_S
    now: Callable[[], float] = time.time  # seconds since 1970
    pause: Callable[[float], None] = time.sleep

    def call(self, name: str, variables: Variables) -> Data:
        """The `data` of one document's answer. Raises UsageError, ConfigurationError, RateLimitedError or UnavailableError.

        A request that was turned away by a rate limit was not carried out, so it is safe to send it again."""
        try:
            return self._once(name, variables)
        except RateLimitedError as error:
            if error.retry_after_s > PATIENCE_S:
                raise
            self.pause(error.retry_after_s)
            return self._once(name, variables)

    def _once(self, name: str, variables: Variables) -> Data:
        status, headers, raw = self._sent(json.dumps({"query": document(name), "variables": variables}).encode())
        try:
            body: Any = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        errors = body.get("errors") if isinstance(body, dict) else None
        data = body.get("data") if isinstance(body, dict) else None
        if 200 <= status < 300 and not errors and isinstance(data, dict):
            return data
        raise meaning(status, errors if isinstance(errors, list) else [], self._retry_after(headers))

    def _sent(self, data: bytes) -> tuple[int, Message, bytes]:
        request = urllib.request.Request(self.address, data, dict(headers_of(self.key)), method="POST")  # noqa: S310
        opener = urllib.request.build_opener(_NoRedirect)
        until = time.monotonic() + self.timeout_s
        try:
            try:
                answer = opener.open(request, timeout=self.timeout_s)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                return answer.status or 0, answer.headers, _bounded(answer.read1, until)
        except TimeoutError as error:
            raise UnavailableError(f"Linear did not answer within {self.timeout_s:g} s.", hint=_AGAIN) from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise UnavailableError(f"Linear did not answer within {self.timeout_s:g} s.", hint=_AGAIN) from error
            raise UnavailableError(f"Linear cannot be reached ({type(reason).__name__}).", hint=_AGAIN) from None

    def _retry_after(self, headers: Message) -> float:
        """Seconds until a try can succeed: as said, else when the emptier of the two budgets is full again."""
        said = _number(headers.get("retry-after"))
        if said is not None:
            return max(0.0, said)
        resets = [
            reset / 1000 - self.now()
            for kind in ("requests", "complexity")
            if (reset := _number(headers.get(f"x-ratelimit-{kind}-reset"))) is not None
            and _number(headers.get(f"x-ratelimit-{kind}-remaining")) in {0.0, None}
        ]
        return max([0.0, *resets]) if resets else DEFAULT_RETRY_S


def headers_of(key: str) -> Mapping[str, str]:
    """Personal keys are sent bare: with `Bearer` before them they are refused. Tokens of applications need it."""
    bare = key.startswith("lin_api_") or key.lower().startswith("bearer ")
    return {
        "Authorization": key if bare else f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"evenkeel/{__version__}",
    }


def meaning(status: int, errors: list[Any], retry_after_s: float) -> EvenkeelError:
    """What an answer without success means. Kinds come as `extensions.type` or as `extensions.code`, with any status."""
    kinds = {word for each in errors for word in _kinds(each)}
    if status == 429 or kinds & {"ratelimited", "rate limited"}:
        wait = f"Try again in {max(1, round(retry_after_s))} s."
        return RateLimitedError("Linear's rate limit is used up.", hint=wait, retry_after_s=retry_after_s)
    if kinds & {"authentication error", "unauthenticated"} or status == 401:
        return ConfigurationError("Linear refuses the key.", hint="Check LINEAR_API_KEY, or make a new key in Linear.")
    if kinds & {"forbidden", "feature not accessible", "usage limit exceeded"} or status == 403:
        return UsageError(f"Linear does not allow that{_quoted(errors)}.", hint="Use a key of someone who may.")
    if kinds & {"invalid input", "user error", "graphql error", "graphql validation failed", "bad user input"}:
        return UsageError(f"Linear refuses the request{_quoted(errors)}.", hint="Check the tracker's settings.")
    if not errors and 400 <= status < 500:
        return ConfigurationError(f"Linear refuses the key (HTTP status {status}).", hint="Check LINEAR_API_KEY.")
    if 300 <= status < 400:
        return UnavailableError("Linear answers from another address.", hint="Check the proxy on the way.")
    return UnavailableError(f"Linear failed (HTTP status {status}){_quoted(errors)}.", hint=_AGAIN)


def _kinds(error: Any) -> list[str]:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    if not isinstance(extensions, dict):
        return []
    return [str(extensions[name]).lower().replace("_", " ") for name in ("type", "code") if name in extensions]


def _quoted(errors: list[Any]) -> str:
    """The first message that is meant for people, in one line."""
    for each in errors:
        extensions = each.get("extensions") if isinstance(each, dict) else None
        told = extensions.get("userPresentableMessage") if isinstance(extensions, dict) else None
        message = told or (each.get("message") if isinstance(each, dict) else "")
        if isinstance(message, str) and message.strip():
            return f": {' '.join(message.split())[:200].rstrip('.')}"
    return ""


def _bounded(read: Callable[[int], bytes], until: float) -> bytes:
    """The body, at most `MAX_BYTES` of it and not beyond the deadline: a slow drip must not keep the run."""
    found = bytearray()
    while chunk := read(65_536):
        found += chunk
        if len(found) > MAX_BYTES:
            raise ValueError("the answer is too long")
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(found)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
