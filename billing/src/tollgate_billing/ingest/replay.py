"""Putting dead letters back on their stream, after whatever refused them has been mended."""

from tollgate_billing.clock import Clock
from tollgate_billing.ingest.streams import Streams
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.letters import mark_replayed, open_letter_ids, read_letters

_PAGE = 500


def replay(database: Database, streams: Streams, clock: Clock, letter_id: str | None = None) -> int:
    """Append one letter (by its id or its event's), or all that were not replayed yet, and mark them. Answers how many.

    A crash in between appends a letter twice, and the ledger takes it once. One that is refused again is open again.
    """
    with database.read() as connection:
        ids = open_letter_ids(connection) if letter_id is None else [letter_id]
    count = 0
    for start in range(0, len(ids), _PAGE):
        # Marked and appended in one transaction: a refusal that comes back quickly waits for it, and opens it again.
        with database.write() as connection:
            letters = read_letters(connection, ids[start : start + _PAGE])
            mark_replayed(connection, [letter.id for letter in letters], clock())
            streams.append((letter.partition, letter.body) for letter in letters)
        count += len(letters)
    return count
