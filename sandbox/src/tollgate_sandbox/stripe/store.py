"""All objects of the simulated account."""

from collections import defaultdict

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.store import Objects
from tollgate_sandbox.stripe.errors import missing


class Store(Objects):
    """Objects that also know their invoice, and what is left of those that were deleted."""

    def __init__(self) -> None:
        super().__init__(lambda thing: str(thing["object"]))
        self._of_invoice: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
        self.deleted: dict[str, Json] = {}

    def add(self, thing: Json) -> Json:
        """Keep an object."""
        if thing.get("invoice"):
            self._of_invoice[thing["object"]][thing["invoice"]].append(thing)
        return super().add(thing)

    def remove(self, thing: Json) -> None:
        """Forget an object, keeping only that it was there."""
        super().remove(thing)
        if thing.get("invoice"):
            self._of_invoice[thing["object"]][thing["invoice"]].remove(thing)
        self.deleted[thing["id"]] = {"id": thing["id"], "object": thing["object"], "deleted": True}

    def get(self, kind: str, id_: str, param: str, status: int = 400) -> Json:
        """An object that a parameter names; raises StripeError."""
        found = self.of_kind(kind, id_)
        if found is None:
            raise missing(kind, id_, param, status)
        return found

    def of_invoice(self, kind: str, invoice: str) -> list[Json]:
        """Lines, items or payments of an invoice, oldest first, without looking through those of all others."""
        return list(self._of_invoice[kind][invoice])

    def place(self, thing: Json, invoice: str) -> None:
        """Put an object on an invoice."""
        thing["invoice"] = invoice
        self._of_invoice[thing["object"]][invoice].append(thing)

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._of_invoice.clear()
        self.deleted.clear()

    def dump(self) -> Json:
        """Everything, by kind."""
        return {**super().dump(), "deleted": self.deleted}

    def load(self, state: Json) -> None:
        """Take up what was dumped."""
        super().load(state)
        self.deleted.update(state["deleted"])
