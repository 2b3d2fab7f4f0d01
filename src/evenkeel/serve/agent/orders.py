"""Orders: a request with what was decided about it. Encoded, an order is the payload of the run's task."""

from __future__ import annotations

import msgspec

from evenkeel.hotpath.ports.agent_tasks import ClaimedTask, TaskRecord
from evenkeel.hotpath.ports.event_writer import Draft
from evenkeel.kernel.errors import UsageError
from evenkeel.serve.ports.requests import RunRequest


class Order(msgspec.Struct, frozen=True):
    """`queued` = it waited, so the queue's events belong to its session's stream. `trace_id` names the request in the log,
    also where another process carries it out. Fields are only ever added.
    """

    request: RunRequest
    queued: bool = False
    trace_id: str = ""

    @property
    def session_id(self) -> str:
        """Chosen before the order was written."""
        return self.request.session_id


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Order)


def payload_of(order: Order) -> bytes:
    """For `NewTask.payload`."""
    return _ENCODER.encode(order)


def order_of(task: ClaimedTask) -> Order:
    """Raises `UsageError` for a payload that is no order."""
    try:
        return _DECODER.decode(task.payload)
    except msgspec.DecodeError as error:
        raise UsageError(f"Task {task.task_id} holds no order: {error}.", hint="Cancel it; it cannot be run.") from None


def thread_of(session_id: str) -> str:
    """Runs of one session follow one another."""
    return f"thread_{session_id}"


def owner_of(task_id: str, attempt: int) -> str:
    """The name under which a run holds its session's lease: each attempt is another owner."""
    return f"{task_id}/{attempt}"


def queue_data(task_id: str, order: Order, error: str = "") -> dict[str, object]:
    """What the queue's events tell."""
    data: dict[str, object] = {
        "queue_id": task_id,
        "thread_id": f"thread_{order.session_id}",
        "session_id": order.session_id,
        "agent_id": order.request.agent_id,
        "user_id": order.request.user_id,
    }
    if error:
        data["error"] = error
    return data


def unbegun(task: TaskRecord) -> Draft | None:
    """What watchers hear of a run that was cancelled while it waited: the end of what `queue_enter` told them of."""
    try:
        order = _DECODER.decode(task.payload)
    except msgspec.DecodeError:
        return None
    return Draft("queue_fail", queue_data(task.task_id, order, "cancelled")) if order.queued else None
