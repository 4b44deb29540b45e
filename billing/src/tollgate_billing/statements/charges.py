"""Amounts that the provider charges (or, negative, credits) by hand, with a comment that the customer reads."""

from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection, insert, select

from tollgate_billing.ledger.subscriptions import Subscription, bump_revision
from tollgate_billing.ledger.tables import charges
from tollgate_core.catalog import Price
from tollgate_core.money import minor_unit_exponent
from tollgate_core.pricing import Due, Span


@dataclass(frozen=True)
class Charge:
    """``minor`` is negative for a credit. On the first statement that closes at or after ``at_ms``."""

    id: str
    subscription: str
    at_ms: int
    minor: int
    currency: str
    comment: str
    recorded_ms: int


def charges_of(connection: Connection, row: Subscription) -> list[Charge]:
    """In the order of time; without those of an earlier customer of the same name."""
    c = charges.c
    mine = (c.subscription == row.name, c.recorded_ms >= row.created_ms)
    query = select(charges).where(*mine).order_by(c.at_ms, c.id)
    return [Charge(**row) for row in connection.execute(query).mappings()]


def add_charge(connection: Connection, charge: Charge) -> bool:
    """Once for each id. False where the same one is there already; raises ValueError where another one has the id."""
    found = connection.execute(select(charges).where(charges.c.id == charge.id)).mappings().first()
    if found is None:
        connection.execute(insert(charges).values(vars(charge)))
        bump_revision(connection, charge.subscription)  # an ended one is to be looked at once more
        return True
    there = Charge(**found)
    same = (there.subscription, there.minor, there.currency, there.comment)
    if same != (charge.subscription, charge.minor, charge.currency, charge.comment):
        raise ValueError(f"the charge {charge.id} is there already, with another content")
    return False


def charge_due(charge: Charge, product: str) -> Due:
    """As a line of its own, which is no price's."""
    price = Price(
        name=f"charge:{charge.id}",
        version="",
        product=product,
        currency=charge.currency,
        model="flat",
        amount=str(Fraction(charge.minor, 10 ** minor_unit_exponent(charge.currency))),
        display_name=charge.comment,
        one_off=True,
    )
    exact = Fraction(charge.minor, 10 ** minor_unit_exponent(charge.currency))
    return Due("oneOff", price, Span(charge.at_ms, charge.at_ms), charge.at_ms, exact)
