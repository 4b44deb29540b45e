"""Books that agree, and books that do not: what is found, what it holds back, and who may say that it is right."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.payments.account import PADDLE_KEY, PaddleAccount
from tests.integration.payments.shops import CardShop, ManualShop, PaddleShop, StripeShop, reference_of
from tests.integration.payments.test_contract import card_shop, closed, desk_of, follow
from tests.unit.billing.builders import SUBSCRIPTION
from tests.unit.billing.desk import PROVIDER, Desk
from tests.unit.billing.test_statements import MONTHS
from tollgate_billing.health import Metrics
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.drifts import Drift, accept_drift
from tollgate_billing.payments.port import Labelled, ProviderInvoice, RefusedError
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_billing.payments.reconciling import Reconciler

__all__ = ["card_shop"]
GOOD = "4242424242424242"


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


def reconciler_of(desk: Desk, **more: Any) -> Reconciler:
    return Reconciler(desk.database, lambda: desk.providers, desk.clock, desk.health, Metrics(), **more)


def found(desk: Desk, **more: Any) -> list[tuple[str, str]]:
    return [(drift.kind, drift.subject) for drift in reconciler_of(desk, **more).reconcile()]


def make_another(shop: CardShop, subject: str) -> None:
    """Somebody copies an invoice by hand, with its label."""
    if isinstance(shop, StripeShop):
        client = shop.account.client
        customer = client.customers.list().data[0].id
        made = client.invoices.create({"customer": customer, "metadata": {"tollgate_subject": subject}})
        client.invoice_items.create({"customer": customer, "invoice": made.id, "amount": 500, "currency": "usd"})
        client.invoices.finalize_invoice(made.id)
        return
    assert isinstance(shop, PaddleShop)
    price = {"description": "x", "unit_price": {"amount": "500", "currency_code": "USD"}}
    item = {"quantity": 1, "price": {**price, "product": {"name": "x", "tax_category": "standard"}}}
    body = {"items": [item], "currency_code": "USD", "custom_data": {"tollgate_subject": subject}}
    headers = {"Authorization": f"Bearer {PADDLE_KEY}"}
    shop.account.control.post("/transactions", json=body, headers=headers).raise_for_status()


def test_what_was_collected_agrees(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    closed(desk, card_shop, GOOD)
    desk.pay_in("t1", 2500)
    follow(desk)
    card_shop.give_back(desk, "top-up.t1", 1000)
    assert found(desk) == [], "what nobody has told yet is looked at, and then it agrees"
    assert desk.credit() == 1500
    assert found(desk) == []
    assert desk.health.troubles() == {}


def test_an_invoice_that_is_there_twice_is_found_and_holds_the_next_back(
    card_shop: CardShop, database: Database
) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, GOOD)
    make_another(card_shop, statement.id)
    assert found(desk) == [("duplicate", statement.id)]
    assert "reconciliation" in desk.health.troubles()
    desk.close(MONTHS[1])
    desk.now_ms += 60_000
    desk.send()
    (waiting,) = desk.requests("pending")
    assert "held back until books agree" in waiting.problem
    (drift,) = reconciler_of(desk).reconcile()
    with database.write() as connection:
        assert accept_drift(connection, drift.id, "a copy for the customer's files", desk.now_ms)
    follow(desk)
    assert desk.requests("pending") == []
    assert found(desk) == [("duplicate", statement.id)], "it is shown still, and accepted"
    assert desk.health.troubles() == {}


def test_an_invoice_of_nobody_is_shown_and_holds_nobody_back(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    closed(desk, card_shop, GOOD)
    make_another(card_shop, "st_of_another_installation")
    assert found(desk) == [("unknown", "st_of_another_installation")]
    desk.close(MONTHS[1])
    follow(desk)
    assert desk.requests("pending") == []


def test_what_somebody_writes_into_a_checkout_in_his_browser_is_nobodys_invoice(
    paddle: PaddleAccount, database: Database
) -> None:
    shop = PaddleShop(paddle)
    desk = desk_of(shop, database)
    statement = closed(desk, shop, GOOD)
    price = paddle.raw(f"/transactions/{reference_of(desk, statement.id)}")["items"][0]["price"]
    assert price["custom_data"]["tollgate_subject"] == statement.id
    ours = {"description": "Credit", "product_id": price["product_id"], "unit_price": price["unit_price"]}
    headers = {"Authorization": f"Bearer {PADDLE_KEY}"}
    made = paddle.control.post("/prices", json=ours, headers=headers).raise_for_status().json()["data"]
    asked = {"items": [{"price_id": made["id"]}], "custom_data": {"tollgate_subject": statement.id}}
    opened = paddle.control.post("/checkout/open", json=asked).raise_for_status().json()["data"]
    assert (opened["origin"], opened["custom_data"]) == ("web", {"tollgate_subject": statement.id})
    assert found(desk) == []


def test_an_invoice_that_is_gone_is_found(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, GOOD)
    assert isinstance(card_shop, StripeShop | PaddleShop)
    card_shop.account.reset()
    assert found(desk) == [("invoice", statement.id)]


def test_a_gate_that_counts_otherwise_is_shown_and_holds_nobody_back(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    closed(desk, card_shop, GOOD)
    assert found(desk, wallets=lambda: [(SUBSCRIPTION, "1.5", "1.25")]) == [("wallet", SUBSCRIPTION)]
    desk.close(MONTHS[1])
    follow(desk)
    assert desk.requests("pending") == []
    assert found(desk) == []


def test_what_was_sent_and_what_is_there_are_compared_line_by_line(card_shop: CardShop, database: Database) -> None:
    desk = desk_of(card_shop, database)
    statement = closed(desk, card_shop, GOOD)
    there = card_shop.port.lines_of(reference_of(desk, statement.id))
    assert sorted(there.values()) == [175, 4900]

    class Lying:
        """Says that a line has another amount."""

        def __getattr__(self, name: str) -> Any:
            return getattr(card_shop.port, name)

        def lines_of(self, reference: str) -> dict[str, int]:
            return {key: minor + (minor == 175) for key, minor in card_shop.port.lines_of(reference).items()}

    desk.providers = {PROVIDER: Lying()}  # pyright: ignore[reportAttributeAccessIssue]
    (drift,) = reconciler_of(desk).reconcile()
    assert isinstance(drift, Drift)
    assert (drift.kind, drift.subscription) == ("lines", SUBSCRIPTION)
    assert "1.76 USD there, 1.75 USD here" in drift.message


def test_books_that_cannot_be_compared_hold_up_no_others_and_are_not_asked_for_at_once(database: Database) -> None:
    asked: list[str] = []

    class Kept(ManualPort):
        keeps_books = True

        def __init__(self, name: str) -> None:
            self._name = name

        def labelled_since(self, moment_ms: int) -> Iterator[Labelled]:
            asked.append(self._name)
            if self._name == "odd":
                raise KeyError(f"{moment_ms}")
            yield from ()

    desk = desk_of(ManualShop(), database)
    desk.providers = {"odd": Kept("odd"), "other": Kept("other")}
    reconciler = reconciler_of(desk)
    with pytest.raises(KeyError):
        reconciler.tick()
    for _ in range(3):
        reconciler.tick()
    assert asked == ["odd", "other"]
    desk.now_ms += 1_000_000
    with pytest.raises(KeyError):
        reconciler.tick()
    assert asked == ["odd", "other", "odd"]


def test_an_invoice_that_its_provider_refuses_to_show_is_a_difference(database: Database) -> None:
    class Refusing(ManualPort):
        keeps_books = True

        def read_invoice(self, reference: str) -> ProviderInvoice | None:
            raise RefusedError(f"no {reference}")

    desk = desk_of(ManualShop(), database)
    statement = closed(desk, ManualShop())
    desk.providers = {PROVIDER: Refusing()}
    assert found(desk) == [("invoice", statement.id)]
