"""Questions that several rules ask of the same function or call: answered once, and kept with the view of the function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from evenkeel.audit.model.view import CallView, FunctionView

Answer = TypeVar("Answer")
UNASKED: Any = object()


def once_a_call(find: Callable[[CallView], Answer]) -> Callable[[CallView], Answer]:
    """`find`, which looks at what a call's own function and its callees say, remembered for each call."""

    @wraps(find)
    def answer(call: CallView) -> Answer:
        answers = call.function.answers
        key = (find, call.index)
        found: Answer = answers.get(key, UNASKED)
        if found is UNASKED:
            found = answers[key] = find(call)
        return found

    return answer


def once_a_number(find: Callable[[FunctionView, int], Answer]) -> Callable[[FunctionView, int], Answer]:
    """As `once_a_call`, for a question about a function and a number, such as one of its blocks."""

    @wraps(find)
    def answer(function: FunctionView, number: int) -> Answer:
        key = (find, number)
        found: Answer = function.answers.get(key, UNASKED)
        if found is UNASKED:
            found = function.answers[key] = find(function, number)
        return found

    return answer


def once_a_function(
    find: Callable[[FunctionView], Iterable[Answer]],
) -> Callable[[FunctionView], tuple[Answer, ...]]:
    """As `once_a_call`, for everything that is found in one function."""

    @wraps(find)
    def answer(function: FunctionView) -> tuple[Answer, ...]:
        found: tuple[Answer, ...] | None = function.answers.get(find)
        if found is None:
            found = function.answers[find] = tuple(find(function))
        return found

    return answer
