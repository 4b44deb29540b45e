"""Routes of the provider API for what customers paid."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.clock import to_milliseconds
from tollgate_billing.http.changes import Preview, changing, minor_of
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.statements import existing_statement
from tollgate_billing.http.subscriptions import locked
from tollgate_billing.http.views import Json, view_payment
from tollgate_billing.ledger.money import SETTLING
from tollgate_billing.payments.debts import Debt, debt_of_statement, debt_of_top_up
from tollgate_billing.payments.outbox import find_request
from tollgate_billing.payments.paid_in import follow_money
from tollgate_billing.payments.receivables import CARRIED, find_receivable
from tollgate_billing.payments.received import MANUAL, Payment, PaymentRefusedError, payments_of, record_payment
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.wallets.top_ups import find_top_up
from tollgate_core.money import Money

_FUTURE_MS = 86_400_000


class NewPayment(BaseModel):
    """The same id again changes nothing. ``amount`` in major units: all that is left to be paid if absent, money that
    went back if negative. ``reference``: what the bank calls it."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    amount: Annotated[str | None, Field(max_length=40)] = None
    reference: Annotated[str, Field(max_length=300)] = ""
    paid_at: AwareDatetime | None = None


def payment_routes(services: Services) -> APIRouter:
    """Of one statement; of a top-up whose money a bank took back, and that is paid in another way."""
    router = APIRouter()

    @router.get("/statements/{statement}/payments")
    def listed(statement: str) -> Json:
        with services.database.read() as connection:
            return _view(connection, debt_of_statement(existing_statement(connection, statement)))

    @router.post("/statements/{statement}/payments", status_code=201)
    def record(statement: str, asked: NewPayment, preview: Preview = False) -> Json:
        now, at_ms = _moments(services, asked)
        with changing(services, preview) as connection:
            found = existing_statement(connection, statement)
            locked(connection, found.subscription)
            _require_by_hand(services, connection, found)
            debt = debt_of_statement(found)
            if _record(connection, debt, asked, at_ms, now):
                services.judge(connection, found.subscription)
            return {**_view(connection, debt), "preview": preview}

    @router.post("/top-ups/{top_up}/payments", status_code=201)
    def repay(top_up: str, asked: NewPayment, preview: Preview = False) -> Json:
        now, at_ms = _moments(services, asked)
        with changing(services, preview) as connection:
            found = find_top_up(connection, top_up)
            if found is None:
                raise Problem(404, f"there is no top-up {top_up}")
            row = locked(connection, found.subscription)
            if found.state != "paid":
                raise Problem(
                    409, f"the top-up {top_up} is {found.state}: 'tollgate top-ups paid' says that it is paid"
                )
            debt = debt_of_top_up(found)
            if _record(connection, debt, asked, at_ms, now):
                follow_money(connection, row, found, now)
                services.judge(connection, row.name)
            return {**_view(connection, debt), "preview": preview}

    return router


def _require_by_hand(services: Services, connection: Connection, statement: StoredStatement) -> None:
    """What a provider is collecting would be paid twice."""
    receivable = find_receivable(connection, statement.id)
    if receivable is None:
        return
    invoiced = find_receivable(connection, receivable.carried_by or statement.id) or receivable
    if invoiced.status in {CARRIED, "void"}:
        return
    if invoiced.disputed and invoiced.status == "paid":
        return  # a bank has the money again: no provider asks for it any more
    if not services.catalog.current.collects_by_hand(receivable.provider):
        request = find_request(connection, f"invoice.{invoiced.subject}")
        if request is None or request.state != "dropped" or invoiced.status == "open":
            where = f"{receivable.provider} is collecting it with {invoiced.subject}"
            what = "mark the invoice as paid there, void it there, or drop the request ('tollgate payments drop')"
            raise Problem(409, f"{where}: {what}")


def _moments(services: Services, asked: NewPayment) -> tuple[int, int]:
    """(now, when it was paid)."""
    now = services.clock()
    at_ms = to_milliseconds(asked.paid_at) if asked.paid_at else now
    if at_ms > now + _FUTURE_MS:
        raise Problem(422, "paid_at is in the future")
    return now, at_ms


def _record(connection: Connection, debt: Debt, asked: NewPayment, at_ms: int, now_ms: int) -> bool:
    payment = Payment(
        id=asked.id,
        subject=debt.subject,
        subscription=debt.subscription,
        customer=debt.customer,
        provider=MANUAL,
        reference=asked.reference,
        minor=_minor(connection, debt, asked),
        currency=debt.currency,
        at_ms=at_ms,
        recorded_ms=now_ms,
    )
    try:
        return record_payment(connection, debt, payment)
    except PaymentRefusedError as error:
        raise Problem(409, str(error)) from error


def _minor(connection: Connection, debt: Debt, asked: NewPayment) -> int:
    if asked.amount is not None:
        return minor_of(asked.amount, debt.currency)
    paid = payments_of(connection, debt.subject)
    again = next((payment for payment in paid if payment.id == asked.id), None)
    return again.minor if again else debt.due_minor - _paid(paid)


def _paid(found: list[Payment]) -> int:
    """Whatever was refunded of it."""
    return sum(payment.minor for payment in found if payment.kind in SETTLING)


def _view(connection: Connection, debt: Debt) -> Json:
    found = payments_of(connection, debt.subject)
    paid = _paid(found)
    return {
        "payments": [view_payment(payment) for payment in found],
        "paid": Money(paid, debt.currency).amount,
        "remaining": Money(debt.due_minor - paid, debt.currency).amount,
        "currency": debt.currency,
    }
