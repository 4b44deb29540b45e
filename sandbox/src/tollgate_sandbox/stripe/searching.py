"""A part of Stripe's search language: clauses joined by AND or by OR, on fields and on metadata."""

import re
from typing import Any

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.errors import invalid

_CLAUSE = re.compile(
    r"""\s*(?P<no>-)?(?P<field>[a-z_.]+)(?:\[["'](?P<key>[^"']+)["']\])?"""
    r"""(?P<op>:|~|>=|<=|>|<)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"']+))\s*"""
)
_WORD = re.compile(r"(AND|OR)(?=\s)")


def search(things: list[Json], params: Json, url: str) -> Json:
    """The newest first; pages are numbered, as the token that Stripe hands out says nothing."""
    test = _Query(params["query"])
    found = [thing for thing in reversed(things) if test.fits(thing)]
    limit, start = params.get("limit", 10), _start(params.get("page"))
    end = start + limit
    more = len(found) > end
    return {
        "object": "search_result",
        "data": found[start:end],
        "has_more": more,
        "next_page": str(end) if more else None,
        "url": url,
    }


def _start(token: str | None) -> int:
    if token is not None and not token.isdigit():
        raise invalid("Invalid page token.", param="page")
    return int(token or 0)


class _Query:
    def __init__(self, query: str) -> None:
        self._clauses: list[re.Match[str]] = []
        words: set[str] = set()
        at = 0
        while True:
            clause = _CLAUSE.match(query, at)
            if clause is None:
                raise invalid(f"We were unable to parse your search query near: {query[at:][:40]}", param="query")
            self._clauses.append(clause)
            at = clause.end()
            if at >= len(query):
                break
            word = _WORD.match(query, at)
            words.add(word[1] if word else "AND")
            at = word.end() if word else at
        if len(words) > 1:
            raise invalid("You can't mix AND and OR in a search query.", param="query")
        self._combine = any if words == {"OR"} else all

    def fits(self, thing: Json) -> bool:
        return self._combine(_fits(clause, thing) for clause in self._clauses)


def _fits(clause: re.Match[str], thing: Json) -> bool:
    wanted = next(value for value in clause.group("double", "single", "bare") if value is not None)
    value = _reach(thing, clause["field"], clause["key"])
    return _compare(value, clause["op"], wanted) != bool(clause["no"])


def _reach(thing: Json, field: str, key: str | None) -> Any:
    value: Any = thing
    for part in [*field.split("."), *([key] if key else [])]:
        value = as_object(value).get(part)
    return value


def _compare(value: Any, operator: str, wanted: str) -> bool:
    if wanted == "null":
        return value is None
    if value is None:
        return False
    if operator in {":", "~"}:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return wanted.lower() in text.lower() if operator == "~" else text.lower() == wanted.lower()
    if not (isinstance(value, int) and wanted.isdigit()):
        return False
    bound = int(wanted)
    return {">": value > bound, "<": value < bound, ">=": value >= bound, "<=": value <= bound}[operator]
