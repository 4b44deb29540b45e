"""A route that computes what a plan would cost. It writes nothing."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollgate_billing.clock import to_milliseconds
from tollgate_billing.http.problems import Problem
from tollgate_billing.http.services import Services
from tollgate_billing.http.views import Json
from tollgate_core.errors import QuoteError
from tollgate_core.pricing.quote import QuoteRequest, quote, quote_document


class NewQuote(BaseModel):
    """As ``tollgate quote`` takes it. Quantities are texts, by metric; seats are numbers, by price."""

    model_config = ConfigDict(extra="forbid")

    product: str
    currency: str = ""
    usage: Annotated[dict[str, Annotated[str, Field(max_length=50)]], Field(max_length=100)] = {}
    seats: Annotated[dict[str, Annotated[int, Field(ge=0, le=1_000_000)]], Field(max_length=100)] = {}
    model: Annotated[str, Field(max_length=400)] = ""
    days: int | None = None
    start: AwareDatetime | None = None


def quote_routes(services: Services) -> APIRouter:
    """By the current catalog."""
    router = APIRouter()

    @router.post("/quote")
    def make_quote(asked: NewQuote) -> Json:
        wanted = QuoteRequest(
            product=asked.product,
            start_ms=to_milliseconds(asked.start) if asked.start else services.clock(),
            currency=asked.currency,
            usage=asked.usage,
            seats=asked.seats,
            model=asked.model,
            days=asked.days,
        )
        try:
            return quote_document(quote(services.catalog.current, wanted))
        except QuoteError as error:
            raise Problem(422, str(error)) from error

    return router
