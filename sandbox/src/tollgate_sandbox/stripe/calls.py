"""One request after its parameters were checked, and the helpers that all operations share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias, cast

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.payments.params import Params as Read
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.listing import matching, page
from tollgate_sandbox.stripe.searching import search
from tollgate_sandbox.stripe.store import Store
from tollgate_sandbox.stripe.world import World

MOST_KEYS, LONGEST_KEY, LONGEST_VALUE = 50, 40, 500


class Params(Read):
    """Parameters; what is missing is told as Stripe tells it."""

    def __init__(self, values: Json) -> None:
        super().__init__(values, ("expand",))

    def missing(self, key: str) -> Exception:
        """The refusal."""
        return invalid(f"Missing required param: {key}.", code="parameter_missing", param=key)


@dataclass(slots=True)
class Call:
    """A request to carry out."""

    world: World
    path: str
    ids: list[str] = field(default_factory=list[str])
    params: Params = field(default_factory=lambda: Params({}))

    @property
    def store(self) -> Store:
        """The account's objects."""
        return self.world.store

    def named(self, kind: str, position: int = 0) -> Json:
        """The object that the path names; 404 when there is none."""
        return self.store.get(kind, self.ids[position], "id", 404)

    def referenced(self, kind: str, param: str) -> Json | None:
        """The object that a parameter names, if it is given."""
        id_ = self.params.get(param)
        return self.store.get(kind, id_, param) if id_ else None

    def listed(self, kind: str, *equal: str, where: Callable[[Json], bool] | None = None) -> Json:
        """A page of a kind, filtered by the parameters of those names."""
        things = matching(self.store.all(kind, where), self.params, equal)
        return page(things, self.params, self.path)

    def searched(self, kind: str) -> Json:
        """Search results of a kind."""
        shown_until = self.world.now() - self.world.lag
        things = self.store.all(kind, lambda one: not self.world.lag or bool(one["created"] <= shown_until))
        return search(things, self.params, self.path)


Act: TypeAlias = Callable[[Call], Json]


@dataclass(frozen=True, slots=True)
class Operation:
    """An endpoint: the SDK's type of its parameters, and what it does."""

    method: str
    path: str
    shape: type | None
    act: Act


def assign(thing: Json, params: Json, names: Iterable[str]) -> Json:
    """Set the fields that are given, an empty text clearing them; what they were before, for the event."""
    before: Json = {}
    for name in names:
        if name not in params:
            continue
        value = merged(as_object(thing["metadata"]), params[name]) if name == "metadata" else plain(params[name])
        value = None if value == "" else value
        if thing.get(name) != value:
            before[name] = thing.get(name)
            thing[name] = value
    return before


def merged(metadata: Json, change: Any) -> Json:
    """Metadata with a change: empty values remove their keys, an empty text removes all."""
    if change == "":
        return {}
    for key, value in cast(Json, change).items():
        if len(key) > LONGEST_KEY or "[" in key:
            raise invalid(
                f"Metadata keys can have up to {LONGEST_KEY} characters and no brackets.", param=f"metadata[{key}]"
            )
        if len(value) > LONGEST_VALUE:
            raise invalid(f"Metadata values can have up to {LONGEST_VALUE} characters.", param=f"metadata[{key}]")
    result = {key: value for key, value in {**metadata, **change}.items() if value != ""}
    if len(result) > MOST_KEYS:
        raise invalid(f"You can have up to {MOST_KEYS} metadata keys.", param="metadata")
    return result


def plain(value: Any) -> Any:
    """A value as it appears in objects: decimals are texts there."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in cast(Json, value).items()}
    return value


def decimal_text(value: Decimal) -> str:
    """Without exponent and without zeros that say nothing."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def address(value: Any) -> Json | None:
    """An address with all its parts."""
    if not value:
        return None
    return {part: value.get(part) or None for part in ("city", "country", "line1", "line2", "postal_code", "state")}
