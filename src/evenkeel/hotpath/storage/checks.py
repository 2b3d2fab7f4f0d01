"""Is this value storable? Asked before anything is written, so one bad item harms no other of its batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evenkeel.hotpath.ports.errors import OversizedError, UnencodableError


def check_text(what: str, text: str, bound_bytes: int) -> None:
    """Raise `UnencodableError` for NUL or a lone surrogate, `OversizedError` over the bound (bytes of UTF-8)."""
    if "\0" in text:
        raise UnencodableError(what, "a NUL character")
    if len(text) * 4 <= bound_bytes and text.isascii():
        return
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise UnencodableError(what, f"a lone surrogate at position {error.start}") from None
    if size > bound_bytes:
        raise OversizedError(what, size, bound_bytes)


def check_ids(bound_bytes: int, *texts: str) -> None:
    """`check_text` for identifiers and other short words."""
    for text in texts:
        check_text("An identifier", text, bound_bytes)


def check_payload(what: str, payload: bytes, bound_bytes: int) -> None:
    """Raise `OversizedError` over the bound."""
    if len(payload) > bound_bytes:
        raise OversizedError(what, len(payload), bound_bytes)


def check_payloads(what: str, payloads: Sequence[bytes], bound_bytes: int) -> None:
    """`check_payload` for many, in one pass in C."""
    if payloads and max(map(len, payloads)) > bound_bytes:
        raise OversizedError(what, max(map(len, payloads)), bound_bytes)


def shortened(error: str, bound: int = 2000) -> str:
    """An error text that can always be stored: NUL and lone surrogates replaced, cut to `bound` characters."""
    return error[:bound].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def distinct(values: Iterable[str]) -> list[str]:
    """Each value once, in order of first appearance; empty ones left out."""
    return [value for value in dict.fromkeys(values) if value]
