"""Where a value comes from, backwards through local names."""

from __future__ import annotations

import pytest

from evenkeel.audit.model.facts import root_of
from evenkeel.audit.model.origins import origin_calls, origin_parameters
from tests.audit_model_runtime.modules import function_of

SOURCE = """
import requests

def f(url, limit, self_made=None):
    answer = requests.get(url)
    rows = answer.json()["rows"]
    names = [each["name"] for each in rows]
    for name in names:
        use(name)
    with open(limit) as file:
        use(file)
    use(self_made or names)
"""


def argument_of(line: int) -> tuple[set[str], set[str]]:
    function = function_of(SOURCE)
    call = next(each for each in function.calls if each.line == line and each.name == "use")
    value = call.fact.arguments[0].value
    calls = {each.fact.callee for each in origin_calls(function, value, call.fact.position)}
    return calls, set(origin_parameters(function, value, call.fact.position))


@pytest.mark.parametrize(
    ("line", "calls", "parameters"),
    [
        (9, {"requests.get", "answer.json"}, {"url"}),
        (11, {"open"}, {"limit"}),
        (12, {"requests.get", "answer.json"}, {"self_made", "url"}),
    ],
)
def test_origins(line: int, calls: set[str], parameters: set[str]) -> None:
    assert argument_of(line) == (calls, parameters)


def test_a_name_made_of_itself_ends() -> None:
    source = "def f(a):\n    a = a + a\n    a = a + a\n    use(a)\n"
    function = function_of(source)
    call = function.calls[-1]
    assert origin_parameters(function, call.fact.arguments[0].value, call.fact.position) == {"a"}


@pytest.mark.parametrize(
    ("chain", "root"), [("a", "a"), ("a.b[].c", "a"), ("a[].b", "a"), ("a[][]", "a"), ("<call>.x", "<call>")]
)
def test_roots(chain: str, root: str) -> None:
    assert root_of(chain) == root
