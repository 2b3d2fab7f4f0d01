"""Rollback path: the whole of what is passed is copied before it is looked at, and every encoding has a fresh buffer."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence

from evenkeel.hotpath.lean.by_reference import ByReference, unencodable
from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.ports.messages import Cut, Message, MessageSummary


class Cloning:
    """`LeanMessages`, the old way: same answers, with a deep copy for each."""

    def __init__(self) -> None:
        self._reader = ByReference()

    def summary(self, messages: Sequence[Message]) -> MessageSummary:
        """See the port."""
        return self._reader.summary(copy.deepcopy(list(messages)))

    def redacted(self, message: Message, keep_bytes: int = 120) -> Mapping[str, object]:
        """See the port."""
        return _plain(self._reader.redacted(copy.deepcopy(dict(message)), keep_bytes))

    def encode(self, value: object) -> bytes:
        """See the port."""
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UnencodableError("A text", f"a lone surrogate at position {error.start}") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise unencodable(error) from None

    def cut(self, result: str, bound_bytes: int) -> Cut:
        """See the port."""
        return self._reader.cut(copy.deepcopy(result), bound_bytes)


def _plain(view: Mapping[str, object]) -> dict[str, object]:
    """A view as a dict, all the way down."""
    return {key: _plain(value) if isinstance(value, Mapping) else value for key, value in view.items()}
