"""What is paid for: a statement, or a top-up, which becomes credit when it is paid. Both are called subjects."""

from dataclasses import dataclass

from sqlalchemy import Connection

from tollgate_billing.ledger.money import receivable_account
from tollgate_billing.statements.store import StoredStatement, find_statement
from tollgate_billing.wallets.top_ups import find_top_up
from tollgate_billing.wallets.topping_up import TopUp

_TOP_UP = "top-up."


@dataclass(frozen=True)
class Debt:
    """``due_minor`` is before tax; ``account`` of the money ledger holds it until it is paid; ``title`` is for
    people."""

    subject: str
    subscription: str
    customer: str
    currency: str
    due_minor: int
    account: str
    title: str


def top_up_subject(top_up_id: str) -> str:
    """No statement is called so."""
    return f"{_TOP_UP}{top_up_id}"


def top_up_of(subject: str) -> str:
    """The top-up's id; empty where it is a statement."""
    return subject.removeprefix(_TOP_UP) if subject.startswith(_TOP_UP) else ""


def debt_of_statement(statement: StoredStatement) -> Debt:
    """What its customer owes for usage and fees."""
    return Debt(
        subject=statement.id,
        subscription=statement.subscription,
        customer=statement.customer,
        currency=statement.currency,
        due_minor=statement.due_minor,
        account=receivable_account(statement.subscription),
        title=f"the statement {statement.id}",
    )


def debt_of_top_up(top_up: TopUp) -> Debt:
    """What its customer is asked to pay in. Its grant has put the money onto the account that the payment takes it
    from."""
    return Debt(
        subject=top_up_subject(top_up.id),
        subscription=top_up.subscription,
        customer=top_up.customer,
        currency=top_up.currency,
        due_minor=top_up.minor,
        account="granted:topUp",
        title=f"the top-up {top_up.id}",
    )


def find_debt(connection: Connection, subject: str) -> Debt | None:
    """None where there is no such subject."""
    top_up_id = top_up_of(subject)
    if top_up_id:
        top_up = find_top_up(connection, top_up_id)
        return None if top_up is None else debt_of_top_up(top_up)
    statement = find_statement(connection, subject)
    return None if statement is None else debt_of_statement(statement)
