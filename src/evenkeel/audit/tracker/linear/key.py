"""The key: from the environment, else from the system's keyring. It is never written anywhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from evenkeel.kernel.errors import UsageError

VARIABLE = "LINEAR_API_KEY"
SERVICE, USER = "evenkeel", "linear"


def find_key(environment: Mapping[str, str]) -> str:
    """Raises UsageError, before anything is audited, when there is none or it cannot be sent."""
    key = environment.get(VARIABLE, "").strip() or _from_keyring()
    if not key:
        raise UsageError(
            "The Linear tracker needs a key.",
            hint=f"Set {VARIABLE}, or `pip install 'evenkeel[keyring]'` and `keyring set {SERVICE} {USER}`.",
        )
    if not key.isascii() or not key.isprintable():
        raise UsageError("The Linear key holds characters that no key has.", hint=f"Check {VARIABLE}.")
    return key


def _from_keyring() -> str:
    if importlib.util.find_spec("keyring") is None:
        return ""
    import keyring  # noqa: PLC0415 - an extra
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return (keyring.get_password(SERVICE, USER) or "").strip()
    except (KeyringError, OSError, RuntimeError):  # no keyring on this machine, or a locked one
        return ""
