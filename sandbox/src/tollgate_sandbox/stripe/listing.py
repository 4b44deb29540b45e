"""Lists and their pages, newest first."""

from collections.abc import Sequence
from typing import Any, cast

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.errors import invalid


def page(things: Sequence[Json], params: Json, url: str) -> Json:
    """One page of what is given newest first."""
    limit: int = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
    rest = [thing for thing in things if _within(thing.get("created"), params.get("created"))]
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You may only specify one of these parameters: starting_after, ending_before.")
    if "ending_before" in params:
        before = rest[: _position(rest, params["ending_before"], "ending_before")]
        return _answer(before[-limit:], len(before) > limit, url)
    if "starting_after" in params:
        rest = rest[_position(rest, params["starting_after"], "starting_after") + 1 :]
    return _answer(rest[:limit], len(rest) > limit, url)


def matching(things: Sequence[Json], params: Json, names: Sequence[str]) -> list[Json]:
    """Those whose fields equal the parameters of the same name, newest first."""
    wanted = {name: params[name] for name in names if name in params}
    return [thing for thing in reversed(things) if all(thing.get(name) == value for name, value in wanted.items())]


def _answer(data: list[Json], more: bool, url: str) -> Json:
    return {"object": "list", "data": data, "has_more": more, "url": url}


def _position(things: Sequence[Json], id_: str, param: str) -> int:
    for position, thing in enumerate(things):
        if thing["id"] == id_:
            return position
    raise invalid(f"No such object: '{id_}'", code="resource_missing", param=param)


def _within(created: Any, wanted: Any) -> bool:
    if wanted is None or created is None:
        return True
    if isinstance(wanted, int):
        return bool(created == wanted)
    bounds = cast(dict[str, int], wanted)
    return bool(
        created > bounds.get("gt", -1)
        and created >= bounds.get("gte", 0)
        and created < bounds.get("lt", 1 << 62)
        and created <= bounds.get("lte", 1 << 62)
    )
