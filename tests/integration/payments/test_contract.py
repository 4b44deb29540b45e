"""What every payment provider must do, through its own SDK over HTTP: the same tests for all of them."""

import pytest
from sqlalchemy import func, select

from tests.integration.payments.account import StripeAccount
from tests.integration.payments.shops import (
    ASKS,
    SAVED_AND_DECLINED,
    CardShop,
    ManualShop,
    PaddleShop,
    Shop,
    StripeShop,
    provider_of,
    reference_of,
)
from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee, make_price
from tests.unit.billing.desk import PROVIDER, Desk, collected_catalog
from tests.unit.billing.test_statements import DAY, MONTHS, START, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import existing_subscription, find_subscription
from tollgate_billing.ledger.tables import money_postings
from tollgate_billing.ledger.verification import verify
from tollgate_billing.payments.outbox import decide, list_requests
from tollgate_billing.payments.port import RefundOrder, RefusedError
from tollgate_billing.payments.refunds import ask_for_refund
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.wallets.standing import owed
from tollgate_billing.wallets.top_ups import cancel_pending
from tollgate_core.catalog import Dunning

CARD_SHOPS = ["stripe", "paddle"]
POLL_MS = 700_000
POLICY = Dunning(grace_days=3, throttle_days=3, requests_per_minute=6)


def shop_of(kind: str, request: pytest.FixtureRequest) -> Shop:
    if kind == "stripe":
        account: StripeAccount = request.getfixturevalue("account")
        return StripeShop(account)
    if kind == "paddle":
        return PaddleShop(request.getfixturevalue("paddle"))
    return ManualShop()


@pytest.fixture(params=[*CARD_SHOPS, "manual"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return shop_of(request.param, request)


@pytest.fixture(params=CARD_SHOPS)
def card_shop(request: pytest.FixtureRequest) -> CardShop:
    return shop_of(request.param, request)  # type: ignore[return-value] # pyright: ignore[reportReturnType]


def desk_of(shop: Shop, database: Database, amount: str = "49", *, policy: Dunning | None = None) -> Desk:
    """A monthly fee in arrears and a price for each call; nothing is closed yet."""
    prices = make_fee(in_arrears=True, amount=amount), make_price(per="1", included="0", amount="0.25")
    catalog = collected_catalog(*prices, provider=provider_of(shop.kind), dunning=policy)
    apply_catalog(database, catalog, START)
    return Desk(database, {PROVIDER: shop.port}, catalog)


def follow(desk: Desk) -> None:
    """Until all that was asked for is done, and all that happened is known."""
    for _ in range(3):
        desk.now_ms += POLL_MS
        desk.send()
        desk.follower.tick()
    assert desk.requests("stuck") == []
    with desk.database.read() as connection:
        assert verify(connection) == []


def closed(desk: Desk, shop: Shop, card: str | None = None) -> StoredStatement:
    """The first month with seven calls, of a customer who has checked out with this card."""
    if card is not None:
        shop.check_out(desk.check_out().url, card)
        follow(desk)
    use(desk.database, "a", START + DAY, "7")
    desk.close(MONTHS[0])
    follow(desk)
    return desk.statements()[0]


def left_to_pay(desk: Desk) -> int:
    with desk.database.read() as connection:
        return owed(connection, existing_subscription(connection, SUBSCRIPTION))


def balance(desk: Desk, account: str) -> int:
    """Of an account of the money ledger."""
    with desk.database.read() as connection:
        p = money_postings.c
        query = select(func.coalesce(func.sum(p.minor), 0)).where(p.account == account)
        return int(connection.execute(query).scalar_one())


def test_a_round_trip_names_the_account(shop: Shop) -> None:
    assert shop.port.check()


def test_a_statement_is_collected_to_the_minor_unit(shop: Shop, database: Database) -> None:
    desk = desk_of(shop, database)
    statement = closed(desk, shop, "4242424242424242")
    assert statement.due_minor == 5075
    receivable = desk.receivable(statement)
    assert receivable
    if receivable.status == "open":
        shop.pay(desk, statement.id)
        follow(desk)
    assert shop.collected(desk) == desk.paid(statement) == 5075
    assert (left_to_pay(desk), balance(desk, f"receivable:{SUBSCRIPTION}")) == (0, 0)


def test_looked_at_again_nothing_is_collected_again(shop: Shop, database: Database) -> None:
    desk = desk_of(shop, database)
    statement = closed(desk, shop, "4242424242424242")
    before = shop.collected(desk)
    for _ in range(3):
        follow(desk)
    assert (shop.collected(desk), len(desk.statements())) == (before, 1)
    assert desk.paid(statement) == before


def test_an_open_invoice_is_owed_until_it_is_paid(shop: Shop, database: Database) -> None:
    desk = desk_of(shop, database)
    statement = closed(desk, shop)
    assert (desk.paid(statement), left_to_pay(desk)) == (0, 5075)
    shop.pay(desk, statement.id)
    follow(desk)
    assert (desk.paid(statement), left_to_pay(desk), shop.collected(desk)) == (5075, 0, 5075)


def test_what_a_bank_takes_back_is_owed_until_it_comes_again(shop: Shop, database: Database) -> None:
    desk = desk_of(shop, database, policy=POLICY)
    statement = closed(desk, shop, "4242424242424242")
    if not desk.paid(statement):
        shop.pay(desk, statement.id)
    assert desk.paid(statement) == 5075
    shop.take_back(desk, statement.id)
    follow(desk)
    assert (desk.paid(statement), left_to_pay(desk)) == (0, 5075)
    assert desk.level() != "active" or shop.kind == "manual"  # whom a person trusts has time to pay again
    shop.give_again(desk, statement.id)
    follow(desk)
    assert (desk.paid(statement), left_to_pay(desk), desk.level()) == (5075, 0, "active")


def test_a_checkout_begins_a_subscription_once(shop: Shop, database: Database) -> None:
    desk = desk_of(shop, database)
    ours = {"subscription": "team/new", "customer": "newcomer", "product": desk.catalog.products[0].name}
    page = desk.check_out("c1", **ours)
    assert desk.check_out("c1", **ours) == page, "asked again it is the same page"
    shop.check_out(page.url)
    follow(desk)
    found = desk.checking_out.look("c1")
    assert found
    assert (found.status, found.problem) == ("complete", "")
    with database.read() as connection:
        row = find_subscription(connection, "team/new")
    assert row
    assert (row.customer, row.product, row.state) == ("newcomer", ours["product"], "active")
    follow(desk)


def test_a_checkout_that_is_left_begins_nothing(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    product = desk.catalog.products[0].name
    desk.check_out("c1", subscription="team/new", customer="newcomer", product=product)
    follow(desk)
    found = desk.checking_out.look("c1")
    assert found
    assert found.status == "open"
    desk.now_ms += 3 * DAY
    follow(desk)
    found = desk.checking_out.look("c1")
    assert found
    assert (found.status, found.url) == ("expired", "")
    with database.read() as connection:
        assert find_subscription(connection, "team/new") is None


def test_a_card_that_is_declined_leaves_a_debt_that_another_card_pays(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, SAVED_AND_DECLINED)
    assert (desk.paid(statement), card_shop.collected(desk)) == (0, 0)
    card_shop.check_out(desk.check_out("second").url)
    follow(desk)
    assert (desk.paid(statement), card_shop.collected(desk), left_to_pay(desk)) == (5075, 5075, 0)
    second = desk.checking_out.look("second")
    assert second
    assert second.status == "complete"


def test_the_payment_method_and_the_portal_are_the_customers(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, "4242424242424242")
    customer = desk.customer_reference()
    found = card_shop.port.payment_method(customer)
    assert found
    assert (found.kind, found.brand, found.last4) == ("card", "visa", "4242")
    assert card_shop.port.portal_url(customer, "http://127.0.0.1:1/home").startswith("http")
    assert desk.paid(statement)


def test_what_the_owner_refunds_by_hand_is_recorded_and_not_owed(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, "4242424242424242")
    card_shop.give_back(desk, statement.id, 900)
    follow(desk)
    assert (desk.paid(statement), left_to_pay(desk), card_shop.collected(desk)) == (5075, 0, 4175)
    assert (balance(desk, f"refunded:{PROVIDER}"), balance(desk, f"cash:{PROVIDER}")) == (900, 4175)


def test_a_refund_from_here_is_given_once(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, "4242424242424242")
    receivable = desk.receivable(statement)
    assert receivable
    for _ in range(2):
        with database.write() as connection:
            ask_for_refund(connection, receivable, "sorry", 1000, "an outage", desk.now_ms)
    follow(desk)
    assert (card_shop.collected(desk), balance(desk, f"refunded:{PROVIDER}")) == (4075, 1000)
    again = RefundOrder("sorry", receivable.reference, 1000, "USD", "an outage", attempted=True)
    assert card_shop.port.refund(again).refunded_minor == 1000
    follow(desk)
    assert (card_shop.collected(desk), left_to_pay(desk)) == (4075, 0)


def test_what_is_not_there_any_more_is_refused(card_shop: CardShop) -> None:
    nothing = {"stripe": "in_gone", "paddle": "txn_01hv8wptq8987qeep44cyrewp9"}[card_shop.kind]
    assert card_shop.port.read_invoice(nothing) is None
    with pytest.raises(RefusedError):
        card_shop.port.refund(RefundOrder("r", nothing, 100, "USD", "x", attempted=False))


def test_a_top_up_is_charged_and_becomes_credit_once(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    closed(desk, card_shop, "4242424242424242")
    desk.pay_in("t1", 2500)
    assert desk.credit() == 0
    follow(desk)
    assert (desk.top_up("t1").state, desk.credit(), card_shop.collected(desk)) == ("paid", 2500, 7575)
    follow(desk)
    assert (desk.credit(), balance(desk, "granted:topUp")) == (2500, 0)


def test_a_top_up_with_a_declined_card_is_paid_on_its_page(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    card_shop.check_out(desk.check_out().url, SAVED_AND_DECLINED)
    follow(desk)
    desk.pay_in("t1", 2500)
    follow(desk)
    assert (desk.top_up("t1").state, desk.credit()) == ("pending", 0)
    card_shop.pay(desk, "top-up.t1")
    follow(desk)
    assert (desk.top_up("t1").state, desk.credit(), card_shop.collected(desk)) == ("paid", 2500, 2500)


def test_a_top_up_that_nobody_pays_ends_after_a_day(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    card_shop.check_out(desk.check_out().url, SAVED_AND_DECLINED)
    follow(desk)
    desk.pay_in("t1", 2500)
    follow(desk)
    desk.now_ms += 2 * DAY
    follow(desk)
    assert (desk.top_up("t1").state, desk.credit(), card_shop.collected(desk)) == ("failed", 0, 0)


def test_an_automatic_top_up_that_is_declined_fails_for_good(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    card_shop.check_out(desk.check_out().url, SAVED_AND_DECLINED)
    follow(desk)
    desk.pay_in("auto-1", 2500, "automatic")
    follow(desk)
    top_up = desk.top_up("auto-1")
    assert (top_up.state, desk.credit(), card_shop.collected(desk)) == ("failed", 0, 0)
    assert "declined" in top_up.note


@pytest.mark.parametrize(
    ("kind", "call"),
    [("stripe", "/v1/invoices"), ("stripe", "/v1/invoices/*/pay"), ("paddle", "/transactions")],
)
def test_a_top_up_that_is_cancelled_while_nobody_knows_what_came_of_it_is_withdrawn(
    kind: str, call: str, database: Database, request: pytest.FixtureRequest
) -> None:
    shop = shop_of(kind, request)
    assert isinstance(shop, StripeShop | PaddleShop)
    desk = desk_of(shop, database)
    shop.check_out(desk.check_out().url, SAVED_AND_DECLINED)
    follow(desk)
    desk.pay_in("t1", 2500)
    shop.account.fault("answer_lost", call, "POST")
    desk.send()
    assert shop.account.faults_left() == 0
    with database.write() as connection:
        cancel_pending(connection, SUBSCRIPTION, desk.now_ms)
    follow(desk)
    found = [one.status for one in shop.port.labelled_since(START) if one.subject == "top-up.t1"]
    assert set(found) <= {"void"}
    assert desk.requests("pending") == []
    assert (desk.top_up("t1").state, desk.credit(), shop.collected(desk)) == ("cancelled", 0, 0)


def test_a_top_up_that_is_cancelled_before_it_was_sent_is_never_sent(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    desk.pay_in("t1", 2500)
    with database.write() as connection:
        cancel_pending(connection, SUBSCRIPTION, desk.now_ms)
    follow(desk)
    assert list(card_shop.port.labelled_since(START)) == []


def test_credit_is_taken_back_with_the_money_and_comes_again_with_it(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database, policy=POLICY)
    closed(desk, card_shop, "4242424242424242")
    desk.pay_in("t1", 2500)
    follow(desk)
    card_shop.take_back(desk, "top-up.t1")
    follow(desk)
    assert (desk.credit(), desk.level()) == (0, "active")  # nothing of it was used
    card_shop.give_again(desk, "top-up.t1")
    follow(desk)
    assert (desk.credit(), card_shop.collected(desk)) == (2500, 7575)


def test_credit_that_was_used_before_its_money_went_back_suspends(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database, policy=POLICY)
    closed(desk, card_shop, "4242424242424242")
    desk.pay_in("t1", 2500)
    follow(desk)
    desk.close(MONTHS[1])  # its fee is paid from the credit, and the rest by card
    follow(desk)
    assert desk.credit() == 0
    card_shop.take_back(desk, "top-up.t1")
    follow(desk)
    assert desk.level() == "suspended"
    card_shop.give_again(desk, "top-up.t1")
    follow(desk)
    assert (desk.level(), desk.credit()) == ("active", 0)


def test_a_refunded_top_up_takes_its_credit_with_it(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    closed(desk, card_shop, "4242424242424242")
    desk.pay_in("t1", 2500)
    follow(desk)
    card_shop.give_back(desk, "top-up.t1", 1000)
    follow(desk)
    assert (desk.credit(), card_shop.collected(desk)) == (1500, 6575)


def test_a_customer_who_was_deleted_there_is_asked_again(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    card_shop.check_out(desk.check_out().url)
    follow(desk)
    card_shop.forget_customer(desk)
    statement = closed(desk, card_shop)
    assert desk.paid(statement) == 0
    card_shop.check_out(desk.check_out("second").url)
    follow(desk)
    assert (desk.paid(statement), left_to_pay(desk)) == (5075, 0)


def test_paid_by_other_means_too_the_rest_is_the_customers(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, SAVED_AND_DECLINED)
    ManualShop().pay(desk, statement.id)
    card_shop.pay(desk, statement.id)
    follow(desk)
    assert (desk.paid(statement), left_to_pay(desk), card_shop.collected(desk)) == (5075, 0, 5075)
    assert (balance(desk, f"surplus:{SUBSCRIPTION}"), balance(desk, f"cash:{PROVIDER}")) == (-5075, 5075)
    card_shop.give_back(desk, statement.id, 5075)
    follow(desk)
    assert (balance(desk, f"surplus:{SUBSCRIPTION}"), balance(desk, f"cash:{PROVIDER}")) == (0, 0)
    assert balance(desk, f"refunded:{PROVIDER}") == 0


def test_what_was_paid_by_other_means_is_not_charged_to_a_new_card(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, SAVED_AND_DECLINED)
    ManualShop().pay(desk, statement.id)
    card_shop.check_out(desk.check_out("second").url)
    follow(desk)
    if card_shop.kind == "paddle":  # which charges what is past due by itself, whoever else was paid
        assert (desk.paid(statement), balance(desk, f"surplus:{SUBSCRIPTION}")) == (5075, -5075)
    else:
        assert (desk.paid(statement), card_shop.collected(desk)) == (5075, 0)


def test_a_top_up_that_was_refunded_before_anybody_looked_gives_the_rest(
    card_shop: CardShop, database: Database
) -> None:
    desk = desk_of(card_shop, database)
    card_shop.check_out(desk.check_out().url, SAVED_AND_DECLINED)
    follow(desk)
    desk.pay_in("t1", 2500)
    follow(desk)
    card_shop.pay(desk, "top-up.t1")
    card_shop.give_back(desk, "top-up.t1", 1000)
    follow(desk)
    assert (desk.top_up("t1").state, desk.credit(), card_shop.collected(desk)) == ("paid", 1500, 1500)


def test_a_refund_that_a_person_dropped_is_not_given_and_leaves_room_for_another(
    card_shop: CardShop, database: Database
) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, "4242424242424242")
    receivable = desk.receivable(statement)
    assert receivable
    with database.write() as connection:
        ask_for_refund(connection, receivable, "r1", None, "no", desk.now_ms)
        (request,) = list_requests(connection, "pending")
        decide(connection, request, again=False, now_ms=desk.now_ms)
        ask_for_refund(connection, receivable, "r2", 5075, "yes", desk.now_ms)
    follow(desk)
    assert card_shop.collected(desk) == 0


def test_a_bank_that_wants_its_customer_there_is_paid_on_the_page(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database, policy=POLICY)
    statement = closed(desk, card_shop, ASKS[card_shop.kind])
    if not desk.paid(statement):
        assert desk.level() == "grace"
        card_shop.pay(desk, statement.id)
        follow(desk)
    assert (desk.paid(statement), desk.level()) == (5075, "active")


def test_an_invoice_that_a_person_voids_is_owed_and_not_collected_again(
    card_shop: CardShop, database: Database
) -> None:
    desk = desk_of(card_shop, database, policy=POLICY)
    statement = closed(desk, card_shop)
    assert desk.level() == "grace"
    card_shop.void(desk, statement.id)
    follow(desk)
    receivable = desk.receivable(statement)
    assert receivable
    assert (receivable.status, left_to_pay(desk), desk.level()) == ("void", 5075, "active")
    card_shop.check_out(desk.check_out().url)
    follow(desk)
    assert (desk.paid(statement), card_shop.collected(desk)) == (0, 0)


def test_more_lines_than_a_provider_takes_are_grouped(card_shop: CardShop, database: Database) -> None:
    fees = [make_fee(name=f"fee-{number}", in_arrears=True, amount=f"{number + 1}") for number in range(251)]
    catalog = collected_catalog(*fees, provider=provider_of(card_shop.kind))
    apply_catalog(database, catalog, START)
    desk = Desk(database, {PROVIDER: card_shop.port}, catalog)
    statement = closed(desk, card_shop, "4242424242424242")
    assert desk.paid(statement) == card_shop.collected(desk) == statement.due_minor
    lines = card_shop.port.lines_of(reference_of(desk, statement.id))
    assert len(lines) <= card_shop.port.lines_at_most
    assert sum(lines.values()) == statement.due_minor


def test_what_is_too_little_is_carried_to_the_next_invoice(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database, amount="0.10")
    card_shop.check_out(desk.check_out().url)
    follow(desk)
    desk.close(MONTHS[0])
    follow(desk)
    assert card_shop.collected(desk) == 0
    use(desk.database, "a", MONTHS[0] + DAY, "7")
    desk.close(MONTHS[1])
    follow(desk)
    assert card_shop.collected(desk) == 10 + 10 + 175
    assert left_to_pay(desk) == 0


def test_credit_that_an_invoice_holds_is_taken_off(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    card_shop.check_out(desk.check_out().url)
    follow(desk)
    desk.pay_in("t1", 2500)
    follow(desk)
    statement = closed(desk, card_shop)
    assert statement.due_minor == 5075 - 2500
    assert (desk.paid(statement), card_shop.collected(desk), left_to_pay(desk)) == (2575, 5075, 0)


@pytest.mark.parametrize(("given", "state", "credit"), [(1000, "paid", 1500), (2500, "failed", 0)])
def test_an_open_top_up_that_was_lowered_gives_credit_for_what_was_paid(
    given: int, state: str, credit: int, account: StripeAccount, database: Database
) -> None:
    shop = StripeShop(account)
    desk = desk_of(shop, database)
    shop.check_out(desk.check_out().url, SAVED_AND_DECLINED)
    follow(desk)
    desk.pay_in("t1", 2500)
    follow(desk)
    receivable = desk.receivable_of("top-up.t1")
    assert receivable
    with database.write() as connection:
        ask_for_refund(connection, receivable, "less", given, "asked for", desk.now_ms)
    follow(desk)
    if credit:
        shop.pay(desk, "top-up.t1")
        follow(desk)
    assert (desk.top_up("t1").state, desk.credit(), shop.collected(desk)) == (state, credit, credit)
    assert balance(desk, f"wallet:{SUBSCRIPTION}") == -credit
