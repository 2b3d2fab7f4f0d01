"""The limiter as a state machine, two instances on one database: the limit and the session's one run always hold."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from evenkeel.hotpath.limiter import LimiterRules, build_limiter
from evenkeel.hotpath.ports.errors import SaturatedError, SessionBusyError
from evenkeel.hotpath.ports.limiter import Admission, Grant, Limiter, Refusal
from evenkeel.hotpath.switches import read_switches
from evenkeel.kernel.metrics import Meters
from tests.storages import Place

LIMIT = 3


class LimiterMachine(RuleBasedStateMachine):
    """Grants are taken, waited for, given back and cancelled."""

    grants = Bundle("grants")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.Runner()
        self.open = AsyncExitStack()
        self.held: dict[str, tuple[Grant, bool]] = {}
        self.epochs: dict[str, int] = {}
        self.number = 0

    @initialize()
    def start(self) -> None:
        self.instances = self.loop.run(self._enter())

    async def _enter(self) -> list[Limiter]:
        place = Place(f"sqlite:///{self.folder / 'limiter.db'}", "optimised")
        storage = await self.open.enter_async_context(place.open())
        limiters = []
        for _ in range(2):  # on one storage, so that wake-ups travel between them
            rules = LimiterRules(max_active=LIMIT, retry_s=0.001, retry_max_s=0.002)
            built = build_limiter(rules, read_switches("optimised"), Meters(), storage=storage)
            limiters.append(await self.open.enter_async_context(built))
        return limiters

    def _admission(self, session: int, *, exempt: bool) -> Admission:
        self.number += 1
        return Admission(f"s{session}", "user", f"run{self.number}", "", exempt, wait_s=0.05, session_wait_s=0.01)

    def _took(self, grant: Grant, *, exempt: bool) -> str:
        session_id = grant.lease.session_id
        assert session_id not in self.held
        assert grant.lease.epoch > self.epochs.get(session_id, 0)
        self.epochs[session_id] = grant.lease.epoch
        self.held[session_id] = (grant, exempt)
        return session_id

    @rule(target=grants, where=st.integers(0, 1), session=st.integers(0, 5), exempt=st.booleans(), wait=st.booleans())
    def ask(self, where: int, session: int, exempt: bool, wait: bool) -> str:
        admission = self._admission(session, exempt=exempt)
        limiter = self.instances[where]
        busy = admission.session_id in self.held
        try:
            found = self.loop.run(limiter.admit(admission) if wait else limiter.try_admit(admission))
        except SaturatedError:
            return ""
        except SessionBusyError:
            found = Refusal.BUSY
        if isinstance(found, Refusal):
            assert busy or found is Refusal.FULL
            return ""
        assert not busy
        return self._took(found, exempt=exempt)

    @rule(session_id=consumes(grants))
    def give_back(self, session_id: str) -> None:
        if session_id in self.held:
            grant, _ = self.held.pop(session_id)
            self.loop.run(grant.release())

    @rule(where=st.integers(0, 1), session=st.integers(0, 5), steps=st.integers(0, 6))
    def ask_and_cancel(self, where: int, session: int, steps: int) -> None:
        admission = self._admission(session, exempt=False)

        async def ask() -> Grant | None:
            asking = asyncio.ensure_future(self.instances[where].admit(admission))
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            asking.cancel()
            try:
                return await asking
            except (asyncio.CancelledError, SaturatedError, SessionBusyError):
                return None

        grant = self.loop.run(ask())
        if grant is not None:
            self._took(grant, exempt=False)

    @invariant()
    def the_limit_holds(self) -> None:
        counted = sum(not exempt for _, exempt in self.held.values())
        assert counted <= LIMIT
        if hasattr(self, "instances"):
            assert sum(limiter.occupancy().active for limiter in self.instances) == counted
        assert not any(grant.lost for grant, _ in self.held.values())

    def teardown(self) -> None:
        async def close() -> None:
            for grant, _ in self.held.values():
                await grant.release()
            await self.open.aclose()

        self.loop.run(close())
        self.loop.close()
        shutil.rmtree(self.folder)


LimiterMachine.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestLimiter = LimiterMachine.TestCase
