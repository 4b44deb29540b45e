"""Rows of checkouts: customers who were asked for a payment method, and the subscriptions that begin with it."""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.ledger.tables import checkouts
from tollgate_billing.payments.port import CheckoutOrder, CheckoutStatus, Payer, ProviderCheckout
from tollgate_billing.payments.receivables import customer_reference, known_customer, replace_customer
from tollgate_billing.subscriptions.changes import ChangeRefusedError, begin
from tollgate_core.catalog import Catalog
from tollgate_core.catalog import Subscription as Declared


class CheckoutRefusedError(Exception):
    """Says why."""


@dataclass(frozen=True)
class Checkout:
    """``product`` is empty where the subscription is there already, and gets another payment method. ``problem``: why
    a complete one began no subscription."""

    id: str
    provider: str
    customer: str
    customer_name: str
    subscription: str
    product: str
    currency: str
    success_url: str
    cancel_url: str
    reference: str
    url: str
    status: CheckoutStatus
    problem: str
    created_ms: int
    attempted_ms: int | None
    settled_ms: int | None


_SAME = ("provider", "customer", "subscription", "product", "currency")


def ask_for_checkout(connection: Connection, catalog: Catalog, wanted: Checkout, now_ms: int) -> Checkout:
    """Once for each id: answers the one that is there. From here on it may be at the provider. What would be refused
    at its end is refused now. Raises CheckoutRefusedError."""
    there = find_checkout(connection, wanted.id)
    if there is not None:
        if any(getattr(there, name) != getattr(wanted, name) for name in _SAME):
            raise CheckoutRefusedError(f"the checkout {wanted.id} is there already, with another content")
        return there
    trial = connection.begin_nested()
    try:
        _begin_subscription(connection, catalog, wanted, now_ms)
    except ChangeRefusedError as error:
        raise CheckoutRefusedError(str(error)) from error
    finally:
        trial.rollback()
    connection.execute(insert(checkouts).values(vars(wanted)))
    return wanted


def order_of_checkout(connection: Connection, checkout: Checkout, now_ms: int) -> CheckoutOrder:
    """Of one that is open. It counts as attempted when the caller has committed."""
    payer = Payer(
        checkout.customer,
        checkout.customer_name,
        customer_reference(connection, checkout.provider, checkout.customer),
    )
    _change(connection, checkout.id, attempted_ms=checkout.attempted_ms or now_ms)
    return CheckoutOrder(
        id=checkout.id,
        subscription=checkout.subscription,
        payer=payer,
        currency=checkout.currency,
        success_url=checkout.success_url,
        cancel_url=checkout.cancel_url,
        attempted=checkout.attempted_ms is not None,
        asked_ms=checkout.created_ms,
    )


def apply_checkout(
    connection: Connection, catalog: Catalog, provider: str, found: ProviderCheckout, now_ms: int
) -> Checkout | None:
    """The provider's truth becomes ours; with a complete one its subscription begins, once. None where it is nobody's.
    The caller commits."""
    checkout = _find_same(connection, provider, found)
    if checkout is None or checkout.provider != provider:
        return None
    if checkout.status == "complete":
        return checkout
    values: dict[str, str | int] = {"reference": found.reference, "url": found.url, "status": found.status}
    if found.status != "open":
        values["settled_ms"] = now_ms
    if found.status == "complete":
        values["problem"] = _complete(connection, catalog, checkout, found.customer, now_ms)
    _change(connection, checkout.id, **values)
    return find_checkout(connection, checkout.id)


def _complete(connection: Connection, catalog: Catalog, checkout: Checkout, reference: str, now_ms: int) -> str:
    """Why nothing has begun, as when the product went away meanwhile: a person has to look. Empty where all is well."""
    owner = known_customer(connection, checkout.provider, reference) if reference else ""
    if owner not in {"", checkout.customer}:  # a provider may know people by an address that nobody has verified
        return "it was completed in another customer's name: check out with another e-mail address"
    replace_customer(connection, checkout.provider, checkout.customer, reference, now_ms)
    try:
        with connection.begin_nested():
            _begin_subscription(connection, catalog, checkout, now_ms)
    except ChangeRefusedError as error:
        return str(error)
    return ""


def find_checkout(connection: Connection, checkout_id: str, *, lock: bool = False) -> Checkout | None:
    """One, or None."""
    query = select(checkouts).where(checkouts.c.id == checkout_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else Checkout(**row)


def _find_same(connection: Connection, provider: str, found: ProviderCheckout) -> Checkout | None:
    """By our name of it, or the newest that has the provider's: a change of card may be without ours."""
    if found.checkout:
        return find_checkout(connection, found.checkout, lock=True)
    c = checkouts.c
    query = select(c.id).where(c.provider == provider, c.reference == found.reference).order_by(c.created_ms.desc())
    name = connection.execute(query.limit(1)).scalar()
    return find_checkout(connection, name, lock=True) if name else None


def list_checkouts(
    connection: Connection, status: CheckoutStatus, provider: str = "", limit: int | None = 1000
) -> list[Checkout]:
    """The newest first."""
    c = checkouts.c
    query = select(checkouts).where(c.status == status).order_by(c.created_ms.desc(), c.id).limit(limit)
    query = query.where(c.provider == provider) if provider else query
    return [Checkout(**row) for row in connection.execute(query).mappings()]


def _begin_subscription(connection: Connection, catalog: Catalog, checkout: Checkout, now_ms: int) -> None:
    if not checkout.product:
        return
    there = find_subscription(connection, checkout.subscription)
    same = there is not None and (there.customer, there.product) == (checkout.customer, checkout.product)
    if same and checkout.attempted_ms is not None:
        return  # it was made by other hands meanwhile
    wanted = Declared(
        name=checkout.subscription,
        product=checkout.product,
        customer=checkout.customer,
        customer_name=checkout.customer_name,
        currency=checkout.currency,
    )
    begin(connection, catalog, wanted, now_ms)


def _change(connection: Connection, checkout_id: str, **values: str | int) -> None:
    connection.execute(update(checkouts).where(checkouts.c.id == checkout_id).values(values))
