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
from tollgate_billing.payments.debts import debt_of_statement
from tollgate_billing.payments.outbox import find_request
from tollgate_billing.payments.receivables import CARRIED, find_receivable
from tollgate_billing.payments.received import MANUAL, Payment, PaymentRefusedError, payments_of, record_payment
from tollgate_billing.statements.store import StoredStatement
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
    """Of one statement."""
    router = APIRouter()

    @router.get("/statements/{statement}/payments")
    def listed(statement: str) -> Json:
        with services.database.read() as connection:
            return _view(connection, existing_statement(connection, statement))

    @router.post("/statements/{statement}/payments", status_code=201)
    def record(statement: str, asked: NewPayment, preview: Preview = False) -> Json:
        now = services.clock()
        at_ms = to_milliseconds(asked.paid_at) if asked.paid_at else now
        if at_ms > now + _FUTURE_MS:
            raise Problem(422, "paid_at is in the future")
        with changing(services, preview) as connection:
            found = existing_statement(connection, statement)
            locked(connection, found.subscription)
            _require_by_hand(services, connection, found)
            payment = Payment(
                id=asked.id,
                subject=found.id,
                subscription=found.subscription,
                customer=found.customer,
                provider=MANUAL,
                reference=asked.reference,
                minor=_minor(connection, found, asked),
                currency=found.currency,
                at_ms=at_ms,
                recorded_ms=now,
            )
            try:
                if record_payment(connection, debt_of_statement(found), payment):
                    services.judge(connection, found.subscription)
            except PaymentRefusedError as error:
                raise Problem(409, str(error)) from error
            return {**_view(connection, found), "preview": preview}

    return router


def _require_by_hand(services: Services, connection: Connection, statement: StoredStatement) -> None:
    """What a provider is collecting would be paid twice."""
    receivable = find_receivable(connection, statement.id)
    if receivable is None or (receivable.status in {CARRIED, "void"} and not receivable.carried_by):
        return
    providers = {provider.name: provider.kind for provider in services.catalog.current.payment_providers}
    if providers.get(receivable.provider, "manual") != "manual":
        request = find_request(connection, f"invoice.{receivable.carried_by or statement.id}")
        if request is None or request.state != "dropped":
            where = f"{receivable.provider} is collecting it with {receivable.carried_by or statement.id}"
            what = "mark the invoice as paid there, void it there, or drop the request ('tollgate payments drop')"
            raise Problem(409, f"{where}: {what}")


def _minor(connection: Connection, statement: StoredStatement, asked: NewPayment) -> int:
    if asked.amount is not None:
        return minor_of(asked.amount, statement.currency)
    paid = payments_of(connection, statement.id)
    again = next((payment for payment in paid if payment.id == asked.id), None)
    return again.minor if again else statement.due_minor - _paid(paid)


def _paid(found: list[Payment]) -> int:
    """Whatever was refunded of it."""
    return sum(payment.minor for payment in found if payment.kind in SETTLING)


def _view(connection: Connection, statement: StoredStatement) -> Json:
    found = payments_of(connection, statement.id)
    paid = _paid(found)
    return {
        "payments": [view_payment(payment) for payment in found],
        "paid": Money(paid, statement.currency).amount,
        "remaining": Money(statement.due_minor - paid, statement.currency).amount,
        "currency": statement.currency,
    }
