"""What to do with an event whose id may be known already. Pure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

CONFLICT_REASON = "conflicts with the recorded event of this id"

Judgement = Literal["new", "duplicate", "correction", "conflict", "refused"]


class Known(NamedTuple):
    """What is recorded of an event (revision 0) or of its correction."""

    revision: int
    subscription: str
    quality: str
    witness: str
    payload_hash: str


def knowledge(quality: str, witness: str) -> int:
    """How much a record is worth: 0 a guess from the hold, 1 an inexact count by a witness, 2 an exact count."""
    if quality == "exact":
        return 2
    return 0 if witness == "hold" else 1


def judge(known: Sequence[Known], subscription: str, quality: str, witness: str, payload_hash: str) -> Judgement:
    """``known`` holds every revision in order, the standing one last. Better knowledge corrects; equal content is a
    repetition, whoever reports it; all else contradicts."""
    if not known:
        return "new"
    standing = known[-1]
    if subscription != standing.subscription:
        return "conflict"
    improves = knowledge(quality, witness) > knowledge(standing.quality, standing.witness)
    repeats = any(record.payload_hash == payload_hash for record in known)
    if repeats and not (improves and quality == "exact"):
        return "duplicate"
    return "correction" if improves else "conflict"
