"""Feishu (Lark). Facts: open.feishu.cn/document (event subscription: signature, encryption; im/v1/messages)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.serve.channels.messages import ChannelAttachment, ChannelMessage, Outbound, Peer, Sender
from evenkeel.serve.channels.providers.fields import at, document, first_text, number, text
from evenkeel.serve.channels.providers.port import (
    Call,
    Http,
    Inbound,
    NotGenuineError,
    Received,
    UnreadableError,
    constant_time_equal,
)
from evenkeel.serve.channels.settings import AccountSettings, FeishuSettings

FILES = frozenset({"file", "audio", "media"})
_BLOCK = 16


class Feishu:
    """See the port."""

    def proves_itself(self, account: AccountSettings) -> bool:
        """With an `encrypt_key` events are signed; with a `verification_token` alone they carry it."""
        settings = account.feishu
        return settings is not None and bool(settings.encrypt_key or settings.verification_token)

    def receive(self, account_id: str, account: AccountSettings, inbound: Inbound) -> Received:
        """See the port. A `challenge` is answered as it is."""
        settings = account.feishu or FeishuSettings()
        outer = document(inbound.body)
        body = _opened(outer, settings)
        challenge = text(body, "challenge")
        _check(settings, inbound, body, signed=not challenge)
        if challenge:
            return Received(answer={"challenge": challenge})
        if at(body, "event", "message") is None:
            return Received()  # other events (read receipts, joins) are acknowledged and left alone
        return Received((_message(body, account_id),))

    async def send(self, outbound: Outbound, account: AccountSettings, http: Http) -> SendResult:
        """One text message, under the tenant's token, which is kept until it ends."""
        settings = account.feishu
        if settings is None or not settings.app_id or not settings.app_secret:
            return SendResult(SendClass.REJECTED, detail="the account has no feishu.app_id and app_secret")
        base = settings.base_url.rstrip("/")
        ask = Call(
            f"{base}/open-apis/auth/v3/tenant_access_token/internal",
            {"app_id": settings.app_id, "app_secret": settings.app_secret},
        )
        token = await http.token(f"feishu:{base}:{settings.app_id}", ask, "tenant_access_token")
        body = {
            "receive_id": outbound.peer.id,
            "msg_type": "text",
            "content": msgspec.json.encode({"text": _outbound_text(outbound)}).decode(),
        }
        url = f"{base}/open-apis/im/v1/messages?receive_id_type={settings.receive_id_type}"
        return await http.post(Call(url, body, {"Authorization": f"Bearer {token}"}))


def _opened(outer: dict[str, Any], settings: FeishuSettings) -> dict[str, Any]:
    encrypted = text(outer, "encrypt")
    if not encrypted:
        return outer
    if not settings.encrypt_key:
        raise UnreadableError("The event is encrypted.", hint="Set feishu.encrypt_key of this account.")
    return document(decrypted(encrypted, settings.encrypt_key))


def decrypted(encrypted: str, encrypt_key: str) -> bytes:
    """AES-256-CBC under SHA-256 of the key, the first block is the initial vector. Raises `UnreadableError`."""
    try:
        data = base64.b64decode(encrypted, validate=True)
        key = hashlib.sha256(encrypt_key.encode()).digest()
        decryptor = Cipher(algorithms.AES(key), modes.CBC(data[:_BLOCK])).decryptor()
        padded = decryptor.update(data[_BLOCK:]) + decryptor.finalize()
        unpadder = PKCS7(_BLOCK * 8).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except (ValueError, binascii.Error):
        raise UnreadableError("The event cannot be decrypted.", hint="Check feishu.encrypt_key.") from None


def _check(settings: FeishuSettings, inbound: Inbound, body: dict[str, Any], *, signed: bool) -> None:
    if settings.encrypt_key and signed:
        parts = [inbound.headers.get(f"x-lark-request-{name}", "") for name in ("timestamp", "nonce")]
        wanted = hashlib.sha256("".join([*parts, settings.encrypt_key]).encode() + inbound.body).hexdigest()
        if not constant_time_equal(inbound.headers.get("x-lark-signature", "").strip().lower(), wanted):
            raise NotGenuineError("The signature does not fit.", hint="Check feishu.encrypt_key of this account.")
    elif settings.verification_token:
        given = text(body, "token") or text(body, "header", "token")
        if not constant_time_equal(given, settings.verification_token):
            raise NotGenuineError("The token does not fit.", hint="Check feishu.verification_token of this account.")


def _message(body: dict[str, Any], account_id: str) -> ChannelMessage:
    event = at(body, "event")
    message = at(event, "message")
    chat_id = text(message, "chat_id")
    if not chat_id:
        raise UnreadableError("The event has no chat_id.", hint="Subscribe to im.message.receive_v1.")
    sender_id = first_text(at(event, "sender", "sender_id"), "open_id", "user_id", "union_id")
    kind = (text(message, "message_type") or "text").lower()
    content = _content(text(message, "content"))
    attachments = _attachments(kind, content)
    created_ms = number(message, "create_time")
    return ChannelMessage(
        channel="feishu",
        account_id=account_id,
        peer=Peer("group" if text(message, "chat_type").lower() == "group" else "user", chat_id),
        type="mixed" if attachments else "text",
        message_id=text(message, "message_id") or None,
        sender=Sender(sender_id) if sender_id else None,
        text=text(content, "text") if kind == "text" else f"[{kind}]",
        attachments=attachments,
        ts=created_ms / 1000 if created_ms is not None else None,
        meta={"feishu": {"message_id": text(message, "message_id"), "type": kind}},
    )


def _content(raw: str) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None


def _attachments(kind: str, content: Any) -> tuple[ChannelAttachment, ...]:
    if kind == "image":
        key = text(content, "image_key")
    elif kind in FILES:
        key = first_text(content, "file_key", "image_key")
    else:
        return ()
    return (ChannelAttachment(kind, key, name=text(content, "file_name") or None),) if key else ()


def _outbound_text(outbound: Outbound) -> str:
    links = [f"[{each.kind}] {each.url}" for each in outbound.attachments if each.url]
    return "\n".join([*([outbound.text.strip()] if outbound.text.strip() else []), *links]) or "(empty message)"
