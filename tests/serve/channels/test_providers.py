"""What each provider's calls look like, and how they are proved genuine. Signatures are made as the provider makes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.serve.channels.accounts import provider_of
from evenkeel.serve.channels.providers.port import Inbound, NotGenuineError, UnreadableError
from evenkeel.serve.channels.settings import AccountSettings, FeishuSettings, QqBotSettings, WhatsAppSettings

SECRET = "a-secret-of-the-test"
WHATSAPP = AccountSettings(whatsapp=WhatsAppSettings(app_secret=SECRET))
FEISHU = AccountSettings(feishu=FeishuSettings(encrypt_key=SECRET, verification_token="verify"))
QQ = AccountSettings(qqbot=QqBotSettings(client_secret=SECRET))


def whatsapp_event(**message: Any) -> dict[str, Any]:
    text = {"from": "4917000", "id": "wamid.1", "timestamp": "1760000000", "type": "text", "text": {"body": "hello"}}
    value = {
        "metadata": {"phone_number_id": "555"},
        "contacts": [{"wa_id": "4917000", "profile": {"name": "Ada"}}],
        "messages": [{**text, **message}],
    }
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"value": value}]}]}


def whatsapp_call(event: Any, secret: str = SECRET) -> Inbound:
    body = json.dumps(event).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Inbound(body, {"x-hub-signature-256": f"sha256={signature}"})


def feishu_event() -> dict[str, Any]:
    message = {
        "message_id": "om_1", "chat_id": "oc_1", "chat_type": "p2p", "message_type": "text",
        "create_time": "1760000000123", "content": json.dumps({"text": "hello"}),
    }  # fmt: skip
    sender = {"sender_id": {"open_id": "ou_1"}}
    return {"header": {"token": "verify", "app_id": "cli_1"}, "event": {"sender": sender, "message": message}}


def feishu_encrypted(event: Any, key: str = SECRET) -> dict[str, str]:
    plain = json.dumps(event).encode()
    pad = 16 - len(plain) % 16
    initial = b"0123456789abcdef"
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(initial)).encryptor()
    return {"encrypt": base64.b64encode(initial + encryptor.update(plain + bytes([pad]) * pad)).decode()}


def feishu_call(event: Any, key: str = SECRET) -> Inbound:
    body = json.dumps(event).encode()
    signature = hashlib.sha256(b"1760000000" + b"nonce" + key.encode() + body).hexdigest()
    named = {"timestamp": "1760000000", "nonce": "nonce"}
    return Inbound(body, {f"x-lark-request-{k}": v for k, v in named.items()} | {"x-lark-signature": signature})


def qq_key(secret: str) -> Ed25519PrivateKey:
    seed = secret.encode()
    while len(seed) < 32:
        seed *= 2
    return Ed25519PrivateKey.from_private_bytes(seed[:32])


def qq_call(event: Any, secret: str = SECRET) -> Inbound:
    body = json.dumps(event).encode()
    signature = qq_key(secret).sign(b"1760000000" + body).hex()
    return Inbound(body, {"x-signature-ed25519": signature, "x-signature-timestamp": "1760000000"})


QQ_EVENT = {
    "op": 0, "t": "GROUP_AT_MESSAGE_CREATE",
    "d": {"id": "m1", "content": " hello ", "group_openid": "g1", "author": {"member_openid": "u1"},
          "timestamp": "2026-01-02T03:04:05+08:00"},
}  # fmt: skip


def test_a_whatsapp_text_is_read_with_its_sender() -> None:
    (message,) = provider_of("whatsapp").receive("", WHATSAPP, whatsapp_call(whatsapp_event())).messages
    assert (message.account_id, message.peer.id, message.peer.kind) == ("555", "4917000", "dm")
    assert (message.question, message.message_id, message.ts) == ("hello", "wamid.1", 1_760_000_000.0)
    assert message.sender is not None
    assert message.sender.name == "Ada"


@pytest.mark.parametrize(
    ("fields", "question"),
    [
        ({"type": "image", "image": {"id": "i1", "mime_type": "image/png"}}, "[WhatsApp image message]"),
        ({"type": "document", "document": {"id": "d1", "caption": "the plan"}}, "the plan"),
        ({"type": "button", "button": {"payload": "yes"}}, "yes"),
        (
            {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "2", "title": "Two"}}},
            "Two",
        ),
        ({"type": "location", "location": {"latitude": 1.5, "longitude": "2.5"}}, "[location 1.5, 2.5]"),
    ],
)
def test_whatsapp_messages_of_other_kinds_are_told_in_words(fields: dict[str, Any], question: str) -> None:
    event = whatsapp_event(**{"text": None, **fields})
    (message,) = provider_of("whatsapp").receive("", WHATSAPP, whatsapp_call(event)).messages
    assert message.question == question


def test_a_feishu_event_is_read_plain_and_encrypted() -> None:
    for event in (feishu_event(), feishu_encrypted(feishu_event())):
        (message,) = provider_of("feishu").receive("main", FEISHU, feishu_call(event)).messages
        assert (message.account_id, message.peer.id, message.peer.kind) == ("main", "oc_1", "user")
        assert (message.question, message.ts) == ("hello", 1_760_000_000.123)


def test_a_feishu_challenge_is_answered_when_its_token_fits() -> None:
    feishu = provider_of("feishu")
    call = Inbound(json.dumps({"challenge": "abc", "token": "verify"}).encode(), {})
    assert feishu.receive("main", FEISHU, call).answer == {"challenge": "abc"}
    with pytest.raises(NotGenuineError):
        feishu.receive("main", FEISHU, Inbound(json.dumps({"challenge": "abc", "token": "no"}).encode(), {}))


def test_a_qq_event_is_read_and_a_validation_is_signed() -> None:
    qq = provider_of("qqbot")
    (message,) = qq.receive("main", QQ, qq_call(QQ_EVENT)).messages
    assert (message.peer.kind, message.peer.id, message.question) == ("group", "g1", "hello")
    ask = {"op": 13, "d": {"plain_token": "plain", "event_ts": "1760000000"}}
    answer = qq.receive("main", QQ, Inbound(json.dumps(ask).encode(), {})).answer
    assert answer is not None
    qq_key(SECRET).public_key().verify(bytes.fromhex(str(answer["signature"])), b"1760000000plain")


@pytest.mark.parametrize(
    ("channel", "account", "call"),
    [
        ("whatsapp", WHATSAPP, whatsapp_call(whatsapp_event(), "another secret")),
        ("whatsapp", WHATSAPP, Inbound(json.dumps(whatsapp_event()).encode(), {})),
        ("feishu", FEISHU, feishu_call(feishu_event(), "another secret")),
        ("feishu", FEISHU, Inbound(json.dumps(feishu_event()).encode(), {})),
        ("qqbot", QQ, qq_call(QQ_EVENT, "another secret")),
        ("qqbot", QQ, Inbound(json.dumps(QQ_EVENT).encode(), {"x-signature-ed25519": "zz"})),
    ],
)
def test_what_is_not_signed_by_the_account_is_refused(channel: str, account: AccountSettings, call: Inbound) -> None:
    with pytest.raises(NotGenuineError):
        provider_of(channel).receive("main", account, call)


@given(
    st.sampled_from(["whatsapp", "feishu", "qqbot", "sms"]),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["entry", "changes", "value", "messages", "event", "message", "d", "from", "object", "text"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)
def test_any_json_is_read_or_refused_but_never_crashes(channel: str, value: Any) -> None:
    body = json.dumps(value).encode()
    try:
        received = provider_of(channel).receive("main", AccountSettings(), Inbound(body, {}))
    except (UnreadableError, NotGenuineError):
        return
    assert all(message.peer.id or channel == "sms" for message in received.messages)
