"""What billing answers, for people."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollgate_cli.tools.explain_output import terms

Json = dict[str, Any]
Column = str | tuple[str, Literal["right"]]
_ORIGINS = {"catalog": "manifest", "api": "API"}
_LineKey = tuple[str, str, str, str]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str | None = None) -> Table:
    """Plain text in cells."""
    made = Table(title=title, title_justify="left")
    for column in columns:
        name, justify = (column, "left") if isinstance(column, str) else column
        made.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(escape, row))
    return made


def facts(console: Console, found: Sequence[tuple[str, str]]) -> None:
    """Names and values."""
    grid = Table.grid(padding=(0, 2))
    for name, value in found:
        grid.add_row(f"[dim]{escape(name)}[/]", escape(value))
    console.print(grid, highlight=False)


def day(moment: str | None) -> str:
    """Of a moment."""
    return moment[:10] if moment else "–"


def minute(moment: str | None) -> str:
    """Of a moment, where the day is not enough."""
    return f"{moment[:10]} {moment[11:16]}" if moment else "–"


def money(document: Json) -> str:
    """With its currency."""
    return f"{document['amount']} {document['currency']}"


def span(period: dict[str, str]) -> str:
    """In days; a moment has one."""
    start, end = day(period["start"]), day(period["end"])
    return start if start == end else f"{start} – {end}"


def print_subscriptions(console: Console, rows: Sequence[Json]) -> None:
    """One line each."""
    columns = ("subscription", "product", "customer", "state", "currency", "since", "until", "made by")
    cells = [
        (
            row["name"],
            row["product"],
            row["customer_name"] or row["customer"],
            row["state"],
            row["currency"],
            day(row["started_at"]),
            day(row["ended_at"]),
            _ORIGINS[row["origin"]],
        )
        for row in rows
    ]
    console.print(table(columns, cells) if rows else "There is no such subscription.")


def print_prices(console: Console, pins: Sequence[Json]) -> None:
    """The pinned versions, with their terms."""
    cells = [
        (pin["price"], pin["version"], day(pin["since"]), day(pin["until"]), _seats(pin), terms(pin["terms"]))
        for pin in pins
    ]
    console.print(table(("price", "version", "since", "until", ("seats", "right"), "terms"), cells, "Prices"))


def _seats(pin: Json) -> str:
    return "" if pin["terms"].get("metric") or pin["terms"].get("oneOff") else str(pin["seats"])


def print_migrated(console: Console, migrated: Sequence[Json]) -> None:
    """Old and new version of each price."""
    cells = [
        (
            pin["price"],
            f"{pin['from']['version']}\n{terms(pin['from']['terms'])}" if pin["from"] else "–",
            f"{pin['version']}\n{terms(pin['terms'])}",
            minute(pin["since"]),
        )
        for pin in migrated
    ]
    console.print(table(("price", "now", "then", "from"), cells))


def print_change(console: Console, before: Json, invoice: Json, after: Json) -> None:
    """What a change makes of a subscription (``before``) and of its running invoice."""
    row, draft = after["subscription"], after["draft"]
    facts(console, [("from", minute(after["effective_at"])), *_changed(before, row)])
    print_invoices(console, invoice, draft)


def print_invoices(console: Console, invoice: Json, draft: Json) -> None:
    """Of a running invoice what a change makes of it."""
    cells = list(_changed_lines(invoice, draft))
    if cells:
        columns: tuple[Column, ...] = ("line", "period", "how it is computed", ("now", "right"), ("then", "right"))
        console.print(table(columns, cells, f"Statements until {draft['closes_at'][:10]}"))
    now, then = money(invoice["total"]), money(draft["total"])
    change = f"{then}, as before" if now == then else f"{now} → {then}"
    console.print(f"Total: {change}{_paid(draft)}.", highlight=False)


def _paid(draft: Json) -> str:
    """What of a total is not simply due."""
    parts = (("brought_forward", "brought forward"), ("paid_from_wallet", "from the wallet"))
    taken = [f"{money(draft[name])} {words}" for name, words in parts if draft[name]["minor"]]
    left = [f"{money(draft['carried_forward'])} carried forward"] if draft["carried_forward"]["minor"] else []
    return f"; {', '.join([*taken, *left])}, {money(draft['due'])} due" if taken or left else ""


def _changed(before: Json, after: Json) -> Iterator[tuple[str, str]]:
    for name, shown in (("product", str), ("state", str), ("ended_at", minute)):
        if before[name] != after[name]:
            yield name.removesuffix("_at"), f"{shown(before[name])} → {shown(after[name])}"


def _changed_lines(invoice: Json, draft: Json) -> Iterator[tuple[str, str, str, str, str]]:
    earlier, later = _by_key(invoice), _by_key(draft)
    for key in [*later, *(key for key in earlier if key not in later)]:
        was, will = earlier.get(key), later.get(key)
        if was and will and was["amount"] == will["amount"]:
            continue
        line = will or was or {}
        name = f"{line['display_name']}{' (adjustment)' if line['adjustment'] else ''}"
        amounts = (found["amount"] if found else "–" for found in (was, will))
        yield (name, span(line["period"]), line["formula"], *amounts)  # pyright: ignore[reportReturnType]


def _by_key(document: Json) -> dict[_LineKey, Json]:
    return {
        (line["price"], line["version"], line["period"]["start"], line["period"]["end"]): line
        for line in document["lines"]
    }


def print_limits(console: Console, limits: Sequence[Json]) -> None:
    """What a subscription may use."""
    columns: tuple[Column, ...] = (
        "metric",
        "of",
        "type",
        ("limit", "right"),
        ("product's", "right"),
        "bounds",
        ("used", "right"),
        ("remaining", "right"),
        "until",
    )
    cells = [
        (
            limit["metric"],
            "each key" if limit["scope"] == "key" else "all keys",
            limit["enforcement"],
            limit["limit"],
            limit["default"],
            f"{limit['adjustable']['min']} – {limit['adjustable']['max']}" if limit["adjustable"] else "–",
            limit["used"] or "–",
            limit["remaining"] or "–",
            day(limit["period"]["end"]),
        )
        for limit in limits
    ]
    console.print(table(columns, cells, "Limits") if cells else "Its product limits no metric.")
