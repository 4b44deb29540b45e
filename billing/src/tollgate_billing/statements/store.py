"""Rows of statements: written once, chained by their hashes, never changed."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, select

from tollgate_billing.ledger.tables import statement_lines, statements
from tollgate_core.pricing import Billed, Carried, History, LineKey


@dataclass(frozen=True)
class StoredStatement:
    """``body`` is the whole statement as JSON; ``hash`` covers it and the hash of the statement before."""

    id: str
    subscription: str
    sequence: int
    customer: str
    closed_ms: int
    cut_ms: int
    currency: str
    total_minor: int
    brought_minor: int
    applied_minor: int
    due_minor: int
    body: str
    previous_hash: str
    hash: str


def statement_id(subscription: str, sequence: int) -> str:
    """The same for everybody who would write it: a unique key keeps the second one out."""
    digest = hashlib.sha256(f"{subscription}:{sequence}".encode()).hexdigest()
    return f"st_{digest[:24]}"


def chain_hash(previous_hash: str, body: str) -> str:
    """Of a statement: an edit of it, or of any before it, shows."""
    return hashlib.sha256(f"{previous_hash}\n{body}".encode()).hexdigest()


def last_statement(connection: Connection, subscription: str) -> StoredStatement | None:
    """The newest one."""
    s = statements.c
    query = select(statements).where(s.subscription == subscription).order_by(s.sequence.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else StoredStatement(**row)


def list_statements(
    connection: Connection, subscription: str | None = None, *, after: str = "", limit: int = 100
) -> list[StoredStatement]:
    """By time; ``after`` is the id of the last one of the page before."""
    s = statements.c
    query = select(statements).limit(limit)
    reached = find_statement(connection, after) if after else None
    if subscription is not None:
        query = query.where(s.subscription == subscription).order_by(s.sequence)
        if reached is not None:
            query = query.where(s.sequence > reached.sequence)
    else:
        query = query.order_by(s.closed_ms, s.id)
        if reached is not None:
            moment = reached.closed_ms
            query = query.where((s.closed_ms > moment) | ((s.closed_ms == moment) & (s.id > after)))
    return [StoredStatement(**row) for row in connection.execute(query).mappings()]


def find_statement(connection: Connection, statement: str) -> StoredStatement | None:
    """One, or None."""
    row = connection.execute(select(statements).where(statements.c.id == statement)).mappings().first()
    return None if row is None else StoredStatement(**row)


def history_of(connection: Connection, subscription: str, customer: str) -> History:
    """What all statements of a customer's subscription hold. Fractions are added here: no database knows them."""
    li, s = statement_lines.c, statements.c
    columns = (li.price, li.version, li.start_ms, li.exact, li.quantity, li.minor)
    billed: defaultdict[LineKey, Billed] = defaultdict(Billed)
    carried: defaultdict[str, Carried] = defaultdict(Carried)
    query = select(*columns).join(statements, s.id == li.statement)
    query = query.where(li.subscription == subscription, s.customer == customer)
    for price, version, start_ms, exact_text, quantity, minor in connection.execute(query):
        key, exact = (price, version, start_ms), Fraction(exact_text)
        billed[key] = Billed(billed[key].exact + exact, billed[key].quantity + Fraction(quantity))
        carried[price] = Carried(carried[price].exact + exact, carried[price].minor + minor)
    return History(dict(billed), dict(carried))


def broken_chain(rows: Sequence[StoredStatement]) -> list[str]:
    """Ids of statements of one subscription, in order, that are not what they were when they were closed."""
    wrong: list[str] = []
    previous = ""
    for number, row in enumerate(rows, 1):
        whole = row.sequence == number and row.previous_hash == previous
        if not whole or row.hash != chain_hash(row.previous_hash, row.body):
            wrong.append(row.id)
        previous = row.hash
    return wrong


Row = dict[str, Any]
