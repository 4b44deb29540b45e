"""Routes of the provider API for money that is given back through a payment provider, and for what was paid of a
top-up."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.http.changes import minor_of
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import locked
from tollgate_billing.http.views import Json, view_payment
from tollgate_billing.payments.debts import top_up_subject
from tollgate_billing.payments.outbox import find_request
from tollgate_billing.payments.receivables import Receivable, find_receivable
from tollgate_billing.payments.received import payments_of
from tollgate_billing.payments.refunds import Refund, RefundRefusedError, ask_for_refund, refunds_of
from tollgate_core.events import rfc3339
from tollgate_core.money import Money


class NewRefund(BaseModel):
    """``amount`` in major units, with tax; all that is left if absent. The same id again changes nothing."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    amount: Annotated[str | None, Field(max_length=40)] = None
    reason: Annotated[str, Field(min_length=1, max_length=300)]


def refund_routes(services: Services) -> APIRouter:
    """Of statements and of top-ups."""
    router = APIRouter()

    @router.get("/statements/{subject}/refunds")
    def of_statement(subject: str) -> Json:
        return _listed(services, subject)

    @router.post("/statements/{subject}/refunds", status_code=201)
    def refund_statement(subject: str, asked: NewRefund) -> Json:
        return _ask(services, subject, asked)

    @router.get("/top-ups/{top_up}/refunds")
    def of_top_up(top_up: str) -> Json:
        return _listed(services, top_up_subject(top_up))

    @router.post("/top-ups/{top_up}/refunds", status_code=201)
    def refund_top_up(top_up: str, asked: NewRefund) -> Json:
        return _ask(services, top_up_subject(top_up), asked)

    @router.get("/top-ups/{top_up}/payments")
    def payments(top_up: str) -> Json:
        with services.database.read() as connection:
            return {"payments": [view_payment(one) for one in payments_of(connection, top_up_subject(top_up))]}

    return router


def _ask(services: Services, subject: str, asked: NewRefund) -> Json:
    with services.database.write() as connection:
        receivable = _collected(connection, subject)
        _require_provider(services, receivable)
        locked(connection, receivable.subscription)
        receivable = _collected(connection, subject)
        minor = minor_of(asked.amount, receivable.currency) if asked.amount is not None else None
        try:
            made = ask_for_refund(connection, receivable, asked.id, minor, asked.reason, services.clock())
        except RefundRefusedError as error:
            raise Problem(409, str(error)) from error
        return _view(connection, made)


def _listed(services: Services, subject: str) -> Json:
    with services.database.read() as connection:
        return {"refunds": [_view(connection, refund) for refund in refunds_of(connection, subject)]}


def _collected(connection: Connection, subject: str) -> Receivable:
    found = find_receivable(connection, subject)
    if found is None:
        raise Problem(404, "no payment provider collects it: record a negative payment where money goes back")
    return found


def _require_provider(services: Services, receivable: Receivable) -> None:
    kinds = {provider.name: provider.kind for provider in services.catalog.current.payment_providers}
    if kinds.get(receivable.provider) == "manual":
        raise Problem(409, "it was collected by hand: give the money back, and record a negative payment")


def _view(connection: Connection, refund: Refund) -> Json:
    request = find_request(connection, f"refund.{refund.id}")
    return {
        "id": refund.id,
        "subject": refund.subject,
        "amount": Money(refund.minor, refund.currency).amount,
        "currency": refund.currency,
        "reason": refund.reason,
        "state": request.state if request else "done",
        "problem": request.problem if request else "",
        "created_at": rfc3339(refund.created_ms),
    }
