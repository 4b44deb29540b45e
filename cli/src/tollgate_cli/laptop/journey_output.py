"""The journeys of customers' money, for people and for machines."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollgate_cli.laptop.journey import TEST_CARD, Journey
from tollgate_cli.laptop.simulators import TITLES, Simulated
from tollgate_cli.laptop.visitors import Visitor
from tollgate_core.money import Money

_DONE = {True: "[green]equal[/]", False: "[red]differs[/]"}


def print_journeys(console: Console, journeys: Sequence[Journey]) -> None:
    """One column for each customer, one row for each step."""
    table = Table(title="Paid", title_justify="left")
    table.add_column("step")
    for journey in journeys:
        table.add_column(TITLES.get(journey.provider.kind, journey.provider.kind), overflow="fold")
    for name, shown in _ROWS:
        table.add_row(name, *(_cell(shown, journey) for journey in journeys))
    console.print(table)
    for journey in journeys:
        if journey.problem:
            console.print(f"[red]not paid:[/] {journey.name}: {escape(journey.problem)}", highlight=False)
        elif journey.short:
            console.print(f"{journey.name}: not invoiced, for {journey.short}.", highlight=False)


def print_dashboards(console: Console, running: Sequence[Simulated]) -> None:
    """Where the owner of each account looks."""
    for one in running:
        name = TITLES.get(one.kind, one.kind)
        console.print(f"{name:<8} {one.dashboard} (simulated: no money moves)", highlight=False, soft_wrap=True)


def print_invitations(console: Console, visitors: Sequence[Visitor]) -> None:
    """Links stand at the end of a line, so that terminals know where they end."""
    if visitors:
        console.print(f"Be a customer: open a link and pay with {TEST_CARD}, 12 / 40, 123.", highlight=False)
    for visitor in visitors:
        line = f"  {visitor.journey.product.display_name or visitor.journey.product.name}: {visitor.url}"
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def journey_summary(journey: Journey) -> dict[str, Any]:
    """For ``--json``."""
    invoice = journey.invoice
    return {
        "provider": journey.provider.name,
        "customer": journey.customer,
        "subscription": journey.subscription,
        "checkout": journey.checkout,
        "metered": str(journey.metered),
        "statement": journey.statement.get("id"),
        "due": journey.statement.get("due"),
        "invoice": None if invoice is None else vars(invoice),
        "paid_at": journey.paid_at or None,
        "exact": journey.exact,
        "problem": journey.problem or journey.short,
    }


def _cell(shown: Callable[[Journey], str], journey: Journey) -> str:
    try:
        return shown(journey)
    except (KeyError, AttributeError):
        return "–"  # it did not come so far


def _due(journey: Journey) -> str:
    return f"{journey.statement['due']['amount']} {journey.statement['due']['currency']}"


def _total(journey: Journey) -> str:
    """Beside the statement's, which knows no tax."""
    invoice = journey.invoice
    if invoice is None:
        return "–"
    tax = invoice.total_minor - invoice.net_minor
    with_tax = f" + {Money(tax, invoice.currency).amount} tax" if tax else ""
    return f"{Money(invoice.net_minor, invoice.currency).amount} {invoice.currency}{with_tax}, {_DONE[journey.exact]}"


def _number(journey: Journey) -> str:
    return journey.invoice.number or journey.invoice.reference if journey.invoice else "–"


_ROWS: tuple[tuple[str, Callable[[Journey], str]], ...] = (
    ("customer", lambda journey: escape(journey.name)),
    ("product", lambda journey: escape(journey.product.name)),
    ("checkout", lambda journey: journey.checkout or "–"),
    ("streamed", lambda journey: f"{len(journey.calls)} requests with the new key"),
    ("metered", lambda journey: f"{journey.metered:,f} tokens"),
    ("statement", _due),
    ("invoice", _number),
    ("provider's total", _total),
    ("webhooks", lambda journey: f"{journey.webhooks[0]} of {journey.webhooks[1]} taken"),
    ("paid", lambda journey: f"{journey.paid_at[:10]} {journey.paid_at[11:19]} UTC" if journey.paid_at else "–"),
)
