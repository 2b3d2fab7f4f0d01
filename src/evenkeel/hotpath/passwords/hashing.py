"""Argon2id, synchronous: what a pool or the loop runs. Never computes what a stored hash must not ask for."""

from __future__ import annotations

from dataclasses import dataclass

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from evenkeel.hotpath.ports.errors import UnencodableError
from evenkeel.hotpath.ports.passwords import HashRules, Verdict
from evenkeel.kernel.errors import ConfigurationError, TooLargeError

MAX_PASSWORD_BYTES = 1024
MAX_STORED_CHARACTERS = 512
MAX_PARALLELISM = 16


@dataclass(frozen=True, slots=True)
class Hashing:
    """`dummy` is a hash of nothing, with today's parameters: what unknown users are checked against."""

    rules: HashRules
    hasher: argon2.PasswordHasher
    dummy: str

    def hash(self, password: bytes) -> str:
        """A new hash; takes tens of milliseconds."""
        return self.hasher.hash(password)

    def verify(self, password: bytes, stored: str | None) -> Verdict:
        """Takes as long for an unknown user (None) as for a known one; a hash that cannot be computed is no match."""
        known = stored is not None and self.is_computable(stored)
        checked = stored if known and stored is not None else self.dummy
        matches = self._matches(checked, password)
        if not (known and matches):
            return Verdict(valid=False)
        stale = self.hasher.check_needs_rehash(checked)
        return Verdict(valid=True, rehash=self.hash(password) if stale else None)

    def _matches(self, stored: str, password: bytes) -> bool:
        try:
            return self.hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False

    def is_computable(self, stored: str) -> bool:
        """Whether a stored hash is one of ours and asks for no more than the bounds: whoever can write a row of users
        must not be able to take the memory of the machine.
        """
        if len(stored) > MAX_STORED_CHARACTERS:
            return False
        try:
            asks = argon2.extract_parameters(stored)
        except InvalidHashError:
            return False
        return (
            asks.memory_cost <= self.rules.max_memory_kib
            and asks.time_cost <= self.rules.max_time_cost
            and asks.parallelism <= MAX_PARALLELISM
            and asks.hash_len <= 128
            and asks.salt_len <= 128
        )


def build_hashing(rules: HashRules) -> Hashing:
    """Computes one hash (the dummy), so call it in a thread. Raises `ConfigurationError` for impossible rules."""
    try:
        hasher = argon2.PasswordHasher(
            time_cost=rules.time_cost, memory_cost=rules.memory_kib, parallelism=rules.parallelism
        )
        dummy = hasher.hash(b"")
    except (Argon2Error, ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"passwords: Argon2 refuses these parameters: {error}.",
            hint="memory_kib must be at least 8 times parallelism; time_cost and parallelism at least 1.",
        ) from None
    if rules.memory_kib > rules.max_memory_kib or rules.time_cost > rules.max_time_cost:
        raise ConfigurationError(
            "passwords: today's parameters are above the bound for stored hashes.",
            hint="Raise max_memory_kib and max_time_cost, or lower memory_kib and time_cost.",
        )
    return Hashing(rules, hasher, dummy)


def encoded(password: str) -> bytes:
    """The bytes to hash. Raises `UnencodableError` for lone surrogates, `TooLargeError` over `MAX_PASSWORD_BYTES`."""
    try:
        data = password.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnencodableError("The password", f"a lone surrogate at position {error.start}") from None
    if len(data) > MAX_PASSWORD_BYTES:
        raise TooLargeError(
            f"The password has {len(data)} bytes; the bound is {MAX_PASSWORD_BYTES}.", hint="Choose a shorter one."
        )
    return data
