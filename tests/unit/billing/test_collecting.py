"""Statements that a provider collects: put into the outbox with the statement, sent once, carried where too small."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee, make_price
from tests.unit.billing.desk import PROVIDER, Desk, collected_catalog, desk_with_a_fee
from tests.unit.billing.test_statements import DAY, MONTHS, START, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.applying import StaleError, apply_invoice
from tollgate_billing.payments.checkouts import list_checkouts
from tollgate_billing.payments.debts import debt_of_statement
from tollgate_billing.payments.inbox import receive
from tollgate_billing.payments.outbox import claim, decide, due_requests, find_request, put_aside
from tollgate_billing.payments.port import (
    AmbiguousError,
    CheckoutOrder,
    InvoiceOrder,
    ProviderCheckout,
    ProviderEvent,
    ProviderInvoice,
    RefundOrder,
    RefusedError,
    TryLaterError,
)
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_billing.payments.receivables import add_receivable, carry, find_receivable
from tollgate_billing.payments.received import MANUAL, Payment, record_payment
from tollgate_billing.payments.refunds import Refund, RefundRefusedError, ask_for_refund
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.wallets.top_ups import cancel_pending
from tollgate_core.catalog import PaymentProvider


class Moody(ManualPort):
    """Fails as told, and remembers what it was asked."""

    def __init__(self, *errors: Exception, least: int = 1) -> None:
        self.errors = list(errors)
        self.asked: list[InvoiceOrder] = []
        self._least = least

    def least_minor(self, currency: str) -> int:
        del currency
        return self._least

    def collect(self, order: InvoiceOrder) -> ProviderInvoice:
        self.asked.append(order)
        if self.errors:
            raise self.errors.pop(0)
        return super().collect(order)


def test_a_closed_statement_is_sent_once(database: Database) -> None:
    provider = Moody()
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    (statement,) = desk.statements()
    assert [request.subject for request in desk.requests("pending")] == [statement.id]
    assert (desk.send(3), len(provider.asked)) == (1, 1)
    (order,) = provider.asked
    assert (order.total_minor, order.currency, order.attempted) == (4900, "USD", False)
    assert [line.description for line in order.lines] == ["fee: 49 USD = 49.00 USD"]
    receivable = desk.receivable(statement)
    assert receivable
    assert (receivable.status, receivable.reference) == ("open", f"manual.{statement.id}")


def test_nothing_is_sent_where_nothing_is_due_or_nobody_collects(database: Database) -> None:
    nobody = collected_catalog(make_fee(in_arrears=True))
    desk = Desk(database, {}, nobody)
    desk.catalog = collected_catalog(make_price(amount="0"))
    apply_catalog(database, desk.catalog, START)
    use(database, "a", START + DAY, "3")
    assert [statement.due_minor for statement in desk.close(MONTHS[0])] == [0]
    assert desk.requests("pending") == []


@pytest.mark.parametrize("error", [AmbiguousError("no answer"), TryLaterError("busy"), TryLaterError("busy", 5_000)])
def test_what_may_work_later_is_tried_again_and_then_looked_for_first(database: Database, error: Exception) -> None:
    provider = Moody(error)
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    desk.send()
    (waiting,) = desk.requests("pending")
    assert (waiting.attempts, waiting.problem) == (1, str(error))
    assert desk.send() == 0, "not before its time"
    desk.now_ms = waiting.due_ms
    assert desk.send() == 1
    assert [order.attempted for order in provider.asked] == [False, True]
    assert len(desk.requests("done")) == 1


def test_what_a_provider_refuses_waits_for_a_person_and_holds_nobody_up(database: Database) -> None:
    provider = Moody(RefusedError("no such currency"))
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    desk.send()
    (stuck,) = desk.requests("stuck")
    assert stuck.problem == "no such currency"
    desk.close(MONTHS[1])
    desk.send()
    assert len(desk.requests("done")) == 1
    with database.write() as connection:
        decide(connection, stuck, again=True, now_ms=desk.now_ms)
    desk.send()
    assert [order.attempted for order in provider.asked] == [False, False, True]
    assert desk.requests("stuck") == []


def test_a_provider_without_keys_is_waited_for(database: Database) -> None:
    desk = desk_with_a_fee(database, {})
    assert desk.send() == 0
    (waiting,) = desk.requests("pending")
    assert (waiting.attempts, waiting.problem) == (0, "there is no payment provider shop, or its keys are missing")
    desk.providers = {PROVIDER: Moody()}
    assert desk.send(3) == 1


def test_statements_of_a_subscription_are_sent_in_their_order(database: Database) -> None:
    provider = Moody(TryLaterError("busy"))
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    first, second = desk.close(MONTHS[1])
    desk.send()
    assert [order.subject for order in provider.asked] == [first.id]
    with database.read() as connection:
        assert due_requests(connection, desk.now_ms) == [], "the second one waits for the first"
    desk.send(4)
    assert [order.subject for order in provider.asked] == [first.id, first.id, second.id]


def test_what_is_too_small_is_carried_to_the_next_invoice(database: Database) -> None:
    provider = Moody(least=5000)
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    assert desk.send(2) == 1
    assert provider.asked == []
    first, second = desk.close(MONTHS[1])
    desk.send()
    (order,) = provider.asked
    assert (order.subject, order.total_minor) == (second.id, 9800)
    assert order.lines[-1].description == f"Statement {first.id}"
    carried = desk.receivable(first)
    assert carried
    assert (carried.status, carried.carried_by) == ("carried", second.id)


def test_two_workers_send_a_statement_once(database: Database) -> None:
    provider = Moody()
    one = desk_with_a_fee(database, {PROVIDER: provider})
    two = Desk(database, {PROVIDER: provider}, one.catalog, one.now_ms)
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda desk: desk.send(), [one, two])) <= 2
    assert len(provider.asked) == 1
    assert len(one.requests("done")) == 1


def test_a_lease_that_ran_out_is_taken_over_by_somebody_who_looks_first(database: Database) -> None:
    class KilledError(BaseException):
        pass

    def die(name: str) -> None:
        if name == "before-send":
            raise KilledError

    provider = Moody()
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    dying = Desk(database, {PROVIDER: provider}, desk.catalog, desk.now_ms, die)
    with pytest.raises(KilledError):
        dying.send()
    assert desk.send() == 0, "somebody has it"
    desk.now_ms += 600_001
    assert desk.send() == 1
    assert [order.attempted for order in provider.asked] == [True]


@pytest.mark.parametrize("error", [TryLaterError("busy"), AmbiguousError("no answer"), RefusedError("no")])
def test_whose_lease_ran_out_leaves_the_request_to_whoever_has_it_now(database: Database, error: Exception) -> None:
    class Slow(Moody):
        def collect(self, order: InvoiceOrder) -> ProviderInvoice:
            desk.now_ms += 600_001
            with database.write() as connection:
                (request,) = due_requests(connection, desk.now_ms)
                assert claim(connection, request, desk.now_ms, 600_000)
            return super().collect(order)

    desk = desk_with_a_fee(database, {PROVIDER: Slow(error)})
    desk.send()
    (request,) = desk.requests("pending")
    assert (request.attempted_ms, request.leased_ms, request.problem) == (desk.now_ms, desk.now_ms + 600_000, "")


def test_a_request_that_a_person_decides_on_is_not_sent_meanwhile(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: Moody()})
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            found = find_request(connection, f"invoice.{desk.statements()[0].id}", lock=True)
            assert found
            sending = pool.submit(desk.send)
            time.sleep(0.3)
            decide(connection, found, again=False, now_ms=desk.now_ms)
        assert sending.result() == 0
    assert len(desk.requests("dropped")) == 1


def test_a_person_s_decision_is_of_a_request_that_is_stuck(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: Moody()})
    (request,) = desk.requests("pending")
    with database.write() as connection:
        assert claim(connection, request, desk.now_ms, 0)
        put_aside(connection, request, "why")
        dropped = decide(connection, request, again=False, now_ms=1)
    assert (dropped.state, desk.send(3)) == ("dropped", 0)
    assert desk.requests("dropped") == [
        replace(dropped, due_ms=1, problem="why", attempts=1, attempted_ms=request.created_ms)
    ]
    assert dropped.subscription == SUBSCRIPTION


def pay_by_hand(desk: Desk, statement: StoredStatement, minor: int) -> None:
    payment = Payment(
        id=f"by-hand-{statement.sequence}",
        subject=statement.id,
        subscription=statement.subscription,
        customer=statement.customer,
        provider=MANUAL,
        reference="",
        minor=minor,
        currency=statement.currency,
        at_ms=desk.now_ms,
        recorded_ms=desk.now_ms,
    )
    with desk.database.write() as connection:
        record_payment(connection, debt_of_statement(statement), payment)


def test_what_was_paid_by_hand_is_not_collected_again(database: Database) -> None:
    provider = Moody(RefusedError("no"), least=1)
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    desk.send()
    (statement,), (stuck,) = desk.statements(), desk.requests("stuck")
    pay_by_hand(desk, statement, 4000)
    with database.write() as connection:
        decide(connection, stuck, again=True, now_ms=desk.now_ms)
    desk.send()
    assert [request.problem for request in desk.requests("stuck")] == [
        "a part of it was paid by other means: have the rest paid so too, and drop this request"
    ]
    assert len(provider.asked) == 1


def test_a_small_statement_that_was_paid_by_hand_is_not_carried(database: Database) -> None:
    provider = Moody(least=5000)
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    desk.send()
    (first,) = desk.statements()
    pay_by_hand(desk, first, 4900)
    desk.close(MONTHS[2])
    desk.send(3)
    assert [order.total_minor for order in provider.asked] == [9800], "the two later ones"


def test_a_top_up_that_was_cancelled_before_anything_was_sent_is_not_charged(database: Database) -> None:
    provider = Moody(TryLaterError("busy"))
    catalog = collected_catalog(make_fee(), provider=PaymentProvider(name=PROVIDER, kind="stripe"))
    apply_catalog(database, catalog, START)
    desk = Desk(database, {PROVIDER: provider}, catalog)
    desk.pay_in("t1", 2500)
    desk.send()
    with database.write() as connection:
        cancel_pending(connection, SUBSCRIPTION, desk.now_ms)
    desk.send(3)
    assert (len(provider.asked), desk.top_up("t1").state) == (1, "cancelled")
    assert [request.subject for request in desk.requests("done")] == ["top-up.t1"]


def test_what_an_invoice_carries_is_decided_before_it_is_attempted(database: Database) -> None:
    provider = Moody(AmbiguousError("no answer"), least=4901)
    desk = desk_with_a_fee(database, {PROVIDER: provider}, amount="49.01")
    desk.send()
    desk.catalog = collected_catalog(make_fee(in_arrears=True, amount="1"))
    with database.write() as connection:  # a small one that comes while the answer is unknown
        first = desk.statements()[0]
        small_debt = debt_of_statement(replace(first, id="st_small", due_minor=100))
        add_receivable(connection, small_debt, PROVIDER, desk.now_ms)
        small = find_receivable(connection, "st_small")
        assert small
        carry(connection, small, desk.now_ms)
    desk.send(4)
    assert [order.total_minor for order in provider.asked] == [4901, 4901]


def test_what_a_dropped_request_carries_waits_for_the_next_one(database: Database) -> None:
    provider = Moody(least=5000)
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    desk.send()
    provider.errors.append(RefusedError("no"))
    first, second = desk.close(MONTHS[1])
    desk.send()
    carried = desk.receivable(first)
    assert carried
    assert carried.carried_by == second.id
    with database.write() as connection:
        decide(connection, desk.requests("stuck")[0], again=False, now_ms=desk.now_ms)
    desk.close(MONTHS[3])
    desk.send(3)
    assert provider.asked[-1].lines[-1].key == f"carried-{first.id}"


def test_a_refund_that_did_not_reach_the_customer_can_be_given_again(database: Database) -> None:
    class Refunding(ManualPort):
        def collect(self, order: InvoiceOrder) -> ProviderInvoice:
            return replace(super().collect(order), status="paid", paid_minor=4900)

        def refund(self, order: RefundOrder) -> ProviderInvoice:
            return replace(paid, refunded_minor=order.minor)

    desk = desk_with_a_fee(database, {PROVIDER: Refunding()})
    desk.send()
    (statement,) = desk.statements()
    paid = ProviderInvoice(f"manual.{statement.id}", statement.id, "", "paid", "USD", 4900, 0, 4900)
    ask_back(desk, statement, "r1")
    with pytest.raises(RefundRefusedError, match="nothing is left"):
        ask_back(desk, statement, "r2")
    desk.send()
    with pytest.raises(RefundRefusedError, match="nothing is left"):
        ask_back(desk, statement, "r2")
    with database.write() as connection:  # its bank sent it back, or the provider rejected it
        apply_invoice(connection, PROVIDER, paid, desk.now_ms)
    assert ask_back(desk, statement, "r2").minor == 4900


def ask_back(desk: Desk, statement: StoredStatement, name: str) -> Refund:
    receivable = desk.receivable(statement)
    assert receivable
    with desk.database.write() as connection:
        return ask_for_refund(connection, receivable, name, None, "sorry", desk.now_ms)


def test_a_provider_that_is_gone_holds_up_no_other_one(database: Database) -> None:
    provider = Moody()
    desk = desk_with_a_fee(database, {})
    desk.send()
    products = tuple(msgspec.structs.replace(product, payment_provider="new") for product in desk.catalog.products)
    desk.catalog = msgspec.structs.replace(desk.catalog, products=products)
    desk.close(MONTHS[1])
    desk.providers = {"new": provider}
    assert desk.send() == 1
    assert len(provider.asked) == 1


def test_a_look_from_before_another_one_is_thrown_away(database: Database) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()})
    desk.send()
    (statement,) = desk.statements()
    before = desk.receivable(statement)
    assert before
    found = ProviderInvoice(before.reference, statement.id, "", "paid", "USD", 4900, 0, 4900)
    with database.write() as connection:
        apply_invoice(connection, PROVIDER, found, desk.now_ms, seen=before.version)
    older = replace(found, status="open", paid_minor=0)
    with database.write() as connection, pytest.raises(StaleError):
        apply_invoice(connection, PROVIDER, older, desk.now_ms, seen=before.version)
    assert desk.paid(statement) == 4900


class Drifting(ManualPort):
    """Says of one invoice what cannot be of its statement."""

    def __init__(self, good: ProviderInvoice) -> None:
        self._good = good

    def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
        return replace(self._good, total_minor=1) if event.id == "bad" else self._good


def test_an_event_that_cannot_be_applied_stops_no_other(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    desk = desk_with_a_fee(database, {PROVIDER: ManualPort()})
    desk.send()
    (statement,) = desk.statements()
    reference = f"manual.{statement.id}"
    good = ProviderInvoice(reference, statement.id, "", "paid", "USD", 4900, 0, 4900)
    desk.providers = {PROVIDER: Drifting(good)}
    with database.write() as connection:
        for name in ("bad", "good"):
            event = ProviderEvent(name, "invoice.paid", 1, reference, customer=name)  # two looks, not one for both
            receive(connection, PROVIDER, event, desk.now_ms)
    assert desk.follower.tick() == 2
    assert desk.paid(statement) == 4900


def test_an_invoice_or_checkout_that_its_provider_refuses_to_show_stops_no_other(database: Database) -> None:
    class Refusing(ManualPort):
        def read_invoice(self, reference: str) -> ProviderInvoice | None:
            if reference == f"manual.{first.id}":
                raise RefusedError("no")
            return ProviderInvoice(reference, second.id, "", "paid", "USD", 4900, 0, 4900)

        def read_checkout(self, reference: str) -> ProviderCheckout | None:
            if reference == "manual.newer":
                raise RefusedError("no")
            return super().read_checkout(reference)

        def check_out(self, order: CheckoutOrder) -> ProviderCheckout:
            return replace(super().check_out(order), status="open")

    desk = desk_with_a_fee(database, {PROVIDER: Refusing()})
    desk.send()
    first, second = desk.close(MONTHS[1])
    desk.send()
    for name in ("older", "newer"):
        desk.now_ms += 1
        desk.check_out(name)
    desk.follower.tick()
    assert (desk.paid(first), desk.paid(second)) == (0, 4900)
    with database.read() as connection:
        assert [checkout.id for checkout in list_checkouts(connection, "complete")] == ["older"]


def test_events_that_cannot_be_listed_do_not_stop_those_that_have_come(database: Database) -> None:
    class Odd(ManualPort):
        def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
            raise KeyError(f"{moment_ms}")

    desk = desk_with_a_fee(database, {PROVIDER: Odd()})
    with database.write() as connection:
        receive(connection, PROVIDER, ProviderEvent("e", "x", 1), desk.now_ms)
    assert desk.follower.tick() == 1
    assert "internal: KeyError" in f"{desk.health.troubles()}"


def test_events_about_one_invoice_are_one_look(database: Database) -> None:
    looks: list[str] = []

    class Watched(ManualPort):
        def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
            looks.append(event.invoice)
            return None

    desk = desk_with_a_fee(database, {PROVIDER: Watched()})
    with database.write() as connection:
        for number in range(6):
            receive(connection, PROVIDER, ProviderEvent(f"e{number}", "x", 1, f"in_{number % 2}"), desk.now_ms)
    assert (desk.follower.tick(), sorted(looks)) == (6, ["in_0", "in_1"])
    assert desk.follower.tick() == 0
