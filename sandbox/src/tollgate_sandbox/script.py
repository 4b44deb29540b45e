"""The script a request carries: how the simulated provider shall behave for this one exchange."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, cast, get_args

from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.jsons import Json, as_int, loads

HEADER = "x-sandbox"
MARK = "[[sandbox "
UsageFault: TypeAlias = Literal["missing", "null", "negative", "string", "huge"]


@dataclass(frozen=True, slots=True)
class Script:
    """One exchange's instructions. Counts named `*_after` are numbers of events already sent."""

    # What is answered
    tokens: int | None = None
    text: str | None = None
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    tool_prompt: int = 0
    tool: bool = False
    tool_args: Json | None = None
    big_event_bytes: int = 0
    usage: UsageFault | None = None
    # When it is sent
    delay_ms: float = 0
    stall_after: int | None = None
    stall_ms: float = 0
    hold: str | None = None
    # How the bytes are cut and wrapped
    drip_bytes: int = 0
    split: tuple[int, ...] = ()
    gzip: bool = False
    honour_encoding: bool = False
    crlf: bool = False
    comments: bool = False
    multi_line_data: bool = False
    # What goes wrong
    fail_status: int | None = None
    reset_after: int | None = None
    reset_after_bytes: int | None = None
    malformed_after: int | None = None
    error_event_after: int | None = None
    half_event: bool = False
    # Speed measurements; `events` makes every other field void
    events: int | None = None
    rate: float = 10

    @classmethod
    def parse(cls, raw: str) -> Script:
        """Read a script from JSON; the refusal names the field at fault, for a silent typo would void a test."""
        try:
            value: object = loads(raw)
        except ValueError as error:
            raise RefusedError(400, f"sandbox script is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise RefusedError(400, "sandbox script must be a JSON object")
        return cls(**{key: _checked(key, item) for key, item in cast(Json, value).items()})


def from_header(headers: Mapping[str, str]) -> Script | None:
    """The script in the request header, if the client can send one."""
    raw = headers.get(HEADER)
    return None if raw is None else Script.parse(raw)


def from_text(text: str) -> Script | None:
    """The script inside a prompt, for clients that cannot add headers."""
    start = text.find(MARK)
    if start < 0:
        return None
    rest = text[start + len(MARK) :].lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(rest)
    except ValueError as error:
        raise RefusedError(400, f"sandbox script is not JSON: {error}") from error
    if not rest[end:].lstrip().startswith("]]"):
        raise RefusedError(400, "sandbox script in the text must end with ]]")
    return Script.parse(rest[:end])


def _count(value: object) -> int | None:
    number = as_int(value)
    return number if number is not None and number >= 0 else None


def _amount(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def _offsets(value: object) -> tuple[int, ...] | None:
    numbers = [_count(item) for item in cast(list[object], value)] if isinstance(value, list) else [None]
    found = [number for number in numbers if number is not None]
    return tuple(sorted(set(found))) if len(found) == len(numbers) else None


def _status(value: object) -> int | None:
    number = as_int(value)
    return number if number is not None and 400 <= number <= 599 else None


def _fault(value: object) -> object:
    return value if value in get_args(UsageFault) else None


def _of_type(kind: type) -> Callable[[object], object]:
    return lambda value: value if isinstance(value, kind) else None


_CHECKS: dict[str, tuple[Callable[[object], object], str]] = {
    "split": (_offsets, "a list of byte offsets"),
    "fail_status": (_status, "an error status, 400 to 599"),
    "usage": (_fault, "one of " + ", ".join(get_args(UsageFault))),
    "tool_args": (_of_type(dict), "an object"),
}
_BY_TYPE: dict[str, tuple[Callable[[object], object], str]] = {
    "bool": (_of_type(bool), "true or false"),
    "str": (_of_type(str), "a string"),
    "int": (_count, "a whole number, 0 or more"),
    "float": (_amount, "a number, 0 or more"),
}
for _field in fields(Script):
    _CHECKS.setdefault(_field.name, _BY_TYPE.get(str(_field.type).removesuffix(" | None"), _BY_TYPE["str"]))


def _checked(key: str, value: object) -> Any:
    if key not in _CHECKS:
        raise RefusedError(400, f"sandbox script has no field {key!r}", param=key)
    check, wanted = _CHECKS[key]
    result = check(value)
    if result is None:
        raise RefusedError(400, f"sandbox script field {key!r} must be {wanted}", param=key)
    return result
