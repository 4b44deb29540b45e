"""The gate: from a request to an admission (headers, body, metadata to set) or a denial."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import orjson
import structlog
from redis.exceptions import RedisError

from tollgate_core.admission import Admission, PriceVersion
from tollgate_core.catalog import Product
from tollgate_core.metering import EndpointPlan, Plans
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.gate.admit import UNKNOWN_KEY, Admitter
from tollgate_extproc.gate.bidding import Bidding
from tollgate_extproc.gate.clamping import Offer
from tollgate_extproc.gate.compiled import GateRules
from tollgate_extproc.gate.credentials import ApiKey, find_api_key
from tollgate_extproc.gate.deciding import UNAVAILABLE, Decider, Decision
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.preparing import Prepared, prepare
from tollgate_extproc.gate.request import Request
from tollgate_extproc.gate.subscriptions import Subscription, Subscriptions
from tollgate_extproc.gate.unpriced import refuse_unpriced
from tollgate_extproc.gate.upstream import UpstreamRequest, upstream_request
from tollgate_extproc.gate.wallet import Call
from tollgate_extproc.metrics import Metrics

_log = structlog.get_logger("gate")
#: So often a call is offered shorter and shorter while others take the credit.
_OFFERS = 6
UNKNOWN_PATH = Denial(404, "unknown_endpoint", "There is no such endpoint on this API.")


@dataclass(frozen=True)
class Admitted:
    """What goes up, and the dynamic metadata for meter, log and filters."""

    upstream: UpstreamRequest
    metadata: Mapping[str, str | bool] = field(default_factory=dict[str, str | bool])


@dataclass(frozen=True)
class Caller:
    """An authenticated request on its way to admission. ``plan`` is None on a path that no endpoint answers."""

    subscription: Subscription
    plans: Plans
    plan: EndpointPlan | None


class Gate:
    """Stateless but for caches."""

    def __init__(
        self,
        catalogs: CatalogCache,
        subscriptions: Subscriptions,
        admitter: Admitter,
        rules: GateRules,
        clock: Clock,
        hold_seconds: int,
        metrics: Metrics,
    ) -> None:
        self._catalogs = catalogs
        self._subscriptions = subscriptions
        self._decider = Decider(subscriptions, admitter, clock, hold_seconds * 1000)
        self._rules = rules
        self._clock = clock
        self._metrics = metrics

    def answered(self, answer: "Admitted | Denial") -> None:
        """Count an answer that goes to Envoy."""
        self._metrics.decided(answer.code if isinstance(answer, Denial) else "admitted")

    def format_name(self, route: str) -> str | None:
        """The wire format whose error shape a route's clients parse; on an unknown path its API's first one."""
        plans = self._catalogs.current
        if plans is None:
            return None
        if route in plans.endpoints:
            return plans.endpoints[route].endpoint.format
        prefix = route.rstrip("/") + "/"
        siblings = (plan.endpoint.format for name, plan in plans.endpoints.items() if name.startswith(prefix))
        return next((name for name in siblings if name), None)

    async def authenticate(self, request: Request, route: str) -> Caller | Denial:
        """With the headers alone, so that a body is not even read for a caller without a key."""
        key = find_api_key(request)
        if isinstance(key, Denial):
            return key
        plans = self._catalogs.current
        if plans is None:
            return UNAVAILABLE
        try:
            return await self._caller(key, plans, route, request)
        except (RedisError, OSError) as error:
            _log.warning("redis did not answer", error=str(error))
            return UNAVAILABLE

    async def _caller(self, key: ApiKey, plans: Plans, route: str, request: Request) -> Caller | Denial:
        subscription = await self._subscriptions.find(key.text)
        if subscription is None:
            if not await self._subscriptions.is_ready(0):
                return Denial(503, "not_ready", "The gateway is starting. Try again shortly.", 1000)
            return UNKNOWN_KEY
        plan = plans.endpoints.get(route)
        if plan is None:
            return UNKNOWN_PATH
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > plan.api.max_request_bytes:
            return Denial(413, "request_too_large", f"The body is larger than {plan.api.max_request_bytes} bytes.")
        return Caller(subscription, plans, plan)

    async def admit(self, caller: Caller, request: Request) -> Admitted | Denial:
        """With the whole request. A denial has touched nothing."""
        plan, product = caller.plan, caller.plans.products.get(caller.subscription.product)
        assert plan is not None  # noqa: S101
        granted = product is not None and plan.endpoint.id in product.endpoints
        if product is None or not granted:
            refused = Admission("", 0, 0, "", "", "", "", "", "", "", False, 0)
            decision = await self._decider.decide(caller.subscription, refused, lambda _: (), granted=False)
            if isinstance(decision, Denial):
                return decision
            return UNAVAILABLE if decision.admitted else decision.denial
        prepared = await prepare(self._rules, plan, product, request)
        if isinstance(prepared, Denial):
            return prepared
        return await self._admit(caller, plan, product, request, prepared)

    async def _admit(
        self, caller: Caller, plan: EndpointPlan, product: Product, request: Request, prepared: Prepared
    ) -> Admitted | Denial:
        fmt, now = plan.format, self._clock()
        streamed = fmt is not None and prepared.body is not None and fmt.is_stream(prepared.body, request.path)
        model = fmt.request_model(prepared.client or {}, request.params) if fmt else None
        unpriced = refuse_unpriced(caller.plans, product.name, plan, model or "", streamed=streamed)
        if unpriced:
            return unpriced
        bidding = Bidding(product, Call(plan, model or "", streamed), prepared.captured, now, self._rules.expressions)
        offer = await bidding.first(prepared.body, len(request.body), caller.subscription)
        wanted = bidding.demands(caller.subscription, offer)
        admission = Admission(
            id=_billing_id(request),
            started_ms=now,
            partition=caller.subscription.partition,
            subscription=caller.subscription.name,
            customer=caller.subscription.customer,
            product=product.name,
            product_version=product.version,
            catalog=caller.plans.hash,
            endpoint=plan.endpoint.id,
            model=model or "",
            streamed=streamed,
            input_estimate=offer.guess.input,
            prices=tuple(PriceVersion(p.metric, p.name, p.version) for p in product.prices if p.metric in plan.metrics),
            counters=wanted.counters,
            captured=prepared.captured,
            api_key=caller.subscription.api_key,
        )
        return await self._offer(caller.subscription, admission, bidding, offer, request, prepared)

    async def _offer(
        self,
        subscription: Subscription,
        admission: Admission,
        bidding: Bidding,
        offer: Offer,
        request: Request,
        prepared: Prepared,
    ) -> Admitted | Denial:
        """As it is; where the credit does not pay for it, shorter, as often as others take what was left meanwhile."""
        offers = 0
        while True:
            offers += 1
            if offer.clamped:
                request.set_body(orjson.dumps(offer.body))
            # All that can fail comes before the script, so that nothing is held for a request that is not sent on.
            up, strip = upstream_request(request, admission, bidding.call.plan, prepared.client, offer.body)
            limits_of = partial(bidding.limits, offer)
            decision = await self._decider.decide(subscription, admission, limits_of, granted=True)
            if isinstance(decision, Denial):
                return decision
            if decision.admitted:
                return _admitted(up, admission, decision, offer.clamped, strip=strip)
            subscription = decision.subscription
            less = await bidding.shorter(decision, offer) if offers < _OFFERS else None
            if less is None:
                return decision.denial
            offer = less


def _admitted(up: UpstreamRequest, admission: Admission, decision: Decision, clamped: int, *, strip: bool) -> Admitted:
    shown = {name.replace("-", "_"): value for name, value in decision.headers.items()}
    metadata: dict[str, str | bool] = {"admission": admission.encode(), "id": admission.id, **shown}
    if clamped:
        metadata["x_tollgate_output_clamped"] = str(clamped)
    if strip:
        metadata["strip"] = True
    return Admitted(up, metadata)


def _billing_id(request: Request) -> str:
    """Envoy's request id: it replaces a client's, and the log has it also of a request whose gate died."""
    given = request.headers.get("x-request-id", "")
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return str(uuid.uuid4())
