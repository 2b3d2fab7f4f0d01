"""Cutting text to a number of bytes, never through a character."""

from __future__ import annotations

from evenkeel.hotpath.ports.messages import Cut


def size_bytes(text: str) -> int:
    """Bytes of UTF-8, without encoding what is ASCII (a flag of the string) and without raising for lone surrogates."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def head(text: str, bound_bytes: int) -> str:
    """The longest beginning of at most `bound_bytes` bytes. Looks at no more of the text than that."""
    beginning = text[: max(0, bound_bytes)]
    if beginning.isascii():
        return beginning
    data = beginning.encode("utf-8", "surrogatepass")[: max(0, bound_bytes)]
    while data:
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            data = data[: error.start]  # half a character at the end
    return ""


def cut(text: str, bound_bytes: int) -> Cut:
    """At most `bound_bytes` bytes, the marker included."""
    size = size_bytes(text)
    if size <= bound_bytes:
        return Cut(text, size, 0)
    # The marker names what is missing; its own length depends on that number, so it is reckoned with the largest.
    room = bound_bytes - len(_marker(size))
    kept = head(text, room) if room > 0 else head(text, bound_bytes)
    dropped = size - size_bytes(kept)
    marked = kept + _marker(dropped) if room > 0 else kept
    return Cut(marked, size_bytes(marked), dropped)


def _marker(dropped: int) -> str:
    return f"\n[... {dropped} bytes cut]"
