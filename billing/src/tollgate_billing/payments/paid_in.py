"""A top-up's invoice becomes credit when it is paid, and the credit is taken back where the money is.

What is to be there follows from the payments that are recorded; only differences are made, so it does not matter how
often this is asked.
"""

from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.notifications.store import Kind, notify
from tollgate_billing.payments.debts import top_up_subject
from tollgate_billing.payments.port import ProviderInvoice
from tollgate_billing.payments.received import PaymentRefusedError, paid_for, payments_of
from tollgate_billing.wallets.grants import add_grant, grants_from, take_back, voided
from tollgate_billing.wallets.top_ups import TopUpRefusedError, find_top_up, grant_name, grant_of, settle_top_up
from tollgate_billing.wallets.topping_up import State, TopUp
from tollgate_core.money import Money

_KEPT = frozenset({"payment", "refund"})
_KINDS: dict[State, Kind] = {"paid": "top_up.paid", "failed": "top_up.failed"}


def settle_paid_in(
    connection: Connection, row: Subscription, top_up_id: str, found: ProviderInvoice, now_ms: int
) -> None:
    """After the payments of ``found`` were recorded, under the subscription's lock. Raises PaymentRefusedError where
    the money is of a customer who has left."""
    top_up = find_top_up(connection, top_up_id)
    if top_up is None:
        return
    if top_up.state == "paid":
        follow_money(connection, row, top_up, now_ms)
    elif found.status == "paid" and _settled_minor(connection, top_up_id) == top_up.minor:
        _settle_paid(connection, row, top_up, found, now_ms)
    elif found.status in {"void", "uncollectible"} and top_up.state == "pending":
        _settle(connection, row, top_up, "failed", found.failure or "the invoice was voided", now_ms)


def _settle_paid(connection: Connection, row: Subscription, top_up: TopUp, found: ProviderInvoice, now_ms: int) -> None:
    """One that was lowered to nothing before it was paid is no credit."""
    if came_minor(connection, top_up.id):
        _settle(connection, row, top_up, "paid", f"{found.number or found.reference}", now_ms)
        follow_money(connection, row, top_up, now_ms)  # some of it may have gone back already, or never came
    elif top_up.state == "pending":
        _settle(connection, row, top_up, "failed", "nothing of it was left to be paid", now_ms)


def follow_money(connection: Connection, row: Subscription, top_up: TopUp, now_ms: int) -> None:
    """Of a paid one: as much credit as money was kept."""
    granted = grants_from(connection, row.name, grant_name(top_up.id))
    names, total = [grant.id for grant in granted], sum(grant.minor for grant in granted)
    kept = kept_minor(connection, top_up.id)
    over = total - voided(connection, names) - kept
    # What a person took away by hand does not come back with the money.
    under = kept - total + voided(connection, names, by_hand=False)
    if over > 0:
        taken = take_back(connection, granted, over, now_ms)
        if taken:
            about = f"{names} {total} {over}"
            tell(connection, row, top_up, "top_up.reversed", now_ms, about=about, minor=taken)
    elif under > 0:
        name = f"{grant_name(top_up.id)}:{len(granted) + 1}"
        add_grant(connection, grant_of(row, top_up, now_ms, name=name, minor=under))
        tell(connection, row, top_up, "top_up.paid", now_ms, about=name, minor=under)


def kept_minor(connection: Connection, top_up_id: str) -> int:
    """Of the money that was paid for it, what neither a bank nor we gave back; before tax."""
    found = payments_of(connection, top_up_subject(top_up_id))
    return sum(payment.minor for payment in found if payment.kind in _KEPT)


def came_minor(connection: Connection, top_up_id: str) -> int:
    """Of the money that was paid for it, what no bank took back; before tax."""
    found = payments_of(connection, top_up_subject(top_up_id))
    return sum(payment.minor for payment in found if payment.kind == "payment")


def _settled_minor(connection: Connection, top_up_id: str) -> int:
    """What came for it, and what its invoice was lowered by before it was paid."""
    subject = top_up_subject(top_up_id)
    return paid_for(connection, [subject]).get(subject, 0)


def shortfall_minor(connection: Connection, subscription: str, top_up_id: str) -> int:
    """Credit of it that was used, and the money went back."""
    granted = grants_from(connection, subscription, grant_name(top_up_id))
    given = sum(grant.minor for grant in granted) - voided(connection, [grant.id for grant in granted])
    return max(0, given - kept_minor(connection, top_up_id))


def tell_settled(
    connection: Connection, row: Subscription, top_up: TopUp, state: State, now_ms: int, note: str
) -> None:
    """Its customer, if that is news to him: whoever cancelled one knows."""
    if state in _KINDS:
        tell(connection, row, top_up, _KINDS[state], now_ms, note=note)


def tell(
    connection: Connection,
    row: Subscription,
    top_up: TopUp,
    kind: Kind,
    now_ms: int,
    *,
    about: str = "",
    minor: int | None = None,
    note: str = "",
) -> None:
    """``about`` tells several notifications of one kind apart; ``minor`` is all of it if absent."""
    amount = Money(top_up.minor if minor is None else minor, top_up.currency).amount
    body = {"top_up": top_up.id, "amount": amount, "currency": top_up.currency, "note": note}
    notify(connection, row, kind, f"{top_up.id} {about}" if about else top_up.id, now_ms, body)


def _settle(connection: Connection, row: Subscription, top_up: TopUp, state: State, note: str, now_ms: int) -> None:
    try:
        changed = settle_top_up(connection, row, top_up, state, note, now_ms)
    except TopUpRefusedError as error:
        raise PaymentRefusedError(str(error)) from error
    if changed:
        tell_settled(connection, row, top_up, state, now_ms, note)
