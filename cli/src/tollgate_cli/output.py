"""Tables for people."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollgate_cli.laptop.reconciliation import EndpointCount


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
    """The running invoice of one subscription."""
    title = f"Running invoice of {invoice['subscription']} ({invoice.get('product', '')})"
    table = Table(title=title, title_justify="left", show_footer=True)
    totals = ", ".join(f"{total['amount']} {total['currency']}" for total in invoice["totals"])
    table.add_column("line", footer="total")
    table.add_column("quantity", justify="right")
    table.add_column("how it is computed")
    table.add_column("amount", justify="right", footer=totals)
    for line in invoice["lines"]:
        amount = f"{line['amount']} {line['currency']}" if line.get("amount") is not None else "unpriced"
        table.add_row(
            line["display_name"],
            str(line.get("quantity") or ""),
            line.get("formula") or "",
            amount,
        )
    console.print(table)


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
