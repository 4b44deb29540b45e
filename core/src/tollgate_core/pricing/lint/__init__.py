"""Lint: what is doubtful in products and prices, though every manifest is valid. Pure; ``now_ms`` is the only clock."""

from collections.abc import Iterator

from tollgate_core.catalog import Catalog
from tollgate_core.pricing.lint.amounts import amount_findings
from tollgate_core.pricing.lint.conditions import condition_findings
from tollgate_core.pricing.lint.finding import ABSENCES, SEVERITIES, Finding, Severity, offers
from tollgate_core.pricing.lint.products import clock_findings, product_findings
from tollgate_core.pricing.lint.tiers import tier_findings

__all__ = ["ABSENCES", "SEVERITIES", "Finding", "Severity", "lint"]


def lint(catalog: Catalog, now_ms: int) -> list[Finding]:
    """The gravest first, then by resource and field."""
    return sorted(_findings(catalog, now_ms), key=lambda f: (SEVERITIES.index(f.severity), f.resource, f.field))


def _findings(catalog: Catalog, now_ms: int) -> Iterator[Finding]:
    for offered in offers(catalog):
        yield from product_findings(offered)
        yield from tier_findings(offered)
        yield from amount_findings(offered)
        yield from condition_findings(offered)
        yield from clock_findings(offered, now_ms)
