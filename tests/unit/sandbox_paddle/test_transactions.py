"""Transactions from draft to completed, and their sums."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from paddle_billing.Entities.Shared import (
    Checkout,
    CollectionMode,
    CountryCode,
    CurrencyCode,
    Duration,
    Interval,
    Money,
    TaxCategory,
    TaxMode,
    TransactionStatus,
)
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Addresses.Operations import CreateAddress
from paddle_billing.Resources.Shared.Operations import Comparator, DateComparison, OrderBy, Pager
from paddle_billing.Resources.Transactions.Operations import (
    CreateTransaction,
    ListTransactions,
    PreviewTransactionByIP,
    TransactionIncludes,
    UpdateTransaction,
)
from paddle_billing.Resources.Transactions.Operations.Create import CreateBillingDetails, TransactionCreateItemWithPrice
from paddle_billing.Resources.Transactions.Operations.List.Origin import Origin
from paddle_billing.Resources.Transactions.Operations.Preview import TransactionItemPreviewWithPriceId
from paddle_billing.Resources.Transactions.Operations.Price import (
    TransactionNonCatalogPriceWithProduct,
    TransactionNonCatalogProduct,
)

from tests.unit.sandbox_paddle.builders import customer, event_types, pay, price, transaction

MANUAL = CollectionMode("manual")
TERMS = CreateBillingDetails(Duration(Interval("day"), 14), purchase_order_number="PO-1")


def known(api: Any) -> dict[str, Any]:
    """A customer with a country."""
    owner = customer(api)
    return {
        "customer_id": owner.id,
        "address_id": api.addresses.create(owner.id, CreateAddress(CountryCode("DE"))).id,
    }


def test_it_is_a_draft_until_customer_and_address_are_known(api: Any) -> None:
    one = price(api, 1000, cycle=None)
    made = transaction(api, one)
    assert (made.status.value, made.details.totals.tax, made.invoice_number) == ("draft", "0", None)
    api.transactions.update(made.id, UpdateTransaction(**known(api)))
    ready = api.transactions.get(made.id)
    assert (ready.status.value, ready.details.totals.subtotal, ready.details.totals.tax) == ("ready", "1000", "190")
    assert event_types(api)[-2:] == ["transaction.updated", "transaction.ready"]


def test_tax_is_added_or_included(api: Any) -> None:
    outside, inside = (price(api, 1190, cycle=None, tax_mode=TaxMode(mode)) for mode in ("external", "internal"))
    totals = [transaction(api, one, **known(api)).details.totals for one in (outside,)]
    assert (totals[0].subtotal, totals[0].tax, totals[0].grand_total) == ("1190", "226", "1416")
    preview = api.transactions.preview(
        PreviewTransactionByIP("127.0.0.1", [TransactionItemPreviewWithPriceId(inside.id, 3)])
    )
    sums = preview.details.totals
    assert (sums.subtotal, sums.tax, sums.total) == ("3000", "570", "3570")
    assert preview.details.line_items[0].unit_totals.total == "1190"


def test_currencies_without_minor_units_are_whole(api: Any, browser: httpx.Client) -> None:
    made = transaction(api, price(api, 5000, "JPY", cycle=None))
    assert made.details.totals.total == "5000"
    assert "5,000 JPY" in browser.get(made.checkout.url).text


def test_too_little_is_refused_and_nothing_is_allowed(api: Any) -> None:
    assert transaction(api, price(api, 0)).details.totals.total == "0"
    with pytest.raises(ApiError) as refused:
        transaction(api, price(api, 69, "USD", cycle=None))
    assert refused.value.error_code == "transaction_balance_less_than_charge_limit"


def test_a_price_may_be_made_for_one_transaction(api: Any) -> None:
    inline = TransactionNonCatalogPriceWithProduct(
        "Credit", Money("2500", CurrencyCode("EUR")), TransactionNonCatalogProduct("Top-up", TaxCategory("saas"))
    )
    made = api.transactions.create(CreateTransaction([TransactionCreateItemWithPrice(inline, 2)]))
    [line] = made.details.lineItems
    assert (line.totals.total, line.product.name, made.items[0].price.type.value) == ("5000", "Top-up", "custom")
    assert list(api.prices.list()) == []


def test_paying_once_completes_it_without_a_subscription(api: Any) -> None:
    made = transaction(api, price(api, 1000, cycle=None), customer_id=customer(api).id)
    pay(made)
    done = api.transactions.get(made.id, [TransactionIncludes("customer"), TransactionIncludes("address")])
    assert (done.status.value, done.subscription_id, done.details.totals.balance) == ("completed", None, "0")
    assert (done.payments[0].amount, done.payments[0].method_details.card.last4) == ("1190", "4242")
    assert (done.customer.email, done.address.country_code.value) == ("ada@example.com", "DE")
    assert httpx.get(api.transactions.get_invoice_pdf(made.id).url).content.startswith(b"%PDF-1.4")
    assert list(api.payment_methods.list(done.customer_id)) == []


def test_a_manual_transaction_is_billed_under_a_number(api: Any) -> None:
    made = transaction(api, price(api, 1000, cycle=None), collection_mode=MANUAL, billing_details=TERMS, **known(api))
    assert (made.status.value, made.checkout) == ("ready", None)
    with pytest.raises(ApiError, match="no invoice"):
        api.transactions.get_invoice_pdf(made.id)
    billed = api.transactions.update(made.id, UpdateTransaction(status=TransactionStatus("billed")))
    assert (billed.status.value, billed.invoice_number) == ("billed", "1-10001")
    with pytest.raises(ApiError) as refused:
        api.transactions.update(made.id, UpdateTransaction(custom_data=None))
    assert refused.value.error_code == "transaction_immutable"
    assert (
        api.transactions.update(made.id, UpdateTransaction(status=TransactionStatus("canceled"))).status == "canceled"
    )


def test_the_sellers_page_gets_the_transaction(api: Any) -> None:
    made = transaction(api, price(api, 0), checkout=Checkout("https://shop.example.com/pay?x=1"))
    assert made.checkout.url == f"https://shop.example.com/pay?x=1&_ptxn={made.id}"


def test_lists_are_filtered_by_status_origin_and_time(sim: Any, api: Any) -> None:
    one = price(api, 1000, cycle=None)
    first = transaction(api, one)
    sim.pass_days(1)
    second = transaction(api, one, **known(api))

    def ids(**wanted: Any) -> list[str]:
        return [found.id for found in api.transactions.list(ListTransactions(**wanted))]

    noon = datetime.fromtimestamp(sim.see("clock")["now"], UTC) - timedelta(hours=12)
    assert ids(created_at=DateComparison(noon, Comparator("GTE"))) == [second.id]
    assert ids(created_at=DateComparison(noon, Comparator("LT"))) == [first.id]
    assert ids(statuses=[TransactionStatus("draft")]) == [first.id]
    assert ids(customer_ids=[second.customer_id], origins=[Origin("api")]) == [second.id]
    assert ids(origins=[Origin("subscription_charge")]) == []
    assert ids(pager=Pager(order_by=OrderBy("created_at", "DESC"), per_page=1)) == [second.id, first.id]


def test_mixed_cycles_and_currencies_are_refused(api: Any) -> None:
    month, year = price(api, 100), price(api, 100, cycle=Duration(Interval("year"), 1))
    with pytest.raises(ApiError) as refused:
        transaction(api, month, year)
    assert refused.value.error_code == "transaction_price_different_billing_cycle"
    with pytest.raises(ApiError) as mixed:
        transaction(api, month, price(api, 100, "USD"))
    assert mixed.value.field_errors[0].field == "currency_code"


def test_the_sdk_sends_times_of_other_zones_as_if_they_were_in_utc() -> None:
    """A reason to give it nothing but UTC."""
    noon_in_berlin = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert DateComparison(noon_in_berlin).formatted() == "2026-01-01T12:00:00.000000Z"
