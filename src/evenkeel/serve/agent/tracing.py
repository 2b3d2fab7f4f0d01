"""What a run tells to logs and traces: who it is for on every line it logs, and spans after OpenTelemetry's conventions for
generative AI: `invoke_agent`, below it `chat` for each model call and `execute_tool` for each tool. None per token, and
nothing of what anybody wrote.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from structlog.contextvars import bound_contextvars

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskStatus
from evenkeel.hotpath.ports.task_queue import Outcome
from evenkeel.serve.agent.orders import Order
from evenkeel.serve.ports.spans import Attributes, Span, Spans

AGENT = "evenkeel"


async def told(spans: Spans, task: ClaimedTask, order: Order, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Carry out one attempt. Call it in a task of its own: what is bound here is bound for the whole task. `work` is called
    in that task, which may be cancelled before it takes its first step.
    """
    request = order.request
    bound = {"session_id": order.session_id, "user_id": request.user_id, "run": task.task_id}
    if order.trace_id:
        bound["trace_id"] = order.trace_id
    attributes: Attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": request.agent_id or AGENT,
        "gen_ai.conversation.id": order.session_id,
        "evenkeel.run.attempt": task.attempt,
    }
    with bound_contextvars(**bound), spans.span(f"invoke_agent {request.agent_id or AGENT}", attributes) as span:
        outcome = await work()
        span.tell({"evenkeel.run.outcome": outcome.status.value})
        if outcome.status is TaskStatus.FAILED:
            span.failed(outcome.error.partition(":")[0] or "error")
        return outcome


def executing(spans: Spans, tool: str, call_id: str) -> AbstractContextManager[Span]:
    """Around a tool call. A name that the model made up is no tool's."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.id": call_id}
    return spans.span(f"execute_tool {tool}", attributes)
