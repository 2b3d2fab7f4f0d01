"""Questions that several rules ask of the same function or call: answered once, and kept with the view of the function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TypeVar, cast

from evenkeel.audit.model.view import CallView, FunctionView

Answer = TypeVar("Answer")


def once_a_call(find: Callable[[CallView], Answer]) -> Callable[[CallView], Answer]:
    """`find`, which looks at what a call's own function and its callees say, remembered for each call."""

    @wraps(find)
    def answer(call: CallView) -> Answer:
        answers = call.function.answers
        key = (find, call.index)
        if key not in answers:
            answers[key] = find(call)
        return cast("Answer", answers[key])

    return answer


def once_a_block(find: Callable[[FunctionView, int], Answer]) -> Callable[[FunctionView, int], Answer]:
    """As `once_a_call`, for a question about one block of a function."""

    @wraps(find)
    def answer(function: FunctionView, block: int) -> Answer:
        key = (find, block)
        if key not in function.answers:
            function.answers[key] = find(function, block)
        return cast("Answer", function.answers[key])

    return answer


def once_a_function(
    find: Callable[[FunctionView], Iterable[Answer]],
) -> Callable[[FunctionView], tuple[Answer, ...]]:
    """As `once_a_call`, for everything that is found in one function."""

    @wraps(find)
    def answer(function: FunctionView) -> tuple[Answer, ...]:
        if find not in function.answers:
            function.answers[find] = tuple(find(function))
        return cast("tuple[Answer, ...]", function.answers[find])

    return answer
