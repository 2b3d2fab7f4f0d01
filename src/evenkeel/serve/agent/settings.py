"""Settings of the agent: section `agent` of the server's configuration. Unknown keys are refused.

Durations are in seconds, sizes in bytes. The defaults work on a fresh clone: one built-in offline model, files in a
workspace below the working directory, no MCP server.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

OFFLINE = "offline"
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Above0 = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model. `provider` "openai" is any endpoint with `/chat/completions`; "offline" is built in.

    `model` is the name that the endpoint knows ("" = the name of this entry). The key is `api_key`, else the
    environment variable that `api_key_env` names, read once at start. `tool_call_mode` says how tools are offered: as
    text (`<tool_call>` blocks) or as the endpoint's own function calls. `context_tokens` bounds what is sent.

    `connect_s` bounds the way to the first byte of the answer's head, `idle_s` every pause within the answer,
    `total_s` a whole call. A failed call is tried again `retries` times, after `retry_s` doubled each time.

    The offline model writes `tokens_per_s` (0 = as fast as it can) after `first_token_s`.
    """

    provider: Literal["openai", "offline"] = "openai"
    base_url: str = ""
    model: str = ""
    api_key: str = ""
    api_key_env: str = ""
    tool_call_mode: Literal["tool_call", "function_call"] = "tool_call"
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.7
    max_tokens: Count | None = None
    stop: tuple[str, ...] = ()
    stream: bool = True
    stream_usage: bool = True
    context_tokens: Annotated[int, msgspec.Meta(ge=256)] = 32_768
    max_rounds: Count = 10
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    retry_s: Above0 = 0.5
    connect_s: Above0 = 10.0
    idle_s: Above0 = 60.0
    total_s: Above0 = 600.0
    tokens_per_s: Seconds = 200.0
    first_token_s: Seconds = 0.0


class ToolSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`default` names the tools of a request that names none; () = all that are built in, and every MCP server's.

    Of a round's calls up to `parallel` run at once, each for `timeout_s` at most; a result is cut to `result_bytes`.
    """

    default: tuple[str, ...] = ()
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    timeout_s: Above0 = 60.0
    result_bytes: Annotated[int, msgspec.Meta(ge=256, le=512 * 1024)] = 16_384


class WorkspaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of the agent: one directory a user and agent below `root`, never left, no symbolic link followed.

    File work runs in `threads` threads of its own. A search reads at most `search_files` files.
    """

    enabled: bool = True
    root: str = "workspaces"
    file_bytes: Count = 1024 * 1024
    list_entries: Count = 500
    search_files: Count = 2_000
    depth: Annotated[int, msgspec.Meta(ge=1, le=64)] = 16
    threads: Annotated[int, msgspec.Meta(ge=1, le=32)] = 2


class McpServerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One MCP server; its tools are called `<name of this entry>@<tool>`.

    Either `command` with `args` and `env` (standard input and output), or `url` with `headers` (streamable HTTP).
    Connecting may take `connect_s`, a call `call_s`; after a failure the server is left alone for `rest_s`. At most
    `calls` calls at once; who comes later waits, within the time of the call.
    """

    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    url: str = ""
    headers: dict[str, str] = {}
    connect_s: Above0 = 10.0
    call_s: Above0 = 60.0
    rest_s: Seconds = 15.0
    calls: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    enabled: bool = True


class QueueingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to a request for a busy session, when it may be queued. How many queued runs work at once is a
    rule of the task queue.

    A queued run has `ttl_s` to begin; it is tried `attempts` times. A run that worked when its process died is taken
    up `attempts` times, too.
    """

    enabled: bool = True
    ttl_s: Above0 = 86_400.0
    attempts: Count = 3


class AdmissionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`slot_wait_s`: how long a request waits for one of the slots of the limiter; `session_wait_s`: for a session that
    another run holds, where it cannot be queued.
    """

    slot_wait_s: Seconds = 30.0
    session_wait_s: Seconds = 0.8


class HistorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run reads at most `messages` of a session's newest messages. Attachments: so many, of so many bytes together."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=5_000)] = 200
    attachments: Count = 16
    attachment_bytes: Count = 256 * 1024


class AgentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The agent. `model` names the entry of `models` that a request without `model_name` gets.

    The entry `offline` is always there. `language` is that of requests without one ("zh-CN" or "en-US"); `prompt`
    replaces the built-in system prompt. `connections` bounds the connections to one model endpoint. `debug_bytes`
    bounds what `debug_payload` shows of a request to the model.
    """

    model: str = OFFLINE
    models: dict[str, ModelSettings] = {}
    tools: ToolSettings = ToolSettings()
    workspace: WorkspaceSettings = WorkspaceSettings()
    mcp: dict[str, McpServerSettings] = {}
    queue: QueueingSettings = QueueingSettings()
    admission: AdmissionSettings = AdmissionSettings()
    history: HistorySettings = HistorySettings()
    language: str = "en-US"
    prompt: str = ""
    connections: Count = 1_000
    debug_bytes: Count = 256 * 1024
