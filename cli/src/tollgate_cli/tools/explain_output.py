"""Explanations for people."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Json = dict[str, Any]


def statements(console: Console, answer: Json) -> None:
    """All, with their ids."""
    table = _table("statement", "subscription", "number", "closed", ("total", "right"))
    for found in answer["statements"]:
        total = f"{found['total']['amount']} {found['currency']}"
        table.add_row(found["id"], found["subscription"], str(found["sequence"]), _day(found["closed_at"]), total)
    console.print(table if answer["statements"] else "No statement is closed yet.")


def lines(console: Console, statement: Json) -> None:
    """Of one statement, with their numbers."""
    title = f"Statement {statement['sequence']} of {statement['subscription']}, {statement['id']}"
    table = _table(("line", "right"), "what", "period", "how it is computed", ("amount", "right"), title=title)
    for number, found in enumerate(statement["lines"], 1):
        what = f"{found['display_name']}{' (adjustment)' if found['adjustment'] else ''}"
        table.add_row(str(number), what, _period(found["period"]), found["formula"], found["amount"])
    console.print(table)
    console.print(f"Total {statement['total']['amount']} {statement['currency']}.", highlight=False)


def line(console: Console, answer: Json) -> None:
    """From the amount down to the requests."""
    billed = answer["billed"]
    adjustment = ", an adjustment" if billed["adjustment"] else ""
    heading = f"[bold]{escape(billed['display_name'])}[/], line {answer['line']} of {answer['statement']}{adjustment}"
    console.print(heading, highlight=False)
    facts = [("period", _period(billed["period"])), ("formula", billed["formula"])]
    facts += [(f"  {_period(share['period'])}", share["formula"]) for share in billed["shares"]]
    facts += list(_price(answer["price"]))
    facts.append(("closed", f"{answer['closed_at']}, by what was recorded until {answer['cut_at']}"))
    if answer["recorded_after"]:
        facts.append(("earlier", f"what was recorded until {answer['recorded_after']} is on an earlier statement"))
    _facts(console, facts)
    if answer["aggregation"]:
        _events(console, answer)


def _price(price: Json | None) -> Iterator[tuple[str, str]]:
    if price is None:
        return
    yield "price", f"{price['name']}, version {price['version']}"
    yield "terms", terms(price)
    if price.get("when"):
        yield "when", price["when"]


def terms(price: Json) -> str:
    """Of one version of a price."""
    currency, per = price["currency"], price.get("per", "1")
    unit = "" if per == "1" else f" for {per}"
    found = [price["model"]]
    if price.get("tiers"):
        found += [_tier(tier, currency, unit) for tier in price["tiers"]]
    else:
        found.append(f"{price.get('amount', '0')} {currency}{unit}")
    for name, text in (("included", "{} included"), ("trialUnits", "{} free once")):
        if price.get(name, "0") != "0":
            found.append(text.format(price[name]))
    return ", ".join(found)


def _tier(tier: Json, currency: str, unit: str) -> str:
    flat = f" + {tier['flatAmount']} flat" if tier.get("flatAmount", "0") != "0" else ""
    where = f"to {tier['upTo']}" if tier.get("upTo") else "then"
    return f"{where} {tier['amount']} {currency}{unit}{flat}"


def _events(console: Console, answer: Json) -> None:
    table = _table("event", "time", "model", "quality", "as the provider said", ("quantity", "right"), "")
    for event in answer["events"]:
        marks = [word for word in ("late", "corrected") if event[word]]
        usage = json.dumps(event["usage"], separators=(", ", ": ")) if event["usage"] else ""
        row = (event["id"], event["time"], event["model"], event["quality"], usage, event["quantity"])
        table.add_row(*map(escape, row), ", ".join(marks))
    console.print(table)
    for text in dict.fromkeys(_rule(rule) for event in answer["events"] for rule in event["rules"]):
        console.print(f"{answer['billed']['metric']} = {text}", highlight=False, markup=False)
    sums = answer["sums"]
    if sums:
        word = {True: "[green]equal[/]", False: "[red]NOT EQUAL[/]", None: "not added"}[sums["matches"]]
        added = f"{sums['events']} events, {sums['quantity']} units; the line has {sums['line_quantity']}: {word}"
        console.print(f"{added}{'. ' + sums['note'] if sums['note'] else ''}", highlight=False)
    if answer["next"]:
        console.print(f"More: --after {answer['next']}, or --all", highlight=False)


def _rule(rule: Json) -> str:
    return f"{rule['quantity']} where {rule['when']}"


def journey(console: Console, answer: Json) -> None:
    """From a request up to the lines that bill it."""
    event = answer["event"]
    data = event["data"]
    model = data.get("servedModel") or data.get("requestedModel") or ""
    corrected = f", corrected {answer['corrections']} times" if answer["corrections"] else ""
    console.print(f"[bold]{escape(event['id'])}[/] of {escape(event['subject'])}{corrected}", highlight=False)
    _facts(
        console,
        [
            ("time", f"{event['time']}, recorded {event['recordedat']}"),
            ("call", f"{data['endpoint']} {model}, {data['outcome']}, {data['quality']} by {data['witness']}"),
            ("provider", json.dumps(data.get("usage"))),
        ],
    )
    for metric in answer["metrics"]:
        console.print(f"\n[bold]{escape(metric['metric'])}[/] {metric['quantity']}", highlight=False)
        rules = [("counted", _rule(rule)) for rule in metric["rules"]]
        _facts(console, [*rules, *(("tried", _trial(trial)) for trial in metric["tried"]), *_charged(metric)])


def _trial(trial: Json) -> str:
    if trial["when"] is None:
        return f"{trial['price']}: has no condition, applies"
    word = "holds, applies" if trial["holds"] else "does not hold"
    reason = f" ({trial['reason']})" if trial["reason"] else ""
    return f"{trial['price']}, priority {trial['priority']}: {trial['when']} {word}{reason}"


def _charged(metric: Json) -> Iterator[tuple[str, str]]:
    charged = metric["charged_by"]
    yield "charged by", f"{charged['price']}, version {charged['version']}" if charged else "no price: it is held"
    for billed in metric["billed"]:
        where = f"line {billed['line']} of {billed['statement']}" if billed["statement"] else "on no statement yet"
        yield "billed", f"{billed['quantity']} {where}"


def _facts(console: Console, facts: list[tuple[str, str]]) -> None:
    table = Table.grid(padding=(0, 2))
    for name, text in facts:
        table.add_row(f"[dim]{escape(name)}[/]", escape(text))
    console.print(table, highlight=False)


def _table(*columns: str | tuple[str, Literal["right"]], title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        if isinstance(column, str):
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column[0], justify=column[1], overflow="fold")
    return table


def _period(period: dict[str, str]) -> str:
    start, end = _day(period["start"]), _day(period["end"])
    return start if start == end else f"{start} – {end}"


def _day(moment: str) -> str:
    return moment[:10]
