"""Which limit applies: a product's, or a subscription's own within the product's bounds."""

from typing import Literal

from tollgate_core.catalog.snapshot import MetricLimit

LimitScope = Literal["subscription", "key"]


def scope_of(limit: MetricLimit) -> LimitScope:
    """What has the limit for itself."""
    return "key" if limit.per_key else "subscription"


def is_adjustable(limit: MetricLimit) -> bool:
    """Whether a subscription may have a limit of its own."""
    return limit.most > 0


def effective_limit(limit: MetricLimit, own: float | None) -> float:
    """Units that may be used. An own limit outside of the bounds, which may have changed since, counts as the nearest
    bound; where there are none any more, the product's limit applies."""
    if own is None or not is_adjustable(limit):
        return limit.limit
    return min(max(own, limit.least), limit.most)
