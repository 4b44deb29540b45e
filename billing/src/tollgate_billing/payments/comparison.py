"""What our books and a provider's must agree on. Pure."""

from collections.abc import Mapping, Sequence

from tollgate_billing.payments.port import InvoiceLine, ProviderInvoice
from tollgate_core.money import Money

#: (found there, recorded here), in minor units with tax.
Sums = Mapping[str, tuple[int, int]]
_SHOWN = 3


def payment_differences(found: ProviderInvoice, paid: int, refunded: int, credited: int) -> list[str]:
    """``paid`` and so on are what is recorded here, with tax."""
    sums: Sums = {
        "paid": (found.paid_minor, paid),
        "refunded": (found.refunded_minor, refunded),
        "credited": (found.credited_minor, credited),
    }
    return [
        f"{word}: {Money(there, found.currency)} there, {Money(here, found.currency)} here"
        for word, (there, here) in sums.items()
        if there != here
    ]


def line_differences(sent: Sequence[InvoiceLine], there: Mapping[str, int], currency: str) -> list[str]:
    """Each line that was sent must be there with its amount, and no other."""
    ours = {line.key: line.minor for line in sent}
    wrong = [
        f"line {key}: {_shown(there.get(key), currency)} there, {_shown(ours.get(key), currency)} here"
        for key in sorted(ours.keys() | there.keys())
        if ours.get(key) != there.get(key)
    ]
    more = [f"and {len(wrong) - _SHOWN} lines more"] if len(wrong) > _SHOWN else []
    return [*wrong[:_SHOWN], *more]


def _shown(minor: int | None, currency: str) -> str:
    return "nothing" if minor is None else str(Money(minor, currency))
