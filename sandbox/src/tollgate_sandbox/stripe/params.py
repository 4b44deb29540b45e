"""Parameters checked against the types the SDK itself was generated with.

One mechanism for all endpoints: a form knows only texts and nesting; the TypedDict of the SDK's method says what they
are to be. An unknown parameter is refused by name, as is one of the wrong type.
"""

import types
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin

from stripe import RequestOptions
from typing_extensions import get_type_hints, is_typeddict

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.errors import StripeError, invalid

MAX_DECIMALS = 12
SHOWN = 12
"""How many of the possible words an error names."""
_NOT_SENT = frozenset(RequestOptions.__annotations__)
_UNSEEN: dict[str, Any] = {"StripeContext": str, "Mapping": Mapping}
"""Names that the options' types use and the modules that inherit them do not import."""


def check(params: Json, shape: type) -> Json:
    """The parameters with the types of that TypedDict; raises StripeError."""
    return _object(params, shape, "")


@lru_cache(maxsize=1024)
def _fields(shape: type) -> dict[str, tuple[Any, bool]]:
    """Each field's type and whether it must be there; options of the request itself are no parameters."""
    hints = get_type_hints(shape, localns=_UNSEEN, include_extras=True)
    return {name: _required(hint) for name, hint in hints.items() if name not in _NOT_SENT}


def _required(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) is NotRequired:
        return get_args(hint)[0], False
    return (get_args(hint)[0] if get_origin(hint) is Required else hint), True


def _object(value: Json, shape: type, path: str) -> Json:
    fields = _fields(shape)
    for name in value:
        if name not in fields:
            full = _join(path, name)
            raise invalid(f"Received unknown parameter: {full}", code="parameter_unknown", param=full)
    for name, (_, required) in fields.items():
        if required and name not in value:
            full = _join(path, name)
            raise invalid(f"Missing required param: {full}.", code="parameter_missing", param=full)
    return {name: _value(inner, fields[name][0], _join(path, name)) for name, inner in value.items()}


def _value(value: Any, hint: Any, path: str) -> Any:
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        return _union(value, get_args(hint), path)
    if origin is Literal:
        if value in get_args(hint):
            return value
        words = [str(word) for word in get_args(hint) if word]
        more = f" (and {len(words) - SHOWN} more)" if len(words) > SHOWN else ""
        raise invalid(f"Invalid {path}: must be one of {', '.join(words[:SHOWN])}{more}", param=path)
    if is_typeddict(hint):
        return _object(_mapping(value, path), hint, path)
    if origin is list:
        return _list(value, get_args(hint)[0], path)
    if isinstance(hint, type) and issubclass(hint, (str, int, float, Decimal)):
        return _leaf(value, hint, path)
    inner = get_args(hint)[-1] if get_args(hint) else str
    return {key: _value(one, inner, _join(path, key)) for key, one in _mapping(value, path).items()}


def _union(value: Any, options: tuple[Any, ...], path: str) -> Any:
    """The first member that fits; a union of known words with `str` means the words, which the API itself enforces."""
    words = [option for option in options if get_origin(option) is Literal and any(get_args(option))]
    tried = [option for option in options if not (words and option is str)]
    failures: list[StripeError] = []
    for option in tried:
        try:
            return _value(value, option, path)
        except StripeError as failure:
            failures.append(failure)
    raise max(failures, key=lambda failure: (len(failure.param or ""), failure.code is not None))


def _mapping(value: Any, path: str) -> Json:
    if isinstance(value, dict):
        return cast(Json, value)
    raise invalid(f"Invalid object: {path}", code="parameter_invalid_object", param=path)


def _list(value: Any, inner: Any, path: str) -> list[Any]:
    if isinstance(value, dict):
        items = cast(Json, value)
        if all(key.isdigit() for key in items):
            ordered = sorted(items.items(), key=lambda pair: int(pair[0]))
            return [_value(one, inner, f"{path}[{key}]") for key, one in ordered]
    raise invalid(f"Invalid array: {path}", code="parameter_invalid_array", param=path)


def _leaf(value: Any, hint: type, path: str) -> Any:
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {path}", code="parameter_invalid_string", param=path)
    if hint is str:
        if len(value) > 5000:
            raise invalid(f"Invalid string: {path} is too long", code="parameter_invalid_string", param=path)
        return value
    if hint is bool:
        if value in {"true", "false"}:
            return value == "true"
        raise invalid(f"Invalid boolean: {value}", code="parameter_invalid_boolean", param=path)
    return _integer(value, path) if hint is int else _decimal(value, path)


def _integer(value: str, path: str) -> int:
    if value.removeprefix("-").isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)


def _decimal(value: str, path: str) -> Decimal:
    """Plain notation only: an exponent, which str() of a small Decimal yields, is refused here as a warning to us."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or "e" in value.lower():
        raise invalid(f"Invalid decimal: {value}", code="parameter_invalid_decimal", param=path)
    if exponent < -MAX_DECIMALS:
        message = f"Invalid decimal: {value} has more than {MAX_DECIMALS} decimal places"
        raise invalid(message, code="parameter_invalid_decimal", param=path)
    return number


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
