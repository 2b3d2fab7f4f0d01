"""Errors, as clients get them: one shape for everything that goes wrong (section 4 of the contract)."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from starlette.responses import Response

from evenkeel.hotpath.ports.errors import SessionBusyError
from evenkeel.kernel.errors import EvenkeelError, OverloadedError, outcome_of
from evenkeel.serve.api.texts import text_of
from evenkeel.serve.ports.failures import CodedError

CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "UNPROCESSABLE_ENTITY",
    429: "RATE_LIMITED",
    503: "SERVICE_UNAVAILABLE",
    504: "UPSTREAM_TIMEOUT",
    507: "STORAGE_FULL",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One error. `detail` is what stands beside the message in `detail`; `retry_after_s` becomes a header."""

    status: int
    code: str
    message: str
    hint: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)
    retry_after_s: float | None = None

    def payload(self, trace_id: str) -> dict[str, object]:
        """The inner object, as HTTP bodies and WebSocket `error` messages carry it."""
        return {
            "code": self.code,
            "message": self.message,
            "status": self.status,
            "hint": self.hint,
            "trace_id": trace_id,
            "timestamp": time.time(),
        }


def new_trace_id() -> str:
    """Names one failure in answer and log."""
    return f"err_{secrets.token_hex(16)}"


def failure(status: int, message: str = "", *, code: str = "", hint: str = "", language: str = "en-US") -> Failure:
    """A failure by status; code and text are the usual ones unless given."""
    code = code or CODES.get(status, "INTERNAL_ERROR" if status >= 500 else "BAD_REQUEST")
    return Failure(status, code, message or text_of(code, language, code), hint)


def failure_of(error: Exception, language: str) -> Failure:
    """What an error means to a client. Errors that nobody raised on purpose say nothing of themselves."""
    if isinstance(error, CodedError):
        message = text_of(error.code, language, error.message) if language != "en-US" else error.message
        detail: dict[str, object] = {"code": error.code}
        if error.detail:
            detail["detail"] = error.detail
        return Failure(error.status, error.code, message, error.hint, detail)
    if isinstance(error, SessionBusyError):
        return Failure(429, "USER_BUSY", text_of("USER_BUSY", language), error.hint, {"code": "USER_BUSY"})
    if isinstance(error, EvenkeelError):
        status = outcome_of(error).http_status
        retry_after_s = error.retry_after_s if isinstance(error, OverloadedError) else None
        if status == 500:
            return failure(500, language=language)
        return Failure(status, CODES.get(status, "INTERNAL_ERROR"), error.message, error.hint, {}, retry_after_s)
    return failure(500, language=language)


def response_of(found: Failure, trace_id: str = "") -> Response:
    """The HTTP answer."""
    trace_id = trace_id or new_trace_id()
    body = {
        "ok": False,
        "error": found.payload(trace_id),
        "detail": {"message": found.message, **found.detail},
    }
    headers = {"x-trace-id": trace_id, "x-error-code": found.code}
    if found.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(found.retry_after_s)))
    return Response(msgspec.json.encode(body), found.status, headers, "application/json")
