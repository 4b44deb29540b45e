"""Transactions at Paddle, which are what others call invoices.

A customer who has checked out has a subscription there, of nothing a month, whose card can be charged. Others get a
transaction with a page on which anybody can pay it. Paddle knows no idempotency keys: whoever asks again looks first.
"""

# The SDK is annotated in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from paddle_billing import Client
from paddle_billing.Entities.Adjustment import Adjustment
from paddle_billing.Entities.Shared import (
    Action,
    CurrencyCode,
    CustomData,
    Money,
    PaymentAttemptStatus,
    TaxCategory,
    TaxMode,
    TransactionStatus,
)
from paddle_billing.Entities.Subscription import Subscription
from paddle_billing.Entities.Subscriptions import (
    SubscriptionEffectiveFrom,
    SubscriptionOnPaymentFailure,
)
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Shared.Operations import Comparator, DateComparison, Pager
from paddle_billing.Resources.Shared.Operations.List.OrderBy import OrderBy
from paddle_billing.Resources.Subscriptions.Operations import CreateOneTimeCharge, ListSubscriptions
from paddle_billing.Resources.Subscriptions.Operations.Charge import (
    SubscriptionChargeItem,
    SubscriptionChargeItemWithPrice,
)
from paddle_billing.Resources.Subscriptions.Operations.Price import (
    SubscriptionNonCatalogPriceWithProduct,
    SubscriptionNonCatalogProduct,
)
from paddle_billing.Resources.Transactions.Operations import (
    CreateTransaction,
    ListTransactions,
    TransactionIncludes,
    UpdateTransaction,
)
from paddle_billing.Resources.Transactions.Operations.Create import (
    TransactionCreateItem,
    TransactionCreateItemWithPrice,
)
from paddle_billing.Resources.Transactions.Operations.Price import (
    TransactionNonCatalogPriceWithProduct,
    TransactionNonCatalogProduct,
)
from paddle_billing.Undefined import Undefined

from tollgate_billing.clock import to_datetime
from tollgate_billing.payments.port import (
    AmbiguousError,
    InvoiceLine,
    InvoiceOrder,
    InvoiceStatus,
    Labelled,
    Payer,
    ProviderInvoice,
)
from tollgate_billing.payments.providers.paddle.amounts import without_credits
from tollgate_billing.payments.providers.paddle.errors import having_sent, looking
from tollgate_billing.payments.providers.paddle.objects import (
    CUSTOMER,
    LINE,
    PAGE,
    REPLACES,
    SUBJECT,
    TRIED,
    WITHDRAWN,
    created_since,
    data_of,
    is_missing,
    label,
    require_settled,
    total_of,
)

_STATUSES: dict[str, InvoiceStatus] = {
    "draft": "open",
    "ready": "open",
    "billed": "open",
    "past_due": "open",
    "paid": "paid",
    "completed": "paid",
    "canceled": "void",
}
_DONE = frozenset({"approved", "pending_approval"})
_UNDERWAY = frozenset({"authorized", "authorized_flagged", "pending_no_action_required", "created"})
_CHARGEABLE = frozenset({"active", "past_due", "trialing"})
_CANCELLABLE = frozenset({"draft", "ready", "billed"})
_DECLINED = "subscription_payment_declined"
_DESCRIPTION_AT_MOST = 500


class Transactions:
    """Of one account."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        """See ``ProviderPort.collect``. First it is only read, then at most one thing is sent, then what came of it is
        read."""
        with looking():
            found = self._find(order) if order.attempted else None
            subscription = self._chargeable_for(order)
        if found is None:
            require_settled(order.attempted, order.age_ms, order.subject)
            return self._charge(order, subscription) if subscription else self._offer(order)
        if found.status == TransactionStatus.Canceled and order.collection == "attended":
            require_settled(order.attempted, order.age_ms, order.subject)
            return self._offer(order)  # the charge was declined before the page was there
        if subscription is None or not _is_offer(found) or order.collection != "retried":
            return self.view(found)
        return self._charge_instead(order, found, subscription)

    def read(self, reference: str) -> ProviderInvoice | None:
        """None where there is none."""
        found = self.get(reference)
        return None if found is None else self.view(found)

    def get(self, reference: str) -> Transaction | None:
        """With whatever was given or taken back of it. None where there is none."""
        try:
            return self._client.transactions.get(reference, [TransactionIncludes.Adjustment])
        except ApiError as error:
            if is_missing(error):
                return None
            raise

    def lines(self, reference: str) -> dict[str, int]:
        """Minor units before tax by key; what is not ours has its price's id instead."""
        found = self._client.transactions.get(reference)
        return {
            str(data_of(item.price.custom_data).get(LINE) or item.price.id): int(item.price.unit_price.amount)
            * item.quantity
            for item in found.items
        }

    def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
        """The newest first. What was withdrawn for another one is none."""
        since = DateComparison(to_datetime(moment_ms), Comparator.GTE)
        for one in self._client.transactions.list(ListTransactions(pager=_newest_first(), created_at=since)):
            if label(one, SUBJECT):
                yield Labelled(one.id, label(one, SUBJECT), _STATUSES[one.status.value])

    def void(self, reference: str) -> ProviderInvoice | None:
        """One that waits for its customer. What Paddle tries to collect by itself it does not let go."""
        found = self.get(reference)
        if found is not None and found.status.value in _CANCELLABLE:
            self._client.transactions.update(reference, UpdateTransaction(status=TransactionStatus.Canceled))
            found = self.get(reference)
        return None if found is None else self.view(found)

    def withdraw(self, order: InvoiceOrder) -> ProviderInvoice | None:
        """See ``ProviderPort.withdraw``."""
        with looking():
            found = self._find(order)
        if found is None:
            require_settled(order.attempted, order.age_ms, order.subject)
            return None
        return self.void(found.id)

    def chargeable(self, payer: Payer, currency: str) -> Subscription | None:
        """The newest that a checkout of his began and whose card can be charged in this currency. What else is under
        his e-mail address, which nobody has verified, is not his to charge."""
        if not payer.reference:
            return None
        wanted = ListSubscriptions(pager=_newest_first(), customer_ids=[payer.reference])
        for subscription in self._client.subscriptions.list(wanted):
            fits = subscription.status.value in _CHARGEABLE and subscription.currency_code == CurrencyCode(currency)
            if fits and data_of(subscription.custom_data).get(CUSTOMER) == payer.customer:
                return subscription
        return None

    def view(self, transaction: Transaction) -> ProviderInvoice:
        """With what was paid, given and taken back."""
        status = _status(transaction)
        captured = [one for one in transaction.payments if one.status == PaymentAttemptStatus.Captured]
        newest = max(captured, key=lambda one: one.captured_at or one.created_at, default=None)
        made = transaction.adjustments or []
        taken_back = _taken_back(made)
        kept = max(0, total_of(one.amount for one in captured) - taken_back)
        last = transaction.payments[0] if transaction.payments else None
        return ProviderInvoice(
            reference=transaction.id,
            subject=label(transaction, SUBJECT),
            # Anybody can pay an offer, under any address: that makes him nobody's customer.
            customer=(transaction.customer_id or "") if transaction.subscription_id else "",
            status=status,
            currency=transaction.currency_code.value,
            total_minor=int(transaction.details.totals.total),
            tax_minor=int(transaction.details.totals.tax),
            paid_minor=kept,
            refunded_minor=_sum(made, Action.Refund),
            disputed=taken_back > 0,
            payment=newest.payment_attempt_id if newest else "",
            payment_ms=int((newest.captured_at or newest.created_at).timestamp() * 1000) if newest else 0,
            number=transaction.invoice_number or "",
            url=(transaction.checkout.url or "") if transaction.checkout and status == "open" else "",
            underway=last is not None and last.status.value in _UNDERWAY,
            failure=_failure(last.status, last.error_code) if last is not None and status == "open" else "",
            replaces=label(transaction, REPLACES),
        )

    def _chargeable_for(self, order: InvoiceOrder) -> Subscription | None:
        return self.chargeable(order.payer, order.currency)

    def _find(self, order: InvoiceOrder) -> Transaction | None:
        """What is not cancelled comes first. Offers have no customer before they are paid, so where nothing is known
        yet all are looked at that are not older than what was asked."""
        known = self.get(order.reference) if order.reference else None
        if known is not None and known.status != TransactionStatus.Canceled:
            return known
        customer = order.payer.reference
        mine = list(self._named(order, customer_ids=[customer])) if customer else []
        if not mine and known is None:
            mine = list(self._named(order, created_at=created_since(order.asked_ms)))
        alive = (one for one in mine if one.status != TransactionStatus.Canceled)
        return next(alive, None) or next(iter(mine), known)

    def _named(self, order: InvoiceOrder, **wanted: Any) -> Iterator[Transaction]:
        """The newest first."""
        include = [TransactionIncludes.Adjustment]
        for one in self._client.transactions.list(ListTransactions(_newest_first(), includes=include, **wanted)):
            if label(one, SUBJECT) == order.subject:
                yield one

    def _charge_instead(self, order: InvoiceOrder, listed: Transaction, subscription: Subscription) -> ProviderInvoice:
        """There is a card now that can be charged instead of what was offered. The offer is withdrawn before, and says
        so: one that a person cancelled is left alone."""
        with looking():
            offer = self.get(listed.id) or listed  # a list may be late
        if not _is_offer(offer):
            return self.view(offer)
        if offer.status == TransactionStatus.Canceled:  # by an attempt that may have charged after it
            require_settled(order.attempted, order.age_ms, order.subject)
        elif not self._withdraw(order, offer):
            return self.view(self.get(offer.id) or offer)
        return self._charge(order, subscription, offer.id)

    def _withdraw(self, order: InvoiceOrder, offer: Transaction) -> bool:
        """Marked first: what else comes with a cancellation may not be kept. False where somebody has just paid it."""
        marks = CustomData({SUBJECT: order.subject, WITHDRAWN: "true"})
        try:
            self._client.transactions.update(offer.id, UpdateTransaction(custom_data=marks))
            self._client.transactions.update(offer.id, UpdateTransaction(status=TransactionStatus.Canceled))
        except ApiError:
            with looking():
                now = self.get(offer.id)
            if now is not None and not _is_offer(now):
                return False
            raise
        return True

    def _charge(self, order: InvoiceOrder, subscription: Subscription, offer: str = "") -> ProviderInvoice:
        """The answer names no transaction: it is found by its items."""
        retried = order.collection == "retried"
        failing = SubscriptionOnPaymentFailure.ApplyChange if retried else SubscriptionOnPaymentFailure.PreventChange
        items: list[SubscriptionChargeItem | SubscriptionChargeItemWithPrice] = [
            SubscriptionChargeItemWithPrice(_charge_price(order, line, offer), 1)
            for line in without_credits(order.lines)
        ]
        charge = CreateOneTimeCharge(SubscriptionEffectiveFrom.Immediately, items, failing)
        try:
            self._client.subscriptions.create_one_time_charge(subscription.id, charge)
        except ApiError as error:
            if error.error_code != _DECLINED:
                raise
            return self._declined(order, subscription)
        with having_sent():
            found = next(self._named(order, subscription_ids=[subscription.id]), None)
        if found is None:
            raise AmbiguousError(f"Paddle took the charge for {order.subject}, and does not show it yet")
        return self.view(found)

    def _declined(self, order: InvoiceOrder, subscription: Subscription) -> ProviderInvoice:
        with having_sent():
            if order.collection == "attended":
                return replace(self._offer(order), failure="declined")
            found = next(self._named(order, subscription_ids=[subscription.id]), None)
        if found is None:
            raise AmbiguousError(f"Paddle declined the charge for {order.subject}, and does not show it yet")
        seen = self.view(found)
        return replace(seen, failure=seen.failure or "declined")

    def _offer(self, order: InvoiceOrder) -> ProviderInvoice:
        """Whoever opens its page can pay it."""
        items: list[TransactionCreateItem | TransactionCreateItemWithPrice] = [
            TransactionCreateItemWithPrice(_offer_price(order, line), 1) for line in without_credits(order.lines)
        ]
        made = CreateTransaction(
            items=items,
            currency_code=CurrencyCode(order.currency),
            custom_data=CustomData({SUBJECT: order.subject}),
            customer_id=order.payer.reference or Undefined(),
        )
        return self.view(self._client.transactions.create(made))


def _status(transaction: Transaction) -> InvoiceStatus:
    """A charge that was declined, and that an offer follows, is as if it had never been."""
    status = _STATUSES[transaction.status.value]
    return "draft" if status == "void" and label(transaction, TRIED) else status


def _is_offer(transaction: Transaction) -> bool:
    """Nobody has paid it yet, and a card may be charged in its stead."""
    withdrawn = transaction.status == TransactionStatus.Canceled and bool(label(transaction, WITHDRAWN))
    return withdrawn or (not transaction.subscription_id and transaction.status.value in {"draft", "ready"})


def _newest_first() -> Pager:
    return Pager(order_by=OrderBy.id_descending(), per_page=PAGE)


def _sum(adjustments: Sequence[Adjustment], action: Action, statuses: Collection[str] = _DONE) -> int:
    mine = (one for one in adjustments if one.action == action and one.status.value in statuses)
    return total_of(one.totals.total for one in mine)


def _taken_back(adjustments: Sequence[Adjustment]) -> int:
    """By banks. A chargeback that was won is marked so, or undone by an adjustment of its own, or both."""
    undone = _sum(adjustments, Action.ChargebackReverse) - _sum(adjustments, Action.Chargeback, {"reversed"})
    return max(0, _sum(adjustments, Action.Chargeback) - max(0, undone))


def _failure(status: PaymentAttemptStatus, code: object) -> str:
    if status == PaymentAttemptStatus.ActionRequired:
        return "authentication_required"
    return str(getattr(code, "value", code) or "") if status == PaymentAttemptStatus.Error else ""


def _money(order: InvoiceOrder, line: InvoiceLine) -> Money:
    return Money(f"{line.minor}", CurrencyCode(order.currency))


def _description(line: InvoiceLine) -> str:
    return line.description[:_DESCRIPTION_AT_MOST]


def _charge_price(order: InvoiceOrder, line: InvoiceLine, offer: str) -> SubscriptionNonCatalogPriceWithProduct:
    return SubscriptionNonCatalogPriceWithProduct(
        description=_description(line),
        name=order.title[:150],
        unit_price=_money(order, line),
        product=SubscriptionNonCatalogProduct(_description(line)[:150], TaxCategory.Standard),
        custom_data=CustomData(
            {
                SUBJECT: order.subject,
                LINE: line.key,
                **({REPLACES: offer} if offer else {}),
                **({TRIED: "true"} if order.collection == "attended" else {}),
            }
        ),
        tax_mode=TaxMode.External,
    )


def _offer_price(order: InvoiceOrder, line: InvoiceLine) -> TransactionNonCatalogPriceWithProduct:
    return TransactionNonCatalogPriceWithProduct(
        description=_description(line),
        name=order.title[:150],
        unit_price=_money(order, line),
        product=TransactionNonCatalogProduct(_description(line)[:150], TaxCategory.Standard),
        custom_data=CustomData({SUBJECT: order.subject, LINE: line.key}),
        tax_mode=TaxMode.External,
    )
