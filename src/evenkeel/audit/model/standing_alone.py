"""Elements that stand alone: a job makes each a transaction of its own, and goes on with the next when the database refuses
one (a lock, a key that is taken)."""

from __future__ import annotations

import re

from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.loop_data import inside
from evenkeel.audit.model.view import CallView

REFUSALS = re.compile(r"Database|DBAPI|Integrity|Operational|SQLAlchemy|Lock|Serialization|Conflict|Duplicate")


def stands_alone(call: CallView, loop: int) -> bool:
    """Whether a callee commits for each element of a job's loop, and no refusal of it ends the loop.

    One statement for all of them would fail for all of them. Where somebody waits for the answer it is a fault all the same."""
    function, fact = call.function, call.function.fact
    if function.info.hot or all(each.looped for each in call.reaches("commit")):
        return False
    around = {each for each in ancestors(fact.blocks, call.fact.block) if inside(fact, each, loop)}
    handlers = [number for number, each in enumerate(fact.blocks) if each.kind == "except" and each.origin in around]
    refused = any(
        each is not None and REFUSALS.search(each.text) for each in (fact.blocks[n].subject for n in handlers)
    )
    leaving = {each.block for each in fact.exits if each.kind in {"return", "raise"}}
    return refused and not any(fact.blocks[each].breaks or each in leaving for each in handlers)
