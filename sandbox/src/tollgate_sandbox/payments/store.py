"""All objects of a simulated account."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from tollgate_sandbox.jsons import Json


class Objects:
    """Objects by id, in the order they were made; and what no answer ever shows, such as how a test card behaves."""

    def __init__(self, kind_of: Callable[[Json], str]) -> None:
        self._kind_of = kind_of
        self._objects: dict[str, Json] = {}
        self._kinds: dict[str, dict[str, Json]] = defaultdict(dict)
        self.hidden: dict[str, Json] = {}

    def add(self, thing: Json) -> Json:
        """Keep an object."""
        self._objects[thing["id"]] = thing
        self._kinds[self._kind_of(thing)][thing["id"]] = thing
        return thing

    def remove(self, thing: Json) -> None:
        """Forget an object."""
        del self._objects[thing["id"]]
        del self._kinds[self._kind_of(thing)][thing["id"]]

    def of_kind(self, kind: str, id_: object) -> Json | None:
        """The object with that id, if it is of that kind."""
        return self._kinds[kind].get(id_) if isinstance(id_, str) else None

    def find(self, id_: object) -> Json | None:
        """The object with that id, whatever it is."""
        return self._objects.get(id_) if isinstance(id_, str) else None

    def all(self, kind: str, where: Callable[[Json], bool] | None = None) -> list[Json]:
        """Objects of a kind, oldest first."""
        return [thing for thing in self._kinds[kind].values() if where is None or where(thing)]

    def drop_oldest(self, kind: str, kept: int) -> None:
        """Keep only so many of a kind."""
        things = self._kinds[kind]
        while len(things) > kept:
            oldest = next(iter(things))
            del self._objects[oldest]
            del things[oldest]
            self.hidden.pop(oldest, None)

    def clear(self) -> None:
        """Forget everything."""
        self._objects.clear()
        self._kinds.clear()
        self.hidden.clear()

    def dump(self) -> Json:
        """Everything, by kind."""
        kinds = {kind: list(things.values()) for kind, things in self._kinds.items() if things}
        return {"objects": kinds, "hidden": self.hidden}

    def load(self, state: Json) -> None:
        """Take up what was dumped."""
        self.clear()
        for things in state["objects"].values():
            for thing in things:
                self.add(thing)
        self.hidden.update(state["hidden"])

    def __iter__(self) -> Iterator[Json]:
        return iter(self._objects.values())
