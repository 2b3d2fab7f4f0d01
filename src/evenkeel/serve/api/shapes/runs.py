"""Runs: their answers, and the data of their events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Struct, UnsetType

from evenkeel.serve.api.shapes.words import SessionId
from evenkeel.serve.ports.documents import says


class Usage(Struct):
    """Tokens."""

    input_tokens: Annotated[int, says("Sent")]
    output_tokens: Annotated[int, says("Received")]
    total_tokens: Annotated[int, says("Both")]


StopReason = Literal["model_response", "final_tool", "question_panel", "a2ui", "max_rounds", "unknown"]


class RunAnswer(Struct):
    """A run's answer, for who does not stream."""

    session_id: SessionId
    answer: Annotated[str, says("The text")]
    usage: Annotated[Usage | UnsetType, says("Of the last model call")] = UNSET
    stop_reason: Annotated[StopReason | UnsetType, says("Why the turn ended")] = UNSET
    uid: Annotated[str | UnsetType, says("Of a surface")] = UNSET
    a2ui: Annotated[Any, says("A surface")] = UNSET


class QueuedRun(Struct):
    """The session is busy: the request waits. Its events come in the session's stream."""

    queued: Annotated[bool, says("Always true")]
    queue_id: Annotated[str, says("Names the run in `queue_enter`, `queue_start`, `queue_finish`, `queue_fail`")]
    thread_id: Annotated[str, says("The line it waits in")]
    session_id: SessionId


class QueueEvent(Struct):
    """Data of `queue_enter`, `queue_start`, `queue_finish` and `queue_fail`; an announced run ends with one of the last two."""

    queue_id: Annotated[str, says("The run")]
    thread_id: Annotated[str, says("The line")]
    session_id: SessionId
    agent_id: Annotated[str, says("Empty = the default agent")]
    user_id: Annotated[str, says("Whose it is")]
    error: Annotated[str | UnsetType, says("Why it failed; `cancelled` where it was stopped")] = UNSET


class DeltaEvent(Struct):
    """Data of `llm_output_delta`: a piece of text, or in a replay several as `segments`."""

    delta: Annotated[str | UnsetType, says("Text")] = UNSET
    reasoning_delta: Annotated[str | UnsetType, says("Of the model's reasoning")] = UNSET
    user_round: Annotated[int | UnsetType, says("The question, counted from 1")] = UNSET
    model_round: Annotated[int | UnsetType, says("The model call, counted from 1")] = UNSET
    segments: Annotated[
        list[dict[str, Any]] | UnsetType, says("Pieces with an `event_id` each; drop what you have")
    ] = UNSET
    event_id_start: Annotated[int | UnsetType, says("Of the first segment")] = UNSET
    event_id_end: Annotated[int | UnsetType, says("Of the last segment")] = UNSET


class FinalEvent(Struct):
    """Data of `final`, the last event of a run that ended well."""

    answer: Annotated[str, says("The whole answer: it replaces what deltas showed")]
    usage: Annotated[Usage, says("Of the last model call")]
    round_usage: Annotated[Usage, says("Of all model calls of the turn")]
    stop_reason: Annotated[StopReason, says("Why the turn ended")]
    user_round: Annotated[int, says("The question, counted from 1")]
    model_round: Annotated[int, says("The model call, counted from 1")]


class ErrorEvent(Struct):
    """Data of `error`, the last event of a run that did not end well."""

    code: Annotated[str, says("CANCELLED, USER_BUSY, USER_QUOTA_EXCEEDED, LLM_UNAVAILABLE, INTERNAL_ERROR, …")]
    message: Annotated[str, says("For people")]
    detail: Annotated[dict[str, Any] | UnsetType, says("More, by code")] = UNSET
