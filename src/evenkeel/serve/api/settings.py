"""What the API is configured with: sections `api` and `auth`."""

from __future__ import annotations

from typing import Literal

import msgspec

LANGUAGES = ("zh-CN", "en-US")
WEEK_S = 7 * 86_400.0


class ApiSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `api`.

    Bounds of one process: `streams` open SSE responses and WebSockets in all and `streams_per_caller` of one user
    (0 = no bound of its own); `streams_per_socket` runs, resumes and watches over one WebSocket, each with one message
    that may wait to be sent. A request body has at most `body_bytes`, a message over a WebSocket `message_bytes`.

    `keepalive_s`: a silent SSE stream gets a comment that often. `send_timeout_s`: a client that takes nothing for that long
    is cut off; it can come back with its cursor. `drain_s`: how long streams of live runs may go on after a stop was
    asked for. `cors_origins` () = no other origin may read answers.
    """

    chat_stream_channel: Literal["ws", "sse"] = "ws"
    default_language: Literal["zh-CN", "en-US"] = "en-US"
    body_bytes: int = 2 * 1024 * 1024
    message_bytes: int = 524_288
    streams: int = 20_000
    streams_per_caller: int = 0
    streams_per_socket: int = 256
    keepalive_s: float = 15.0
    send_timeout_s: float = 60.0
    drain_s: float = 10.0
    cors_origins: tuple[str, ...] = ()


class AuthSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `auth`.

    `api_key` opens everything that an administrator may do; "" = there is none. Tokens live `token_ttl_s`; what was
    looked up of them is believed for `cache_s`, in at most `cache_entries` entries. `admin_user` is the first
    administrator: made with `admin_password`, or through a one-time link that is printed at start. `registration` =
    strangers may make accounts. `demo` = log in without a password, and `admin`/`admin`.
    """

    api_key: str = ""
    token_ttl_s: float = WEEK_S
    cache_s: float = 30.0
    cache_entries: int = 20_000
    admin_user: str = "admin"
    admin_password: str = ""
    registration: bool = True
    demo: bool = False
    daily_quota: int = 10_000
