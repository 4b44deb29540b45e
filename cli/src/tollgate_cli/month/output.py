"""The month as tables."""

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table

from tollgate_cli.month.simulation import MonthReport
from tollgate_core.money import Money

_SHOWN = 8
Json = dict[str, Any]


def print_month(console: Console, report: MonthReport) -> None:
    """By product, then the largest customers."""
    by_product: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
    for statement in report.statements:
        by_product[statement["product"], statement["currency"]].append(statement)
    table = Table(title="Statements of the month", title_justify="left")
    table.add_column("product")
    for name in ("customers", "statements", "charged", "of it adjustments", "due"):
        table.add_column(name, justify="right")
    for (product, currency), found in sorted(by_product.items()):
        adjusted = sum(line["minor"] for s in found for line in s["lines"] if line["adjustment"])
        table.add_row(
            product,
            str(len({s["subscription"] for s in found})),
            str(len(found)),
            *(str(Money(minor, currency)) for minor in (_sum(found, "total"), adjusted, _sum(found, "due"))),
        )
    console.print(table)
    _print_largest(console, report)
    console.print(f"{report.events:,} calls recorded, {report.refused:,} refused; the ledger is {_soundness(report)}.")


def _print_largest(console: Console, report: MonthReport) -> None:
    sums: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for statement in report.statements:
        sums[statement["subscription"], statement["product"], statement["currency"]] += statement["total"]["minor"]
    table = Table(title="Largest customers", title_justify="left")
    for name in ("subscription", "product"):
        table.add_column(name)
    table.add_column("charged", justify="right")
    for (name, product, currency), minor in sorted(sums.items(), key=lambda item: -item[1])[:_SHOWN]:
        table.add_row(name, product, str(Money(minor, currency)))
    console.print(table)


def _sum(statements: list[Json], part: str) -> int:
    return sum(statement[part]["minor"] for statement in statements)


def _soundness(report: MonthReport) -> str:
    return f"[red]not sound[/]: {report.violations[0]}" if report.violations else "sound"
