"""A backtest for people."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Json = dict[str, Any]
_REASONS = {
    "unknown product": "no such product in the manifests",
    "unknown metric": "no such metric in the manifests",
    "no price applies": "unpriced: no condition holds",
    "the product has no price for it": "unpriced: no price",
}


def print_backtest(console: Console, answer: Json, top: int) -> None:
    """Totals first, then who moves most, then what is in no amount."""
    period = answer["period"]
    console.print(f"{answer['events']:,} events, {period['start'][:10]} – {period['end'][:10]}", highlight=False)
    console.print(_table("Revenue", answer["totals"], ("currency",)))
    console.print(_table("By product", answer["products"], ("product",)))
    if top and answer["customers"]:
        shown = answer["customers"][:top]
        console.print(
            _table(f"Customers that move most ({len(shown)} of {len(answer['customers'])})", shown, ("customer",))
        )
    for margin in answer["margins"]:
        _print_margin(console, margin)
    for side in ("after", "before"):
        for left in answer["leftovers"][side] or ():
            _print_leftover(console, side, left)
    _print_remarks(console, answer)


def _table(title: str, rows: list[Json], names: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name)
    for name in ("before", "after", "change", "%"):
        table.add_column(name, justify="right")
    for row in rows:
        amounts = [f"{row[name]} {row['currency']}" if row[name] else "–" for name in ("before", "after", "change")]
        table.add_row(*(escape(row[name]) for name in names), *amounts, row["percent"] or "–")
    return table


def _print_margin(console: Console, margin: Json) -> None:
    for side in ("before", "after"):
        found = margin[side]
        if found:
            amounts = f"{found['revenue']} revenue - {found['cost']} cost = {found['margin']} {margin['currency']}"
            percent = f", {found['percent']}%" if found["percent"] else ""
            console.print(f"Margin {side}, where a cost is declared: {amounts}{percent}", highlight=False)


def _print_leftover(console: Console, side: str, left: Json) -> None:
    what = f"{left['product']}, {left['metric']}" if left["metric"] else left["product"]
    units = f"{left['quantity']} units in {left['events']:,} events"
    reason = _REASONS[left["reason"]]
    console.print(f"[yellow]{side}:[/] {escape(what)}: {units} in no amount: {reason}", highlight=False)


def _print_remarks(console: Console, answer: Json) -> None:
    if answer["recomputed"]:
        counts = answer["recomputed"]
        said = f"Recomputed: {counts['changed']:,} quantities are others, {counts['kept']:,} are kept as recorded."
        console.print(said, highlight=False)
    if answer["outside"]:
        console.print(f"{answer['outside']:,} events lie outside of the time.", highlight=False)
    if answer["unreadable"]["count"]:
        console.print(f"[red]{answer['unreadable']['count']:,} lines are no usage events:[/]", highlight=False)
        for example in answer["unreadable"]["examples"]:
            console.print(f"  {escape(example)}", highlight=False)
    for name, rows in answer["exceeded"].items():
        console.print(f"[red]Over the threshold:[/] {len(rows)} of {name}", highlight=False)
