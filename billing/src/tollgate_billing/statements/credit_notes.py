"""Credit notes: what is given back of lines of a closed statement. The statement stays as it is; each line becomes a
credit on the next one."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.tables import credit_notes, statement_lines
from tollgate_billing.statements.charges import Charge, add_charge
from tollgate_billing.statements.store import StoredStatement
from tollgate_core.money import Money


class CreditRefusedError(Exception):
    """Says why."""


@dataclass(frozen=True)
class CreditLine:
    """``minor`` is positive: what the customer gets back. ``line`` counts from 1."""

    id: str
    line: int
    statement: str
    subscription: str
    minor: int
    currency: str
    reason: str
    recorded_ms: int


def credit_lines(connection: Connection, statement: str) -> list[CreditLine]:
    """Of all credit notes of a statement, in the order in which they were written."""
    n = credit_notes.c
    query = select(credit_notes).where(n.statement == statement).order_by(n.recorded_ms, n.id, n.line)
    return [CreditLine(**row) for row in connection.execute(query).mappings()]


def write_credit_note(
    connection: Connection,
    statement: StoredStatement,
    note_id: str,
    wanted: Mapping[int, int | None],
    reason: str,
    now_ms: int,
) -> list[CreditLine]:
    """``wanted``: minor units by line; None is all that is left of the line. Once for each id. The caller has locked
    the subscription. Raises CreditRefusedError where more would be given back than was charged."""
    there = _of_note(connection, note_id)
    if there:
        if {line.statement for line in there} != {statement.id} or {line.line for line in there} != set(wanted):
            raise CreditRefusedError(f"the credit note {note_id} is there already, with another content")
        return there
    left = _left(connection, statement.id)
    made = [
        CreditLine(
            id=note_id,
            line=line,
            statement=statement.id,
            subscription=statement.subscription,
            minor=_allowed(line, minor, left, statement.currency),
            currency=statement.currency,
            reason=reason,
            recorded_ms=now_ms,
        )
        for line, minor in sorted(wanted.items())
    ]
    connection.execute(insert(credit_notes), [vars(line) for line in made])
    for line in made:
        try:
            add_charge(connection, _charge(line))
        except ValueError as error:
            raise CreditRefusedError(str(error)) from error
    return made


def _allowed(line: int, wanted: int | None, left: Mapping[int, int], currency: str) -> int:
    if line not in left:
        raise CreditRefusedError(f"the statement has no line {line}")
    minor = left[line] if wanted is None else wanted
    if left[line] <= 0:
        raise CreditRefusedError(f"line {line}: nothing of it is left to be credited")
    if not 0 < minor <= left[line]:
        raise CreditRefusedError(f"line {line}: at most {Money(left[line], currency)} of it can be credited")
    return minor


def _left(connection: Connection, statement: str) -> dict[int, int]:
    """Minor units of each line, by its number from 1, that no credit note has given back."""
    li, n = statement_lines.c, credit_notes.c
    charged = connection.execute(select(li.line, li.minor).where(li.statement == statement))
    query = select(n.line, func.sum(n.minor)).where(n.statement == statement).group_by(n.line)
    credited = {int(row[0]): int(row[1]) for row in connection.execute(query)}
    return {row[0] + 1: row[1] - credited.get(row[0] + 1, 0) for row in charged}


def _of_note(connection: Connection, note_id: str) -> list[CreditLine]:
    n = credit_notes.c
    found = connection.execute(select(credit_notes).where(n.id == note_id).order_by(n.line)).mappings()
    return [CreditLine(**row) for row in found]


def _charge(line: CreditLine) -> Charge:
    return Charge(
        id=f"credit-note.{line.id}.{line.line}",
        subscription=line.subscription,
        at_ms=line.recorded_ms,
        minor=-line.minor,
        currency=line.currency,
        comment=f"{line.reason} (credit note {line.id} for line {line.line} of {line.statement})",
        recorded_ms=line.recorded_ms,
    )
