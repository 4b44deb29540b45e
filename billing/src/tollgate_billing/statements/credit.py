"""How much prepaid credit a subscription has, by all that is known: the sum that the gate compares calls with."""

from dataclasses import dataclass

from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.statements.drafting import Terms, unbilled_usage
from tollgate_billing.wallets.burning import unexpired
from tollgate_billing.wallets.grants import own_grants
from tollgate_billing.wallets.standing import owed


@dataclass(frozen=True)
class Credit:
    """Minor units: ``settled`` is what grants hold, ``pending`` usage that is on no statement yet, ``owed`` what
    statements left to be paid (negative: a credit that is carried forward)."""

    settled: int
    pending: int
    owed: int

    @property
    def available(self) -> int:
        """What remains; negative where an overdraft is used."""
        return self.settled - self.pending - self.owed


def credit_of(connection: Connection, terms: Terms, row: Subscription, now_ms: int) -> Credit:
    """Of the subscription's present customer; grants count as at the gate."""
    return Credit(
        settled=unexpired(own_grants(connection, row, row.currency), now_ms),
        pending=unbilled_usage(connection, terms, row, now_ms),
        owed=owed(connection, row),
    )
