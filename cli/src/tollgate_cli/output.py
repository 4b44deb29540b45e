"""Tables for people."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollgate_cli.laptop.reconciliation import EndpointCount

#: What a statement says of units that the product gives away.
_FREE = "free of charge"


def print_counts(console: Console, counts: dict[str, EndpointCount]) -> None:
    """What was metered, beside what the upstream itself counted."""
    table = Table(title="Metered", title_justify="left")
    table.add_column("endpoint")
    for name in ("requests", "upstream's tokens", "ledger's tokens"):
        table.add_column(name, justify="right")
    table.add_column("equal")
    for name, count in sorted(counts.items()):
        equal = "[green]yes[/]" if not count.differences else f"[red]no ({len(count.differences)})[/]"
        row = (name, f"{count.requests:,}", f"{count.upstream_tokens:,}", f"{count.ledger_tokens:,}", equal)
        table.add_row(*row)
    console.print(table)


def print_invoice(console: Console, invoice: dict[str, Any]) -> None:
    """A statement, draft or final."""
    kind = "Draft" if invoice["status"] == "draft" else "Statement"
    title = f"{kind} {invoice['sequence']} of {invoice['subscription']} ({invoice['product']})"
    table = Table(title=title, title_justify="left", show_footer=True)
    totals = f"{invoice['due']['amount']} {invoice['currency']}"
    table.add_column("line", footer="due")
    table.add_column("period")
    table.add_column("quantity", justify="right")
    table.add_column("how it is computed")
    table.add_column("amount", justify="right", footer=totals)
    for line in invoice["lines"]:
        adjusted = " (adjustment)" if line["adjustment"] else ""
        table.add_row(
            f"{line['display_name']}{adjusted}",
            _period(line["period"]),
            line["quantity"] or "",
            line["formula"],
            f"{line['amount']} {invoice['currency']}",
        )
    for held in invoice["held"]:
        table.add_row(held["metric"], "", held["quantity"], held["note"], "free" if held["note"] == _FREE else "held")
    if invoice["brought_forward"]["minor"]:
        table.add_row(
            "Credit brought forward", "", "", "", f"{invoice['brought_forward']['amount']} {invoice['currency']}"
        )
    console.print(table)


def print_quote(console: Console, quote: dict[str, Any]) -> None:
    """What a plan would cost."""
    title = f"{quote['product']}, {_period(quote['period'])}"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("line", footer="total")
    table.add_column("period")
    table.add_column("quantity", justify="right")
    table.add_column("how it is computed")
    table.add_column("amount", justify="right", footer=f"{quote['total']['amount']} {quote['currency']}")
    for line in quote["lines"]:
        amount = f"{line['amount']} {quote['currency']}"
        table.add_row(line["display_name"], _period(line["period"]), line["quantity"] or "", line["formula"], amount)
    for unpriced in quote["unpriced"]:
        treated = {"hold": "held until one applies", "free": "free", "reject": "refused"}[unpriced["treatment"]]
        table.add_row(unpriced["metric"], "", unpriced["quantity"], f"no price applies: {treated}", "–")
    console.print(table)
    for note in quote["notes"]:
        console.print(note, highlight=False)


def _period(period: dict[str, str]) -> str:
    """Days are enough here; a fee that is due once has one."""
    start, end = period["start"][:10], period["end"][:10]
    return start if start == end else f"{start} – {end}"


def print_problems(console: Console, status: dict[str, Any]) -> int:
    """Conditions that do not hold, by resource; how many resources have one."""
    wrong = 0
    for file, reason in status.get("files", {}).items():
        console.print(
            f"[red]{escape(file)}[/]: not YAML: {escape(reason)}; its resources keep serving as they were",
            highlight=False,
        )
        wrong += 1
    for resource in status.get("resources", []):
        bad = [c for c in resource["conditions"] if c["status"] == "False" and c["message"]]
        wrong += bool(bad)
        for condition in bad:
            serving = {"previous": "its last good version serves", "none": "it does not serve", "current": "serves"}
            console.print(
                f"[red]{resource['kind']}/{resource['name']}[/] {condition['type']}=False ({condition['reason']}): "
                f"{escape(condition['message'])} [dim]({serving[resource['serving']]})[/]",
                highlight=False,
            )
    return wrong
