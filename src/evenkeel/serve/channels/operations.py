"""The routes of channels, for the API's OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from evenkeel.serve.channels.messages import ChannelMessage
from evenkeel.serve.ports.documents import Operation, says


class Received(Struct):
    """What became of the messages of a call; answers of the agent go out by the outbox."""

    accepted: Annotated[int, says("Messages that were taken, repeated ones included")]
    session_ids: Annotated[list[str], says("Their sessions; empty for a repeated one")]
    outbox_ids: Annotated[list[str], says("Replies that were queued at once, such as of commands")]
    errors: Annotated[list[str], says("Of messages that could not be taken")]


PROVIDER = {
    "name": "provider",
    "in": "path",
    "required": True,
    "description": "`whatsapp`, `feishu` and `qqbot` send their own bodies, signed; any other name takes this one.",
    "schema": {"type": "string"},
}
ACCOUNT = {
    "name": "account_id",
    "in": "query",
    "description": "The account, where the channel has several; also x-channel-account.",
    "schema": {"type": "string"},
}
TOKEN = {
    "name": "x-channel-token",
    "in": "header",
    "description": "The account's inbound_token, if it has one.",
    "schema": {"type": "string"},
}
ASKED = tuple(
    {"name": f"hub.{name}", "in": "query", "required": True, "description": text, "schema": {"type": "string"}}
    for name, text in (("mode", "`subscribe`"), ("verify_token", "As set up"), ("challenge", "Is answered"))
)
WEBHOOK = "/wunder/channel/{provider}/webhook"

OPERATIONS = (
    Operation(
        "post",
        WEBHOOK,
        "receiveChannelMessages",
        Received,
        summary="Messages from a channel; answered at once, before any model is asked",
        tag="channels",
        body=ChannelMessage,
        listed=True,
        security="operator",
        parameters=(PROVIDER, ACCOUNT, TOKEN),
    ),
    Operation(
        "get",
        "/wunder/channel/whatsapp/webhook",
        "verifyWhatsappWebhook",
        text="The challenge",
        summary="WhatsApp asks whether this is the right place",
        tag="channels",
        errors=(400, 401),
        security="",
        parameters=ASKED,
    ),
)
