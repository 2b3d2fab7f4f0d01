"""WhatsApp Cloud API. Facts: developers.facebook.com/docs/whatsapp/cloud-api (webhooks, messages; graph v20.0)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

from evenkeel.hotpath.ports.dispatcher import SendClass, SendResult
from evenkeel.serve.channels.messages import ChannelAttachment, ChannelMessage, Location, Outbound, Peer, Sender
from evenkeel.serve.channels.providers.fields import at, document, first_text, items, number, text
from evenkeel.serve.channels.providers.port import (
    Call,
    Http,
    Inbound,
    NotGenuineError,
    Received,
    UnreadableError,
    constant_time_equal,
)
from evenkeel.serve.channels.settings import AccountSettings, WhatsAppSettings

MEDIA = frozenset({"image", "audio", "video", "document", "sticker"})
_OUTBOUND = {
    "photo": "image", "picture": "image", "image": "image", "voice": "audio", "audio": "audio", "video": "video",
    "file": "document", "document": "document",
}  # fmt: skip


class WhatsApp:
    """See the port."""

    def proves_itself(self, account: AccountSettings) -> bool:
        """With an `app_secret` every body is signed."""
        return account.whatsapp is not None and bool(account.whatsapp.app_secret)

    def receive(self, account_id: str, account: AccountSettings, inbound: Inbound) -> Received:
        """See the port; `account_id` is the phone number's id where the call does not name one."""
        settings = account.whatsapp or WhatsAppSettings()
        _check(settings, inbound)
        body = document(inbound.body)
        if text(body, "object").lower() != "whatsapp_business_account":
            raise UnreadableError("The body is no WhatsApp event.", hint="Subscribe the webhook to `messages`.")
        return Received(tuple(_messages(body, account_id)))

    async def send(self, outbound: Outbound, account: AccountSettings, http: Http) -> SendResult:
        """The text, then each attachment by its link; the first part that fails is the outcome."""
        settings = account.whatsapp
        if settings is None or not settings.access_token:
            return SendResult(SendClass.REJECTED, detail="the account has no whatsapp.access_token")
        number_id = settings.phone_number_id or outbound.account_id
        url = f"{settings.base_url.rstrip('/')}/{number_id}/messages"
        headers = {"Authorization": f"Bearer {settings.access_token}"}
        result = SendResult(SendClass.SENT, detail="nothing to send")
        for part in _parts(outbound):
            result = await http.post(Call(url, part, headers))
            if result.kind is not SendClass.SENT:
                break
        return result


def verified(account: AccountSettings, token: str) -> bool:
    """Whether a subscription call (`hub.verify_token`) is meant for this account."""
    return account.whatsapp is not None and constant_time_equal(token, account.whatsapp.verify_token)


def phone_number(body: dict[str, Any]) -> str:
    """The id of the phone number that an event is for: names the account where the call does not."""
    for entry in items(body, "entry"):
        for change in items(entry, "changes"):
            if found := text(change, "value", "metadata", "phone_number_id"):
                return found
    return ""


def _check(settings: WhatsAppSettings, inbound: Inbound) -> None:
    if not settings.app_secret:
        return
    given = inbound.headers.get("x-hub-signature-256", "").strip().removeprefix("sha256=")
    wanted = hmac.new(settings.app_secret.encode(), inbound.body, hashlib.sha256).hexdigest()
    if not constant_time_equal(given.lower(), wanted):
        raise NotGenuineError("The signature does not fit.", hint="Check whatsapp.app_secret of this account.")


def _messages(body: dict[str, Any], account_id: str) -> Iterator[ChannelMessage]:
    for entry in items(body, "entry"):
        for change in items(entry, "changes"):
            value = at(change, "value")
            names = {text(each, "wa_id"): text(each, "profile", "name") for each in items(value, "contacts")}
            account = account_id or text(value, "metadata", "phone_number_id")
            for message in items(value, "messages"):
                if sender := text(message, "from"):
                    yield _message(message, account, sender, names.get(sender) or None)


def _message(message: Any, account_id: str, sender: str, name: str | None) -> ChannelMessage:
    kind = text(message, "type") or "text"
    media = at(message, kind) if kind in MEDIA else None
    attachment = ChannelAttachment(
        kind, text(media, "id"), text(media, "mime_type") or None, None, text(media, "filename") or None
    )
    return ChannelMessage(
        channel="whatsapp",
        account_id=account_id,
        peer=Peer("group" if "@g.us" in sender else "dm", sender, name),
        type=kind,
        message_id=text(message, "id") or None,
        sender=Sender(sender, name),
        text=_text(message, kind) or (f"[WhatsApp {kind} message]" if media is not None else None),
        attachments=(attachment,) if attachment.url else (),
        location=_location(at(message, "location")) if kind == "location" else None,
        ts=number(message, "timestamp"),
        meta={"wa": {"message_id": text(message, "id"), "type": kind, "context": at(message, "context")}},
    )


def _text(message: Any, kind: str) -> str:
    if kind == "text":
        return text(message, "text", "body")
    if kind in MEDIA:
        return text(message, kind, "caption")
    if kind == "location":
        return first_text(at(message, "location"), "name", "address")
    if kind == "button":
        return first_text(at(message, "button"), "text", "payload")
    if kind == "interactive":
        chosen = at(message, "interactive", text(message, "interactive", "type"))
        return first_text(chosen, "title", "id")
    return ""


def _location(value: Any) -> Location | None:
    lat, lng = number(value, "latitude"), number(value, "longitude")
    if lat is None or lng is None:
        return None
    return Location(lat, lng, first_text(value, "address", "name") or None)


def _parts(outbound: Outbound) -> Iterator[dict[str, Any]]:
    peer = outbound.peer.id.strip()
    head = {"messaging_product": "whatsapp", "to": peer if "@" in peer else "".join(filter(str.isdigit, peer))}
    answered = outbound.meta.get("message_id")
    context = {"context": {"message_id": answered}} if answered else {}
    if outbound.text.strip():
        yield {**head, "type": "text", "text": {"body": outbound.text.strip(), "preview_url": False}, **context}
    for each in outbound.attachments:
        kind = _OUTBOUND.get(each.kind.strip().lower())
        if kind and each.url.strip():
            named = {"filename": each.name or "file"} if kind == "document" else {}
            yield {**head, "type": kind, kind: {"link": each.url.strip(), **named}}
