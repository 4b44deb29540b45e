"""The kinds of test calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from tollgate_cli.errors import CommandError


@dataclass(frozen=True)
class Case:
    """``streamed`` is None where the endpoint's usual way does. ``calls`` are sent one after the other. Where
    ``essential``, an upstream that refuses the call leaves the question open; any other case may be unsupported."""

    name: str
    about: str
    streamed: bool | None = None
    calls: int = 1
    essential: bool = False
    asks_usage: bool = True
    gzip: bool = False
    leaves: bool = False
    tools: bool = False
    caching: bool = False
    multi_turn: bool = False
    unknown_model: bool = False


CASES = (
    Case("plain", "an answer in one piece", streamed=False, essential=True),
    Case("stream", "a stream; usage is asked for where the format has an option for it", streamed=True, essential=True),
    Case(
        "stream-unasked",
        "a stream whose client does not ask for usage",
        streamed=True,
        essential=True,
        asks_usage=False,
    ),
    Case("gzip", "as plain, and compression is asked for", streamed=False, gzip=True),
    Case("gzip-stream", "as stream, and compression is asked for", streamed=True, gzip=True),
    Case("disconnect", "the client leaves after a few events", streamed=True, leaves=True),
    Case("tools", "the model must call a function", tools=True),
    Case("caching", "the same long prompt twice", calls=2, caching=True),
    Case("multi-turn", "a conversation of three turns", multi_turn=True),
    Case("error", "a model that does not exist", unknown_model=True),
)


def chosen(names: Sequence[str]) -> tuple[Case, ...]:
    """Those that are named, all if none is. Raises CommandError that lists what there is."""
    known = {case.name: case for case in CASES}
    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    for name in wanted:
        if name not in known:
            raise CommandError(f"There is no case {name!r}; there are {', '.join(known)}.")
    return tuple(case for case in CASES if not wanted or case.name in wanted)
