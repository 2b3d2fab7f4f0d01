"""What becomes of trouble on the way to Linear: each kind has its words, and what to do next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evenkeel.audit.tracker import Task
from evenkeel.audit.tracker.linear.transport import Api
from evenkeel.kernel.errors import ConfigurationError, EvenkeelError, RateLimitedError, UnavailableError, UsageError
from tests.tracker.conftest import MakeTracker
from tests.tracker.service import KEY, Answer, Workspace


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"success": False, "lastSyncId": 1.0, "issue": None}, "does not say that it carried"),
        ({"success": True, "lastSyncId": 1.0, "issue": None}, "does not say that it carried"),
    ],
)
def test_success_is_what_the_payload_says(
    tracker: MakeTracker, linear: Workspace, task: Task, payload: dict[str, Any], words: str
) -> None:
    linear.after_create = lambda _: payload
    with pytest.raises(UnavailableError, match=words):
        tracker().create(task)


def error(**extensions: str) -> bytes:
    return json.dumps({"errors": [{"message": "it did not work", "extensions": extensions}], "data": None}).encode()


@pytest.mark.parametrize(
    ("answer", "family", "words"),
    [
        ((401, {}, error(type="authentication error")), ConfigurationError, "refuses the key"),
        ((400, {}, b"not json"), ConfigurationError, "refuses the key (HTTP status 400)"),
        ((403, {}, error(type="forbidden")), UsageError, "does not allow that: it did not work"),
        ((200, {}, error(type="usage limit exceeded")), UsageError, "does not allow that"),
        (
            (200, {}, error(type="invalid input", userPresentableMessage="No such\nteam.")),
            UsageError,
            "request: No such team.",
        ),
        ((400, {}, error(code="GRAPHQL_VALIDATION_FAILED")), UsageError, "refuses the request"),
        ((200, {}, error(type="internal error")), UnavailableError, "failed (HTTP status 200): it did not work"),
        ((200, {}, b'{"data": null}'), UnavailableError, "failed (HTTP status 200)"),
        ((200, {}, b"[1]"), UnavailableError, "failed (HTTP status 200)"),
        ((500, {}, b""), UnavailableError, "failed (HTTP status 500)"),
        ((302, {"location": "https://example.org/"}, b""), UnavailableError, "from another address"),
    ],
)
def test_each_failure_has_its_words(
    tracker: MakeTracker, linear: Workspace, task: Task, answer: Answer, family: type[EvenkeelError], words: str
) -> None:
    linear.fault = lambda _: answer
    with pytest.raises(family) as caught:
        tracker().create(task)
    assert words in str(caught.value)
    assert caught.value.hint
    assert len(linear.requests) == 1


LIMITS: list[Answer] = [
    (429, {"retry-after": "7"}, b""),
    (400, {"x-ratelimit-requests-remaining": "0", "x-ratelimit-requests-reset": "1007000"}, error(code="RATELIMITED")),
    (200, {"x-ratelimit-complexity-reset": "1007000"}, error(type="ratelimited")),
]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_short_rate_limit_is_waited_for_once(
    tracker: MakeTracker, linear: Workspace, task: Task, limit: Answer, pauses: list[float]
) -> None:
    linear.fault = lambda operation: limit if linear.operations().count(operation) == 1 else None
    assert tracker().create(task).created
    assert pauses == [7.0] * 5
    assert len(linear.issues) == 1


@pytest.mark.parametrize("limit", [*LIMITS, (429, {"retry-after": "3600"}, b""), (429, {}, b"")])
def test_a_long_or_lasting_rate_limit_is_told(
    tracker: MakeTracker, linear: Workspace, task: Task, limit: Answer, pauses: list[float]
) -> None:
    linear.fault = lambda _: limit
    with pytest.raises(RateLimitedError, match="rate limit is used up") as caught:
        tracker().create(task)
    assert f"Try again in {caught.value.retry_after_s:.0f} s" in caught.value.hint
    assert len(linear.requests) == 1 + len(pauses) <= 2


def test_a_service_that_hangs_costs_its_time_out(tracker: MakeTracker, linear: Workspace, task: Task) -> None:
    linear.slow_s = 1.0
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"):
        tracker(timeout_s=0.2).create(task)


def test_a_service_that_is_not_there_is_told(task: Task, tracker: MakeTracker, linear: Workspace) -> None:
    with pytest.raises(UnavailableError, match=r"cannot be reached \(ConnectionRefusedError\)"):
        Api(KEY, "http://127.0.0.1:9/graphql").call("teams", {})
