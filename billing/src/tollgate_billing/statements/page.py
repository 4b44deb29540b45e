"""A statement as a page to read or print: one file, no scripts, nothing fetched."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from tollgate_billing.statements.store import StoredStatement

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 60rem; margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } .muted { color: #5b6470; } .row { display: flex; gap: 3rem; margin: 1.5rem 0; }
dt { color: #5b6470; font-size: .85rem; } dd { margin: 0 0 .75rem; }
table { border-collapse: collapse; width: 100%; margin-top: 1rem; }
th, td { text-align: left; padding: .55rem .5rem; border-bottom: 1px solid #e3e6ea; vertical-align: top; }
th { font-size: .8rem; color: #5b6470; font-weight: 600; } .n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; } tfoot td { border: 0; padding: .3rem .5rem; } tfoot tr.due td { font-weight: 700; font-size: 1.1rem; }
.formula { color: #5b6470; font-size: .85rem; overflow-wrap: anywhere; } .tag { background: #eef1f4; border-radius: .3rem; padding: 0 .35rem; }
footer { margin-top: 3rem; font-size: .75rem; color: #5b6470; overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } }
"""


def statement_page(statement: StoredStatement) -> str:
    """HTML; every text of others is escaped."""
    body: dict[str, Any] = json.loads(statement.body)
    title = f"Statement {body['sequence']} of {body['subscription']}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>Statement {body["sequence"]}</h1>
<div class="muted">{escape(statement.id)}</div>
<div class="row">{_facts(body)}</div>
<table><thead><tr><th>What</th><th>Period</th><th class="n">Quantity</th><th class="n">{escape(body["currency"])}</th></tr></thead>
<tbody>{"".join(_line(line) for line in body["lines"])}{"".join(_held(held) for held in body["held"])}</tbody>
<tfoot>{"".join(_sums(body))}</tfoot></table>
<footer>Hash {escape(statement.hash)}; statement before: {escape(statement.previous_hash or "none")}. Periods in UTC.</footer>
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
        f"<td>{_period(line['period'])}</td><td class='n'>{escape(line['quantity'] or '')}</td>"
        f"<td class='n'>{escape(line['amount'])}</td></tr>"
    )


def _held(held: dict[str, Any]) -> str:
    return (
        f"<tr><td>{escape(held['metric'])}<div class='formula'>{escape(held['note'])}</div></td><td></td>"
        f"<td class='n'>{escape(held['quantity'])}</td><td class='n'>–</td></tr>"
    )


def _sums(body: dict[str, Any]) -> Iterable[str]:
    rows = [("Total", body["total"], ""), ("Credit brought forward", body["brought_forward"], "")]
    rows += [("Credit carried forward", body["carried_forward"], ""), ("Due", body["due"], "due")]
    for name, money, style in rows:
        if money["minor"] or name in {"Total", "Due"}:
            yield f"<tr class='{style}'><td colspan='3' class='n'>{name}</td><td class='n'>{escape(money['amount'])}</td></tr>"


def _period(period: dict[str, str]) -> str:
    start, end = _day(period["start"]), _day(period["end"])
    return start if start == end else f"{start} – {end}"


def _day(moment: str) -> str:
    return escape(moment[:10])
