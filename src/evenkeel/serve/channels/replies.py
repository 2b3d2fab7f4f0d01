"""From a run's end to a row in the outbox, once, however often the run is tried."""

from __future__ import annotations

import msgspec

from evenkeel.hotpath.ports.dispatcher import Dispatcher
from evenkeel.hotpath.ports.outbox_rows import NewMessage
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.serve.channels.messages import Outbound, ReplyTo, reply
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Answer


class Replies:
    """Queues answers. A row's id grows from the run's, so a run that is tried again queues nothing twice."""

    def __init__(self, outbox: Dispatcher) -> None:
        self._outbox = outbox

    async def settled(self, request: RunRequest, run_id: str, outcome: Answer | EvenkeelError) -> None:
        """A run ended. Runs that came over no channel, and those that were stopped, are told to nobody."""
        if not request.reply_to:
            return
        to = msgspec.convert(request.reply_to, ReplyTo)
        if isinstance(outcome, Answer):
            await self.say(to, outcome.session_id, outcome.answer, run_id)
        elif getattr(outcome, "code", "") != "CANCELLED":
            await self.say(to, request.session_id, outcome.message, run_id)

    async def say(self, to: ReplyTo, session_id: str, words: str, key: str) -> str:
        """Queue one message; answers the row's id."""
        return await self.queue(reply(to, session_id, words), key)

    async def queue(self, outbound: Outbound, key: str) -> str:
        """Queue a message under a key of its own."""
        outbox_id = f"out_{key.removeprefix('task_')}"
        message = NewMessage(
            outbox_id,
            outbound.channel,
            outbound.account_id,
            outbound.peer.kind,
            outbound.peer.id,
            msgspec.json.encode(outbound),
            thread_id=outbound.thread.id if outbound.thread else "",
            idempotency_key=outbox_id,
        )
        await self._outbox.submit(message)
        return outbox_id
