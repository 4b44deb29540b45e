"""Whether statements are what they were when they were closed: their chain, their columns and their lines."""

from collections import defaultdict

import msgspec
from sqlalchemy import Connection, select

from tollgate_billing.ledger.tables import statement_lines, statements
from tollgate_billing.statements.store import StoredStatement, broken_chain
from tollgate_core.events import rfc3339
from tollgate_core.pricing.document import Json

_Line = tuple[str, str, str, int]


def changed_statements(connection: Connection, subscription: str | None = None) -> list[str]:
    """Ids of those that were changed after they were closed, by subscription and number; of all subscriptions if none
    is named. The hash covers the body; columns and lines, by which others find and add them up, must say the same."""
    s = statements.c
    query = select(statements).order_by(s.subscription, s.sequence)
    if subscription is not None:
        query = query.where(s.subscription == subscription)
    chains: defaultdict[str, list[StoredStatement]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        chains[row["subscription"]].append(StoredStatement(**row))
    wrong: list[str] = []
    for name, chain in chains.items():
        broken, lines = set(broken_chain(chain)), _lines_of(connection, name)
        wrong += [row.id for row in chain if row.id in broken or not _agrees(row, lines[row.id])]
    return wrong


def _agrees(row: StoredStatement, lines: list[_Line]) -> bool:
    body: Json = msgspec.json.decode(row.body)
    columns = (row.id, row.subscription, row.sequence, row.customer, row.currency, rfc3339(row.closed_ms))
    said = tuple(body[name] for name in ("id", "subscription", "sequence", "customer", "currency", "closed_at"))
    amounts = (row.total_minor, row.brought_minor, row.applied_minor, row.due_minor)
    said_amounts = tuple(body[name]["minor"] for name in ("total", "brought_forward", "paid_from_wallet", "due"))
    said_lines = [(line["price"], line["version"], line["exact"], line["minor"]) for line in body["lines"]]
    return (columns, amounts, lines) == (said, said_amounts, said_lines)


def _lines_of(connection: Connection, subscription: str) -> defaultdict[str, list[_Line]]:
    li = statement_lines.c
    query = select(li.statement, li.price, li.version, li.exact, li.minor).where(li.subscription == subscription)
    found: defaultdict[str, list[_Line]] = defaultdict(list)
    for statement, *line in connection.execute(query.order_by(li.statement, li.line)):
        found[statement].append((line[0], line[1], line[2], line[3]))
    return found
