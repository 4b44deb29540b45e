"""Customers that do not exist: who they are, when they call, and what a provider would report of each call. Pure."""

import contextlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tollgate_core.catalog import Catalog, Product, Subscription
from tollgate_core.errors import ExpressionError
from tollgate_core.events import Usage, UsageEvent, rfc3339
from tollgate_core.manifests.api import PATH_PARAMETER
from tollgate_core.metering import CallVariables, EndpointPlan
from tollgate_core.quantity import format_decimal

DAY_MS = 86_400_000
_MODELS = {
    "openai_completions": ("gpt-5", "gpt-5-mini", "gpt-5-nano"),
    "openai_responses": ("gpt-5", "gpt-5-mini"),
    "anthropic_messages": ("claude-sonnet-5", "claude-haiku-5"),
    "gemini": ("gemini-2.5-pro", "gemini-2.5-flash"),
    "ollama": ("llama4", "qwen3"),
    "deepseek": ("deepseek-chat",),
    "mistral": ("mistral-large-latest", "mistral-small-latest"),
}
#: Monday to Sunday: most customers are companies.
_WEEK = (1.0, 1.1, 1.1, 1.05, 0.9, 0.35, 0.3)
_NAMES = ("acorn", "beacon", "cedar", "delta", "ember", "fjord", "grove", "harbor", "iris", "juniper", "kite", "lumen")
_INCOMPLETE_SHARE = 0.02


@dataclass(frozen=True)
class Customer:
    """``size`` is its usual number of calls on a working day; ``starts_ms`` when its subscription begins."""

    subscription: str
    name: str
    product: Product
    size: float
    starts_ms: int


def customers(catalog: Catalog, count: int, start_ms: int, rng: random.Random) -> list[Customer]:
    """The declared subscriptions, and invented ones on every product in turn. Sizes are spread as in life: few large
    ones make most of the calls. Every fifth begins within the month."""
    products = {product.name: product for product in catalog.products}
    found = [
        Customer(s.name, s.customer, products[s.product], rng.lognormvariate(2.5, 1), start_ms)
        for s in catalog.subscriptions
        if s.product in products
    ]
    offered = [products[name] for name in sorted(products)]
    for number in range(count - len(found)):
        name = f"{_NAMES[number % len(_NAMES)]}-{number // len(_NAMES) + 1}"
        starts_ms = start_ms if number % 5 else start_ms + rng.randrange(25) * DAY_MS
        size = rng.lognormvariate(2.0, 1.2)
        found.append(Customer(f"month/{name}", name, offered[number % len(offered)], size, starts_ms))
    return found


def calls_of_day(
    customer: Customer, plans: Sequence[EndpointPlan], day_ms: int, weekday: int, rng: random.Random
) -> Iterator[UsageEvent]:
    """In no particular order of time."""
    own = [plan for plan in plans if plan.endpoint.id in customer.product.endpoints and plan.metrics]
    if not own or day_ms < customer.starts_ms:
        return
    expected = customer.size * _WEEK[weekday]
    for number in range(min(2000, round(rng.gauss(expected, expected**0.5)))):
        plan = rng.choice(own)
        moment = day_ms + int(rng.triangular(0, DAY_MS - 1, 14 * 3_600_000))
        yield _event(customer, plan, f"month-{customer.subscription}-{day_ms}-{number}", moment, rng)


def _event(customer: Customer, plan: EndpointPlan, event_id: str, at_ms: int, rng: random.Random) -> UsageEvent:
    fmt = plan.format
    prompt, output = int(rng.lognormvariate(6.5, 1.2)), int(rng.lognormvariate(5.5, 1))
    incomplete = fmt is not None and rng.random() < _INCOMPLETE_SHARE
    raw = fmt.estimate(prompt, output // 2 if incomplete else output) if fmt else None
    headers = dict.fromkeys(plan.response_headers, f"{rng.random():.3f}")
    model = rng.choice(_MODELS.get(fmt.name, ("",))) if fmt else ""
    measured = plan.measure(raw, _captured(plan, model), CallVariables(200, headers))
    data = Usage(
        customer=customer.name,
        product=customer.product.name,
        product_version=customer.product.version,
        catalog="month",
        endpoint=plan.endpoint.id,
        outcome="client_aborted" if incomplete else "completed",
        quality="estimated" if incomplete else "exact",
        witness="meter",
        ended_at=rfc3339(at_ms + 1000),
        format=fmt.name if fmt else None,
        requested_model=model,
        served_model=model,
        streamed=rng.random() < 0.7,
        status_code=200,
        usage=raw,
        dimensions={k: v for k, v in fmt.dimensions(raw).items() if v} if fmt and raw else {},
        quantities={name: format_decimal(number) for name, number in measured.quantities.items()},
        unmetered=measured.unmetered,
    )
    source = f"tollgate/{plan.endpoint.id}"
    return UsageEvent(id=event_id, source=source, subject=customer.subscription, time=rfc3339(at_ms), data=data)


def _captured(plan: EndpointPlan, model: str) -> dict[str, Any]:
    """What the metrics' expressions read of a request, of one that says little more than its model."""
    params = {name: model if name == "model" else "any" for name in PATH_PARAMETER.findall(plan.endpoint.path)}
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
    request = {"headers": {}, "query": {}, "body": json.dumps(body), "json": body, "remote_addr": "192.0.2.1"}
    variables = {"path": {"params": params}, "request": {**request, "method": plan.endpoint.method, "path": "/"}}
    captured: dict[str, Any] = {}
    for capture in plan.captures:
        with contextlib.suppress(ExpressionError):  # then the metric is not counted, and the event says why
            captured[capture.key] = capture.expression.evaluate(variables)
    return captured


def declaration(customer: Customer) -> Subscription:
    """Of an invented customer."""
    return Subscription(
        name=customer.subscription,
        product=customer.product.name,
        customer=customer.name,
        starts_at=rfc3339(customer.starts_ms),
    )
