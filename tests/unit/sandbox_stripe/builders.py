"""Objects that many tests begin with."""

from typing import Any


def customer(api: Any, card: str | None = "pm_card_visa", **more: Any) -> Any:
    """A customer with a card on file as default."""
    made = api.customers.create({"email": "ada@example.com", "name": "Ada", **more})
    if card is None:
        return made
    method = api.payment_methods.attach(card, {"customer": made.id})
    return api.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})


def draft(api: Any, owner: Any, *amounts: int, currency: str = "usd", **more: Any) -> Any:
    """A draft with an item for each amount."""
    invoice = api.invoices.create({"customer": owner.id, "currency": currency, **more})
    for amount in amounts:
        api.invoice_items.create({"customer": owner.id, "invoice": invoice.id, "amount": amount, "currency": currency})
    return api.invoices.retrieve(invoice.id)


def event_types(api: Any) -> list[str]:
    """All events so far, oldest first."""
    return [event.type for event in api.events.list({"limit": 100}).auto_paging_iter()][::-1]
