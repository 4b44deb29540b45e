"""One request after it was checked, and the helpers that all operations share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.errors import bad_request
from tollgate_sandbox.paddle.listing import MOST, Filter, matching, page
from tollgate_sandbox.paddle.times import text_of_micros
from tollgate_sandbox.paddle.world import World
from tollgate_sandbox.payments.params import Params as Read
from tollgate_sandbox.payments.store import Objects


class Params(Read):
    """A body; what is missing is told as Paddle tells it."""

    def missing(self, key: str) -> Exception:
        """The refusal."""
        return bad_request((key, "is required"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers beyond a single object."""

    data: object
    status: int = 200
    pagination: Json | None = None


@dataclass(slots=True)
class Call:
    """A request to carry out."""

    world: World
    path: str
    ids: list[str] = field(default_factory=list[str])
    params: Params = field(default_factory=lambda: Params({}))
    query: Json = field(default_factory=dict[str, object])

    @property
    def store(self) -> Objects:
        """The account's objects."""
        return self.world.store

    @property
    def include(self) -> list[str]:
        """What is to be shown besides the object itself."""
        included: list[str] = self.query.get("include", [])
        return included

    def named(self, kind: str, position: int = 0) -> Json:
        """The object that the path names; 404 when there is none."""
        return self.world.get(kind, self.ids[position])

    def referenced(self, kind: str, param: str) -> Json | None:
        """The object that a field names, if it is given."""
        id_ = self.params.get(param)
        if not id_:
            return None
        found = self.store.of_kind(kind, id_)
        if found is None:
            raise bad_request((param, f"{id_} does not exist"))
        return found

    def listed(
        self,
        things: Sequence[Json],
        show: Callable[[Json], object] = lambda thing: thing,
        special: Mapping[str, Filter] | None = None,
        most: int = MOST,
    ) -> Answer:
        """A page of what the query lets through."""
        shown_until = text_of_micros((self.world.now() - self.world.lag) * 1_000_000)
        if self.world.lag:
            things = [thing for thing in things if thing.get("created_at", "") <= shown_until]
        found = matching(things, self.query, special or {})
        shown, pagination = page(found, self.query, self.world.base_url + self.path, most)
        return Answer([show(one) for one in shown], pagination=pagination)


Act: TypeAlias = Callable[[Call], "Answer | Response | Json"]


@dataclass(frozen=True, slots=True)
class Operation:
    """An endpoint: the SDK's types of its body, its query and its includes, and what it does."""

    method: str
    path: str
    act: Act
    body: type | None = None
    query: type | None = None
    include: type | None = None
    bodies: tuple[type, ...] = ()
    """Where a body may be of several types."""


def assign(thing: Json, params: Json, names: Iterable[str]) -> None:
    """Set the fields that are given."""
    for name in names:
        if name in params:
            thing[name] = params[name]


def within(field_name: str) -> Filter:
    """A filter by a text that is part of a field."""
    return lambda thing, wanted: wanted[0].lower() in str(thing.get(field_name) or "").lower()


def searched(*names: str) -> Filter:
    """A filter by a text that is part of one of several fields."""
    return lambda thing, wanted: any(within(name)(thing, wanted) for name in names)
