"""Optimised path: claimed by channel and account, some of each under way at once, a breaker for each account."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from evenkeel.hotpath.outbox.breakers import Breakers
from evenkeel.hotpath.outbox.metering import OutboxMeter
from evenkeel.hotpath.outbox.sending import tried
from evenkeel.hotpath.outbox.settling import Settler
from evenkeel.hotpath.outbox.templates import Templates
from evenkeel.hotpath.outbox.verdicts import Spread, deferred, delivery_of
from evenkeel.hotpath.ports.dispatcher import DispatchRules, DispatchState, SendClass, Sender, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Group, NewMessage
from evenkeel.hotpath.ports.storage import Storage
from evenkeel.hotpath.ports.wakeups import Channel, Mode
from evenkeel.kernel.background import background
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, UsageError

LOG = logging.getLogger(__name__)
READY = "ready"
DEGRADED_POLL_S = 1.0
STOP_S = 2.0
SOONEST_S = 0.01


class GroupedDispatcher:
    """Open with `open_grouped`."""

    def __init__(
        self,
        worker: str,
        storage: Storage,
        rules: DispatchRules,
        templates: Templates,
        clock: Clock,
        spread: Spread,
        meter: OutboxMeter,
    ) -> None:
        self._worker = worker
        self._storage = storage
        self._rules = rules
        self._templates = templates
        self._clock = clock
        self._spread = spread
        self._meter = meter
        self._breakers = Breakers(rules.breaker_failures, rules.breaker_open_s, clock)
        self.settler = Settler(storage.outbox, clock, meter, self._look_again)
        self._sender: Sender | None = None
        self._sends: dict[asyncio.Task[None], Group] = {}  # at most max_sends
        self._look = asyncio.Event()
        self._hungry = True
        self._next_upkeep_s = float("-inf")
        self._due_s: float | None = None  # monotonic: when the next waiting row falls due
        self._closing = False
        self._closed = asyncio.Event()
        self._failure: BaseException | None = None

    # the port

    async def submit(self, *messages: NewMessage) -> int:
        """See the port."""
        new = await self._storage.outbox.enqueue(messages)
        if any(message.delay_s <= 0 for message in messages):
            self._storage.wakeups.wake(Channel.OUTBOX, READY)
        for message in messages:
            self._expect(message.delay_s)
        return new

    async def serve(self, sender: Sender) -> None:
        """See the port."""
        if self._sender is not None or self._closing:
            raise UsageError("This dispatcher is already served, or closed.", hint="Build one per sender.")
        self._sender = sender
        self._look.set()
        try:
            await self._closed.wait()
            if self._failure is not None:
                raise self._failure
        finally:
            self._sender = None

    async def replay(self, outbox_ids: Sequence[str]) -> int:
        """See the port."""
        count = await self._storage.outbox.replay(outbox_ids)
        if count:
            self._storage.wakeups.wake(Channel.OUTBOX, READY)
        return count

    def state(self) -> DispatchState:
        """See the port."""
        return DispatchState(len(self._sends), self._breakers.open())

    def heard(self, _keys: Sequence[str]) -> None:
        """A wake-up on the channel of the outbox."""
        self._look_again()

    # claiming

    async def claim_loop(self) -> None:
        """Until closing: upkeep about once a second, claim whenever there is room and a reason."""
        while not self._closing:
            if self._sender is None:
                await self._wait(None)
                continue
            try:
                await self._keep_up()
                await self._claim_some()
            except EvenkeelError as error:
                LOG.warning("The outbox could not be read; trying again: %s", error)
                self._hungry = True
                await self._clock.sleep(min(0.5, self._rules.poll_s))
                continue
            if not (self._hungry and self._room() > 0):
                await self._wait(self._pause_s())

    def ended(self, loop: asyncio.Task[None]) -> None:
        """A background loop is over. If it failed, whoever serves must know, or the outbox would stand still unseen."""
        if not loop.cancelled() and (failure := loop.exception()) is not None:
            self._failure = failure
            self._closed.set()

    def _look_again(self) -> None:
        self._hungry = True
        self._look.set()

    def _expect(self, in_s: float) -> None:
        """A row falls due then."""
        at = self._clock.monotonic_s() + max(SOONEST_S, in_s)
        if in_s > 0 and (self._due_s is None or at < self._due_s):
            self._due_s = at
            self._look.set()

    def _room(self) -> int:
        """As many as may be under way, and no more than twice that with those sent whose outcome is not stored yet: what
        a process can leave behind that is killed now.
        """
        most, under_way = self._rules.max_sends, len(self._sends)
        return min(self._rules.claim_batch, most - under_way, 2 * most - under_way - self.settler.waiting)

    def _pause_s(self) -> float:
        """Until there may be something to do without anyone ringing."""
        now = self._clock.monotonic_s()
        polled = self._storage.wakeups.mode is not Mode.LISTEN
        pauses = [min(self._rules.poll_s, DEGRADED_POLL_S) if polled else self._rules.poll_s, self._next_upkeep_s - now]
        if self._due_s is not None:
            pauses.append(self._due_s - now)
        if (breaker_s := self._breakers.next_s()) is not None:
            pauses.append(breaker_s)
        return max(SOONEST_S, min(pauses))

    async def _wait(self, pause_s: float | None) -> None:
        self._look.clear()
        try:
            async with asyncio.timeout(pause_s):
                await self._look.wait()
        except TimeoutError:
            self._hungry = True

    async def _keep_up(self) -> None:
        now = self._clock.monotonic_s()
        if now < self._next_upkeep_s:
            return
        self._next_upkeep_s = now + self._rules.upkeep_s * (0.75 + 0.5 * self._spread())
        done = await self._storage.outbox.upkeep()
        self._due_s = None if done.due_in_s is None or done.due_in_s <= 0 else now + done.due_in_s
        if done.recovered or (done.due_in_s is not None and done.due_in_s <= 0):
            self._hungry = True
        self._meter.state(self.state())
        self._meter.depth(await self._storage.outbox.depth())

    async def _claim_some(self) -> None:
        limit = self._room()
        if limit <= 0 or not self._hungry:
            return
        self._hungry = False
        if self._due_s is not None and self._due_s <= self._clock.monotonic_s():
            self._due_s = None
        asked_s = self._clock.monotonic_s()
        messages = await self._storage.outbox.claim(
            self._worker,
            limit=limit,
            per_group=self._rules.per_group,
            lease_s=self._rules.lease_s,
            busy=self._busy(),
        )
        self._meter.claimed(len(messages))
        self._hungry = self._hungry or len(messages) == limit
        for message in messages:
            self._start(message, asked_s + self._rules.lease_s)

    def _busy(self) -> list[tuple[Group, int]]:
        """What each group's share is lowered by: its sends under way, or all of it while its breaker is open."""
        under_way = Counter(self._sends.values())
        most = self._rules.per_group
        for group in self._breakers.troubled():
            under_way[group] += most - self._breakers.room(group, most)
        return list(under_way.items())

    # sending

    def _start(self, message: ClaimedMessage, good_until_s: float) -> None:
        sender = self._sender
        left_s = self._breakers.left_s(message.group)
        if sender is None or self._closing:
            self._defer(message, 0.0, "closing")
        elif left_s > 0:
            self._defer(message, left_s, "breaker")
        else:
            task = asyncio.get_running_loop().create_task(self._send(message, sender, good_until_s))
            self._sends[task] = message.group

    async def _send(self, message: ClaimedMessage, sender: Sender, good_until_s: float) -> None:
        template = self._templates.of(message.channel).backoff
        try:
            if self._clock.monotonic_s() + template.timeout_s > good_until_s:
                # the loop stood still since the claim: by the time of the answer another may have sent it
                self._defer(message, 0.0, "late")
                return
            result = await tried(sender, message, template.timeout_s)
            self._breakers.saw(message.group, result)
            delivery = delivery_of(message, result, template, self._spread)
            self._expect(delivery.retry_in_s)
            self.settler.add(delivery)
        except asyncio.CancelledError:
            # it may have arrived: counts as a try, and goes out again under the same idempotency key
            stopped = SendResult(SendClass.UNAVAILABLE, detail="stopped while sending")
            self.settler.add(delivery_of(message, stopped, template, self._spread))
        finally:
            self._sends.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            self._look_again()

    def _defer(self, message: ClaimedMessage, in_s: float, why: str) -> None:
        self._meter.deferred(why)
        self.settler.add(deferred(message, in_s))

    # closing

    async def aclose(self, claiming: asyncio.Task[None]) -> None:
        """Send nothing new, wait for what is under way, give the rest back."""
        self._closing = True
        self._look.set()
        await asyncio.wait([claiming], timeout=STOP_S)
        if self._sends:
            await asyncio.wait(list(self._sends), timeout=self._rules.drain_s)
        stopped = list(self._sends)
        for task in stopped:
            task.cancel()
        if stopped:
            await asyncio.wait(stopped, timeout=STOP_S)
        unstored = await self.settler.drained(STOP_S)
        if stopped or unstored:
            LOG.warning("Outbox closed: %d sends stopped, %d outcomes not stored.", len(stopped), unstored)
        self._meter.state(self.state())
        self._closed.set()


@asynccontextmanager
async def open_grouped(dispatcher: GroupedDispatcher, storage: Storage) -> AsyncIterator[None]:
    """Start what the dispatcher lives on; stop it in order."""
    stop_listening = storage.wakeups.listen(Channel.OUTBOX, dispatcher.heard)
    try:
        async with (
            background(dispatcher.settler.run(), "evenkeel-outbox-settler") as settling,
            background(dispatcher.claim_loop(), "evenkeel-outbox-claims") as claiming,
        ):
            settling.add_done_callback(dispatcher.ended)
            claiming.add_done_callback(dispatcher.ended)
            try:
                yield
            finally:
                await dispatcher.aclose(claiming)
    finally:
        stop_listening()
