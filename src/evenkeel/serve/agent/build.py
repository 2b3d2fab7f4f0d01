"""The one place that puts the agent together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from evenkeel.serve.agent.kit import Kit
from evenkeel.serve.agent.metering import build_meter
from evenkeel.serve.agent.models.catalogue import Models, completed, open_models
from evenkeel.serve.agent.runs import AgentRuns
from evenkeel.serve.agent.settings import AgentSettings
from evenkeel.serve.agent.tools.endings import ENDINGS
from evenkeel.serve.agent.tools.files import workspace_tools
from evenkeel.serve.agent.tools.remote import remote_tools
from evenkeel.serve.agent.tools.toolbox import Toolbox
from evenkeel.serve.agent.worker import Worker
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import OnEnd, Runs


@asynccontextmanager
async def build_agent(parts: Parts, settings: AgentSettings, on_end: OnEnd | None = None) -> AsyncIterator[Runs]:
    """The agent over the parts that a process opened; `settings` is section `agent` of the configuration.
    `on_end` is told how runs ended whose request has `reply_to`.

    Entering opens the task queue (`parts.open_tasks`) and serves it, opens connections to models and starts what MCP
    servers live on; nothing is asked of a model or of an MCP server before a run needs it. An error in
    the background is told to the loop's exception handler at once, and raised where the block is left.

    Leaving stops intake (`submit` raises `OverloadedError`), lets runs finish up to the queue's `drain_s`, then stops
    the rest, stores what they said, and gives their leases and tasks back: another instance, or the next start, takes
    them up at once. Watchers see no terminal event in between.

    Raises `ConfigurationError` for settings that cannot hold (a model without `base_url`, say).
    """
    async with open_worker(parts, settings, on_end=on_end) as runs:
        yield runs


@asynccontextmanager
async def open_worker(
    parts: Parts,
    settings: AgentSettings,
    models_of: Callable[[Models], Models] = lambda models: models,
    on_end: OnEnd | None = None,
) -> AsyncIterator[AgentRuns]:
    """As `build_agent`; `models_of` may put other models in the place of some, as tests do."""
    settings = completed(settings)
    meter = build_meter(parts.meters, parts.switches.profile)
    async with (
        open_models(settings, parts.lean, parts.clock) as models,
        workspace_tools(settings.workspace, parts.clock) as files,
        remote_tools(settings.mcp, parts.clock) as remote,
    ):
        kit = Kit(parts, settings, models_of(models), Toolbox((*ENDINGS, *files), remote), meter, on_end)
        async with _served(kit) as runs:
            yield runs


@asynccontextmanager
async def _served(kit: Kit) -> AsyncIterator[AgentRuns]:
    """The queue, served. Closing it ends `serve`, so the task that serves lives outside of it."""
    worker = Worker(kit)
    kit.meter.active.labels(kit.meter.path).set_function(lambda: len(worker.at_work))
    serving: asyncio.Task[None] | None = None
    try:
        async with kit.parts.open_tasks() as queue:
            serving = asyncio.get_running_loop().create_task(queue.serve(worker.handle), name="evenkeel-agent-queue")
            serving.add_done_callback(_report)
            await asyncio.sleep(0)  # it serves before it can be closed
            runs = AgentRuns(kit, worker, queue)
            try:
                yield runs
            finally:
                await runs.drained()
    finally:
        if serving is not None:
            await serving


def _report(task: asyncio.Task[None]) -> None:
    """At once, for the block may be open for days; raised when it is left."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": "The agent's queue is no longer served.", "exception": error, "task": task}
        )
