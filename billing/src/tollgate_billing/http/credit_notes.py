"""Routes of the provider API for credit notes."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollgate_billing.http.changes import Preview, changing, minor_of
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.statements import existing_statement
from tollgate_billing.http.subscriptions import locked
from tollgate_billing.http.views import Json
from tollgate_billing.statements.credit_notes import CreditLine, CreditRefusedError, credit_lines, write_credit_note
from tollgate_billing.subscriptions.beginning import after_closing
from tollgate_core.events import rfc3339
from tollgate_core.money import Money


class NewCreditLine(BaseModel):
    """``line`` counts from 1; ``amount`` in major units, all that is left of the line if absent."""

    model_config = ConfigDict(extra="forbid")

    line: Annotated[int, Field(ge=1, le=100_000)]
    amount: Annotated[str | None, Field(max_length=40)] = None


class NewCreditNote(BaseModel):
    """The same id again changes nothing. ``reason`` is what the customer reads."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,80}$")]
    lines: Annotated[list[NewCreditLine], Field(min_length=1, max_length=1000)]
    reason: Annotated[str, Field(min_length=1, max_length=300)]


def credit_note_routes(services: Services) -> APIRouter:
    """Of one statement."""
    router = APIRouter()

    @router.get("/statements/{statement}/credit-notes")
    def listed(statement: str) -> Json:
        with services.database.read() as connection:
            existing_statement(connection, statement)
            return {"credit_notes": [_view(line) for line in credit_lines(connection, statement)]}

    @router.post("/statements/{statement}/credit-notes", status_code=201)
    def write(statement: str, asked: NewCreditNote, preview: Preview = False) -> Json:
        with changing(services, preview) as connection:
            found = existing_statement(connection, statement)
            row = locked(connection, found.subscription)
            if row.customer != found.customer:
                raise Problem(409, "its customer has left: there is no later statement that could hold the credit")
            wanted = {line.line: minor_of(line.amount, found.currency) if line.amount else None for line in asked.lines}
            if len(wanted) != len(asked.lines):
                raise Problem(422, "lines: a line is named twice")
            now = after_closing(row, services.clock())
            try:
                made = write_credit_note(connection, found, asked.id, wanted, asked.reason, now)
            except CreditRefusedError as error:
                raise Problem(409, str(error)) from error
            return {"credit_notes": [_view(line) for line in made], "preview": preview}

    return router


def _view(line: CreditLine) -> Json:
    return {
        "id": line.id,
        "statement": line.statement,
        "line": line.line,
        "amount": Money(line.minor, line.currency).amount,
        "currency": line.currency,
        "reason": line.reason,
        "recorded_at": rfc3339(line.recorded_ms),
    }
