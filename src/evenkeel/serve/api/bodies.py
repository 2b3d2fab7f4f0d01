"""Bodies of the hot routes: JSON in and out, without a model in between."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

T = TypeVar("T")
BOM = "\ufeff".encode()  # some clients begin with one; RFC 8259 lets a reader pass over it


def decoded(body: bytes, shape: type[T]) -> T:
    """A JSON body as `shape`. Malformed JSON is answered with 400, a missing or wrong key with 422, as ever."""
    try:
        return msgspec.json.decode(body.removeprefix(BOM), type=shape)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}.") from None


def encoded(value: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")
