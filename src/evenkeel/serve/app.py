"""The composition root: the only file that knows every room.

Opens the parts in order (storage, maps, limiter, bus, writer, cancellation, outbox, passwords), then the agent over them
(which opens the task queue), then channels and the API, and closes all of it in reverse: intake stops, runs drain, leases go
back, what was said is stored, connections close.

A further room is a `build_*` of its own, opened in `open_server`, whose routes join `ApiOptions.routes`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from starlette.middleware import Middleware

from evenkeel import __version__
from evenkeel.hotpath.bounded import build_bounded
from evenkeel.hotpath.cancellation import build_cancellation
from evenkeel.hotpath.events import build_bus, live_evidence
from evenkeel.hotpath.lean import build_lean
from evenkeel.hotpath.limiter import build_limiter
from evenkeel.hotpath.outbox import build_outbox
from evenkeel.hotpath.passwords import build_passwords
from evenkeel.hotpath.ports.task_queue import QueueState, TaskQueue
from evenkeel.hotpath.storage import build_storage
from evenkeel.hotpath.switches import read_switches
from evenkeel.hotpath.tasks import build_tasks
from evenkeel.hotpath.writes import build_event_writer
from evenkeel.kernel.clock import SystemClock
from evenkeel.kernel.metrics import Meters
from evenkeel.kernel.process import watched_process
from evenkeel.serve.agent import build_agent, unbegun
from evenkeel.serve.api import Api, ApiOptions, build_api, has_key
from evenkeel.serve.api.health import Gather
from evenkeel.serve.channels import build_channels, open_delivery
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.console import build_console
from evenkeel.serve.operations import Traced, TracedSpans, capped_pool, open_tracing
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import Runs
from evenkeel.serve.settings import Settings

AgentBuilder = Callable[[Parts, Settings, Replies], AbstractAsyncContextManager[Runs]]


class QueueDoor:
    """Opens the task queue for the agent, and remembers it for `/health`."""

    def __init__(self) -> None:
        self._queue: TaskQueue | None = None

    @asynccontextmanager
    async def keep(self, unopened: AbstractAsyncContextManager[TaskQueue]) -> AsyncIterator[TaskQueue]:
        """The queue, for as long as the agent is open."""
        async with unopened as queue:
            self._queue = queue
            try:
                yield queue
            finally:
                self._queue = None

    def state(self) -> QueueState | None:
        """What it does now; None while it is closed."""
        return self._queue.state() if self._queue else None


@dataclass(frozen=True, slots=True)
class Server:
    """An open server: what a process needs to serve it, and to stop it in order."""

    api: Api
    parts: Parts
    runs: Runs


@asynccontextmanager
async def open_parts(settings: Settings, door: QueueDoor) -> AsyncIterator[Parts]:
    """The parts of one process. The agent opens its task queue through `door`."""
    switches, meters, clock = read_switches(settings.profile, settings.switches), Meters(), SystemClock()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        # First, since it gives the loop the thread pool that others close with.
        await enter(capped_pool(meters, settings.profile, settings.operations.pool_threads))
        await enter(watched_process(meters, clock=clock))
        storage = await enter(build_storage(settings.storage, switches, meters))
        maps = await enter(build_bounded(switches, meters, clock=clock))
        limiter = await enter(build_limiter(settings.limiter, switches, meters, storage=storage))
        events, wakeups = storage.events, storage.wakeups
        active = live_evidence(storage.leases, storage.tasks)
        bus = await enter(build_bus(settings.events, switches, meters, events=events, wakeups=wakeups, active=active))
        writer = await enter(
            build_event_writer(settings.writes, switches, meters, events=events, bus=bus, wakeups=wakeups)
        )
        cancellation = await enter(
            build_cancellation(
                replace(settings.cancellation, unbegun=unbegun), switches, meters, storage=storage, writer=writer
            )
        )
        unopened = build_outbox(settings.outbox, switches, meters, storage, clock=clock)
        outbox = await enter(open_delivery(settings.channels, maps, clock, unopened))
        passwords = await enter(build_passwords(settings.passwords, switches, meters, clock=clock))
        yield Parts(
            instance=settings.limiter.instance,
            switches=switches,
            meters=meters,
            clock=clock,
            storage=storage,
            limiter=limiter,
            bus=bus,
            writer=writer,
            cancellation=cancellation,
            open_tasks=lambda: door.keep(build_tasks(settings.agent_queue, switches, meters, storage, clock=clock)),
            outbox=outbox,
            passwords=passwords,
            lean=build_lean(switches, meters),
            maps=maps,
        )


def the_agent(parts: Parts, settings: Settings, replies: Replies) -> AbstractAsyncContextManager[Runs]:
    """The agent that ships."""
    return build_agent(parts, settings.agent, replies.settled)


@asynccontextmanager
async def open_server(
    settings: Settings, *, gather: Gather | None = None, agent: AgentBuilder = the_agent
) -> AsyncIterator[Server]:
    """A whole server, open. `gather` answers the metrics of every process of this host, if there are several."""
    door = QueueDoor()
    async with open_parts(settings, door) as untraced:
        replies = Replies(untraced.outbox)
        console = await asyncio.to_thread(build_console)  # reads its files
        with open_tracing(settings.operations, __version__) as tracer:
            parts = replace(untraced, spans=TracedSpans(tracer)) if tracer else untraced
            async with agent(parts, settings, replies) as runs:
                channels = build_channels(parts, runs, replies, settings.channels, has_key=has_key)
                options = ApiOptions(
                    queue=door.state,
                    models=tuple(dict.fromkeys((settings.agent.model, *settings.agent.models))),
                    gather=gather,
                    wrap=Middleware(Traced, tracer=tracer) if tracer else None,
                    needs_no_key=channels.needs_no_key,
                    routes=[*channels.routes, *console],
                    described=channels.described,
                )
                async with build_api(parts, runs, settings.api, settings.auth, options) as api:
                    yield Server(api, parts, runs)
