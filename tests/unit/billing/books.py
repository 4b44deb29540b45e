"""The books of one subscription in a test: what happens to it, and what must hold whatever happens."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from tests.unit.billing.builders import apply_catalog, make_event, record
from tests.unit.billing.lives import DAY, NAME, START, catalog_of
from tests.unit.billing.oracle.scenario import Closing, Scenario
from tests.unit.billing.oracle.statements import statements as oracle_statements
from tests.unit.billing.oracle_of_ledger import events_for, pins_for, terms_for
from tollgate_billing.health import Health
from tollgate_billing.ledger.catalogs import stored_prices
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.pins import pins_of
from tollgate_billing.ledger.pricebook import PriceBook
from tollgate_billing.ledger.repricing import reprice, reprice_changed
from tollgate_billing.ledger.subscriptions import Subscription, find_subscription
from tollgate_billing.ledger.tables import money_postings, statement_lines, statements, wallet_burns
from tollgate_billing.ledger.verification import verify
from tollgate_billing.payments.debts import debt_of_statement
from tollgate_billing.payments.received import MANUAL, Payment, paid_for, record_payment
from tollgate_billing.statements.charges import Charge, add_charge, charges_of
from tollgate_billing.statements.closing import Closer, close
from tollgate_billing.statements.credit_notes import CreditRefusedError, write_credit_note
from tollgate_billing.statements.drafting import draft_now, moment_after, terms_now
from tollgate_billing.statements.facts import LedgerUsage
from tollgate_billing.statements.store import StoredStatement, broken_chain, list_statements
from tollgate_billing.subscriptions import changes
from tollgate_billing.wallets.burning import Grant
from tollgate_billing.wallets.grants import add_grant, grants_of, void_grant
from tollgate_billing.wallets.standing import owed
from tollgate_core.catalog import Catalog
from tollgate_core.catalog import Subscription as Declared
from tollgate_core.money import minor_unit_exponent
from tollgate_core.pricing import Line, Span

Change = Callable[[Connection, Catalog, Subscription, int], object]
Quantities = dict[str, str]


class Stated(NamedTuple):
    """A line on a statement."""

    closed_ms: int
    price: str
    version: str
    start_ms: int
    end_ms: int
    quantity: Fraction
    exact: Fraction
    minor: int


class Books:
    """Each method is one thing that happens ``now``."""

    def __init__(
        self, database: Database, currency: str, zone: str, trial_days: int, delay_ms: int, overdraft: str = ""
    ) -> None:
        self.database = database
        self.now = START
        self._terms = (currency, zone, trial_days, overdraft)
        self._decimals = minor_unit_exponent(currency)
        self._editions: dict[str, int] = {}
        self._catalog = catalog_of(self._editions, *self._terms)
        self._closer = Closer(database, lambda: self._catalog, lambda: self.now, delay_ms, Health())
        self._used: dict[str, tuple[int, Quantities]] = {}
        self.estimates: list[str] = []
        self._names = 0
        self._closings: list[Closing] = []

    def begin(self, product: str) -> None:
        apply_catalog(self.database, self._catalog, self.now)
        with self.database.write() as connection:
            changes.begin(connection, self._catalog, Declared(name=NAME, product=product, customer="acme"), self.now)

    def row(self) -> Subscription:
        with self.database.read() as connection:
            return _row(connection)

    def wait(self, milliseconds: int, then_close: bool) -> None:
        self.now += milliseconds
        if then_close:
            self.close()

    def use(self, moment_ms: int, quantities: Quantities) -> None:
        self._record(f"e{len(self._used)}", moment_ms, quantities)

    def estimate(self, moment_ms: int, quantities: Quantities) -> None:
        name = f"e{len(self._used)}"
        if self._record(name, moment_ms, quantities, quality="estimated", witness="hold", outcome="unaccounted"):
            self.estimates.append(name)

    def correct(self, quantities: Quantities) -> None:
        """The oldest estimate."""
        if self.estimates:
            name = self.estimates.pop(0)
            self._record(name, self._used[name][0], quantities)

    def _record(self, name: str, moment_ms: int, quantities: Quantities, **fields: Any) -> bool:
        at_ms = max(START, moment_ms)
        event = make_event(name, subscription=NAME, at_ms=at_ms, quantities=quantities, usage={"id": name}, **fields)
        (judgement,) = record(self.database, event, now_ms=self.now).judgements
        assert judgement in {"new", "correction", "refused"}, judgement
        if judgement != "refused":
            self._used[name] = (at_ms, quantities)
        return judgement != "refused"

    def edit(self, price: str, edition: int) -> None:
        self._editions[price] = edition
        self._catalog = catalog_of(self._editions, *self._terms)
        apply_catalog(self.database, self._catalog, self.now)

    def charge(self, minor: int) -> None:
        currency, name = self._terms[0], self._name("charge")
        self.change(
            lambda connection, _, row, now: add_charge(
                connection, Charge(name, row.name, now, minor, currency, "by hand", now)
            )
        )

    def change(self, change: Change) -> None:
        """Refused, or as the preview promised."""
        try:
            promised, moment_ms = self._preview(change)
        except changes.ChangeRefusedError:
            return
        assert promised == self._charged_until(change, moment_ms)
        with self.database.write() as connection:
            change(connection, self._catalog, _row(connection), self.now)
            reprice_changed(connection, {NAME: self.now}, self.now)

    def _preview(self, change: Change) -> tuple[dict[str, int], int]:
        """What each price costs on the draft, and when that would be closed."""
        with self.database.preview() as connection:
            change(connection, self._catalog, _row(connection), self.now)
            draft = draft_now(connection, terms_now(connection, self._catalog), _row(connection), self.now)
            return _by_price(draft.lines), draft.moment_ms

    def _charged_until(self, change: Change, moment_ms: int) -> dict[str, int]:
        """What each price costs on the statements until then, with the change made and nothing used."""
        charged: list[Line] = []
        with self.database.preview() as connection:
            change(connection, self._catalog, _row(connection), self.now)
            reprice(connection, PriceBook(), NAME, self.now, self.now)
            terms = terms_now(connection, self._catalog)
            while True:
                row = _row(connection)
                following = moment_after(connection, terms, row, row.closed_ms)
                if following is None or following > moment_ms:
                    return _by_price(charged)
                draft = close(connection, terms, row, following, max(self.now, following))
                charged += draft.lines

    def close(self) -> None:
        """All that can be closed now; again, and nothing happens."""
        before = self.row().closed_ms
        with self.database.read() as connection:
            pins = pins_for(pins_of(connection, [NAME]))
            known = events_for(self._used, stored_prices(connection).values())
        assert self._closer.tick() == set()
        after = self._statements()
        assert self._closer.tick() == set()
        assert self._statements() == after
        last = self.row().closed_ms
        if last == before:
            return
        moments = {statement.closed_ms for statement in after if statement.closed_ms > before} | {last}
        self._closings += [Closing(moment, pins, known) for moment in sorted(moments)]
        self._compare_with_the_oracle()
        self._compare_with_the_ledger(last)

    def give(self, minor: int, priority: int, days: int | None) -> None:
        """A grant, which expires after so many days."""
        given = Grant(
            id=self._name("grant"),
            subscription=NAME,
            minor=minor,
            currency=self._terms[0],
            priority=priority,
            granted_ms=self.now,
            expires_ms=None if days is None else self.now + days * DAY,
            source="topUp",
            comment="",
            remaining_minor=minor,
        )
        with self.database.write() as connection:
            assert add_grant(connection, given)
            assert not add_grant(connection, given)

    def take_back(self) -> None:
        """What is left of the newest grant, as after a chargeback."""
        with self.database.write() as connection:
            grants = grants_of(connection, NAME)
            if grants:
                assert void_grant(connection, NAME, grants[-1].id, self.now) is not None

    def pay(self, share: Fraction) -> None:
        """Part of what is left to be paid of the first statement of which something is; or all that was paid of one
        comes back."""
        with self.database.write() as connection:
            row = _row(connection)
            for statement in list_statements(connection, NAME, limit=10_000):
                paid = paid_for(connection, [statement.id]).get(statement.id, 0)
                minor = -paid if share < 0 else int((statement.due_minor - paid) * share)
                if minor:
                    payment = Payment(
                        id=self._name("payment"),
                        subject=statement.id,
                        subscription=NAME,
                        customer=row.customer,
                        provider=MANUAL,
                        reference="",
                        minor=minor,
                        currency=statement.currency,
                        at_ms=self.now,
                        recorded_ms=self.now,
                    )
                    assert record_payment(connection, debt_of_statement(statement), payment)
                    assert not record_payment(connection, debt_of_statement(statement), payment)
                    return

    def credit(self, share: Fraction) -> None:
        """A part of each line of the last statement that charged anything is given back."""
        with self.database.read() as connection:
            found = list_statements(connection, NAME, limit=10_000)
            li = statement_lines.c
            query = select(li.line, li.minor).where(li.statement == found[-1].id) if found else None
            lines = {row[0] + 1: int(row[1] * share) for row in connection.execute(query)} if query is not None else {}
        wanted: dict[int, int | None] = {line: minor for line, minor in lines.items() if minor > 0}
        name = self._name("note")

        def write(connection: Connection, _: Catalog, row: Subscription, now: int) -> None:
            try:
                write_credit_note(connection, found[-1], name, wanted, "by hand", now)
            except CreditRefusedError as error:
                raise changes.ChangeRefusedError(str(error)) from error

        if wanted:
            self.change(write)

    @property
    def catalog(self) -> Catalog:
        """The current one."""
        return self._catalog

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"

    def _statements(self) -> list[StoredStatement]:
        with self.database.read() as connection:
            return list_statements(connection, NAME, limit=10_000)

    def _compare_with_the_oracle(self) -> None:
        with self.database.read() as connection:
            row, found = _row(connection), [line for line in _stated(connection) if not _by_hand(line)]
            terms = tuple(terms_for(price) for price in stored_prices(connection).values())
        scenario = Scenario(row.time_zone, row.started_ms, row.anchor_ms, self._decimals, terms, tuple(self._closings))
        expected = [
            Stated(
                closing.moment, line.price, line.version, line.start, line.end, line.quantity, line.exact, line.minor
            )
            for closing, lines in zip(self._closings, oracle_statements(scenario), strict=True)
            for line in lines
        ]
        assert found == expected

    def _compare_with_the_ledger(self, closed_ms: int) -> None:
        """No unit is billed twice, and none is left out."""
        with self.database.read() as connection:
            usage, prices = LedgerUsage(connection, NAME), stored_prices(connection)
            billed: defaultdict[tuple[str, str, Span], Fraction] = defaultdict(Fraction)
            for line in _stated(connection):
                billed[line.price, line.version, Span(line.start_ms, line.end_ms)] += line.quantity
            for (name, version, span), quantity in billed.items():
                price = prices.get((name, version))
                if price is not None and price.metric == "tokens" and span.end_ms <= closed_ms:
                    assert list(usage.quantities(price, [span])) == [quantity]

    def check(self) -> None:
        """What holds at any time."""
        with self.database.read() as connection:
            assert verify(connection) == []
            found = list_statements(connection, NAME, limit=10_000)
            assert broken_chain(found) == []
            self._check_money(connection, found)
            self._check_rounding(connection)
            self._check_end(connection)
            self._check_charges(connection)

    def _check_money(self, connection: Connection, found: list[StoredStatement]) -> None:
        transactions: Counter[str] = Counter()
        accounts: Counter[str] = Counter()
        for row in connection.execute(select(money_postings)).mappings():
            transactions[row["transaction"]] += row["minor"]
            accounts[row["account"]] += row["minor"]
        assert not any(transactions.values())
        total = sum(statement.total_minor for statement in found)
        applied = sum(statement.applied_minor for statement in found)
        assert total == -sum(minor for account, minor in accounts.items() if account.startswith("revenue:"))
        paid = paid_for(connection, [statement.id for statement in found])
        assert all(0 <= minor <= s.due_minor for s in found if (minor := paid.get(s.id, 0)))
        assert accounts["cash:manual"] == sum(paid.values())
        left = total - applied - sum(paid.values())
        assert accounts[f"receivable:{NAME}"] == left == owed(connection, _row(connection))
        grants = grants_of(connection, NAME)
        assert accounts[f"wallet:{NAME}"] == -sum(grant.remaining_minor for grant in grants)
        w = wallet_burns.c
        burned = connection.execute(select(w.minor).where(w.reason == "statement")).scalars()
        assert sum(burned) == applied
        assert all(statement.due_minor >= 0 for statement in found)

    def _check_rounding(self, connection: Connection) -> None:
        rest: defaultdict[str, Fraction] = defaultdict(Fraction)
        for line in _stated(connection):
            rest[line.price] += line.exact * 10**self._decimals - line.minor
        assert all(abs(minor) <= Fraction(1, 2) for minor in rest.values())

    def _check_end(self, connection: Connection) -> None:
        """Nothing is charged for after the end."""
        end = _row(connection).ended_ms
        held = [pin for pin in pins_of(connection, [NAME]) if pin.since_ms != pin.until_ms]
        assert end is None or all(pin.until_ms is not None and pin.until_ms <= end for pin in held)

    def _check_charges(self, connection: Connection) -> None:
        """Each once, as soon as the books are closed behind it."""
        stated = sorted((line.price, line.minor) for line in _stated(connection) if _by_hand(line))
        closed_ms = _row(connection).closed_ms
        due = [charge for charge in charges_of(connection, _row(connection)) if charge.at_ms <= closed_ms]
        assert stated == sorted((f"charge:{charge.id}", charge.minor) for charge in due)


def _row(connection: Connection) -> Subscription:
    row = find_subscription(connection, NAME)
    assert row is not None
    return row


def _by_hand(line: Stated) -> bool:
    return line.price.startswith("charge:")


def _by_price(lines: Iterable[Line]) -> dict[str, int]:
    """Minor units; without prices that cost nothing."""
    sums: Counter[str] = Counter()
    for line in lines:
        sums[line.due.price.name] += line.minor
    return {price: minor for price, minor in sums.items() if minor}


def _stated(connection: Connection) -> list[Stated]:
    """Every line of every statement, in order."""
    li, s = statement_lines.c, statements.c
    query = select(
        s.closed_ms, li.price, li.version, li.start_ms, li.end_ms, li.quantity, li.exact, li.minor
    ).join_from(statement_lines, statements, s.id == li.statement)
    return [
        Stated(*row[:5], Fraction(row[5]), Fraction(row[6]), row[7])
        for row in connection.execute(query.order_by(s.sequence, li.line))
    ]
