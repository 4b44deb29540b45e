"""Writing the usage event, and the settlement that carries it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from tollgate_core.admission import Admission, CounterReference
from tollgate_core.events import Usage, UsageEvent, rfc3339
from tollgate_core.formats import UsageFormat
from tollgate_core.metering.observation import Observation
from tollgate_core.metering.plan import CallVariables, EndpointPlan, Measured, Measurement
from tollgate_core.metering.verdict import Verdict, judge
from tollgate_core.quantity import format_decimal
from tollgate_core.redis_contract import CounterUse, Keys, SettleRequest


class Draft:
    """The event of one request, but for its quantities: ``measurement`` gives them, None where there is none."""

    def __init__(self, admission: Admission, plan: EndpointPlan | None, seen: Observation) -> None:
        policy = plan.api.on_incomplete if plan else "lastSnapshot"
        self._admission, self._seen = admission, seen
        self._format = plan.format if plan else None
        verdict = judge(seen, self._format, policy, admission.input_estimate)
        self._verdict = verdict if plan else replace(verdict, quality="partial", usage=seen.usage)
        self.measurement = _measurement(plan, admission, seen, self._verdict) if plan else None
        gone = {} if plan else {"*": f"the endpoint {admission.endpoint} is in no known catalog"}
        self._nothing = Measured({}, gone)

    def event(self, measured: Measured | None) -> UsageEvent:
        """With the measurement's quantities."""
        admission, seen, fmt, verdict = self._admission, self._seen, self._format, self._verdict
        measured = measured or self._nothing
        return UsageEvent(
            id=admission.id,
            source=f"tollgate/{admission.endpoint}",
            subject=admission.subscription,
            time=rfc3339(admission.started_ms),
            data=Usage(
                customer=admission.customer,
                product=admission.product,
                product_version=admission.product_version,
                catalog=admission.catalog,
                endpoint=admission.endpoint,
                outcome=verdict.outcome,
                quality=verdict.quality,
                witness=seen.witness,
                ended_at=rfc3339(seen.ended_ms),
                format=fmt.name if fmt else None,
                requested_model=admission.model,
                served_model=seen.model,
                streamed=admission.streamed,
                status_code=seen.status,
                reason=verdict.reason[:200],
                usage=dict(verdict.usage) if verdict.usage is not None else None,
                dimensions=_dimensions(fmt, verdict.usage),
                quantities={name: format_decimal(number) for name, number in measured.quantities.items()},
                unmetered=measured.unmetered,
                prices=admission.prices,
                api_key=admission.api_key,
            ),
        )


def usage_event(admission: Admission, plan: EndpointPlan | None, seen: Observation) -> UsageEvent:
    """The event of one request, measured at once. ``plan`` is None where its endpoint is gone from every known
    catalog: the event then keeps the raw usage and says so, and counts nothing."""
    draft = Draft(admission, plan, seen)
    return draft.event(draft.measurement.run() if draft.measurement else None)


def _taken(counter: CounterReference, quantities: Mapping[str, str]) -> float:
    """Units of a metric; of the wallet what all metrics together cost, near enough: billing knows it exactly."""
    if counter.rates:
        return sum(float(quantities[metric]) * rate for metric, rate in counter.rates.items() if metric in quantities)
    return float(quantities[counter.metric])


def settle_request(
    admission: Admission, event: UsageEvent, *, final: bool, deadline_ms: int = 0, joined: bool = False
) -> SettleRequest:
    """The settlement of an event: what its counters and token buckets take."""
    quantities = event.data.quantities
    counters = tuple(
        CounterUse(
            key=Keys.counter(
                admission.subscription,
                counter.metric,
                counter.period_start,
                admission.api_key if counter.per_key else "",
            ),
            metric=counter.metric,
            quantity=_taken(counter, quantities),
            expires=counter.period_end + 7 * 86_400_000,
        )
        for counter in admission.counters
        if counter.rates or counter.metric in quantities
    )
    return SettleRequest(
        request=admission.id,
        partition=admission.partition,
        event=event.encode(),
        final=final,
        admission=admission.encode(),
        deadline_ms=deadline_ms,
        joined=joined,
        counters=counters,
        tokens=sum(event.data.dimensions.values()),
    )


def _measurement(plan: EndpointPlan, admission: Admission, seen: Observation, verdict: Verdict) -> Measurement | None:
    if verdict.waived:
        return None
    # Where the status never came, the expressions see a success: that is what the policy prices.
    response = CallVariables(seen.status or 200, seen.response_headers, seen.body, _json(seen.body, plan))
    return plan.measurement(verdict.usage, admission.captured, response)


def _json(body: bytes | None, plan: EndpointPlan) -> Any:
    if body is None or not plan.needs_response_body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _dimensions(fmt: UsageFormat | None, usage: Mapping[str, Any] | None) -> dict[str, int]:
    return {k: v for k, v in fmt.dimensions(usage).items() if v} if fmt and usage else {}
