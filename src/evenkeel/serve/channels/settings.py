"""Settings of the channels: section `channels` of the server's configuration. Unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Above0 = Annotated[float, msgspec.Meta(gt=0)]
NotBelow0 = Annotated[float, msgspec.Meta(ge=0)]


class WhatsAppSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """WhatsApp Cloud API. With `app_secret` every body must be signed (X-Hub-Signature-256)."""

    phone_number_id: str = ""
    access_token: str = ""
    verify_token: str = ""
    app_secret: str = ""
    base_url: str = "https://graph.facebook.com/v20.0"


class FeishuSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Feishu (Lark) application. With `encrypt_key` every event must be signed, and may be encrypted."""

    app_id: str = ""
    app_secret: str = ""
    verification_token: str = ""
    encrypt_key: str = ""
    receive_id_type: str = "chat_id"
    base_url: str = "https://open.feishu.cn"


class QqBotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """QQ bot. Events are signed with the key that grows from `client_secret` (Ed25519)."""

    app_id: str = ""
    client_secret: str = ""
    markdown: bool = False
    base_url: str = "https://api.sgroup.qq.com"
    token_url: str = "https://bots.qq.com/app/getAppAccessToken"  # noqa: S105 - an address


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account of a channel.

    `inbound_token`: what a generic client sends in `X-Channel-Token` or `Authorization`. `outbound_url`: where answers of
    a generic channel go ("" = nowhere). `user_id`: on whose behalf runs work ("" = one user per sender). `agent_id`,
    `tools`: as in a request. `allow_peers` and `deny_peers`: ids of peers or senders; a denied one is never answered.
    `per_s` and `at_once` bound messages a second and runs at once (0 = no bound).
    """

    inbound_token: str = ""
    outbound_url: str = ""
    outbound_token: str = ""
    outbound_headers: dict[str, str] = {}
    user_id: str = ""
    agent_id: str = ""
    tools: tuple[str, ...] = ()
    allow_peers: tuple[str, ...] = ()
    deny_peers: tuple[str, ...] = ()
    per_s: NotBelow0 = 0.0
    at_once: Annotated[int, msgspec.Meta(ge=0)] = 0
    session: Literal["main_thread", "per_peer", "hybrid"] = "main_thread"
    whatsapp: WhatsAppSettings | None = None
    feishu: FeishuSettings | None = None
    qqbot: QqBotSettings | None = None


class ChannelsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`accounts`: channel -> account id -> account. A repeated message id is dropped for `seen_s` seconds; `seen` ids
    are remembered. A body holds at most `messages` messages. `allow_targets`: private networks (CIDR) that answers may
    be sent to. `timeout_s` bounds one call.
    """

    accounts: dict[str, dict[str, AccountSettings]] = {}
    seen_s: Above0 = 120.0
    seen: Annotated[int, msgspec.Meta(ge=1)] = 50_000
    messages: Annotated[int, msgspec.Meta(ge=1)] = 100
    allow_targets: tuple[str, ...] = ()
    timeout_s: Above0 = 10.0
