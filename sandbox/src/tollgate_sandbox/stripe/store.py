"""All objects of the simulated account."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.errors import missing


class Store:
    """Objects by id, in the order they were made; and what no answer ever shows, such as how a test card behaves."""

    def __init__(self) -> None:
        self._objects: dict[str, Json] = {}
        self._kinds: dict[str, dict[str, Json]] = defaultdict(dict)
        self._of_invoice: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
        self.hidden: dict[str, Json] = {}
        self.deleted: dict[str, Json] = {}

    def add(self, thing: Json) -> Json:
        """Keep an object."""
        self._objects[thing["id"]] = thing
        self._kinds[thing["object"]][thing["id"]] = thing
        if thing.get("invoice"):
            self._of_invoice[thing["object"]][thing["invoice"]].append(thing)
        return thing

    def remove(self, thing: Json) -> None:
        """Forget an object, keeping only that it was there."""
        del self._objects[thing["id"]]
        del self._kinds[thing["object"]][thing["id"]]
        if thing.get("invoice"):
            self._of_invoice[thing["object"]][thing["invoice"]].remove(thing)
        self.deleted[thing["id"]] = {"id": thing["id"], "object": thing["object"], "deleted": True}

    def get(self, kind: str, id_: str, param: str, status: int = 400) -> Json:
        """An object that a parameter names; raises StripeError."""
        found = self._kinds[kind].get(id_)
        if found is None:
            raise missing(kind, id_, param, status)
        return found

    def find(self, id_: object) -> Json | None:
        """The object with that id, whatever it is."""
        return self._objects.get(id_) if isinstance(id_, str) else None

    def all(self, kind: str, where: Callable[[Json], bool] | None = None) -> list[Json]:
        """Objects of a kind, oldest first."""
        return [thing for thing in self._kinds[kind].values() if where is None or where(thing)]

    def of_invoice(self, kind: str, invoice: str) -> list[Json]:
        """Lines, items or payments of an invoice, oldest first, without looking through those of all others."""
        return list(self._of_invoice[kind][invoice])

    def place(self, thing: Json, invoice: str) -> None:
        """Put an object on an invoice."""
        thing["invoice"] = invoice
        self._of_invoice[thing["object"]][invoice].append(thing)

    def drop_oldest(self, kind: str, kept: int) -> None:
        """Keep only so many of a kind."""
        things = self._kinds[kind]
        while len(things) > kept:
            del self._objects[next(iter(things))]
            del things[next(iter(things))]

    def clear(self) -> None:
        """Forget everything."""
        for part in (self._objects, self._kinds, self._of_invoice, self.hidden, self.deleted):
            part.clear()

    def dump(self) -> Json:
        """Everything, by kind."""
        kinds = {kind: list(things.values()) for kind, things in self._kinds.items() if things}
        return {"objects": kinds, "hidden": self.hidden, "deleted": self.deleted}

    def load(self, state: Json) -> None:
        """Take up what was dumped."""
        self.clear()
        for things in state["objects"].values():
            for thing in things:
                self.add(thing)
        self.hidden.update(state["hidden"])
        self.deleted.update(state["deleted"])

    def __iter__(self) -> Iterator[Json]:
        return iter(self._objects.values())
