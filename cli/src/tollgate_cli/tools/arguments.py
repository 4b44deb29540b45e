"""Reading what people type: ``name=value`` pairs and moments."""

from collections.abc import Iterable
from datetime import UTC, datetime

import typer

from tollgate_core.pricing.calendar import COUNTABLE, countable


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """``["a=1"]`` → ``{"a": "1"}``. Raises BadParameter that shows the form."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise typer.BadParameter(f"{text!r} is not of the form name=value", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name} is there twice", param_hint=option)
        found[name] = value
    return found


def moment_ms(text: str, option: str) -> int:
    """A date or RFC 3339, in UTC where it does not say."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        hint = f"{text!r} is no time; write 2026-03-01 or 2026-03-01T12:00:00Z"
        raise typer.BadParameter(hint, param_hint=option) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def calendar_ms(text: str, option: str) -> int:
    """The same, of a moment around which periods are counted: those of the far past and future have none."""
    found = moment_ms(text, option)
    if not countable(found):
        raise typer.BadParameter(f"{text} {COUNTABLE}", param_hint=option)
    return found
