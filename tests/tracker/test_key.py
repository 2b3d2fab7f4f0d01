"""Where the key comes from, and where it may be sent."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from evenkeel.audit.tracker.linear.key import find_key
from evenkeel.audit.tracker.linear.transport import checked_address
from evenkeel.kernel.errors import UsageError


class Ring(KeyringBackend):
    """A keyring that holds one key, or is locked."""

    key: str | None = None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing is ever stored")

    def get_password(self, service: str, username: str) -> str | None:
        if self.key is None:
            raise KeyringLocked
        return self.key if (service, username) == ("evenkeel", "linear") else None


@pytest.fixture(autouse=True)
def ring() -> Iterator[Ring]:
    before, ours = keyring.get_keyring(), Ring()  # type: ignore[no-untyped-call]
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


def test_the_environment_comes_before_the_keyring(ring: Ring) -> None:
    ring.key = " lin_api_ring\n"
    assert find_key({"LINEAR_API_KEY": "lin_api_env"}) == "lin_api_env"
    assert find_key({}) == "lin_api_ring"


def test_no_key_is_told_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="needs a key") as caught:
        find_key({"LINEAR_API_KEY": " "})
    assert "LINEAR_API_KEY" in caught.value.hint
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs a key"):
        find_key({})


def test_a_key_that_would_break_the_header_is_refused_without_being_shown() -> None:
    with pytest.raises(UsageError) as caught:
        find_key({"LINEAR_API_KEY": "lin_api_secret\r\nX: y"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://linear.example/graphql", "ftp://127.0.0.1/", "linear.app", ""])
def test_the_key_goes_nowhere_in_the_clear(address: str) -> None:
    with pytest.raises(UsageError, match="no address to send a key to"):
        checked_address(address)


def test_https_and_this_machine_are_fine() -> None:
    for address in ("https://api.linear.app/graphql", "http://127.0.0.1:8080/graphql"):
        assert checked_address(address) == address
