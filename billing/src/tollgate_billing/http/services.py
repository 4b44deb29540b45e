"""What routes may use, made by the composition root and injected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from tollgate_billing.clock import Clock
from tollgate_billing.health import Health, Metrics
from tollgate_billing.keys import KeyRing
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.payments.accounts import Outcome
from tollgate_billing.payments.checking_out import CheckingOut
from tollgate_billing.payments.drifts import Drift
from tollgate_billing.payments.port import ProviderPort
from tollgate_billing.sync.catalog_sync import CatalogSync
from tollgate_billing.wallets.topping_up import TopUp


@dataclass(frozen=True)
class Services:
    """``replay`` puts dead letters back on their streams: one, or all that are open, and answers how many.
    ``outcomes`` are those of the last round trips to payment providers, ``providers`` the ones that may be used."""

    database: Database
    catalog: CatalogSync
    keys: KeyRing
    clock: Clock
    health: Health
    metrics: Metrics
    replay: Callable[[str | None], int]
    is_warm: Callable[[], bool]
    judge: Callable[[Connection, str], object]
    checking_out: CheckingOut
    reconcile: Callable[[], Sequence[Drift]]
    pay_in: Callable[[Connection, Subscription, TopUp], None]
    providers: Callable[[], Mapping[str, ProviderPort]]
    outcomes: Callable[[], Sequence[Outcome]]
    admin_token: str = field(repr=False)
