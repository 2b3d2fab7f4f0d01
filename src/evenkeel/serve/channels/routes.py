"""Web hooks over HTTP: read, answer, done. A provider waits for no model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from evenkeel.serve.channels.accounts import Accounts, provider_of
from evenkeel.serve.channels.messages import ChannelMessage
from evenkeel.serve.channels.providers import generic, whatsapp
from evenkeel.serve.channels.providers.fields import document, first_text
from evenkeel.serve.channels.providers.port import Inbound, NotGenuineError, UnreadableError
from evenkeel.serve.channels.reception import Accepted, Reception
from evenkeel.serve.channels.settings import AccountSettings
from evenkeel.serve.ports.failures import CodedError

SIGNED = ("whatsapp", "feishu", "qqbot")
HasKey = Callable[[Request], bool]
"""Whether a request came with the server's key or an administrator's token."""


def channel_routes(accounts: Accounts, reception: Reception, has_key: HasKey, messages: int) -> list[BaseRoute]:
    """`/wunder/channel/{provider}/webhook`; `messages` bounds what one call may hold."""
    hooks = _Hooks(accounts, reception, has_key, messages)
    return [
        Route("/wunder/channel/whatsapp/webhook", _translated(hooks.subscribe), methods=["GET"]),
        Route("/wunder/channel/{provider}/webhook", _translated(hooks.receive), methods=["POST"]),
    ]


def proves_itself(accounts: Accounts, path: str) -> bool:
    """Whether calls of this path are signed, so that the guard need not ask for the API key: providers cannot send it."""
    channel = path.removeprefix("/wunder/channel/").removesuffix("/webhook")
    return channel in SIGNED and any(provider_of(channel).proves_itself(each) for _, each in accounts.of(channel))


class _Hooks:
    def __init__(self, accounts: Accounts, reception: Reception, has_key: HasKey, messages: int) -> None:
        self._accounts = accounts
        self._reception = reception
        self._has_key = has_key
        self._messages = messages

    async def subscribe(self, request: Request) -> Response:
        """WhatsApp asks whether this is the right place."""
        query = request.query_params
        token, challenge = query.get("hub.verify_token", ""), query.get("hub.challenge", "")
        if query.get("hub.mode", "").lower() != "subscribe" or not token or not challenge:
            raise CodedError("INVALID_REQUEST", "hub.mode, hub.verify_token and hub.challenge are needed.")
        if not any(whatsapp.verified(each, token) for _, each in self._accounts.of("whatsapp")):
            raise CodedError("UNAUTHORIZED", "The token does not fit.", hint="Check whatsapp.verify_token.")
        return PlainTextResponse(challenge)

    async def receive(self, request: Request) -> Response:
        """A call with messages."""
        channel = request.path_params["provider"].strip().lower()
        inbound = Inbound(await request.body(), request.headers, request.query_params)
        messages, answer = self._read(channel, request, inbound)
        if answer is not None:
            return _json(answer)
        if len(messages) > self._messages:
            raise CodedError("INVALID_REQUEST", f"The body has {len(messages)} messages; at most {self._messages}.")
        result = Accepted()
        for account, message in messages:
            # evenkeel: ignore[n-plus-one] each message is of a conversation of its own, and a call has few: they are counted
            await self._reception.take(account, message, result)
        return _json({"data": asdict(result)})

    def _read(
        self, channel: str, request: Request, inbound: Inbound
    ) -> tuple[list[tuple[AccountSettings, ChannelMessage]], Mapping[str, object] | None]:
        named = request.query_params.get("account_id") or request.headers.get("x-channel-account", "")
        if channel in SIGNED:
            account_id, account = self._account(channel, named or self._claimed(channel, inbound))
            provider = provider_of(channel)
            if not provider.proves_itself(account) and not self._has_key(request):
                raise CodedError("UNAUTHORIZED", "Neither signed nor with the server's key.")
            received = provider.receive(account_id, account, inbound)
            return [(account, each) for each in received.messages], received.answer
        found = []
        for message in generic.read_messages(inbound.body):
            account_id, account = self._account(message.channel or channel, message.account_id or named)
            provider_of("").receive(account_id, account, replace(inbound, body=b"[]"))  # the account's own token
            found.append(
                (account, msgspec.structs.replace(message, channel=message.channel or channel, account_id=account_id))
            )
        return found, None

    def _claimed(self, channel: str, inbound: Inbound) -> str:
        """The account that a call names itself; believed only once the account's signature fits."""
        body = document(inbound.body)
        if channel == "whatsapp":
            number = whatsapp.phone_number(body)
            for account_id, each in self._accounts.of("whatsapp"):
                if each.whatsapp and each.whatsapp.phone_number_id == number:
                    return account_id
            return number if self._accounts.find("whatsapp", number) else ""
        header = body.get("header")
        app_id = first_text(header, "app_id") or first_text(body, "app_id")
        for account_id, each in self._accounts.of(channel):
            if each.feishu and each.feishu.app_id == app_id:
                return account_id
        return ""

    def _account(self, channel: str, named: str) -> tuple[str, AccountSettings]:
        account_id = named or self._accounts.only(channel)
        account = self._accounts.find(channel, account_id)
        if account is None:
            raise CodedError(
                "INVALID_REQUEST",
                f"Channel {channel!r} has no account {account_id!r}.",
                hint=f"Configure channels.accounts.{channel}, and name the account: ?account_id=…",
            )
        return account_id, account


def _translated(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except NotGenuineError as error:
            raise CodedError("UNAUTHORIZED", error.message, hint=error.hint) from None
        except UnreadableError as error:
            raise CodedError("INVALID_REQUEST", error.message, hint=error.hint) from None

    return handle


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
