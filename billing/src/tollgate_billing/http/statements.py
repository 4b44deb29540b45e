"""Routes for closed statements: JSON, CSV, and a page to print."""

import csv
import io
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from sqlalchemy import Connection

from tollgate_billing.clock import to_milliseconds
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import existing
from tollgate_billing.http.views import Json, view_invoice, view_statement
from tollgate_billing.payments.receivables import Receivable, find_receivable
from tollgate_billing.payments.received import paid_for
from tollgate_billing.statements.margins import Margin, margins
from tollgate_billing.statements.page import statement_page
from tollgate_billing.statements.store import StoredStatement, find_statement, list_statements
from tollgate_billing.statements.verification import changed_statements

_COLUMNS = ("kind", "display_name", "price", "version", "metric", "quantity", "formula", "amount")


def statement_routes(services: Services) -> APIRouter:
    """By subscription, and one by its id."""
    router = APIRouter()

    @router.get("/subscriptions/{name:path}/statements")
    def of_subscription(name: str, after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Json:
        with services.database.read() as connection:
            existing(connection, name)
            return _page(connection, list_statements(connection, name, after=after, limit=limit), limit)

    @router.get("/statements")
    def all_statements(after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Json:
        with services.database.read() as connection:
            return _page(connection, list_statements(connection, after=after, limit=limit), limit)

    @router.get("/statements/{statement}")
    def one(statement: str) -> Json:
        with services.database.read() as connection:
            found = existing_statement(connection, statement)
            shown = view_statement(found, paid_for(connection, [found.id]).get(found.id, 0))
            return {**shown, "invoice": view_invoice(_invoiced(connection, found.id))}

    @router.get("/statements/{statement}/csv")
    def as_csv(statement: str) -> Response:
        found = _find(services, statement)
        headers = {"Content-Disposition": f'attachment; filename="{found.id}.csv"'}
        return Response(statement_csv(found), media_type="text/csv; charset=utf-8", headers=headers)

    @router.get("/statements/{statement}/page")
    def as_page(statement: str) -> Response:
        return Response(statement_page(_find(services, statement)), media_type="text/html; charset=utf-8")

    @router.get("/subscriptions/{name:path}/verify")
    def verify(name: str) -> Json:
        with services.database.read() as connection:
            existing(connection, name)
            found = list_statements(connection, name, limit=100_000)
            return {"statements": len(found), "changed": changed_statements(connection, name)}

    return router


def margin_routes(services: Services) -> APIRouter:
    """What was charged beside what it cost."""
    router = APIRouter()

    @router.get("/margins")
    def of_time(
        by: Annotated[list[Literal["product", "customer", "price"]], Query()] = ["product"],  # noqa: B006 (FastAPI copies it)
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
    ) -> Json:
        start = to_milliseconds(since) if since else 0
        end = to_milliseconds(until) if until else services.clock() + 1
        with services.database.read() as connection:
            found = margins(connection, tuple(by), start, end)
        return {"by": by, "margins": [_view_margin(margin) for margin in found]}

    return router


def _view_margin(margin: Margin) -> Json:
    return {
        "key": list(margin.key),
        "currency": margin.currency,
        "charged": margin.charged.amount,
        "cost": margin.costs.amount if margin.costs else None,
        "margin": margin.margin.amount if margin.margin else None,
    }


def statement_csv(statement: StoredStatement) -> str:
    """One row for each line. A text that a spreadsheet would take for a formula is quoted."""
    body: Json = json.loads(statement.body)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["statement", "closed_at", "period_start", "period_end", *_COLUMNS, "currency"])
    for line in body["lines"]:
        period = line["period"]
        cells = [line[name] if line[name] is not None else "" for name in _COLUMNS]
        row = [statement.id, body["closed_at"], period["start"], period["end"], *cells, body["currency"]]
        writer.writerow([_safe(str(cell)) for cell in row])
    return out.getvalue()


def _safe(cell: str) -> str:
    number = cell.replace(".", "", 1).removeprefix("-").isdigit()
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} and not number else cell


def _page(connection: Connection, found: list[StoredStatement], limit: int) -> Json:
    paid = paid_for(connection, (statement.id for statement in found))
    return {
        "statements": [view_statement(statement, paid.get(statement.id, 0)) for statement in found],
        "next": found[-1].id if len(found) == limit else None,
    }


def existing_statement(connection: Connection, statement: str) -> StoredStatement:
    """Raises a 404."""
    found = find_statement(connection, statement)
    if found is None:
        raise Problem(404, f"there is no statement {statement}")
    return found


def _invoiced(connection: Connection, statement: str) -> Receivable | None:
    """Where it was carried to a later statement, that one's."""
    found = find_receivable(connection, statement)
    return find_receivable(connection, found.carried_by) if found and found.carried_by else found


def _find(services: Services, statement: str) -> StoredStatement:
    with services.database.read() as connection:
        return existing_statement(connection, statement)
