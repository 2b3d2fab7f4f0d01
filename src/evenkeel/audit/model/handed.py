"""Statements that a call hands over: it names them, or writes them out, and a function of the project runs what it is given."""

from __future__ import annotations

from evenkeel.audit.model.masks import GIVEN, mask_of_function
from evenkeel.audit.model.view import CallView


def handed_sql(call: CallView) -> tuple[str, ...]:
    """The whole texts of these statements, in the order in which they are found."""
    found: dict[str, None] = {}
    index = call.function.module.index
    for target in call.targets:
        if not mask_of_function(target.id, index) & GIVEN:
            continue
        run = {each.statement for each in target.reaches if each.statement >= 0}
        found.update(dict.fromkeys(text for number, text in call.texts_for(target).items() if number in run))
    return tuple(found)
