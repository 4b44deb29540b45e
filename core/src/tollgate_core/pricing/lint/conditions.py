"""Conditions of prices that rival: constant ones, ties, and calls that none of them covers.

A condition is a program: what can be known of it is how it answers made-up calls. They are made from the conditions'
own literals, so that ``model == "gpt-5"`` meets a call of gpt-5 and one of another model.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from tollgate_core.catalog import Price
from tollgate_core.errors import ExpressionError
from tollgate_core.metering.plan import DIMENSIONS
from tollgate_core.pricing.lint.finding import Findings, Offered, Severity, of_price
from tollgate_core.pricing.selection import CONDITION_SCOPE, compile_condition

_TEXT = re.compile(r"\"([^\"\\\n]{1,80})\"|'([^'\\\n]{1,80})'")
_NUMBER = re.compile(r"(?<![\w.\"'-])(\d{1,12})(?![\w.\"'])")
_NAMES = frozenset({"model", "requestedModel", "servedModel"})
_NUMBERS = frozenset({"quantity", "inputTokens"})
#: Conditions that read nothing else can be answered by made-up calls; of others nothing is said.
_KNOWN = _NAMES | _NUMBERS | {"streamed"}
_ANOTHER_MODEL = "another-model"
#: A bound for the webhook: rivals are few, but conditions may be many.
_MOST_RIVALS, _MOST_CALLS = 64, 400
Call = dict[str, object]


@dataclass(frozen=True)
class _Rival:
    price: Price
    answers: tuple[bool | None, ...]


def condition_findings(offered: Offered) -> Findings:
    """Of every metric and currency of a product."""
    for rivals in offered.rivals():
        conditional = [price for price in rivals if price.when][:_MOST_RIVALS]
        if not conditional:
            continue
        constants = {price.name: value for price in conditional if (value := _constant(price)) is not None}
        for price in conditional:
            yield from _constant_finding(price, constants)
        calls = list(islice(_calls(conditional), _MOST_CALLS))
        answered = [_Rival(p, tuple(_holds(p, call) for call in calls)) for p in conditional]
        yield from _same_and_ties([r for r in answered if r.price.name not in constants], calls)
        if len(conditional) == len(rivals) and True not in constants.values():
            yield from _no_fallback(offered, answered, calls)


def _constant(price: Price) -> bool | None:
    try:
        expression = compile_condition(price.when)
        if expression.roots or not expression.bounds.allow({}):
            return None
        return expression.evaluate({}) is True
    except ExpressionError:
        return None


def _constant_finding(price: Price, constants: dict[str, bool]) -> Findings:
    if price.name not in constants:
        return
    holds = constants[price.name]
    message = f"{price.when!r} is {'true' if holds else 'false'} for every call"
    advice = "remove the condition: the price is the fallback" if holds else "the price never charges: remove it"
    yield of_price("warning", "constant-condition", price, "when", message, advice)


def _literals(sources: Sequence[str]) -> tuple[list[str], list[int]]:
    texts = dict.fromkeys(a or b for source in sources for a, b in _TEXT.findall(source))
    numbers = {int(digits) for source in sources for digits in _NUMBER.findall(source)}
    return list(texts), sorted(numbers)


def _calls(prices: Sequence[Price]) -> Iterator[Call]:
    """Small calls first; every model with every number beside a literal."""
    texts, numbers = _literals([price.when for price in prices])
    models = [_ANOTHER_MODEL, *texts, *(f"{text}-x" for text in texts)]
    around = sorted({0, 1000, *(n + step for n in numbers for step in (-1, 0, 1) if n + step >= 0)})
    for number in around:
        for model in models:
            for streamed in (False, True):
                yield _call(model, number, streamed)


def _call(model: str, number: int, streamed: bool) -> Call:
    unknown = dict.fromkeys(CONDITION_SCOPE.roots - _KNOWN, "")
    return {
        **unknown,
        **dict.fromkeys(_NAMES, model),
        **dict.fromkeys(_NUMBERS, number),
        "streamed": streamed,
        "dimensions": dict.fromkeys(DIMENSIONS, 0),
        "usage": {},
        "local": {},
    }


def _holds(price: Price, call: Call) -> bool | None:
    """None where a made-up call says nothing about the condition."""
    try:
        expression = compile_condition(price.when)
        if not expression.roots <= _KNOWN or not expression.bounds.allow(call):
            return None
        return expression.evaluate(call) is True
    except ExpressionError:
        return None


def _same_and_ties(rivals: Sequence[_Rival], calls: Sequence[Call]) -> Findings:
    for one, other in combinations(rivals, 2):
        first, second = sorted((one.price, other.price), key=lambda price: (-price.priority, price.name))
        if first.when.strip() == second.when.strip():
            message = f"is the condition of Price {first.name} too, which comes first"
            advice = f"the price never charges: change the condition, or give it a priority above {first.priority}"
            yield of_price("warning", "shadowed", second, "when", message, advice)
        elif first.priority == second.priority:
            both = zip(one.answers, other.answers, calls, strict=True)
            shared = next((call for a, b, call in both if a and b), None)
            if shared is not None:
                rule = f"the condition of {first.name} holds too, at the same priority: the name decides"
                message = f"for {_words(shared)} {rule}"
                advice = "give one of them a greater priority"
                yield of_price("warning", "priority-tie", second, "priority", message, advice)


def _no_fallback(offered: Offered, rivals: Sequence[_Rival], calls: Sequence[Call]) -> Findings:
    if offered.product.unpriced == "free":
        return
    columns = zip(*(rival.answers for rival in rivals), calls, strict=True)
    uncovered = next(
        (call for *answers, call in columns if not any(answer in {True, None} for answer in answers)), None
    )
    first = rivals[0].price
    if uncovered is None and all(None not in rival.answers for rival in rivals):
        return  # as far as can be seen, they cover everything together
    example = f", for example {_words(uncovered)}" if uncovered else ""
    every = f"every price of {first.metric} in {first.currency} has a condition"
    message = f"{every}: calls for which none holds{example} are unpriced"
    advice = "add a Price without a condition, or set unpriced: reject on the product"
    severity: Severity = "info" if offered.product.unpriced == "reject" else "warning"
    yield of_price(severity, "no-fallback", first, "when", message, advice)


def _words(call: Call) -> str:
    return f"model {call['model']!r} with {call['inputTokens']} input tokens"
