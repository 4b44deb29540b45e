"""What a product's limits say of the most that a subscription can use: less than their numbers do."""

from collections.abc import Iterator
from fractions import Fraction

from tollgate_core.catalog import MetricLimit, Product


def limits_that_end_usage(product: Product, metric: str) -> Iterator[MetricLimit]:
    """Hard ones of the whole subscription: soft ones let all calls through, and beside one key there may be others."""
    return (limit for limit in product.limits if limit.metric == metric and not limit.soft and not limit.per_key)


def largest(limit: MetricLimit) -> Fraction:
    """A subscription may have a limit of its own, up to the upper bound."""
    return max(Fraction(limit.limit), Fraction(limit.most))
