"""Bodies held against the dataclasses that the SDK sends.

One mechanism for all endpoints: an unknown field is refused by name, as is one that is missing or of the wrong type.
"""

import types
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from paddle_billing.Entities.DateTime import DateTime
from paddle_billing.Entities.Shared import CustomData, Money
from paddle_billing.PaddleStrEnum import PaddleStrEnum
from paddle_billing.Undefined import Undefined

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import bad_request
from tollgate_sandbox.paddle.times import normal

Wrong = list[tuple[str, str]]
_PLAIN: dict[Any, str] = {type(None): "null", str: "a string", int: "an integer", bool: "a boolean"}


def check(body: object, shape: type) -> Json:
    """The body as that dataclass allows it; raises PaddleError that names every wrong field."""
    wrong: Wrong = []
    checked = _object(body, shape, "", wrong)
    if wrong:
        raise bad_request(*wrong)
    return cast(Json, checked)


@lru_cache(maxsize=1024)
def words(kind: type) -> tuple[str, ...]:
    """The words of an enumeration."""
    return tuple(str(one.value) for one in vars(kind).values() if isinstance(one, PaddleStrEnum))


@lru_cache(maxsize=1024)
def _fields(shape: type) -> dict[str, tuple[tuple[Any, ...], bool]]:
    """Each field's possible types and whether it must be there; a default of None means that null may be sent."""
    hints = get_type_hints(shape)
    known: dict[str, tuple[tuple[Any, ...], bool]] = {}
    for field in fields(cast(Any, shape)):
        options = _options(hints[field.name])
        required = field.default is MISSING and Undefined not in options
        more = (type(None),) if field.default is None else ()
        known[field.name] = (tuple(one for one in options if one is not Undefined) + more, required)
    return known


def _options(hint: Any) -> tuple[Any, ...]:
    parts = get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)
    return tuple(_class_of(one) for one in parts)


def _class_of(hint: Any) -> Any:
    """The SDK names a module in one place, where it means the class in it."""
    return getattr(hint, hint.__name__.rpartition(".")[2]) if isinstance(hint, types.ModuleType) else hint


def _object(value: object, shape: type, path: str, wrong: Wrong) -> Any:
    if not isinstance(value, dict):
        wrong.append((path or "body", "must be an object"))
        return None
    given = cast(Json, value)
    known = _fields(shape)
    wrong += [(_join(path, name), "is not a known field") for name in given if name not in known]
    wrong += [(_join(path, name), "is required") for name, (_, needed) in known.items() if needed and name not in given]
    checked = {
        name: _value(inner, known[name][0], _join(path, name), wrong) for name, inner in given.items() if name in known
    }
    if shape is Money and not str(checked.get("amount")).isdigit():
        wrong.append((_join(path, "amount"), "must be a whole number of minor units as a string"))
    return checked


def _value(value: object, options: Sequence[Any], path: str, wrong: Wrong) -> Any:
    """The first type that fits, else the complaints of the one that fits best."""
    tries: list[Wrong] = []
    for option in options:
        complaints: Wrong = []
        checked = _one(value, option, path, complaints)
        if not complaints:
            return checked
        tries.append(complaints)
    best: Wrong = min(tries, key=_distance)
    wrong += best
    return None


def _distance(complaints: Wrong) -> tuple[int, int]:
    """Complaints from deep inside come from the type that was meant."""
    return -max(field.count(".") for field, _ in complaints), len(complaints)


def _one(value: object, hint: Any, path: str, wrong: Wrong) -> Any:
    if get_origin(hint) is list:
        return _list(value, get_args(hint)[0], path, wrong)
    if hint in {datetime, DateTime}:
        return _time(value, path, wrong)
    if is_dataclass(hint):
        return _object(value, cast(type, hint), path, wrong)
    complaint = _complaint(value, hint)
    if complaint is not None:
        wrong.append((path, complaint))
    return value


def _complaint(value: object, hint: Any) -> str | None:
    """What is wrong with a value that has no parts."""
    if hint is CustomData:
        return None if isinstance(value, dict | list) else "must be an object"
    if issubclass(hint, PaddleStrEnum):
        return None if value in words(hint) else f"must be one of {', '.join(words(hint)[:12])}"
    return None if type(value) is hint else f"must be {_PLAIN[hint]}"


def _list(value: object, inner: Any, path: str, wrong: Wrong) -> list[Any]:
    if not isinstance(value, list):
        wrong.append((path, "must be an array"))
        return []
    items = cast(list[object], value)
    return [_value(one, _options(inner), _join(path, str(at)), wrong) for at, one in enumerate(items)]


def _time(value: object, path: str, wrong: Wrong) -> str | None:
    try:
        return normal(cast(str, value))
    except (TypeError, ValueError):
        wrong.append((path, "must be an RFC 3339 time"))
        return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
