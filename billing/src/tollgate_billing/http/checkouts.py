"""Routes of the provider API for checkouts, and for the pages that payment providers have for customers."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from tollgate_billing.http.problems import Problem
from tollgate_billing.http.provider_calls import asking, port_of
from tollgate_billing.http.services import Services
from tollgate_billing.http.subscriptions import existing
from tollgate_billing.http.views import Json
from tollgate_billing.payments.checkouts import (
    Checkout,
    CheckoutRefusedError,
    list_checkouts,
)
from tollgate_billing.payments.port import CheckoutStatus
from tollgate_billing.payments.receivables import customer_reference
from tollgate_billing.subscriptions.pinning import currency_of
from tollgate_core.events import rfc3339

_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$"
_URL = Annotated[str, Field(pattern=r"^https?://", max_length=2000)]


class NewCheckout(BaseModel):
    """The same id again answers the same page. ``product``: the subscription begins with it when the customer has given
    a payment method; without it, one that is there gets another payment method."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
    subscription: Annotated[str, Field(pattern=_NAME)]
    product: Annotated[str, Field(max_length=400)] = ""
    customer: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._@:-]{0,127})?$")] = ""
    customer_name: Annotated[str, Field(max_length=128)] = ""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    success_url: _URL
    cancel_url: _URL


class PortalRequest(BaseModel):
    """Where the customer goes back to."""

    model_config = ConfigDict(extra="forbid")

    return_url: _URL


def checkout_routes(services: Services) -> APIRouter:
    """Begin one, and see how it went."""
    router = APIRouter()

    @router.get("/checkouts")
    def listed(status: Annotated[CheckoutStatus, Query()] = "open") -> Json:
        with services.database.read() as connection:
            return {"checkouts": [_view(checkout) for checkout in list_checkouts(connection, status)]}

    @router.post("/checkouts", status_code=201)
    def begin(asked: NewCheckout) -> Json:
        with services.database.read() as connection:
            wanted = _wanted(connection, services, asked)
        try:
            with asking():
                return _view(services.checking_out.begin(wanted))
        except CheckoutRefusedError as error:
            raise Problem(409, str(error)) from error

    @router.get("/checkouts/{checkout}")
    def show(checkout: str) -> Json:
        """As the provider says now: whoever comes back from its page need not wait for its event."""
        with asking():
            found = services.checking_out.look(checkout)
        if found is None:
            raise Problem(404, f"there is no checkout {checkout}")
        return _view(found)

    return router


def portal_routes(services: Services) -> APIRouter:
    """A customer's own pages at the provider."""
    router = APIRouter()

    @router.post("/subscriptions/{name:path}/billing-portal", status_code=201)
    def portal(name: str, asked: PortalRequest) -> Json:
        provider, reference = _customer(services, name)
        with asking():
            return {"url": port_of(services, provider).portal_url(reference, asked.return_url)}

    @router.get("/subscriptions/{name:path}/payment-method")
    def payment_method(name: str) -> Json:
        provider, reference = _customer(services, name)
        with asking():
            found = port_of(services, provider).payment_method(reference)
        return {"payment_method": None if found is None else vars(found)}

    return router


def _customer(services: Services, name: str) -> tuple[str, str]:
    """(provider, its name of the customer)."""
    with services.database.read() as connection:
        row = existing(connection, name)
        provider = _provider_of(services, row.product)
        reference = customer_reference(connection, provider, row.customer)
    if not reference:
        raise Problem(409, f"{provider} does not know the customer of {name} yet: begin a checkout")
    return provider, reference


def _provider_of(services: Services, product: str) -> str:
    found = services.catalog.current.product(product)
    if found is None:
        raise Problem(409, f"there is no product {product}")
    if not found.payment_provider:
        raise Problem(409, f"the product {product} names no paymentProvider: nobody collects from its customers")
    return found.payment_provider


def _wanted(connection: Connection, services: Services, asked: NewCheckout) -> Checkout:
    row = None if asked.product else existing(connection, asked.subscription)
    if row is None and not asked.customer:
        raise Problem(422, "customer: is needed with a product")
    if row is not None and asked.customer not in {"", row.customer}:
        raise Problem(409, f"the subscription {row.name} is of the customer {row.customer}")
    product = asked.product or (row.product if row else "")
    provider = _provider_of(services, product)
    currency = row.currency if row else currency_of(services.catalog.current, product, asked.currency)
    return Checkout(
        id=asked.id,
        provider=provider,
        customer=row.customer if row else asked.customer,
        customer_name=row.customer_name if row else asked.customer_name,
        subscription=asked.subscription,
        product=asked.product,
        currency=currency,
        success_url=asked.success_url,
        cancel_url=asked.cancel_url,
        reference="",
        url="",
        status="open",
        problem="",
        created_ms=services.clock(),
        attempted_ms=None,
        settled_ms=None,
    )


def _view(checkout: Checkout) -> Json:
    return {
        "id": checkout.id,
        "provider": checkout.provider,
        "customer": checkout.customer,
        "subscription": checkout.subscription,
        "product": checkout.product,
        "currency": checkout.currency,
        "status": checkout.status,
        "url": checkout.url,
        "problem": checkout.problem,
        "created_at": rfc3339(checkout.created_ms),
        "settled_at": rfc3339(checkout.settled_ms) if checkout.settled_ms else None,
    }
