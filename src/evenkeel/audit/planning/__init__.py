"""The optimisation plan as a value: which bottlenecks, in which order and stage, and what shows that they are gone.

`build_plan(result)` is pure and knows findings alone: what nothing was found for does not appear. The words stand in
`texts(language)`, the mapping from a rule to its remedy in `remedies.toml`. `report/plan.py` writes both as a page.
"""

from evenkeel.audit.planning.bottlenecks import Bottleneck, entry_points, place_of
from evenkeel.audit.planning.plan import Plan, Scenario, Stage, build_plan
from evenkeel.audit.planning.remedies import Remedy, remedies
from evenkeel.audit.planning.texts import PlanTexts, RuleTexts, texts

__all__ = [
    "Bottleneck",
    "Plan",
    "PlanTexts",
    "Remedy",
    "RuleTexts",
    "Scenario",
    "Stage",
    "build_plan",
    "entry_points",
    "place_of",
    "remedies",
    "texts",
]
