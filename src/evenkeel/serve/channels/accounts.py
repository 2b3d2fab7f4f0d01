"""Which account a call is for."""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.serve.channels.providers.feishu import Feishu
from evenkeel.serve.channels.providers.generic import Generic
from evenkeel.serve.channels.providers.port import Provider
from evenkeel.serve.channels.providers.qqbot import QqBot
from evenkeel.serve.channels.providers.whatsapp import WhatsApp
from evenkeel.serve.channels.settings import AccountSettings, ChannelsSettings

_GENERIC = Generic()
_PROVIDERS: dict[str, Provider] = {"whatsapp": WhatsApp(), "feishu": Feishu(), "qqbot": QqBot()}


def provider_of(channel: str) -> Provider:
    """The adapter of a channel; every unknown name is a generic channel."""
    return _PROVIDERS.get(channel, _GENERIC)


class Accounts:
    """The accounts of the configuration, by channel and id."""

    def __init__(self, settings: ChannelsSettings) -> None:
        self._accounts = settings.accounts

    def find(self, channel: str, account_id: str) -> AccountSettings | None:
        """The account of this id; None where a channel has accounts, but not this one.

        A generic channel without any account in the configuration takes every id: the API key alone guards it.
        """
        known = self._accounts.get(channel, {})
        if not known and channel not in _PROVIDERS:
            return AccountSettings()
        return known.get(account_id)

    def only(self, channel: str) -> str:
        """The id to take where a call names none: that of the only account, else ""."""
        known = self._accounts.get(channel, {})
        return next(iter(known)) if len(known) == 1 else ""

    def of(self, channel: str) -> Iterator[tuple[str, AccountSettings]]:
        """All accounts of a channel."""
        yield from self._accounts.get(channel, {}).items()
