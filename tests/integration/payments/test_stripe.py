"""Statements become invoices at Stripe, through its own SDK, and what Stripe says becomes payments."""

import pytest
from sqlalchemy import func, select

from tests.integration.payments.account import StripeAccount
from tests.integration.payments.shops import StripeShop
from tests.integration.payments.test_contract import desk_of
from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee, make_price
from tests.unit.billing.desk import PROVIDER, Desk, collected_catalog, desk_with_a_fee
from tests.unit.billing.test_statements import DAY, MONTHS, START, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.money import posted
from tollgate_billing.ledger.subscriptions import existing_subscription
from tollgate_billing.ledger.tables import payments
from tollgate_billing.ledger.verification import verify
from tollgate_billing.payments.port import Account
from tollgate_billing.payments.providers.stripe.objects import CUSTOMER, label
from tollgate_billing.wallets.standing import owed


def left_to_pay(desk: Desk) -> int:
    with desk.database.read() as connection:
        return owed(connection, existing_subscription(connection, SUBSCRIPTION))


def money_back(desk: Desk) -> int:
    """Refunds of all statements."""
    with desk.database.read() as connection:
        query = select(func.coalesce(func.sum(payments.c.minor), 0)).where(payments.c.kind == "refund")
        return int(connection.execute(query).scalar_one())


def test_a_statement_is_invoiced_line_by_line_and_paid_by_card(account: StripeAccount, database: Database) -> None:
    account.customer()
    catalog = collected_catalog(make_fee(in_arrears=True), make_price(per="1", included="0", amount="0.333"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "7")
    desk = Desk(database, {PROVIDER: account.port}, catalog)
    (statement,) = desk.close(MONTHS[0])
    assert desk.send() == 1
    (invoice,) = account.invoices()
    assert (invoice.status, invoice.total, invoice.currency) == ("paid", statement.due_minor, "usd")
    assert sorted(line.amount for line in invoice.lines.data) == [233, 4900]
    assert account.collected() == statement.due_minor == desk.paid(statement)
    assert left_to_pay(desk) == 0


def test_a_customer_without_a_card_owes_until_he_pays(account: StripeAccount, database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    (statement,) = desk.statements()
    desk.send()
    (invoice,) = account.invoices()
    receivable = desk.receivable(statement)
    assert receivable
    assert (invoice.status, receivable.status, desk.paid(statement)) == ("open", "open", 0)
    assert receivable.url == invoice.hosted_invoice_url
    assert isinstance(invoice.customer, str)
    method = account.client.payment_methods.attach("pm_card_visa", {"customer": invoice.customer})
    account.client.invoices.pay(invoice.id, {"payment_method": method.id})
    desk.now_ms += 600_000
    desk.follower.tick()
    assert (desk.paid(statement), left_to_pay(desk)) == (4900, 0)


def test_the_same_customer_is_one_at_stripe(account: StripeAccount, database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    desk.send()
    desk.close(MONTHS[1])
    desk.send()
    assert len(account.client.customers.list().data) == 1
    assert len(account.invoices()) == 2


def test_what_is_refunded_is_recorded_and_not_owed_again(account: StripeAccount, database: Database) -> None:
    account.customer()
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    (statement,) = desk.statements()
    desk.send()
    (charge,) = account.client.charges.list().data
    account.client.refunds.create({"charge": charge.id, "amount": 900})
    desk.follower.tick()
    assert (desk.paid(statement), left_to_pay(desk), money_back(desk)) == (4900, 0, -900)
    desk.now_ms += 700_000
    desk.follower.tick()
    assert money_back(desk) == -900


def test_what_a_bank_takes_back_is_owed_until_the_dispute_is_won(account: StripeAccount, database: Database) -> None:
    account.customer(card="pm_card_createDispute")
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    (statement,) = desk.statements()
    desk.send()
    desk.follower.tick()
    receivable = desk.receivable(statement)
    assert receivable
    assert receivable.disputed
    assert (desk.paid(statement), left_to_pay(desk)) == (0, 4900)
    (dispute,) = account.client.disputes.list().data
    account.client.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": True})
    desk.now_ms += 700_000
    desk.follower.tick()
    assert (desk.paid(statement), left_to_pay(desk)) == (4900, 0)


@pytest.mark.parametrize(("balance", "cash"), [(-1000, 3900), (250, 5150), (-4900, 0)])
def test_what_stripe_takes_from_a_customers_balance_is_paid_and_no_cash(
    account: StripeAccount, database: Database, balance: int, cash: int
) -> None:
    customer = account.customer()
    movement = account.client.customers.balance_transactions.create
    movement(customer, {"amount": balance, "currency": "usd"})
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    (statement,) = desk.statements()
    desk.send()
    for _ in range(2):
        desk.now_ms += 700_000
        desk.follower.tick()
    assert (desk.paid(statement), left_to_pay(desk)) == (4900, 0)
    assert account.collected() == cash
    with database.read() as connection:
        assert posted(connection, f"cash:{PROVIDER}")[0] == cash
        assert verify(connection) == []


def test_an_invoice_that_was_voided_by_hand_is_owed_and_not_collected(
    account: StripeAccount, database: Database
) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    (statement,) = desk.statements()
    desk.send()
    account.client.invoices.void_invoice(account.invoices()[0].id)
    desk.follower.tick()
    receivable = desk.receivable(statement)
    assert receivable
    assert (receivable.status, left_to_pay(desk)) == ("void", 4900)


def test_more_lines_than_stripe_takes_are_grouped(account: StripeAccount, database: Database) -> None:
    account.customer()
    prices = [make_fee(name=f"fee-{number}", in_arrears=True, amount=f"{number + 1}") for number in range(251)]
    catalog = collected_catalog(*prices)
    apply_catalog(database, catalog, START)
    desk = Desk(database, {PROVIDER: account.port}, catalog)
    (statement,) = desk.close(MONTHS[0])
    desk.send()
    (invoice,) = account.invoices()
    assert (invoice.status, invoice.total) == ("paid", statement.due_minor)


def test_a_key_that_was_revoked_is_waited_for(account: StripeAccount, database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: account.port})
    account.control.post("/sandbox/keys", json={"revoke": "sk_test_canary"}).raise_for_status()
    desk.send()
    (waiting,) = desk.requests("pending")
    assert "does not accept the API key" in waiting.problem
    assert "canary" not in waiting.problem
    account.control.post("/sandbox/keys", json={"restore": "sk_test_canary"}).raise_for_status()
    desk.now_ms = waiting.due_ms
    desk.send()
    assert [invoice.status for invoice in account.invoices()] == ["open"]


def test_the_account_is_checked_with_a_round_trip(account: StripeAccount) -> None:
    assert account.port.check() == Account("acct_simulated", "test", "Simulated account")


def test_a_checkout_whose_customer_was_deleted_stops_no_other(account: StripeAccount, sqlite: Database) -> None:
    shop = StripeShop(account)
    desk = desk_of(shop, sqlite)
    product = desk.catalog.products[0].name
    shop.check_out(desk.check_out("good", subscription="team/new", customer="newcomer", product=product).url)
    desk.now_ms += 1
    shop.check_out(desk.check_out("bad").url)
    for customer in account.client.customers.list().data:
        if label(customer.metadata, CUSTOMER) == "acme":
            account.client.customers.delete(customer.id)
    for _ in range(2):
        desk.now_ms += 700_000
        desk.follower.tick()
    assert [found.status for name in ("good", "bad") if (found := desk.checking_out.look(name))] == [
        "complete",
        "expired",
    ]
