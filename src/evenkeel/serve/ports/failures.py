"""Errors of a run, by the codes that clients know. HTTP statuses: section 1 of the API's contract."""

from __future__ import annotations

from collections.abc import Mapping

from evenkeel.kernel.errors import EvenkeelError

STATUS_BY_CODE = {
    "INVALID_REQUEST": 400,
    "CANCELLED": 400,
    "LLM_UNAVAILABLE": 400,
    "INTERNAL_ERROR": 400,
    "UNAUTHORIZED": 401,
    "PERMISSION_DENIED": 403,
    "USER_BUSY": 429,
    "USER_QUOTA_EXCEEDED": 429,
}


class CodedError(EvenkeelError):
    """An error with a code of the API. `detail` is what the contract adds to the code (a quota's figures, say)."""

    def __init__(self, code: str, message: str, *, hint: str = "", detail: Mapping[str, object] | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.detail = dict(detail or {})

    @property
    def status(self) -> int:
        """The HTTP status of the code; 400 for codes without one of their own."""
        return STATUS_BY_CODE.get(self.code, 400)


class RunRefusedError(CodedError):
    """The run did not begin: nothing stands in the session's stream."""


class RunFailedError(CodedError):
    """The run began and ended in an `error` event, which watchers have seen."""
