"""The gate: from a request to an admission (headers, body, metadata to set) or a denial."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from redis.exceptions import RedisError

from tollgate_core.admission import Admission, PriceVersion
from tollgate_core.catalog import Product
from tollgate_core.metering import EndpointPlan, Plans
from tollgate_core.redis_contract import AdmitRequest, Limit
from tollgate_extproc.catalog_cache import CatalogCache
from tollgate_extproc.clock import Clock
from tollgate_extproc.gate.admit import Admitter, denial_of, rate_limit_headers
from tollgate_extproc.gate.compiled import GateRules
from tollgate_extproc.gate.credentials import ApiKey, find_api_key
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.limits import Demands, demands, estimate
from tollgate_extproc.gate.preparing import Prepared, prepare
from tollgate_extproc.gate.request import Request
from tollgate_extproc.gate.subscriptions import Subscription, Subscriptions
from tollgate_extproc.gate.unpriced import refuse_unpriced
from tollgate_extproc.gate.upstream import UpstreamRequest, upstream_request
from tollgate_extproc.gate.wallet import Call, renewed_credit, wallet_demand
from tollgate_extproc.metrics import Metrics

_log = structlog.get_logger("gate")
UNAVAILABLE = Denial(503, "admission_unavailable", "Admission is not available. Try again shortly.", 1000)
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
        self._admitter = admitter
        self._rules = rules
        self._clock = clock
        self._hold_ms = hold_seconds * 1000
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
            return Denial(401, "invalid_api_key", "The API key is unknown, revoked or expired.")
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
            verdict = await self._call(caller, refused, Demands((), ()), granted=False)
            return verdict if isinstance(verdict, Denial) else UNAVAILABLE
        prepared = await prepare(self._rules, plan, product, request)
        if isinstance(prepared, Denial):
            return prepared
        return await self._admit(caller, plan, product, request, prepared)

    async def _admit(
        self, caller: Caller, plan: EndpointPlan, product: Product, request: Request, prepared: Prepared
    ) -> Admitted | Denial:
        fmt, now = plan.format, self._clock()
        guess = estimate(plan, prepared.body, len(request.body))
        wanted = await demands(
            caller.subscription.name,
            caller.subscription.calendar,
            product,
            plan,
            guess,
            prepared.captured,
            now,
            self._rules.expressions,
            prepaid=caller.subscription.wallet is not None,
        )
        streamed = fmt is not None and prepared.body is not None and fmt.is_stream(prepared.body, request.path)
        model = fmt.request_model(prepared.client or {}, request.params) if fmt else None
        unpriced = refuse_unpriced(caller.plans, product.name, plan, model or "", streamed=streamed)
        if unpriced:
            return unpriced
        credit = wallet_demand(caller.subscription, Call(plan, model or "", streamed), wanted.estimated)
        if credit:
            wanted = Demands((*wanted.limits, credit[0]), (*wanted.counters, credit[1]))
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
            input_estimate=guess.input,
            prices=tuple(PriceVersion(p.metric, p.name, p.version) for p in product.prices if p.metric in plan.metrics),
            counters=wanted.counters,
            captured=prepared.captured,
        )
        # All that can fail comes before the script, so that nothing is held for a request that is not sent on.
        up, strip = upstream_request(request, admission, plan, prepared.client, prepared.body)
        verdict = await self._call(caller, admission, wanted, granted=True)
        if isinstance(verdict, Denial):
            return verdict
        metadata: dict[str, str | bool] = {"admission": admission.encode(), "id": admission.id, **verdict}
        if strip:
            metadata["strip"] = True
        return Admitted(up, metadata)

    async def _call(
        self, caller: Caller, admission: Admission, wanted: Demands, *, granted: bool
    ) -> "dict[str, str] | Denial":
        """The script; RateLimit fields where it admitted. An outdated subscription is looked up once more."""
        subscription: Subscription | None = caller.subscription
        limits: tuple[Limit, ...] | None = wanted.limits
        now = admission.started_ms or self._clock()
        try:
            for _ in range(3):
                if subscription is None:
                    return Denial(401, "invalid_api_key", "The API key is unknown, revoked or expired.")
                verdict = await self._admitter.admit(
                    AdmitRequest(
                        now_ms=now,
                        deadline_ms=now + self._hold_ms,
                        request=admission.id,
                        partition=subscription.partition,
                        subscription=subscription.name,
                        key_hash=subscription.key_hash,
                        revision=subscription.revision,
                        granted=granted,
                        admission=admission.encode(),
                        limits=limits or (),
                    )
                )
                if verdict.verdict == "admitted":
                    return rate_limit_headers(wanted.limits, verdict.standings)
                if verdict.verdict != "stale":
                    if verdict.verdict == "unknown_key":
                        self._subscriptions.forget(subscription.key_hash)
                    return denial_of(verdict, wanted.limits)
                renewed = await self._subscriptions.look_up(subscription.key_hash)
                if renewed and renewed.wallet != subscription.wallet:
                    limits = renewed_credit(limits, renewed.wallet)
                if renewed and (renewed.terms != subscription.terms or limits is None):
                    return Denial(503, "subscription_changed", "The subscription just changed. Try again.", 1000)
                subscription = renewed
        except (RedisError, OSError) as error:
            _log.warning("redis did not answer", error=str(error))
            return UNAVAILABLE
        return UNAVAILABLE


def _billing_id(request: Request) -> str:
    """Envoy's request id: it replaces a client's, and the log has it also of a request whose gate died."""
    given = request.headers.get("x-request-id", "")
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return str(uuid.uuid4())
