"""Looks of our own at providers."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import update

from tests.support.loops import running
from tests.unit.billing.desk import PROVIDER, desk_with_a_fee
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.tables import invoices
from tollgate_billing.payments.debts import debt_of_statement
from tollgate_billing.payments.inbox import receive
from tollgate_billing.payments.port import ProviderEvent, ProviderInvoice
from tollgate_billing.payments.providers.manual import ManualPort
from tollgate_billing.payments.receivables import add_receivable

POLL_MS = 700_000


class Counting(ManualPort):
    """Knows of no invoice, and how often it was asked for each."""

    def __init__(self) -> None:
        self.asked = Counter[str]()

    def read_invoice(self, reference: str) -> ProviderInvoice | None:
        self.asked[reference] += 1
        return None


def test_of_many_open_invoices_some_are_looked_at_each_time_and_all_in_the_end(database: Database) -> None:
    provider = Counting()
    desk = desk_with_a_fee(database, {PROVIDER: provider})
    (statement,) = desk.statements()
    with database.write() as connection:
        for number in range(400):
            debt = replace(debt_of_statement(statement), subject=f"st_{number:03}")
            add_receivable(connection, debt, PROVIDER, desk.now_ms)
        connection.execute(update(invoices).values(status="open", reference=invoices.c.subject))
    most = 0
    for _ in range(3):
        before = provider.asked.total()
        desk.now_ms += POLL_MS
        desk.follower.tick()
        most = max(most, provider.asked.total() - before)
    assert most <= 150
    assert set(provider.asked.values()) == {1}
    assert len(provider.asked) == 401
    desk.now_ms += POLL_MS
    desk.follower.tick()
    assert provider.asked.most_common(1)[0][1] == 2, "then from the beginning"


def test_a_provider_that_does_not_answer_keeps_no_event_of_another_one_waiting(database: Database) -> None:
    answers = threading.Event()

    class Silent(ManualPort):
        def events_since(self, moment_ms: int) -> Iterator[ProviderEvent]:
            del moment_ms
            answers.wait()
            yield from ()

    class Paid(ManualPort):
        def affected_invoice(self, event: ProviderEvent) -> ProviderInvoice | None:
            subject = event.invoice.removeprefix("manual.")
            return ProviderInvoice(event.invoice, subject, "", "paid", "USD", 4900, 0, 4900)

    desk = desk_with_a_fee(database, {PROVIDER: Paid(), "a-silent-one": Silent()})
    desk.send()
    (statement,) = desk.statements()
    with database.write() as connection:
        receive(connection, PROVIDER, ProviderEvent("e", "paid", 0, f"manual.{statement.id}"), desk.now_ms)
    with running(desk.follower) as thread:
        try:
            while desk.paid(statement) != 4900:
                assert thread.is_alive()
        finally:
            answers.set()
