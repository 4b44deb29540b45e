"""What only Paddle does: it knows people by the e-mail address that they type in, and nobody verifies it; what a
checkout is labelled with is on all that its subscription is charged for."""

from paddle_billing.Entities.Shared import CurrencyCode, Duration, Interval, Money, TaxCategory
from paddle_billing.Resources.Transactions.Operations import CreateTransaction
from paddle_billing.Resources.Transactions.Operations.Create import TransactionCreateItemWithPrice
from paddle_billing.Resources.Transactions.Operations.Price import (
    TransactionNonCatalogPriceWithProduct,
    TransactionNonCatalogProduct,
)

from tests.integration.payments.account import PaddleAccount
from tests.integration.payments.shops import GOOD, PaddleShop, reference_of
from tests.integration.payments.test_contract import closed, desk_of, follow
from tests.unit.billing.desk import Desk
from tests.unit.billing.test_statements import MONTHS
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import find_subscription


def with_another_customer(shop: PaddleShop, database: Database) -> Desk:
    """Who has checked out, under the only address that the shop's people use."""
    desk = desk_of(shop, database)
    product = desk.catalog.products[0].name
    shop.check_out(desk.check_out("other", subscription="team/new", customer="newcomer", product=product).url)
    follow(desk)
    return desk


def test_whoever_pays_a_page_under_another_customer_s_address_does_not_charge_that_one(
    paddle: PaddleAccount, sqlite: Database
) -> None:
    shop = PaddleShop(paddle)
    desk = with_another_customer(shop, sqlite)
    statement = closed(desk, shop)
    shop.pay(desk, statement.id)
    follow(desk)
    assert (desk.paid(statement), desk.customer_reference()) == (5075, "")
    desk.close(MONTHS[1])
    follow(desk)
    assert desk.paid(desk.statements()[1]) == 0


def test_a_checkout_under_another_customer_s_address_begins_nothing(paddle: PaddleAccount, sqlite: Database) -> None:
    shop = PaddleShop(paddle)
    desk = with_another_customer(shop, sqlite)
    product = desk.catalog.products[0].name
    shop.check_out(desk.check_out("c1", subscription="team/eve", customer="eve", product=product).url)
    follow(desk)
    found = desk.checking_out.look("c1")
    assert found
    assert found.status == "complete"
    assert "another e-mail address" in found.problem
    with sqlite.read() as connection:
        assert find_subscription(connection, "team/eve") is None


def test_a_subscription_that_no_checkout_of_ours_began_is_not_charged(paddle: PaddleAccount, sqlite: Database) -> None:
    shop = PaddleShop(paddle)
    desk = desk_of(shop, sqlite)
    shop.check_out(desk.check_out().url)
    follow(desk)
    (mine,) = paddle.raw("/subscriptions")
    shop.check_out(other_product(paddle, desk.customer_reference()))
    assert len(paddle.raw("/subscriptions")) == 2
    statement = closed(desk, shop)
    charge = paddle.raw(f"/transactions/{reference_of(desk, statement.id)}")
    assert (charge["subscription_id"], desk.paid(statement)) == (mine["id"], 5075)


def test_events_of_a_charge_are_about_an_invoice_and_not_about_the_checkout(
    paddle: PaddleAccount, sqlite: Database
) -> None:
    shop = PaddleShop(paddle)
    desk = desk_of(shop, sqlite)
    charge = reference_of(desk, closed(desk, shop, GOOD).id)
    assert paddle.raw(f"/transactions/{charge}")["custom_data"]["tollgate_checkout"] == "first"
    told = [event for event in shop.port.events_since(0) if charge in {event.invoice, event.checkout}]
    assert [event.kind for event in told if event.invoice == charge] == [event.kind for event in told] != []


def other_product(paddle: PaddleAccount, customer: str) -> str:
    """The checkout of something that its owner sells beside."""
    price = TransactionNonCatalogPriceWithProduct(
        description="Support",
        name="Support",
        unit_price=Money("900", CurrencyCode.USD),
        product=TransactionNonCatalogProduct("Support", TaxCategory.Standard),
        billing_cycle=Duration(Interval.Month, 1),
    )
    made = paddle.client.transactions.create(
        CreateTransaction(items=[TransactionCreateItemWithPrice(price, 1)], customer_id=customer)
    )
    assert made.checkout
    assert made.checkout.url
    return made.checkout.url
