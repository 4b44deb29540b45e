"""Faults on demand: what a network or an overloaded provider does to a request, before or after its effect."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.payments.reading import Fields


class Kind(StrEnum):
    """Where in the exchange it breaks."""

    ANSWER_LOST = "answer_lost"
    """The effect happens; the connection is closed without an answer."""
    REFUSED = "refused"
    """The connection is closed before the effect."""
    STATUS = "status"
    """An error status before the effect."""
    ERROR_AFTER = "error_after"
    """The effect happens; the answer is an error."""
    SLOW = "slow"
    """The effect waits."""


@dataclass(slots=True)
class Fault:
    """One order for trouble; it ends when `times` requests have met it."""

    id: int
    kind: Kind
    method: str
    path: str
    """A glob such as /v1/invoices/*/finalize."""
    times: int
    skip: int
    """How many matching requests pass first."""
    status: int
    retry_after: int | None
    ms: int


class Faults:
    """The orders in force, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._next = 1

    def add(self, order: Json) -> Fault:
        """Take an order; raises ValueError where it is unclear."""
        fields = Fields(order)
        kind = Kind(fields.choice("kind", [kind.value for kind in Kind]))
        status = fields.whole("status", 500 if kind is Kind.ERROR_AFTER else 503, least=400)
        fault = Fault(
            id=self._next,
            kind=kind,
            method=fields.text("method", "*").upper(),
            path=fields.text("path", "*"),
            times=fields.whole("times", 1, least=1),
            skip=fields.whole("skip", 0),
            status=status,
            retry_after=fields.whole("retry_after", 1) if status == 429 or "retry_after" in order else None,
            ms=fields.whole("ms", 100),
        )
        fields.end()
        self._next += 1
        self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """The fault this request meets; counting it."""
        for fault in self._faults:
            if not (fault.method in {"*", method} and fnmatchcase(path, fault.path)):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
            return fault
        return None

    def all(self) -> list[Json]:
        """The orders in force."""
        return [asdict(fault) for fault in self._faults]

    def clear(self) -> None:
        """Forget all orders."""
        self._faults.clear()
