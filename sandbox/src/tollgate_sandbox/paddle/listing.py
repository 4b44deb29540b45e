"""Lists, their filters and pages."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import TypeAlias, cast
from urllib.parse import urlencode

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import bad_request
from tollgate_sandbox.paddle.queries import PAGER

MOST = 200
_ORDER = re.compile(r"(\w+)\[(asc|desc)\]", re.IGNORECASE)
_COMPARED = re.compile(r"(\w+)\[(LT|LTE|GT|GTE)\]")
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {"LT": lt, "LTE": le, "GT": gt, "GTE": ge}
Filter: TypeAlias = Callable[[Json, list[str]], bool]


def matching(things: Sequence[Json], query: Json, special: Mapping[str, Filter]) -> list[Json]:
    """Those that all filters let through; most parameters are named as the field they compare."""
    for name, value in query.items():
        if name in {*PAGER, "include"}:
            continue
        wanted = cast(list[str], value) if isinstance(value, list) else [str(value)]
        things = [thing for thing in things if _fits(thing, name, wanted, special)]
    return list(things)


def _fits(thing: Json, name: str, wanted: list[str], special: Mapping[str, Filter]) -> bool:
    if name in special:
        return special[name](thing, wanted)
    compared = _COMPARED.fullmatch(name)
    if compared is None:
        return thing.get(name) in wanted
    have: str | None = thing.get(compared[1])
    bound = wanted[0]
    if have is None:
        return False
    return _COMPARISONS[compared[2]](have, bound)


def page(things: Sequence[Json], query: Json, url: str, most: int = MOST) -> tuple[list[Json], Json]:
    """One page, and where the next one is."""
    field, descending = _order(query.get("order_by", "id[asc]"))
    ordered = sorted(things, key=lambda thing: (str(thing.get(field) or ""), thing["id"]), reverse=descending)
    wanted: str = query.get("per_page", "50")
    if not wanted.isdigit() or wanted == "0":
        raise bad_request(("per_page", "must be a whole number above 0"))
    size, start = min(int(wanted), most), 0
    if "after" in query:
        ids = [thing["id"] for thing in ordered]
        if query["after"] not in ids:
            raise bad_request(("after", "must be the id of an entity in the list"))
        start = ids.index(query["after"]) + 1
    shown = ordered[start : start + size]
    last = shown[-1]["id"] if shown else query.get("after", "")
    following = urlencode({**{name: _sent(value) for name, value in query.items()}, "per_page": size, "after": last})
    return shown, {
        "per_page": size,
        "next": f"{url}?{following}",
        "has_more": start + size < len(ordered),
        "estimated_total": len(ordered),
    }


def _sent(value: object) -> str:
    """A parameter as it came."""
    return ",".join(cast(list[str], value)) if isinstance(value, list) else str(value)


def _order(text: str) -> tuple[str, bool]:
    found = _ORDER.fullmatch(text)
    if found is None:
        raise bad_request(("order_by", "must be a field with [ASC] or [DESC]"))
    return found[1], found[2].lower() == "desc"
