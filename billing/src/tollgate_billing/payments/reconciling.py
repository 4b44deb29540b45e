"""The loop that compares books: our ledger with itself, with what the gate counts, and with each provider's.

What a look at the provider mends by itself, as a payment whose event never came, is no drift. What remains holds back
further invoices of the subscription until it is gone or a person has accepted it.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import orjson
import structlog
from sqlalchemy import Connection

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, Metrics, surviving
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.verification import verify
from tollgate_billing.payments.applying import DriftError, Judge, StaleError, apply_invoice, judge_nobody
from tollgate_billing.payments.comparison import line_differences, payment_differences
from tollgate_billing.payments.debts import top_up_of
from tollgate_billing.payments.drifts import Drift, Kind, list_drifts, replace_drifts
from tollgate_billing.payments.inbox import count_events
from tollgate_billing.payments.invoices import invoice_lines
from tollgate_billing.payments.outbox import count_requests
from tollgate_billing.payments.port import (
    InvoiceLine,
    Labelled,
    ProviderError,
    ProviderInvoice,
    ProviderPort,
    RefusedError,
)
from tollgate_billing.payments.receivables import (
    Receivable,
    carried_with,
    find_receivable,
    mark_compared,
    to_compare,
)
from tollgate_billing.payments.received import Kind as PaymentKind
from tollgate_billing.payments.received import PaymentRefusedError, paid_by
from tollgate_billing.statements.store import find_statement
from tollgate_billing.statements.verification import changed_statements

_log = structlog.get_logger("reconciliation")
_PAUSE_SECONDS = 5.0
_DAY_MS = 86_400_000
_EVERY_MS = _DAY_MS
_WALLETS_EVERY_MS = 3_600_000
#: How far back invoices are compared again that were right before.
_WINDOW_MS = 35 * _DAY_MS
#: What a provider shows a while later than it has it is not missing.
_YOUNG_MS = 900_000
_PROVIDER_KINDS: tuple[Kind, ...] = ("invoice", "lines", "payments", "duplicate", "unknown")

#: (subscription, what the gate counts, what the ledger says), where they differ.
Wallets = Callable[[], list[tuple[str, str, str]]]


class Reconciler:
    """``run`` compares daily, and the wallets hourly; ``reconcile`` does it now."""

    def __init__(
        self,
        database: Database,
        providers: Callable[[], Mapping[str, ProviderPort]],
        clock: Clock,
        health: Health,
        metrics: Metrics,
        wallets: Wallets = list,
        judge: Judge = judge_nobody,
    ) -> None:
        self._database = database
        self._providers = providers
        self._clock = clock
        self._health = health
        self._metrics = metrics
        self._wallets = wallets
        self._judge = judge
        self._next: dict[str, int] = {}
        self._one_at_a_time = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.is_set():
            with surviving(self._health, "reconciliation", _log):
                self.tick()
            stop.wait(_PAUSE_SECONDS)

    def tick(self) -> None:
        """Whatever is due; at first all of it."""
        self._do_when_due("ledger", _EVERY_MS, self._compare_ledger)
        self._do_when_due("wallets", _WALLETS_EVERY_MS, self._compare_wallets)
        for name, port in self._with_books():
            self._do_when_due(f"provider {name}", _EVERY_MS, partial(self._compare, name, port))
        self._say()

    def reconcile(self) -> list[Drift]:
        """All of it now; answers all that is known."""
        with self._one_at_a_time:
            self._compare_ledger()
            self._compare_wallets()
            for name, port in self._with_books():
                self._compare(name, port)
        return self._say()

    def _with_books(self) -> list[tuple[str, ProviderPort]]:
        return [(name, port) for name, port in self._providers().items() if port.keeps_books]

    def _do_when_due(self, what: str, every_ms: int, compare: Callable[[], None]) -> None:
        now = self._clock()
        if now < self._next.get(what, 0):
            return
        self._next[what] = now + _YOUNG_MS  # where it fails, others come first, and its turn comes soon
        try:
            with self._one_at_a_time:
                compare()
        except ProviderError as error:
            _log.warning("compared later", what=what, problem=str(error))
            return
        self._next[what] = now + every_ms

    def _say(self) -> list[Drift]:
        with self._database.read() as connection:
            found = list_drifts(connection)
            waiting = (
                (self._metrics.payment_requests, count_requests(connection)),
                (self._metrics.payment_events, count_events(connection)),
            )
        for gauge, by_state in waiting:
            for state, number in by_state.items():
                gauge.labels(state).set(number)
        counts: defaultdict[str, int] = defaultdict(int)
        for drift in found:
            counts[drift.kind] += drift.accepted_ms is None
        for kind in (*_PROVIDER_KINDS, "ledger", "wallet"):
            self._metrics.drift.labels(kind).set(counts[kind])
        if sum(counts.values()):
            sentence = f"{sum(counts.values())} differences between books: tollgate reconcile"
            self._health.trouble("reconciliation", sentence, of_others=not counts["ledger"])
        else:
            self._health.fine("reconciliation")
        return found

    def _compare_ledger(self) -> None:
        now = self._clock()
        with self._database.read() as connection:
            wrong = verify(connection) + [f"statement {name} was changed" for name in changed_statements(connection)]
        drifts = [Drift("ledger", "", "", sentence[:400], sentence, now) for sentence in wrong]
        with self._database.write() as connection:
            replace_drifts(connection, ("ledger",), "", drifts)

    def _compare_wallets(self) -> None:
        now = self._clock()
        drifts = [
            Drift("wallet", "", name, name, f"the gate counts {counted} as spent, the ledger {spent}", now)
            for name, counted, spent in self._wallets()
        ]
        with self._database.write() as connection:
            replace_drifts(connection, ("wallet",), "", drifts)

    def _compare(self, name: str, port: ProviderPort) -> None:
        now = self._clock()
        with self._database.read() as connection:
            receivables = to_compare(connection, name, now - _WINDOW_MS)
        drifts = list(self._strangers(name, port, now))
        for receivable in receivables:
            drifts += self._compare_invoice(name, port, receivable)
        with self._database.write() as connection:
            replace_drifts(connection, _PROVIDER_KINDS, name, drifts)
        _log.info("compared", provider=name, invoices=len(receivables), drifts=len(drifts))

    def _strangers(self, name: str, port: ProviderPort, now_ms: int) -> Iterator[Drift]:
        """Invoices there that are nobody's here, and subjects that have more than one."""
        by_subject: defaultdict[str, list[Labelled]] = defaultdict(list)
        for labelled in port.labelled_since(now_ms - _WINDOW_MS):
            if labelled.status != "void":
                by_subject[labelled.subject].append(labelled)
        for subject, there in sorted(by_subject.items()):
            with self._database.read() as connection:
                known = find_receivable(connection, subject)
            references = ", ".join(sorted(one.reference for one in there))
            if known is None or known.provider != name:
                message = f"{references} says to be of {subject}, which is not collected by {name} here"
                yield Drift("unknown", name, "", subject, message, now_ms)
            elif len(there) > 1:
                yield Drift(
                    "duplicate", name, known.subscription, subject, f"collected more than once: {references}", now_ms
                )

    def _compare_invoice(self, name: str, port: ProviderPort, receivable: Receivable) -> list[Drift]:
        try:
            found = port.read_invoice(receivable.reference)
            wrong = self._differences(port, receivable, found)
        except StaleError:
            return []  # somebody is at it: next time
        except (RefusedError, DriftError, PaymentRefusedError) as error:
            wrong = {"invoice": [str(error)]}
        now = self._clock()
        return [
            Drift(
                kind,
                name,
                receivable.subscription,
                receivable.subject,
                f"{receivable.reference}: {'; '.join(texts)}",
                now,
            )
            for kind, texts in wrong.items()
            if texts
        ]

    def _differences(
        self, port: ProviderPort, receivable: Receivable, found: ProviderInvoice | None
    ) -> dict[Kind, list[str]]:
        if found is None:
            return {"invoice": ["it is not there any more"]}
        lines = port.lines_of(found.reference) if not receivable.compared_ms and found.status != "void" else None
        with self._database.write() as connection:
            apply_invoice(connection, receivable.provider, found, self._clock(), self._judge, receivable.version)
            sums = _recorded(connection, receivable)
            wrong: dict[Kind, list[str]] = {"payments": payment_differences(found, *sums)}
            if lines is not None:
                sent = port.as_sent(_lines_of(connection, receivable, port.lines_at_most))
                wrong["lines"] = line_differences(sent, lines, receivable.currency)
                if not wrong["lines"]:
                    mark_compared(connection, receivable.subject, self._clock())
        return wrong


def _recorded(connection: Connection, receivable: Receivable) -> tuple[int, int, int]:
    """(paid, refunded, credited), with tax, of all that the invoice is about."""
    together = [receivable, *carried_with(connection, receivable.subject)]

    def total(kind: PaymentKind) -> int:
        return sum(sum(paid_by(connection, one.subject, receivable.provider, kind)) for one in together)

    return total("payment") + total("surplus"), -total("refund"), total("credit")


def _lines_of(connection: Connection, receivable: Receivable, most: int) -> list[InvoiceLine]:
    if top_up_of(receivable.subject):
        return [InvoiceLine("credit", "", receivable.due_minor, 0, 0)]
    statement = find_statement(connection, receivable.subject)
    assert statement is not None  # noqa: S101
    carried = [(one.subject, one.due_minor) for one in carried_with(connection, receivable.subject)]
    return list(invoice_lines(orjson.loads(statement.body), most, carried))
