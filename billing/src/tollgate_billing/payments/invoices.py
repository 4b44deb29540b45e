"""From a closed statement to an invoice of a provider: the same lines, the same sum. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from tollgate_billing.payments.port import InvoiceLine

Json = Mapping[str, Any]
_DESCRIPTION_AT_MOST = 300


def invoice_lines(statement: Json, most: int, carried: Sequence[tuple[str, int]] = ()) -> tuple[InvoiceLine, ...]:
    """At most ``most``, of a statement's document; their sum is what is due of it and of ``carried``: statements that
    were too small to be collected by themselves, with minor units."""
    lines = [_line(number, line) for number, line in enumerate(statement["lines"], 1)]
    room = max(1, most - len(carried) - 2)
    if len(lines) > room:
        lines = _grouped(lines, room)
    closed = _milliseconds(statement["closed_at"])
    extra = [
        InvoiceLine(
            "brought-forward", "Credit of earlier statements", statement["brought_forward"]["minor"], *_at(closed)
        ),
        InvoiceLine("wallet", "Paid from prepaid credit", -statement["paid_from_wallet"]["minor"], *_at(closed)),
    ]
    extra += [InvoiceLine(f"carried-{name}", f"Statement {name}", minor, *_at(closed)) for name, minor in carried]
    return (*lines, *(line for line in extra if line.minor))


def _line(number: int, line: Json) -> InvoiceLine:
    name = f"{line['display_name']}{' (adjustment)' if line['adjustment'] else ''}"
    text = f"{name}: {line['formula']}"
    if len(text) > _DESCRIPTION_AT_MOST:
        text = f"{text[: _DESCRIPTION_AT_MOST - 1]}…"
    period = line["period"]
    return InvoiceLine(f"{number}", text, line["minor"], _milliseconds(period["start"]), _milliseconds(period["end"]))


def _grouped(lines: Sequence[InvoiceLine], most: int) -> list[InvoiceLine]:
    """One line for what has the same name; where that is too much still, one for all that remain."""
    by_name = [_sum(name, list(same)) for name, same in groupby(sorted(lines, key=_name), key=_name)]
    if len(by_name) > most:
        by_size = sorted(by_name, key=lambda line: -abs(line.minor))
        by_name = [*by_size[: most - 1], _sum("Other lines of the statement", by_size[most - 1 :])]
    return by_name


def _sum(name: str, lines: Sequence[InvoiceLine]) -> InvoiceLine:
    if len(lines) == 1:
        return lines[0]
    return InvoiceLine(
        key=lines[0].key,
        description=f"{name}: {len(lines)} lines of the statement",
        minor=sum(line.minor for line in lines),
        start_ms=min(line.start_ms for line in lines),
        end_ms=max(line.end_ms for line in lines),
    )


def _name(line: InvoiceLine) -> str:
    return line.description.partition(":")[0]


def _at(moment_ms: int) -> tuple[int, int]:
    return moment_ms, moment_ms


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
