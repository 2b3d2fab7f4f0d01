"""What clients send over a WebSocket, checked."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from evenkeel.serve.ports.failures import CodedError

PROTOCOL = 1
STATUS = {
    "UNAUTHORIZED": 401,
    "PERMISSION_DENIED": 403,
    "SESSION_NOT_FOUND": 404,
    "ALREADY_CONNECTED": 409,
    "TOO_MANY_STREAMS": 429,
}
T = TypeVar("T")


class SocketError(CodedError):
    """A message that cannot be followed; `code` is for programs. `fatal` = the connection ends with it."""

    def __init__(self, code: str, message: str, *, hint: str = "", fatal: bool = False) -> None:
        super().__init__(code, message, hint=hint)
        self.fatal = fatal

    @property
    def status(self) -> int:
        """The HTTP status that would say the same."""
        return STATUS.get(self.code, 400)


class Inbound(msgspec.Struct, frozen=True):
    """One message. `session_id` of the envelope wins over that of the payload."""

    type: str
    request_id: str | None = None
    session_id: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"")

    @property
    def kind(self) -> str:
        """The type, as it is compared."""
        return self.type.strip().lower()

    @property
    def has_payload(self) -> bool:
        """Whether there is one."""
        return bytes(self.payload) not in {b"", b"null"}


class Version(msgspec.Struct, frozen=True):
    """The payload of `connect`."""

    protocol_version: int | None = None
    min_protocol_version: int | None = None
    max_protocol_version: int | None = None

    def check(self) -> None:
        """Raises INVALID_PROTOCOL_RANGE, PROTOCOL_MISMATCH."""
        low = self.min_protocol_version
        high = self.max_protocol_version
        if self.protocol_version is not None:
            low, high = (self.protocol_version if each is None else each for each in (low, high))
        low = PROTOCOL if low is None else low
        high = max(low, PROTOCOL) if high is None else high
        if low > high or low <= 0:
            raise SocketError("INVALID_PROTOCOL_RANGE", f"{low} to {high} is no range.", fatal=True)
        if not low <= PROTOCOL <= high:
            raise SocketError("PROTOCOL_MISMATCH", f"This server speaks version {PROTOCOL}.", fatal=True)


class Place(msgspec.Struct, frozen=True):
    """Where `resume` and `watch` go on from, and whom `cancel` is about."""

    session_id: str | None = None
    after_event_id: int | None = None
    epoch: int = 0
    history: str = ""
    user_id: str | None = None


def read_message(text: str | None) -> Inbound:
    """Raises INVALID_JSON for what is no message."""
    if text is None:
        raise SocketError("INVALID_JSON", "Messages are JSON texts, not bytes.")
    try:
        return msgspec.json.decode(text.removeprefix("\ufeff"), type=Inbound)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SocketError("INVALID_JSON", f"This is no message: {error}.", hint='Send {"type": "ping"}.') from None


def session_of(message: Inbound, named: str | None) -> str:
    """The session of the envelope, else that of the payload; a blank one counts as none."""
    return next((each for each in (message.session_id, named) if each and each.strip()), "")


def payload_as(message: Inbound, shape: type[T]) -> T:
    """The payload as `shape`. Raises PAYLOAD_REQUIRED, INVALID_PAYLOAD."""
    if not message.has_payload:
        raise SocketError("PAYLOAD_REQUIRED", f"{message.kind} needs a payload.")
    return _converted(message, shape)


def optional_payload(message: Inbound, shape: type[T]) -> T:
    """The payload, or one without any field. Raises INVALID_PAYLOAD."""
    return _converted(message, shape) if message.has_payload else shape()


def _converted(message: Inbound, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(message.payload, type=shape)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise SocketError("INVALID_PAYLOAD", f"The payload of {message.kind} does not fit: {error}.") from None
