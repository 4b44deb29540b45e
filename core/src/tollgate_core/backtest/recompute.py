"""Quantities as the metrics of manifests count them now, where the raw usage of an event is enough to know."""

from collections.abc import Mapping

import msgspec

from tollgate_core.catalog import Catalog
from tollgate_core.events import UsageEvent
from tollgate_core.metering.plan import CallVariables, EndpointPlan
from tollgate_core.quantity import format_decimal


class Recomputer:
    """``kept`` counts quantities that stayed as they were recorded, ``changed`` those that are others now."""

    def __init__(self, catalog: Catalog) -> None:
        self.kept = 0
        self.changed = 0
        self._plans: Mapping[str, Mapping[str, EndpointPlan]] = {
            endpoint.id: {
                metric.name: EndpointPlan(api, endpoint, (metric,))
                for metric in catalog.metrics
                if any(endpoint.id in usage.endpoints for usage in metric.usage)
            }
            for api in catalog.apis
            for endpoint in api.endpoints
        }

    def apply(self, event: UsageEvent) -> UsageEvent:
        """What an expression asks of the request, of headers or of the response's body is gone: such metrics, and
        calls without raw usage or whose usage was waived, keep what was recorded."""
        data = event.data
        plans = self._plans.get(data.endpoint)
        if plans is None or data.usage is None or not (data.quantities or data.unmetered):
            self.kept += len(data.quantities)
            return event
        quantities = dict(data.quantities)
        for metric in {*data.quantities, *plans}:
            computed = _computed(plans.get(metric), event)
            if computed is None:
                self.kept += metric in data.quantities
            elif computed != quantities.get(metric):
                self.changed += 1
                quantities[metric] = computed
        return msgspec.structs.replace(event, data=msgspec.structs.replace(data, quantities=quantities))


def _computed(plan: EndpointPlan | None, event: UsageEvent) -> str | None:
    if plan is None or plan.captures or plan.response_headers or plan.needs_response_body:
        return None
    data = event.data
    measured = plan.measure(data.usage, {}, CallVariables(data.status_code or 200))
    if measured.unmetered or not measured.quantities:
        return None
    return format_decimal(next(iter(measured.quantities.values())))
