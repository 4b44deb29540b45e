"""A statement as a page to read or print: one file, no scripts, nothing fetched."""

import json
from collections.abc import Iterable
from decimal import Decimal
from html import escape
from importlib.resources import files
from typing import Any

from tollgate_billing.statements.store import StoredStatement


def statement_page(statement: StoredStatement) -> str:
    """HTML; every text of others is escaped."""
    body: dict[str, Any] = json.loads(statement.body)
    title = f"Statement {body['sequence']} of {body['subscription']}"
    style = (files("tollgate_billing.statements") / "page.css").read_text()
    columns = f'<th>What</th><th>Period</th><th class="n">Quantity</th><th class="n">{escape(body["currency"])}</th>'
    rows = [*(_line(line) for line in body["lines"]), *(_held(held) for held in body["held"])]
    before = escape(statement.previous_hash or "none")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{style}</style></head><body>
<h1>Statement {body["sequence"]}</h1>
<div class="muted">{escape(statement.id)}</div>
<div class="facts">{_facts(body)}</div>
<table><thead><tr>{columns}</tr></thead>
<tbody>{"".join(rows)}</tbody>
<tfoot>{"".join(_sums(body))}</tfoot></table>
<footer>Hash {escape(statement.hash)}; of the statement before: {before}. Days are in UTC.</footer>
</body></html>
"""


def _facts(body: dict[str, Any]) -> str:
    facts = (
        ("Customer", body["customer_name"] or body["customer"]),
        ("Subscription", body["subscription"]),
        ("Product", body["product"]),
        ("Closed", _day(body["closed_at"])),
    )
    return "".join(f"<dl><dt>{name}</dt><dd>{escape(text)}</dd></dl>" for name, text in facts)


def _line(line: dict[str, Any]) -> str:
    tag = ' <span class="tag">adjustment</span>' if line["adjustment"] else ""
    inexact = {name: part for name, part in line["qualities"].items() if name != "exact"}
    note = "; ".join(f"{escape(part['quantity'])} {escape(name)}" for name, part in inexact.items())
    return (
        f"<tr><td>{escape(line['display_name'])}{tag}<div class='formula'>{escape(line['formula'])}</div>"
        f"{f'<div class=formula>of these {note}</div>' if note else ''}</td>"
        f"<td class='p'>{_period(line['period'])}</td><td class='n'>{_grouped(line['quantity'])}</td>"
        f"<td class='n'>{escape(line['amount'])}</td></tr>"
    )


def _held(held: dict[str, Any]) -> str:
    return (
        f"<tr><td>{escape(held['metric'])}<div class='formula'>{escape(held['note'])}</div></td><td></td>"
        f"<td class='n'>{_grouped(held['quantity'])}</td><td class='n'>–</td></tr>"
    )


def _sums(body: dict[str, Any]) -> Iterable[str]:
    rows = [("Total", body["total"], ""), ("Credit brought forward", body["brought_forward"], "")]
    rows += [("Paid from the wallet", body["paid_from_wallet"], "")]
    rows += [("Credit carried forward", body["carried_forward"], ""), ("Due", body["due"], "due")]
    for name, money, style in rows:
        if money["minor"] or name in {"Total", "Due"}:
            cells = f"<td colspan='3' class='n'>{name}</td><td class='n'>{escape(money['amount'])}</td>"
            yield f"<tr class='{style}'>{cells}</tr>"


def _period(period: dict[str, str]) -> str:
    start, end = _day(period["start"]), _day(period["end"])
    return start if start == end else f"{start} – {end}"


def _grouped(quantity: str | None) -> str:
    """``90872`` as ``90,872``."""
    return "" if quantity is None else f"{Decimal(quantity):,}"


def _day(moment: str) -> str:
    return escape(moment[:10])
