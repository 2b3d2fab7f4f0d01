"""What propagation knows of a function and finds out about it: an info without its texts, which would outweigh the rest."""

from __future__ import annotations

import msgspec

from evenkeel.audit.model.index import Fetch, Reached, Role


class Standing(msgspec.Struct, gc=False):
    """One function. The fields are those of FunctionInfo."""

    id: int
    kind: str  # "code", "test", or "" for any other
    is_async: bool
    entry: Role = ""
    roles: tuple[Role, ...] = ()
    hot: bool = False
    caller: int = -1
    caller_line: int = 0
    reaches: tuple[Reached, ...] = ()
    fetches: tuple[Fetch, ...] = ()
    holds_session: bool = False
    private_loop: bool = False
