"""QQ bot. Facts: bot.q.qq.com/wiki (webhook: Ed25519 over timestamp and body; v2 messages)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.serve.channels.messages import ChannelMessage, Outbound, Peer, Sender
from evenkeel.serve.channels.providers.fields import at, document, first_text, text
from evenkeel.serve.channels.providers.port import Call, Http, Inbound, NotGenuineError, Received, UnreadableError
from evenkeel.serve.channels.settings import AccountSettings, QqBotSettings

VALIDATE = 13
_SEED_BYTES = 32


class QqBot:
    """See the port."""

    def proves_itself(self, account: AccountSettings) -> bool:
        """With a `client_secret` every event is signed."""
        return account.qqbot is not None and bool(account.qqbot.client_secret)

    def receive(self, account_id: str, account: AccountSettings, inbound: Inbound) -> Received:
        """See the port. Operation 13 asks for a signature and gets it."""
        settings = account.qqbot or QqBotSettings()
        body = document(inbound.body)
        if at(body, "op") == VALIDATE and settings.client_secret:
            return Received(answer=_validation(at(body, "d"), settings.client_secret))
        _check(settings, inbound)
        return Received((_message(body, account_id),))

    async def send(self, outbound: Outbound, account: AccountSettings, http: Http) -> SendResult:
        """To a group, a channel or a person, under the application's token."""
        settings = account.qqbot
        if settings is None or not settings.app_id or not settings.client_secret:
            return SendResult(SendClass.REJECTED, detail="the account has no qqbot.app_id and client_secret")
        ask = Call(settings.token_url, {"appId": settings.app_id, "clientSecret": settings.client_secret})
        token = await http.token(f"qqbot:{settings.app_id}", ask, "access_token")
        path, body = _addressed(outbound, settings)
        url = f"{settings.base_url.rstrip('/')}{path}"
        return await http.post(Call(url, body, {"Authorization": f"QQBot {token}"}))


def _key(client_secret: str) -> Ed25519PrivateKey:
    seed = client_secret.encode() * _SEED_BYTES
    return Ed25519PrivateKey.from_private_bytes(seed[:_SEED_BYTES])


def _validation(data: Any, client_secret: str) -> dict[str, str]:
    plain = text(data, "plain_token")
    signature = _key(client_secret).sign((text(data, "event_ts") + plain).encode())
    return {"plain_token": plain, "signature": signature.hex()}


def _check(settings: QqBotSettings, inbound: Inbound) -> None:
    if not settings.client_secret:
        return
    signed = inbound.headers.get("x-signature-timestamp", "").encode() + inbound.body
    try:
        signature = bytes.fromhex(inbound.headers.get("x-signature-ed25519", ""))
        _key(settings.client_secret).public_key().verify(signature, signed)
    except (ValueError, InvalidSignature):
        raise NotGenuineError("The signature does not fit.", hint="Check qqbot.client_secret.") from None


def _message(body: dict[str, Any], account_id: str) -> ChannelMessage:
    message = next((each for each in (at(body, "message"), at(body, "d")) if isinstance(each, dict)), body)
    author = at(message, "author")
    sender = first_text(author, "member_openid", "id", "user_openid")
    group = text(message, "group_openid")
    peer = group or sender
    if not peer:
        raise UnreadableError("The event names neither a group nor an author.", hint="Subscribe to message events.")
    return ChannelMessage(
        channel="qqbot",
        account_id=account_id,
        peer=Peer("group" if group else "user", peer),
        type="text",
        message_id=first_text(message, "id", "msg_id") or None,
        sender=Sender(sender, text(author, "username") or None) if sender else None,
        text=text(message, "content") or None,
        ts=_moment(text(message, "timestamp")),
        meta={"qq": {"event": text(body, "t")}},
    )


def _moment(stamp: str) -> float | None:
    try:
        return dt.datetime.fromisoformat(stamp).timestamp() if stamp else None
    except ValueError:
        return None


def _addressed(outbound: Outbound, settings: QqBotSettings) -> tuple[str, dict[str, Any]]:
    words = outbound.text.strip() or next(
        (f"[{each.kind}] {each.url}" for each in outbound.attachments), "(empty message)"
    )
    kind, peer = outbound.peer.kind.strip().lower(), outbound.peer.id
    if kind == "channel":
        return f"/channels/{peer}/messages", {"content": words}
    form: dict[str, Any] = {"msg_type": 0, "content": words}
    if settings.markdown:
        form = {"msg_type": 2, "markdown": {"content": words}}
    answered = outbound.meta.get("message_id")
    body = {**form, "msg_seq": 1, **({"msg_id": answered} if answered else {})}
    return f"/v2/{'groups' if kind == 'group' else 'users'}/{peer}/messages", body
