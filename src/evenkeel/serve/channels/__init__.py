"""Channels: chat providers in front of the agent. A message is checked, answered at once, and run through the queue.

Inbound: a provider's adapter checks the signature and reads the body (`providers/`), `reception` drops what was seen
before, keeps to the account's limits, knows the few text commands, and submits a run. Outbound: the answer goes to the
outbox under the run's own key, and `delivery` sends it in the provider's form, behind the guard of the outbox.
"""

from __future__ import annotations

from evenkeel.serve.channels.build import Channels, build_channels, open_delivery
from evenkeel.serve.channels.settings import AccountSettings, ChannelsSettings

__all__ = ["AccountSettings", "Channels", "ChannelsSettings", "build_channels", "open_delivery"]
