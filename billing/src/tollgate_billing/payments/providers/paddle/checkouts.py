"""Paddle's checkout: a transaction that begins a subscription of nothing a month, whose card can be charged later; for
whoever has one already, the change of its card."""

# The SDK is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Mapping
from dataclasses import replace

from paddle_billing import Client
from paddle_billing.Entities.Shared import (
    CurrencyCode,
    CustomData,
    Duration,
    Interval,
    Money,
    TaxCategory,
    TaxMode,
    TransactionOrigin,
)
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Shared.Operations import Pager
from paddle_billing.Resources.Shared.Operations.List.OrderBy import OrderBy
from paddle_billing.Resources.Transactions.Operations import CreateTransaction, ListTransactions, UpdateTransaction
from paddle_billing.Resources.Transactions.Operations.Create import TransactionCreateItemWithPrice
from paddle_billing.Resources.Transactions.Operations.Price import (
    TransactionNonCatalogPriceWithProduct,
    TransactionNonCatalogProduct,
)
from paddle_billing.Undefined import Undefined

from tollgate_billing.payments.port import CheckoutOrder, CheckoutStatus, ProviderCheckout
from tollgate_billing.payments.providers.paddle.objects import (
    CHECKOUT,
    CUSTOMER,
    PAGE,
    SUBJECT,
    SUBSCRIPTION,
    created_since,
    is_missing,
    label,
)
from tollgate_billing.payments.providers.paddle.transactions import Transactions

_STATUSES: Mapping[str, CheckoutStatus] = {"paid": "complete", "completed": "complete", "canceled": "expired"}


class Checkouts:
    """Of one account."""

    def __init__(self, client: Client, transactions: Transactions) -> None:
        self._client = client
        self._transactions = transactions

    def begin(self, order: CheckoutOrder) -> ProviderCheckout:
        """The one that is there, or a new one."""
        found = self._find(order) if order.attempted else None
        return replace(_view(found or self._change_card(order) or self._make(order)), checkout=order.id)

    def read(self, reference: str) -> ProviderCheckout | None:
        """None where there is none."""
        try:
            return _view(self._client.transactions.get(reference))
        except ApiError as error:
            if is_missing(error):
                return None
            raise

    def end(self, reference: str) -> ProviderCheckout | None:
        """A transaction that waits is cancelled; Paddle would keep it for ever."""
        found = self.read(reference)
        if found is not None and found.status == "open" and self._transactions.void(reference) is not None:
            return self.read(reference)
        return found

    def _find(self, order: CheckoutOrder) -> Transaction | None:
        pager = Pager(order_by=OrderBy.id_descending(), per_page=PAGE)
        wanted = ListTransactions(pager, created_at=created_since(order.asked_ms))
        return next((one for one in self._client.transactions.list(wanted) if _checkout_of(one) == order.id), None)

    def _change_card(self, order: CheckoutOrder) -> Transaction | None:
        """None where there is no card that could be another one."""
        subscription = self._transactions.chargeable(order.payer, order.currency)
        if subscription is None:
            return None
        change = self._client.subscriptions.get_payment_method_change_transaction(subscription.id)
        if change.status.value not in {"draft", "ready"}:
            return change  # what is past due: whoever pays it changes the card with it
        return self._client.transactions.update(change.id, UpdateTransaction(custom_data=_labels(order)))

    def _make(self, order: CheckoutOrder) -> Transaction:
        price = TransactionNonCatalogPriceWithProduct(
            description=f"Usage of {order.subscription}, billed as it is used",
            name="Usage",
            unit_price=Money("0", CurrencyCode(order.currency)),
            product=TransactionNonCatalogProduct("Usage", TaxCategory.Standard),
            billing_cycle=Duration(Interval.Month, 1),
            tax_mode=TaxMode.External,
        )
        made = CreateTransaction(
            items=[TransactionCreateItemWithPrice(price, 1)],
            currency_code=CurrencyCode(order.currency),
            custom_data=_labels(order),
            customer_id=order.payer.reference or Undefined(),
        )
        return self._client.transactions.create(made)


def _labels(order: CheckoutOrder) -> CustomData:
    return CustomData({CHECKOUT: order.id, SUBSCRIPTION: order.subscription, CUSTOMER: order.payer.customer})


def _checkout_of(transaction: Transaction) -> str:
    """A charge has the label of the checkout that its subscription began with, and is none."""
    return "" if label(transaction, SUBJECT) else label(transaction, CHECKOUT)


def _view(transaction: Transaction) -> ProviderCheckout:
    status = _STATUSES.get(transaction.status.value, "open")
    # A change of card is ready when it begins, and stays nobody's debt.
    done = transaction.origin == TransactionOrigin.SubscriptionPaymentMethodChange and bool(transaction.billed_at)
    return ProviderCheckout(
        reference=transaction.id,
        checkout=_checkout_of(transaction),
        customer=transaction.customer_id or "",
        status="complete" if done else status,
        url=(transaction.checkout.url or "") if transaction.checkout and status == "open" else "",
    )
