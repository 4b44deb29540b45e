"""Double entry in minor units: what a transaction posts sums to zero, and a transaction is posted once."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from tollgate_billing.ledger.tables import money_postings

#: Kinds of rows of payments by which less is owed.
SETTLING = ("payment", "credit")


def post_money(
    connection: Connection, transaction: str, sides: Sequence[tuple[str, int]], currency: str, at_ms: int
) -> None:
    """``sides``: accounts with what they get. Raises AssertionError where they do not sum to zero."""
    if sum(minor for _, minor in sides):
        raise AssertionError(f"the postings of {transaction} do not sum to zero")
    same = {"transaction": transaction, "currency": currency, "at_ms": at_ms}
    rows = [{**same, "line": n, "account": account, "minor": minor} for n, (account, minor) in enumerate(sides)]
    connection.execute(insert(money_postings), rows)


def posted(connection: Connection, account: str) -> tuple[int, int]:
    """(minor units, number of postings) of an account."""
    m = money_postings.c
    query = select(func.coalesce(func.sum(m.minor), 0), func.count()).where(m.account == account)
    minor, count = connection.execute(query).one()
    return int(minor), int(count)


def receivable_account(subscription: str) -> str:
    """What its customer owes."""
    return f"receivable:{subscription}"
