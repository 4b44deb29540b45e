"""Idempotency keys: the first answer is kept for a day and given again."""

from collections import deque
from dataclasses import asdict, dataclass
from hashlib import sha256

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.errors import StripeError

KEPT_SECONDS = 24 * 3600
LONGEST = 255


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer under its key."""

    key: str
    fingerprint: str
    created: int
    status: int
    body: str


class Idempotency:
    """Answers by key; keys in use by a request that has not been answered yet."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._order: deque[Kept] = deque()
        self._running: set[str] = set()

    def begin(self, key: str, fingerprint: str, now: int) -> Kept | None:
        """The answer given before, or None when this request is the first; raises StripeError."""
        if len(key) > LONGEST:
            raise StripeError(400, f"Idempotency keys are at most {LONGEST} characters long", kind="idempotency_error")
        self._forget(now)
        kept = self._kept.get(key)
        if kept is None:
            if key in self._running:
                raise StripeError(
                    409,
                    "There is currently another in-progress request using this Idempotent Key (that probably means"
                    f" you submitted twice, and the other request is still going through): {key}.",
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._running.add(key)
        elif kept.fingerprint != fingerprint:
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
                f" Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return kept

    def end(self, key: str) -> None:
        """The request is over, with or without an answer to keep."""
        self._running.discard(key)

    def keep(self, key: str, fingerprint: str, now: int, status: int, body: bytes) -> None:
        """Keep an answer."""
        kept = Kept(key, fingerprint, now, status, body.decode())
        self._kept[key] = kept
        self._order.append(kept)

    def _forget(self, now: int) -> None:
        while self._order and self._order[0].created + KEPT_SECONDS <= now:
            old = self._order.popleft()
            if self._kept.get(old.key) is old:
                del self._kept[old.key]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._order.clear()

    def dump(self) -> list[Json]:
        """Everything, for the state file."""
        return [asdict(kept) for kept in self._order]

    def load(self, saved: list[Json]) -> None:
        """Take up what was dumped."""
        self.clear()
        for one in saved:
            self._order.append(Kept(**one))
            self._kept[one["key"]] = self._order[-1]


def fingerprint(method: str, path: str, body: str) -> str:
    """What two requests with one key must have in common."""
    return sha256(f"{method} {path}\n{body}".encode()).hexdigest()
