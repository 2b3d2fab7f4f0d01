"""Descriptions that many shapes share."""

from __future__ import annotations

from typing import Annotated

from evenkeel.serve.ports.documents import says

Rfc3339 = Annotated[str, says("RFC 3339, local time of the server")]
UnixSeconds = Annotated[float, says("Unix time, seconds")]
SessionId = Annotated[str, says("The session")]
AgentId = Annotated[str | None, says("Null = the default agent")]
Title = Annotated[str, says("Given, or the beginning of the first message")]
ToolNames = Annotated[list[str], says("The only tools that its runs may use; none = the usual ones")]
