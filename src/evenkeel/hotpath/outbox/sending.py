"""One try: the sender under its time-out, and every way it can end as a class."""

from __future__ import annotations

import asyncio

from evenkeel.hotpath.ports.dispatcher import SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage


async def tried(sender: Sender, message: ClaimedMessage, timeout_s: float) -> SendResult:
    """Never raises but when cancelled from outside."""
    try:
        async with asyncio.timeout(timeout_s):
            return await sender(message)
    except TimeoutError:
        return SendResult(SendClass.TIMEOUT, detail=f"no answer within {timeout_s:g} s")
    except Exception as error:  # the contract: an exception is a failure of the way, not of the message
        return SendResult(SendClass.UNAVAILABLE, detail=f"{type(error).__name__}: {error}")
