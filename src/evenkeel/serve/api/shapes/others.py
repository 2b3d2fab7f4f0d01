"""What front ends and operators ask."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Struct

from evenkeel.serve.api.shapes.words import SessionId
from evenkeel.serve.ports.documents import says


class Languages(Struct):
    """Languages that texts come in."""

    default_language: Annotated[str, says("Without a wish")]
    supported_languages: Annotated[list[str], says("All")]
    aliases: Annotated[dict[str, str], says("Other names for them")]


class AgentPage(Struct):
    """Agents."""

    total: Annotated[int, says("How many")]
    items: Annotated[list[dict[str, Any]], says("The agents")]


class RunningAgent(Struct):
    """A main session in which something is at work."""

    agent_id: Annotated[str, says("Empty = the default agent")]
    session_id: SessionId
    state: Annotated[str, says("`queued`, `running`, `cancelling` or `waiting`")]


class RunningAgents(Struct):
    """What runs now."""

    total: Annotated[int, says("How many")]
    items: Annotated[list[RunningAgent], says("One a session")]


class Tool(Struct):
    """A tool of the agent."""

    name: Annotated[str, says("For `tool_names` and `tool_overrides`")]
    description: Annotated[str, says("What the model is told of it")]


class ToolList(Struct):
    """Tools that runs can use."""

    tools: Annotated[list[Tool], says("All")]


class Folder(Struct):
    """A folder of one's workspace."""

    path: Annotated[str, says("As asked")]
    type: Annotated[str, says("`dir`")]
    entries: Annotated[list[dict[str, Any]], says("What is in it")]
    total: Annotated[int, says("How many entries there are")]
    offset: Annotated[int, says("Of the first that is shown")]
    limit: Annotated[int, says("How many are shown at the most")]
    tree_version: Annotated[int, says("Rises when files change")]


class Live(Struct):
    """The process answers."""

    status: Annotated[Literal["live"], says("Always `live`")]
    version: Annotated[str, says("Of the program")]


class Ready(Struct):
    """Whether the process takes work, and what it is about. Beside these: profile and switches in effect."""

    status: Annotated[Literal["ready", "draining", "not ready"], says("200 goes with `ready`, 503 with the others")]
    version: Annotated[str, says("Of the program")]
    instance: Annotated[str, says("The name of this process")]
    storage: Annotated[dict[str, Any], says("The database")]
    limiter: Annotated[dict[str, Any], says("Runs at once, and who waits")]
    queue: Annotated[dict[str, Any], says("Of queued runs: waiting, running, free, wakeups, fenced")]
    streams: Annotated[int, says("Open streams")]
