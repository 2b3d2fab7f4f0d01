"""The routes of channels, for the API's OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from evenkeel.serve.channels.messages import ChannelMessage
from evenkeel.serve.ports.documents import Operation, parameter, says


class Received(Struct):
    """What became of the messages of a call; answers of the agent go out by the outbox."""

    accepted: Annotated[int, says("Messages that were taken, repeated ones included")]
    session_ids: Annotated[list[str], says("Their sessions; empty for a repeated one")]
    outbox_ids: Annotated[list[str], says("Replies that were queued at once, such as of commands")]
    errors: Annotated[list[str], says("Of messages that could not be taken")]


PROVIDER = parameter(
    "provider",
    "path",
    "`whatsapp`, `feishu` and `qqbot` send their own bodies, signed; any other name takes this one.",
    required=True,
)
ACCOUNT = parameter("account_id", "query", "The account, where the channel has several; also x-channel-account.")
TOKEN = parameter("x-channel-token", "header", "The account's inbound_token, if it has one.")
ASKED = tuple(
    parameter(f"hub.{name}", "query", text, required=True)
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
