"""The one place that puts the agent together."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from evenkeel.kernel.errors import InternalError
from evenkeel.serve.agent.settings import AgentSettings
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.runs import Runs


def build_agent(parts: Parts, settings: AgentSettings) -> AbstractAsyncContextManager[Runs]:
    """The agent over the parts that a process opened; `settings` is section `agent` of the configuration.

    Entering opens the task queue (`parts.open_tasks`) and serves it, opens connections to models and starts what MCP
    servers live on; nothing is asked of a model or of an MCP server before a run needs it. All of it works in a task
    group of the agent's own: an error in it is raised where the block is left.

    Leaving stops intake (`submit` raises `OverloadedError`), lets runs finish up to the queue's `drain_s`, then stops
    the rest, stores what they said, and gives their leases and tasks back: another instance, or the next start, takes
    them up at once. Watchers see no terminal event in between.

    Raises `ConfigurationError` for settings that cannot hold (a model without `base_url`, say).
    """
    raise InternalError(f"The agent of {parts.instance} is being built.", hint=f"Wait for {settings.model}.")
