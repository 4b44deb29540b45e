"""What an expression may cost: rules that hold it back when it is written, and what it may do without a deadline.

Neither CEL nor jq can be interrupted, and both hold the interpreter's lock. So a cost that nothing bounds is refused
here, or left to a process that can be killed; only what is cheap by its form and its input runs beside other requests.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from tollgate_core.errors import ExpressionError
from tollgate_core.expressions import source as text

MAX_CEL_CHARACTERS = 4096
MAX_JQ_CHARACTERS = 65536
#: all, exists, exists_one, map and filter inside each other: each level multiplies by the length of a list.
MAX_NESTING = 2
MAX_PATTERN_CHARACTERS = 512
#: A pattern without counted repetition and not longer than this compiles and matches in microseconds.
_SMALL_PATTERN, _MANY_PATTERNS = 64, 8
#: Converting this much for CEL takes some 3 ms.
_STRAIGHT_BYTES = 65536
#: One loop over this much: each turn may copy all of it (measured: 1 ms for a chat, some ms at worst).
_LOOP_BYTES = 2048
_ITEM_BYTES = 8

_JQ_TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|#[^\n]*", re.DOTALL)
_JQ_PERHAPS = re.compile(r"\"[\s)]*\*|\*[\s(]*\"")
_JQ_COMMENT = re.compile(r"#[^\n]*")
_JQ_MULTIPLIED = re.compile(r"(?<!\.)\"@*\"[\s)]*\*|\*[\s(]*\"")


def check_cel(source: str) -> None:
    """Raises ExpressionError that says what to write instead."""
    if len(source) > MAX_CEL_CHARACTERS:
        raise ExpressionError(f"is longer than {MAX_CEL_CHARACTERS} characters; write it shorter")
    nesting = text.comprehensions(source)[1]
    if nesting > MAX_NESTING:
        raise ExpressionError(
            f"all, exists, exists_one, map and filter are nested {nesting} deep; {MAX_NESTING} is the most: "
            "write them beside each other, or as a jq transformation"
        )
    for pattern in text.patterns(source):
        if pattern is None:
            raise ExpressionError(
                'matches() needs its pattern as a literal, as in matches("^a"): a caller could else '
                "choose a pattern that takes long"
            )
        if len(pattern) > MAX_PATTERN_CHARACTERS:
            raise ExpressionError(
                f"a pattern of matches() is longer than {MAX_PATTERN_CHARACTERS} characters; split it"
            )


def check_jq(source: str) -> None:
    """Raises ExpressionError. jq works constants out while it compiles, where no deadline holds."""
    if len(source) > MAX_JQ_CHARACTERS:
        raise ExpressionError(f"is longer than {MAX_JQ_CHARACTERS} characters; write it shorter")
    is_multiplied = _JQ_MULTIPLIED.search(_JQ_TEXT.sub(_blank, source)) is not None
    if "\\(" in source:  # code inside of a text: where texts begin and end is not as it seems
        is_multiplied = any(map(_JQ_PERHAPS.search, (source, _JQ_COMMENT.sub(" ", source))))
    if is_multiplied:
        raise ExpressionError("a text that is written in the program is multiplied; write it out")


def _blank(literal: re.Match[str]) -> str:
    return " " if literal.group()[0] == "#" else f'"{"@" * (len(literal.group()) - 2)}"'


@dataclass(frozen=True)
class Bounds:
    """How much input an expression may have where nothing can stop it; 0: none at all."""

    input_bytes: int
    mentions: Mapping[str, int]

    @staticmethod
    def of(source: str, roots: frozenset[str], functions: frozenset[str]) -> "Bounds":
        """From its form: loops multiply what they read, patterns may be large, and a variable may be named often."""
        loops = text.comprehensions(source)[0]
        patterns = text.patterns(source)
        allowed = _STRAIGHT_BYTES
        multiplies = loops > 1 or bool(loops and patterns) or text.collects(source)
        if multiplies or len(patterns) > _MANY_PATTERNS or not all(map(_is_small, patterns)):
            allowed = 0
        elif loops == 1 or patterns:
            allowed = max(0, _LOOP_BYTES - len(source))
        counted = {root: len(text.mentions(source, root)) for root in roots}
        return Bounds(allowed, counted | {name: len(text.mentions(source, name)) for name in functions})

    def allow(self, values: Mapping[str, object]) -> bool:
        """Whether these variables and functions' values are small enough."""
        left = self.input_bytes
        for name, value in values.items():
            times = self.mentions.get(name, 0)
            left -= weight(value, left) * times
            if left <= 0:
                return False
        return left > 0


def _is_small(pattern: str | None) -> bool:
    return pattern is not None and len(pattern) <= _SMALL_PATTERN and "{" not in pattern


def weight(value: object, enough: int) -> int:
    """About how many bytes a value has; stops counting at ``enough``, so that asking is cheap."""
    total = 0
    waiting: list[object] = [value]
    while waiting and total <= enough:
        item = waiting.pop()
        total += _ITEM_BYTES
        if isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, Mapping):
            mapping = cast("Mapping[object, object]", item)
            if len(mapping) * _ITEM_BYTES > enough:
                return enough + 1
            waiting += mapping.keys()
            waiting += mapping.values()
        elif isinstance(item, Sequence):
            items = cast("Sequence[object]", item)
            if len(items) * _ITEM_BYTES > enough:
                return enough + 1
            waiting += items
    return total
