"""What lint says: a doubtful thing, where it is, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tollgate_core.catalog import Catalog, Metric, Price, Product
from tollgate_core.pricing.formula import number

Severity = Literal["error", "warning", "info"]
#: The gravest first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
#: Rules about what is absent. While manifests are applied one by one, it may still be on its way.
ABSENCES = frozenset({"no-price", "unpriced-metric", "no-fallback", "currency-gap"})


@dataclass(frozen=True)
class Finding:
    """``resource`` is ``Kind/name``; ``advice`` says what to do."""

    severity: Severity
    rule: str
    resource: str
    field: str
    message: str
    advice: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}; {self.advice}"


Findings = Iterator[Finding]


@dataclass(frozen=True)
class Offered:
    """A product with all that lint must know of it."""

    product: Product
    prices: Sequence[Price]
    metrics: Mapping[str, Metric]

    @property
    def metered(self) -> list[Price]:
        """Those that charge units."""
        return [price for price in self.prices if price.metric]

    @property
    def counted(self) -> list[Metric]:
        """Metrics that a call of a granted endpoint can count towards."""
        granted = set(self.product.endpoints)
        return [m for m in self.metrics.values() if any(granted & set(usage.endpoints) for usage in m.usage)]

    def rivals(self) -> list[list[Price]]:
        """Metered prices that stand beside each other: of one metric in one currency."""
        groups: dict[tuple[str, str], list[Price]] = {}
        for price in self.metered:
            groups.setdefault((price.metric, price.currency), []).append(price)
        return list(groups.values())


def offers(catalog: Catalog) -> list[Offered]:
    """One for each product."""
    metrics = {metric.name: metric for metric in catalog.metrics}
    by_product: dict[str, list[Price]] = {}
    for price in catalog.prices:
        by_product.setdefault(price.product, []).append(price)
    return [Offered(product, by_product.get(product.name, ()), metrics) for product in catalog.products]


def of_price(severity: Severity, rule: str, price: Price, field: str, message: str, advice: str) -> Finding:
    """A finding of a Price."""
    return Finding(severity, rule, f"Price/{price.name}", f"spec.{field}", message, advice)


def of_product(severity: Severity, rule: str, product: Product, field: str, message: str, advice: str) -> Finding:
    """A finding of a Product."""
    return Finding(severity, rule, f"Product/{product.name}", f"spec.{field}", message, advice)


def short(value: Fraction) -> str:
    """As a manifest would have it: ``2000000`` is ``2M``."""
    for suffix, factor in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value and value % factor == 0:
            return f"{value // factor}{suffix}"
    return number(value)
