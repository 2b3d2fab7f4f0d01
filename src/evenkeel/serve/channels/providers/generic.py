"""Any other channel: messages in the API's own form, answers as a POST of the same form to the account's address."""

from __future__ import annotations

from typing import Any

import msgspec

from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.serve.channels.messages import ChannelMessage, Outbound
from evenkeel.serve.channels.providers.port import (
    Call,
    Http,
    Inbound,
    NotGenuineError,
    Received,
    UnreadableError,
    constant_time_equal,
)
from evenkeel.serve.channels.settings import AccountSettings

BEARER = "bearer "  # the scheme's name has no case


class _Many(msgspec.Struct, frozen=True):
    messages: tuple[ChannelMessage, ...]


class Generic:
    """See the port."""

    def proves_itself(self, account: AccountSettings) -> bool:  # noqa: ARG002 - the port's
        """Never: the API key stands in front of the path."""
        return False

    def receive(self, account_id: str, account: AccountSettings, inbound: Inbound) -> Received:  # noqa: ARG002 - as above
        """One message, an array, or `{"messages": [...]}`."""
        if account.inbound_token:
            stated = inbound.headers.get("authorization", "")
            bare = stated[len(BEARER) :] if stated.lower().startswith(BEARER) else stated
            given = inbound.headers.get("x-channel-token", "") or bare.strip()
            if not constant_time_equal(given, account.inbound_token):
                raise NotGenuineError("The channel's token does not fit.", hint="Send it as X-Channel-Token.")
        return Received(read_messages(inbound.body))

    async def send(self, outbound: Outbound, account: AccountSettings, http: Http) -> SendResult:
        """POST to `outbound_url`; an account without one has nobody to tell, which counts as sent."""
        if not account.outbound_url:
            return SendResult(SendClass.SENT, detail="the account has no outbound_url")
        headers = dict(account.outbound_headers)
        if account.outbound_token:
            headers["Authorization"] = f"Bearer {account.outbound_token}"
        return await http.post(Call(account.outbound_url, msgspec.to_builtins(outbound), headers))


def read_messages(body: bytes) -> tuple[ChannelMessage, ...]:
    """Raises `UnreadableError` with the path of what is wrong."""
    try:
        value: Any = msgspec.json.decode(body)
        if isinstance(value, list):
            return msgspec.convert(value, tuple[ChannelMessage, ...])
        if isinstance(value, dict) and isinstance(value.get("messages"), list):
            return msgspec.convert(value, _Many).messages
        return (msgspec.convert(value, ChannelMessage),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"The body is no channel message: {error}.", hint="See the API's reference.") from None
