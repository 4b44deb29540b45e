"""A provider's truth about an invoice becomes ours: its state, and the payments that lead to what it says was paid.

Only differences are recorded, under the subscription's lock. So it does not matter which events came, how often, or in
which order: the last look decides.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from tollgate_billing.ledger.subscriptions import lock_subscription
from tollgate_billing.payments.debts import top_up_of
from tollgate_billing.payments.paid_in import settle_paid_in
from tollgate_billing.payments.port import ProviderInvoice
from tollgate_billing.payments.receivables import (
    Receivable,
    carried_with,
    count_change,
    find_receivable,
    remember_customer,
    update_receivable,
)
from tollgate_billing.payments.received import PaymentRefusedError
from tollgate_billing.payments.recording import record_differences


class StaleError(Exception):
    """Another look at the provider was applied since: look again."""


class DriftError(Exception):
    """What the provider says cannot be of the statement that was sent: a person has to look."""


def problem_of(error: Exception) -> str:
    """For people: what is not said on purpose may hold anything."""
    known = isinstance(error, DriftError | PaymentRefusedError)
    return str(error) if known else f"internal: {type(error).__name__}"


#: Is told of subscriptions whose debts have changed, in the same transaction.
Judge = Callable[[Connection, str], object]


def judge_nobody(connection: Connection, subscription: str) -> None:
    """Debts have no consequences."""
    del connection, subscription


def apply_invoice(
    connection: Connection,
    provider: str,
    found: ProviderInvoice,
    now_ms: int,
    judge: Judge = judge_nobody,
    seen: int | None = None,
) -> bool:
    """False where nothing is new, or it is no subject's. ``seen`` is the version of the receivable before the
    provider was asked: where it has grown, somebody may know better. The caller commits. Raises DriftError, StaleError.
    """
    first = find_receivable(connection, found.subject)
    if first is None or first.provider != provider:
        return False
    row = lock_subscription(connection, first.subscription)
    receivable = find_receivable(connection, found.subject) or first
    if seen is not None and receivable.version != seen:
        raise StaleError
    if found.status == "draft":
        return False  # it may be deleted, and is nobody's debt yet
    if receivable.reference not in {"", found.reference, found.replaces} and receivable.status != "void":
        if found.status == "void":
            return False  # it was withdrawn for the one that is known
        raise DriftError(f"{found.reference} is another invoice of {found.subject} than {receivable.reference}")
    together = [receivable, *carried_with(connection, receivable.subject)]
    _require_equal(together, found)
    changed = update_receivable(connection, receivable, found, now_ms)
    remember_customer(connection, provider, receivable.customer, found.customer, now_ms)
    changed = record_differences(connection, provider, found, together, now_ms) or changed
    if changed:
        count_change(connection, receivable.subject)
        top_up_id = top_up_of(receivable.subject)
        if top_up_id and row is not None:
            settle_paid_in(connection, row, top_up_id, found, now_ms)
        judge(connection, receivable.subscription)
    return changed


def _require_equal(together: list[Receivable], found: ProviderInvoice) -> None:
    if found.status == "void":
        return
    due = sum(one.due_minor for one in together)
    if (found.currency, found.total_minor - found.tax_minor) != (together[0].currency, due):
        said = f"{found.total_minor - found.tax_minor} {found.currency}"
        raise DriftError(f"{found.reference} is about {said}, and {found.subject} about {due} {together[0].currency}")
