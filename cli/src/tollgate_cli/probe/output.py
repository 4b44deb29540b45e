"""A report for people: a table for each endpoint, then what is to be done."""

from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Json = dict[str, Any]
_WORDS = {
    "metered": "[green]metered[/]",
    "by_policy": "[yellow]by policy[/]",
    "not_metered": "[red]NOT METERED[/]",
    "counted_wrongly": "[red]COUNTED WRONGLY[/]",
    "nothing_counted": "[green]nothing counted[/]",
    "unknown": "[yellow]unknown[/]",
}


def print_report(console: Console, report: Json) -> None:
    """All of it."""
    for endpoint in report["endpoints"]:
        console.print(f"[bold]{escape(endpoint['endpoint'])}[/], {_about(endpoint)}", highlight=False)
        console.print(_table(endpoint["cases"]))
        _reasons(console, endpoint["cases"])
        console.print()
    for name, reason in report["skipped"].items():
        console.print(f"{escape(name)} was not called: {escape(reason)}", highlight=False)
    counts = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in report["verdicts"].items())
    console.print(f"{report['calls']} calls answered; cases: {counts}.", highlight=False)


def _about(endpoint: Json) -> str:
    forced = "" if endpoint["force_usage"] else ", forceUsage: false"
    product = f", as product {endpoint['product']}" if endpoint["product"] else ""
    policy = f"onIncomplete: {endpoint['on_incomplete']}"
    return escape(f"{endpoint['format'] or 'plain HTTP'} at {endpoint['upstream']}{product}, {policy}{forced}")


def _table(cases: list[Json]) -> Table:
    table = Table()
    table.add_column("case", no_wrap=True)
    for name in ("sent, and answered", "usage as reported", "dimensions", "counted"):
        table.add_column(name, overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for case in cases:
        calls: list[Json] = case["calls"] or [{}]
        for number, call in enumerate(calls, 1):
            name = case["case"] if len(calls) == 1 else f"{case['case']} {number}"
            row = (name, f"{_sent(call)}\n{_answer(call)}", _usage(call), _dimensions(call), _counted(call))
            table.add_row(*map(escape, row), _WORDS[case["verdict"]] if number == len(calls) else "")
    return table


def _reasons(console: Console, cases: list[Json]) -> None:
    """Each once, with the cases that have it."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for case in cases:
        if case["reason"] or case["advice"]:
            groups.setdefault((case["verdict"], case["reason"], case["advice"]), []).append(case["case"])
    for (verdict, reason, advice), names in groups.items():
        console.print(f"{_WORDS[verdict]} {', '.join(names)}: {escape(reason)}", highlight=False)
        if advice:
            console.print(f"   → {escape(advice)}", highlight=False)


def _sent(call: Json) -> str:
    sent: Json = call.get("sent", {})
    if "accept_encoding" not in sent:
        return "not sent"
    facts = ["stream" if sent["streamed"] else "in one piece"]
    if sent["usage_forced"]:
        facts.append("the gate asks for usage")
    elif sent["streamed"] and sent["usage_asked"] and sent["usage_optional"]:
        facts.append("asks for usage")
    if sent["accept_encoding"] != "identity":
        facts.append(f"accepts {sent['accept_encoding']}")
    return ", ".join(facts)


def _answer(call: Json) -> str:
    if not call or call["status"] is None:
        return ""
    facts = [str(call["status"]), call["error"], call["encoding"]]
    if call["client_left"]:
        facts.append(f"left after {call['events']} events")
    elif call["sent"]["streamed"] and call["status"] < 300:
        facts.append(f"{call['events']} events")
    return ", ".join(fact for fact in facts if fact)


def _usage(call: Json) -> str:
    """The last that was reported, not what was made of it."""
    if not call or not call["usage_seen"]:
        return "none"
    return "\n".join(_numbers(call["usage_seen"][-1]))


def _numbers(usage: Json) -> list[str]:
    """By the innermost name, zeros left out."""
    found: list[str] = []
    for name, value in usage.items():
        if isinstance(value, dict):
            found += _numbers(cast("Json", value))
        elif isinstance(value, list):
            parts = (f"{part['modality']} {part['tokenCount']}" for part in cast("list[Json]", value))
            found.append(f"{name} {', '.join(parts)}")
        elif value:
            found.append(f"{name} {value}")
    return found


def _dimensions(call: Json) -> str:
    return "\n".join(f"{name} {tokens}" for name, tokens in call.get("dimensions", {}).items())


def _counted(call: Json) -> str:
    """What is more than zero; only zero where nothing is."""
    quantities: dict[str, str] = call.get("quantities", {})
    counted = [f"{name} {quantity}" for name, quantity in quantities.items() if quantity != "0"]
    return "\n".join(counted) or ("0" if quantities else "nothing")
