"""Objects that many tests begin with."""

from typing import Any

import httpx
import pytest
from paddle_billing.Entities.Shared import CurrencyCode, CustomData, Duration, Interval, Money, TaxCategory
from paddle_billing.Entities.Subscriptions import SubscriptionEffectiveFrom, SubscriptionOnPaymentFailure
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Customers.Operations import CreateCustomer
from paddle_billing.Resources.Prices.Operations import CreatePrice
from paddle_billing.Resources.Products.Operations import CreateProduct
from paddle_billing.Resources.Subscriptions.Operations import CreateOneTimeCharge
from paddle_billing.Resources.Subscriptions.Operations.Charge import SubscriptionChargeItemWithPrice
from paddle_billing.Resources.Subscriptions.Operations.Price import SubscriptionNonCatalogPrice
from paddle_billing.Resources.Transactions.Operations import CreateTransaction, ListTransactions
from paddle_billing.Resources.Transactions.Operations.Create import TransactionCreateItem

CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123", "name": "Ada Lovelace", "country": "de"}
MONTHLY = Duration(Interval("month"), 1)


def card(number: str) -> dict[str, str]:
    return {**CARD, "number": number}


def customer(api: Any, email: str = "ada@example.com") -> Any:
    return api.customers.create(CreateCustomer(email, name="Ada"))


def price(api: Any, amount: int = 0, currency: str = "EUR", *, cycle: Duration | None = MONTHLY, **more: Any) -> Any:
    """A price of a product of its own; it recurs monthly unless told otherwise."""
    product = api.products.create(CreateProduct("API", TaxCategory("saas")))
    unit = Money(str(amount), CurrencyCode(currency))
    return api.prices.create(CreatePrice("Usage", product.id, unit, billing_cycle=cycle, **more))


def transaction(api: Any, *prices: Any, **more: Any) -> Any:
    return api.transactions.create(CreateTransaction([TransactionCreateItem(one.id, 1) for one in prices], **more))


def pay(made: Any, number: str = CARD["number"], **more: str) -> httpx.Response:
    """What the customer does on the checkout page."""
    return httpx.post(made.checkout.url, data={**card(number), **more}, timeout=5)


def subscription(api: Any, number: str = CARD["number"], amount: int = 0, **more: Any) -> Any:
    """An active subscription with a saved card."""
    made = transaction(api, price(api, amount), customer_id=customer(api).id, **more)
    assert pay(made, number).status_code == 200
    return api.subscriptions.get(api.transactions.get(made.id).subscription_id)


def charge(
    api: Any, to: Any, amount: int, statement: str = "st_1", at: str = "immediately", failure: str = "prevent_change"
) -> Any:
    """Bill usage on a subscription, as billing does."""
    one = SubscriptionNonCatalogPrice(
        "Usage in May",
        Money(str(amount), CurrencyCode(to.currency_code.value)),
        to.items[0].product.id,
        custom_data=CustomData({"statement_id": statement}),
    )
    order = CreateOneTimeCharge(
        SubscriptionEffectiveFrom(at), [SubscriptionChargeItemWithPrice(one, 1)], SubscriptionOnPaymentFailure(failure)
    )
    return api.subscriptions.create_one_time_charge(to.id, order)


def statements(api: Any, of: Any) -> dict[str, Any]:
    """The transactions of a subscription by the statement that they bill."""
    found = list(api.transactions.list(ListTransactions(subscription_ids=[of.id])))
    items = [(item, one) for one in found for item in one.items if item.price.custom_data]
    return {item.price.custom_data.data["statement_id"]: one for item, one in items}


def event_types(api: Any) -> list[str]:
    """All events so far, oldest first."""
    return [event.event_type.value for event in api.events.list()]


def refusal(call: Any, *given: Any) -> tuple[int, str]:
    """Status and code of the refusal that a call meets."""
    with pytest.raises(ApiError) as refused:
        call(*given)
    assert refused.value.response is not None
    return refused.value.response.status_code, refused.value.error_code
