"""Credit notes: what is given back of lines of a closed statement. The statement stays as it is; each line becomes a
credit on the next one."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.tables import credit_notes, statement_lines, statements
from tollgate_billing.statements.charges import Charge, add_charge
from tollgate_billing.statements.store import StoredStatement
from tollgate_core.money import Money
from tollgate_core.pricing import LineKey


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
    left = _left(connection, statement)
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


def _left(connection: Connection, statement: StoredStatement) -> dict[int, int]:
    """Minor units of each line, by its number from 1, that neither a credit note nor a later statement's correction of
    the same usage has given back."""
    charged: dict[LineKey, int] = defaultdict(int)
    credited: dict[LineKey, int] = defaultdict(int)
    mine: dict[int, tuple[LineKey, int]] = {}
    for line_statement, number, key, minor, given in _charged(connection, statement):
        charged[key] += minor
        credited[key] += given
        if line_statement == statement.id:
            mine[number] = key, minor - given
    return {line: min(minor, charged[key] - credited[key]) for line, (key, minor) in mine.items()}


def _charged(connection: Connection, statement: StoredStatement) -> Iterator[tuple[str, int, LineKey, int, int]]:
    """(statement, number of the line from 1, what it charges, minor units, those of credit notes) of all statements of
    the customer."""
    li, s, n = statement_lines.c, statements.c, credit_notes.c
    sums = select(n.statement, n.line, func.sum(n.minor).label("minor")).where(n.subscription == statement.subscription)
    given = sums.group_by(n.statement, n.line).subquery()
    query = (
        select(li.statement, li.line, li.price, li.version, li.start_ms, li.minor, func.coalesce(given.c.minor, 0))
        .join(statements, s.id == li.statement)
        .outerjoin(given, (given.c.statement == li.statement) & (given.c.line == li.line + 1))
        .where(li.subscription == statement.subscription, s.customer == statement.customer)
    )
    for row in connection.execute(query):
        yield row[0], row[1] + 1, (row[2], row[3], row[4]), row[5], int(row[6])


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
