"""Billing's collecting parts on one database and one clock: closing, sending, following."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee
from tests.unit.billing.test_statements import MONTHS, START, catalog_of
from tollgate_billing.checkpoints import Checkpoint, no_checkpoint
from tollgate_billing.health import Health
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import existing_subscription
from tollgate_billing.payments.access import Level
from tollgate_billing.payments.checking_out import CheckingOut
from tollgate_billing.payments.checkouts import Checkout
from tollgate_billing.payments.collecting import Collecting, PayingIn
from tollgate_billing.payments.dunning import Dunning, access_of
from tollgate_billing.payments.following import Follower
from tollgate_billing.payments.outbox import Request, State, list_requests
from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.payments.receivables import Receivable, customer_reference, find_receivable
from tollgate_billing.payments.received import paid_for
from tollgate_billing.payments.sending import Sender
from tollgate_billing.statements.closing import Closer
from tollgate_billing.statements.store import StoredStatement, list_statements
from tollgate_billing.wallets.grants import grants_of
from tollgate_billing.wallets.top_ups import add_top_up, find_top_up
from tollgate_billing.wallets.topping_up import Reason, TopUp
from tollgate_core.catalog import Catalog, PaymentProvider, Price

PROVIDER = "shop"


def collected_catalog(*prices: Price, provider: PaymentProvider | None = None, **product: Any) -> Catalog:
    """Of a product that ``PROVIDER`` collects."""
    chosen = provider or PaymentProvider(name=PROVIDER, kind="manual")
    return replace(catalog_of(*prices, payment_provider=PROVIDER, **product), payment_providers=(chosen,))


@dataclass
class Desk:
    """``now_ms`` is its clock. ``close`` moves it on."""

    database: Database
    providers: Mapping[str, ProviderPort]
    catalog: Catalog
    now_ms: int = START
    checkpoint: Checkpoint = no_checkpoint

    def __post_init__(self) -> None:
        self.health = Health()
        self.dunning = Dunning(self.database, lambda: self.catalog, self.clock, self.health)
        self.follower = Follower(
            self.database,
            lambda: self.providers,
            self.clock,
            self.health,
            self.checkpoint,
            self.dunning.judge,
            catalog=lambda: self.catalog,
        )
        self.sender = Sender(
            self.database, lambda: self.providers, self.clock, self.health, self.checkpoint, self.dunning.judge
        )
        self.checking_out = CheckingOut(self.database, lambda: self.catalog, lambda: self.providers, self.clock)

    def clock(self) -> int:
        return self.now_ms

    def close(self, now_ms: int) -> list[StoredStatement]:
        """All statements by then."""
        self.now_ms = now_ms
        collect = Collecting(lambda: self.catalog)
        closer = Closer(self.database, lambda: self.catalog, self.clock, 0, self.health, self.checkpoint, collect)
        assert closer.tick() == set()
        return self.statements()

    def statements(self) -> list[StoredStatement]:
        with self.database.read() as connection:
            return list_statements(connection, SUBSCRIPTION)

    def send(self, rounds: int = 1) -> int:
        """Each round later than any pause that a row is given after its first attempts."""
        sent = 0
        for number in range(rounds):
            self.now_ms += 60_000 if number else 0
            sent += self.sender.tick()
        return sent

    def requests(self, state: State) -> list[Request]:
        with self.database.read() as connection:
            return list_requests(connection, state)

    def receivable(self, statement: StoredStatement) -> Receivable | None:
        return self.receivable_of(statement.id)

    def receivable_of(self, subject: str) -> Receivable | None:
        with self.database.read() as connection:
            return find_receivable(connection, subject)

    def paid(self, statement: StoredStatement) -> int:
        with self.database.read() as connection:
            return paid_for(connection, [statement.id]).get(statement.id, 0)

    def check_out(self, name: str = "first", **fields: Any) -> Checkout:
        """The page for the customer of ``SUBSCRIPTION``."""
        values: dict[str, Any] = {
            "id": name,
            "provider": PROVIDER,
            "customer": "acme",
            "customer_name": "Acme Ltd",
            "subscription": SUBSCRIPTION,
            "product": "",
            "currency": "USD",
            "success_url": "http://127.0.0.1:1/done",
            "cancel_url": "http://127.0.0.1:1/no",
            "reference": "",
            "url": "",
            "status": "open",
            "problem": "",
            "created_ms": self.now_ms,
            "attempted_ms": None,
            "settled_ms": None,
        }
        return self.checking_out.begin(Checkout(**{**values, **fields}))

    def pay_in(self, name: str, minor: int, reason: Reason = "customer") -> TopUp:
        """A top-up that a provider is to collect."""
        made = TopUp(name, SUBSCRIPTION, "acme", minor, "USD", reason, "pending", "", self.now_ms, None)
        with self.database.write() as connection:
            add_top_up(connection, made)
            PayingIn(lambda: self.catalog)(connection, existing_subscription(connection, SUBSCRIPTION), made)
        return made

    def top_up(self, name: str) -> TopUp:
        with self.database.read() as connection:
            found = find_top_up(connection, name)
        assert found
        return found

    def customer_reference(self) -> str:
        with self.database.read() as connection:
            return customer_reference(connection, PROVIDER, "acme")

    def credit(self) -> int:
        """What is left of all grants."""
        with self.database.read() as connection:
            return sum(grant.remaining_minor for grant in grants_of(connection, SUBSCRIPTION))

    def level(self) -> Level:
        with self.database.read() as connection:
            return access_of(connection, existing_subscription(connection, SUBSCRIPTION)).level


def desk_with_a_fee(database: Database, providers: Mapping[str, ProviderPort], amount: str = "49", **more: Any) -> Desk:
    """A monthly fee in arrears; the first month is closed."""
    catalog = collected_catalog(make_fee(in_arrears=True, amount=amount), **more)
    apply_catalog(database, catalog, START)
    desk = Desk(database, providers, catalog)
    desk.close(MONTHS[0])
    return desk
