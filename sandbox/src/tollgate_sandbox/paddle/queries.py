"""Query parameters held against the SDK's list operations.

Those are plain classes that turn arguments into parameters, so they are asked: each argument is given something of its
type, and what comes out is the parameter's name and, for enumerations, the words it can take.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from paddle_billing.HasParameters import HasParameters
from paddle_billing.PaddleStrEnum import PaddleStrEnum
from paddle_billing.Resources.Shared.Operations import Comparator, DateComparison, Pager

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import bad_request
from tollgate_sandbox.paddle.params import words
from tollgate_sandbox.paddle.times import normal

_COMPARATORS = ("LT", "LTE", "GT", "GTE")
PAGER = ("after", "order_by", "per_page")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a parameter may hold."""

    words: frozenset[str] = frozenset()
    date: bool = False
    several: bool = False


def check_query(query: Mapping[str, str], shape: type | None, include: type | None) -> Json:
    """The parameters: lists of texts, times and texts; raises PaddleError that names every wrong one."""
    rules = dict(rules_of(shape)) if shape else {}
    if include is not None:
        rules["include"] = Rule(words=frozenset(words(include)), several=True)
    wrong = [(name, "is not a known parameter") for name in query if name not in rules]
    checked: Json = {}
    for name, text in query.items():
        if name in rules:
            rule = rules[name]
            value: Any = [part for part in text.split(",") if part] if rule.several else text
            if rule.words and not set(value if rule.several else [value]) <= rule.words:
                wrong.append((name, f"must be one of {', '.join(sorted(rule.words))}"))
            if rule.date:
                value = _date(name, text, wrong)
            checked[name] = value
    if wrong:
        raise bad_request(*wrong)
    return checked


@lru_cache(maxsize=256)
def rules_of(shape: type) -> dict[str, Rule]:
    """The parameters of a list operation."""
    rules: dict[str, Rule] = {}
    hints = {name: hint for name, hint in get_type_hints(vars(shape)["__init__"]).items() if name != "return"}
    for argument, hint in hints.items():
        inner = next(one for one in [*get_args(hint), hint] if one is not type(None))
        for sample, rule in _samples(inner):
            operation: HasParameters = shape(**{argument: sample})
            names: Mapping[str, object] = operation.get_parameters()
            rules |= dict.fromkeys(names, rule)
    return rules


def _samples(hint: Any) -> Iterator[tuple[Any, Rule]]:
    """Something of that type, and what it says about the parameter that comes out."""
    if hint is Pager:
        yield Pager(after="x"), Rule()
    elif hint is DateComparison:
        now = datetime.now(UTC)
        yield DateComparison(now), Rule(date=True)
        for name in _COMPARATORS:
            yield DateComparison(now, Comparator(name)), Rule(date=True)
    elif get_origin(hint) is list:
        inner = get_args(hint)[0]
        if issubclass(inner, PaddleStrEnum):
            yield [inner(word) for word in words(inner)], Rule(words=frozenset(words(inner)), several=True)
        else:
            yield ["x"], Rule(several=True)
    elif issubclass(hint, PaddleStrEnum):
        yield hint(words(hint)[0]), Rule(words=frozenset(words(hint)))
    elif hint is bool:
        yield True, Rule(words=frozenset({"true", "false"}))
    else:
        yield "x", Rule()


def _date(name: str, text: str, wrong: list[tuple[str, str]]) -> str:
    try:
        return normal(text)
    except ValueError:
        wrong.append((name, "must be an RFC 3339 time"))
        return text
