"""The agent: a turn is admit -> think -> act -> emit.

`build_agent(parts, settings)` answers the open agent, a `serve.ports.runs.Runs`. A run belongs to its session: whoever
asked may go away. Every run, queued or not, is a task with a lease, so what a killed process was at is taken up by
another within seconds. Everything a run says goes through the session's one writer, under the task's fence.
"""

from evenkeel.serve.agent.build import build_agent as build_agent
from evenkeel.serve.agent.orders import unbegun as unbegun
from evenkeel.serve.agent.settings import AgentSettings as AgentSettings
from evenkeel.serve.agent.settings import ModelSettings as ModelSettings
