"""Whatever goes wrong at any call of a collection: the money of the statement comes in, once.

Every case is one call of the provider, one way in which it fails, and when it is tried again: soon, or when the
provider has forgotten the idempotency keys. The table in the documentation is written by this test.
"""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.integration.billing.neighbours import wait_until
from tests.integration.payments.account import SECRET_KEY, WEBHOOK_SECRET, StripeAccount
from tests.unit.billing.builders import apply_catalog, make_fee, make_price
from tests.unit.billing.desk import PROVIDER, Desk, collected_catalog
from tests.unit.billing.test_statements import DAY, MONTHS, START, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.providers.stripe.port import StripePort, stripe_client

_PAGE = Path(__file__).parents[3] / "docs" / "payments" / "fault-matrix.md"
CALLS = {
    "find the customer": ("GET", "/v1/customers/search", 0),
    "make the customer": ("POST", "/v1/customers", 0),
    "make the draft": ("POST", "/v1/invoices", 0),
    "add the first line": ("POST", "/v1/invoiceitems", 0),
    "add the last line": ("POST", "/v1/invoiceitems", 1),
    "read the draft": ("GET", "/v1/invoices/*", 0),
    "finalise": ("POST", "/v1/invoices/*/finalize", 0),
    "read what was paid": ("GET", "/v1/invoice_payments", 0),
}
FAULTS: dict[str, dict[str, Any]] = {
    "answer lost after the effect": {"kind": "answer_lost"},
    "connection refused before it": {"kind": "refused"},
    "429": {"kind": "status", "status": 429},
    "500 before the effect": {"kind": "status", "status": 500},
    "500 after the effect": {"kind": "error_after"},
    "timeout": {"kind": "slow", "ms": 600},
    "killed before the call": {},
    "killed after the call": {},
}
WHEN = {"soon": 120, "after a day": 25 * 3600}
_LEAVES_SOMETHING = {"answer lost after the effect", "500 after the effect", "killed after the call"}
_TIMEOUT_SECONDS = 0.3


class KilledError(BaseException):
    """The process ends here: nothing of it runs any more."""


class DyingClient(stripe.RequestsClient):
    """The SDK's own client, in a process that is killed around one request."""

    def __init__(self, call: tuple[str, str, int], *, after: bool) -> None:
        super().__init__(timeout=20)
        self._method, self._path, self._left = call
        self._after = after

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        mine = method.upper() == self._method and Path(url.partition("?")[0].partition("/v1/")[2]).match(
            self._path.removeprefix("/v1/")
        )
        self._left -= mine
        if mine and self._left < 0 and not self._after:
            raise KilledError
        answer = super().request(method, url, headers, post_data, **more)
        if mine and self._left < 0:
            raise KilledError
        return answer


def _cases() -> Iterator[Any]:
    """The short form leaves out calls that only read, and those waits of a day that no idempotency key is about."""
    for call, fault, when in product(CALLS, FAULTS, WHEN):
        changes, about_keys = CALLS[call][0] == "POST", when == "soon" or fault in _LEAVES_SOMETHING
        yield pytest.param(call, fault, when, marks=() if changes and about_keys else pytest.mark.slow)


@pytest.mark.parametrize(("call", "fault", "when"), list(_cases()))
def test_the_money_of_a_statement_comes_in_once(
    call: str, fault: str, when: str, account: StripeAccount, sqlite: Database
) -> None:
    if call == "read what was paid":  # which is so where he pays at once
        account.customer()
    desk = _desk(sqlite, account)
    (statement,) = desk.statements()
    assert statement.due_minor == 5600
    _fail(desk, account, call, fault)
    account.pass_time(WHEN[when])
    desk.now_ms += max(601, WHEN[when]) * 1000  # a lease of somebody who was killed has run out
    for _ in range(3):
        assert account.faults_left() == 0
        desk.providers = {PROVIDER: account.port}
        desk.send()
        _pay_what_is_open(account)
        desk.now_ms += 700_000
        desk.follower.tick()
    customers = account.client.customers.list().data
    invoices = [(invoice.status, invoice.total) for invoice in account.invoices()]
    assert (len(customers), invoices) == (1, [("paid", 5600)])
    assert account.collected() == desk.paid(statement) == 5600
    assert desk.requests("stuck") == desk.requests("pending") == []


def _desk(database: Database, account: StripeAccount) -> Desk:
    """A statement with two lines. Nobody knows the customer yet."""
    catalog = collected_catalog(make_fee(in_arrears=True), make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "7")
    desk = Desk(database, {PROVIDER: account.port}, catalog)
    desk.close(MONTHS[0])
    return desk


def _fail(desk: Desk, account: StripeAccount, call: str, fault: str) -> None:
    """The first attempt meets the fault."""
    method, path, skip = CALLS[call]
    if fault.startswith("killed"):
        client = DyingClient(CALLS[call], after=fault == "killed after the call")
        desk.providers = {PROVIDER: StripePort(stripe_client(SECRET_KEY, account.url, http=client), (WEBHOOK_SECRET,))}
        with pytest.raises(KilledError):
            desk.send()
        return
    account.fault(path=path, method=method, skip=skip, **FAULTS[fault])
    http = stripe.RequestsClient(timeout=_TIMEOUT_SECONDS)
    desk.providers = {PROVIDER: StripePort(stripe_client(SECRET_KEY, account.url, http=http), (WEBHOOK_SECRET,))}
    desk.send()
    assert account.faults_left() == 0, "the call was made"
    if fault == "timeout" and method == "POST":  # its effect comes when nobody listens any more
        seen = account.state()
        wait_until(lambda: account.state() != seen)


def _pay_what_is_open(account: StripeAccount) -> None:
    """As a customer would, with a new card."""
    for invoice in account.invoices():
        if invoice.status == "open":
            assert isinstance(invoice.customer, str)
            method = account.client.payment_methods.attach("pm_card_visa", {"customer": invoice.customer})
            account.client.invoices.pay(invoice.id, {"payment_method": method.id})


def test_the_page_has_the_table_of_all_cases() -> None:
    cells = [f"| {call} | `{' '.join(CALLS[call][:2])}` |{' once |' * (len(FAULTS) * len(WHEN))}" for call in CALLS]
    head = [f"{fault}, {when}" for fault, when in product(FAULTS, WHEN)]
    table = "\n".join([f"| call | request | {' | '.join(head)} |", f"|---|---|{'---|' * len(head)}", *cells])
    page = _PAGE.read_text() if _PAGE.exists() else ""
    start, end = page.find("| call |"), page.rfind("|\n") + 2
    current = f"{page[:start]}{table}\n{page[end:]}"
    if os.environ.get("UPDATE_GOLDENS"):
        _PAGE.write_text(current)
    assert _PAGE.read_text() == current, "if the change is meant: UPDATE_GOLDENS=1"
