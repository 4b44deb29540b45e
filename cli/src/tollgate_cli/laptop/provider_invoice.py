"""What a payment provider says of an invoice, read there as its owner would: with the account's own key."""

from dataclasses import dataclass
from typing import Any

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.simulators import Simulated

Json = dict[str, Any]


@dataclass(frozen=True)
class Invoice:
    """Stripe calls it an invoice, Paddle a transaction. ``net_minor`` is without tax."""

    reference: str
    number: str
    net_minor: int
    total_minor: int
    currency: str
    paid: bool


def read_invoice(provider: Simulated, reference: str) -> Invoice:
    """Raises CommandError."""
    if provider.kind == "stripe":
        found = _get(provider, f"/v1/invoices/{reference}")
        net, total = int(found["total_excluding_tax"]), int(found["total"])
        return Invoice(reference, found["number"], net, total, found["currency"].upper(), found["status"] == "paid")
    found = _get(provider, f"/transactions/{reference}")["data"]
    totals: Json = found["details"]["totals"]
    paid = found["status"] in {"paid", "completed"}
    net, total = int(totals["total"]) - int(totals["tax"]), int(totals["total"])
    return Invoice(reference, found["invoice_number"] or "", net, total, found["currency_code"], paid)


def webhooks_delivered(provider: Simulated) -> tuple[int, int]:
    """How many, and of how many. Raises CommandError."""
    deliveries = _get(provider, "/sandbox/webhooks")["deliveries"]
    return sum(one["state"] == "delivered" for one in deliveries), len(deliveries)


def _get(provider: Simulated, path: str) -> Json:
    headers = {"authorization": f"Bearer {provider.key}"}
    answer = loopback.get(f"{provider.url}{path}", headers=headers, timeout=30)
    if answer.is_error:
        raise CommandError(f"{provider.name}: {path} answered {answer.status_code}")
    found: Json = answer.json()
    return found
