"""Answers of the API as shapes, for its OpenAPI document. Handlers build plain dictionaries; a test holds both together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from evenkeel.serve.ports.documents import says

Rfc3339 = Annotated[str, says("RFC 3339, local time of the server")]
UnixSeconds = Annotated[float, says("Unix time, seconds")]
SessionId = Annotated[str, says("The session")]
AgentId = Annotated[str | None, says("Null = the default agent")]
Title = Annotated[str, says("Given, or the beginning of the first message")]
ToolNames = Annotated[list[str], says("The only tools that its runs may use; none = the usual ones")]


class UserProfile(Struct):
    """An account."""

    id: Annotated[str, says("Stays, whatever the name becomes")]
    username: Annotated[str, says("What one logs in with")]
    email: Annotated[str | None, says("If one was given")]
    roles: Annotated[list[str], says("`admin` and `super_admin` may use the operators' routes")]
    status: Annotated[str, says("`active`, or why not")]
    access_level: Annotated[str, says("A, B or C")]
    unit_id: Annotated[str | None, says("The unit it belongs to")]
    unit: Annotated[dict[str, Any] | None, says("That unit")]
    daily_quota: Annotated[int, says("Model calls a day")]
    daily_quota_used: Annotated[int, says("Of these, on `daily_quota_date`")]
    daily_quota_date: Annotated[str | None, says("The day that is counted")]
    is_demo: Annotated[bool, says("Made by a login without a password")]
    created_at: UnixSeconds
    updated_at: UnixSeconds
    last_login_at: Annotated[float | None, says("Unix time, seconds; null = never")]


class LoggedIn(Struct):
    """A login."""

    access_token: Annotated[str, says("For `Authorization: Bearer`; good for seven days")]
    user: Annotated[UserProfile, says("Who it is for")]


class LoggedOut(Struct):
    """The token is gone."""

    ok: Annotated[bool, says("Always true")]


class OrgUnits(Struct):
    """Units that accounts can belong to."""

    items: Annotated[list[dict[str, Any]], says("All of them")]
    tree: Annotated[list[dict[str, Any]], says("The same, one within the other")]


class Transport(Struct):
    """The way answers stream by default."""

    chat_stream_channel: Annotated[Literal["ws", "sse"], says("WebSocket or server-sent events")]


class Session(Struct):
    """A conversation."""

    id: SessionId
    title: Title
    created_at: Rfc3339
    updated_at: Rfc3339
    last_message_at: Rfc3339
    agent_id: AgentId
    tool_overrides: ToolNames
    parent_session_id: Annotated[str | None, says("The session that it came from")]
    parent_message_id: Annotated[str | None, says("The message that it came from")]
    spawn_label: Annotated[str | None, says("What it was made for")]
    spawned_by: Annotated[str | None, says("Who made it, if not its user")]
    is_main: Annotated[bool, says("The main one of its agent: requests without a session go there")]


class SessionPage(Struct):
    """Some of one's sessions."""

    total: Annotated[int, says("How many there are in all")]
    items: Annotated[list[Session], says("The newest message first")]


class Message(Struct):
    """What a person sees of a turn."""

    role: Annotated[Literal["user", "assistant"], says("Who speaks")]
    content: Annotated[str, says("The text")]
    created_at: Rfc3339
    reasoning: Annotated[str | UnsetType, says("What the model thought before")] = UNSET
    question_panel: Annotated[Any, says("A question to the user, as that tool put it")] = field(
        default=UNSET, name="questionPanel"
    )
    stream_incomplete: Annotated[bool | UnsetType, says("True = it is being written: resume the session")] = UNSET


class SessionDetail(Struct):
    """A conversation with its messages."""

    id: SessionId
    title: Title
    created_at: Rfc3339
    updated_at: Rfc3339
    last_message_at: Rfc3339
    agent_id: AgentId
    tool_overrides: ToolNames
    history_incomplete: Annotated[bool, says("There are older messages than these")]
    messages: Annotated[list[Message], says("Oldest first")]


class RoundEvent(Struct):
    """A stored event of a round."""

    event: Annotated[str, says("Its kind")]
    data: Annotated[Any, says("What it says, unwrapped")]
    timestamp: Rfc3339


class Round(Struct):
    """A question and what came of it."""

    user_round: Annotated[int, says("Counted from 1")]
    events: Annotated[list[RoundEvent], says("In their order, without deltas")]


class SessionEvents(Struct):
    """What a session's latest rounds said."""

    id: SessionId
    rounds: Annotated[list[Round], says("Oldest first")]
    running: Annotated[bool, says("A run is at work")]
    last_event_id: Annotated[int, says("Where to go on from: `after_event_id` of resume")]
    epoch: Annotated[int, says("Of the session's history; another one = ids began anew")]


class Cancelled(Struct):
    """The answer of a cancel. What became of each run stands in the session's stream."""

    cancelled: Annotated[bool, says("Something ran or waited, and was stopped")]


class Deleted(Struct):
    """The session is gone."""

    id: SessionId


class ToolOverrides(Struct):
    """The tools of a session."""

    id: SessionId
    tool_overrides: ToolNames


class Prompt(Struct):
    """Instructions."""

    prompt: Annotated[str, says("What a run would give its model first")]


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

    queued: Annotated[Literal[True], says("Always true")]
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


class CompletionUsage(Struct):
    """Tokens, as OpenAI names them."""

    prompt_tokens: Annotated[int, says("Sent")]
    completion_tokens: Annotated[int, says("Received")]
    total_tokens: Annotated[int, says("Both")]


class CompletionText(Struct):
    """The assistant's message."""

    role: Annotated[Literal["assistant"], says("Always `assistant`")]
    content: Annotated[str, says("The text")]
    refusal: Annotated[None, says("Always null")]


class CompletionChoice(Struct):
    """The answer; there is one."""

    index: Annotated[int, says("Always 0")]
    message: Annotated[CompletionText, says("The message")]
    logprobs: Annotated[None, says("Always null")]
    finish_reason: Annotated[Literal["stop"], says("Always `stop`: tools run on the server")]


class CompletionAnswer(Struct):
    """A chat completion."""

    id: Annotated[str, says("Names the session: `chatcmpl-…`")]
    object: Annotated[Literal["chat.completion"], says("Always `chat.completion`")]
    created: Annotated[int, says("Unix time, seconds")]
    model: Annotated[str, says("As asked")]
    choices: Annotated[list[CompletionChoice], says("One")]
    usage: Annotated[CompletionUsage, says("Tokens of the turn")]


class Model(Struct):
    """A name that a request may give as its model."""

    id: Annotated[str, says("The name")]
    object: Annotated[Literal["model"], says("Always `model`")]
    created: Annotated[int, says("Always 0")]
    owned_by: Annotated[str, says("`evenkeel`")]


class ModelList(Struct):
    """The models."""

    object: Annotated[Literal["list"], says("Always `list`")]
    data: Annotated[list[Model], says("All")]


class OpenAIProblem(Struct):
    """What went wrong, as OpenAI's clients read it."""

    message: Annotated[str, says("For people")]
    type: Annotated[str, says("The kind of error")]
    param: Annotated[str | None, says("Always null")]
    code: Annotated[str | None, says("The code, in lower case")]


class OpenAIError(Struct):
    """An error of `/v1`."""

    error: Annotated[OpenAIProblem, says("What went wrong")]


class Problem(Struct):
    """What went wrong."""

    code: Annotated[str, says("For programs; also in the header x-error-code")]
    message: Annotated[str, says("For people, in their language")]
    status: Annotated[int, says("The HTTP status")]
    hint: Annotated[str, says("What to do next")]
    trace_id: Annotated[str, says("Names the request in the log; also in the header x-trace-id")]
    timestamp: UnixSeconds


class ProblemDetail(Struct):
    """The message once more, and what the code adds."""

    message: Annotated[str, says("For people")]
    code: Annotated[str | UnsetType, says("Of errors of a run")] = UNSET
    detail: Annotated[
        dict[str, Any] | UnsetType, says("More, by code; of a quota: daily_quota, used, remaining, date")
    ] = UNSET


class Error(Struct):
    """Every error but those of `/v1`."""

    ok: Annotated[Literal[False], says("Always false")]
    error: Annotated[Problem, says("What went wrong")]
    detail: Annotated[ProblemDetail, says("More")]
