"""Which dimensions of a call no metric counts: told by evaluating what is billed, not by reading expressions."""

from collections.abc import Mapping
from typing import Any

from tollgate_core.metering.plan import CallVariables, EndpointPlan, normalised

#: So much more of a dimension passes any threshold that an expression is likely to have.
_FAR_MORE = 10**9


def uncounted_dimensions(
    plan: EndpointPlan, usage: Mapping[str, Any], captured: Mapping[str, Any], response: CallVariables
) -> tuple[str, ...]:
    """Dimensions of this usage that are billed nowhere: neither none nor far more of them changes any quantity, while
    other dimensions do. Empty where that cannot be told, as an expression reads the provider's own fields."""
    if plan.format is None or plan.usage_functions != frozenset({"usage"}):
        return ()
    dimensions = normalised(plan.format, usage)

    def quantities(name: str, tokens: int) -> object:
        changed = {**dimensions, name: tokens, "total": dimensions["total"] - dimensions[name] + tokens}
        measured = plan.measurement(usage, captured, response, changed).run()
        return measured.quantities, measured.unmetered.keys()

    def is_counted(name: str) -> bool:
        actual = quantities(name, dimensions[name])
        return any(quantities(name, tokens) != actual for tokens in (0, dimensions[name] + _FAR_MORE))

    if not any(is_counted(name) for name in dimensions if name != "total"):
        return ()  # calls cost the same whatever they use
    return tuple(n for n, tokens in dimensions.items() if tokens and n != "total" and not is_counted(n))
