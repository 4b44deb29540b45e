"""How our names are found on Stripe's objects, and their ids in what may be expanded."""

from typing import Any

import stripe

#: Metadata that says what of ours an object is.
SUBJECT, LINE, CUSTOMER = "tollgate_subject", "tollgate_line", "tollgate_customer"
CHECKOUT, REFUND = "tollgate_checkout", "tollgate_refund"
PAGE = 100


def label(metadata: Any, name: str) -> str:
    """The SDK does not export the type of metadata."""
    return str(metadata[name]) if metadata is not None and name in metadata else ""


def id_of(value: "str | stripe.StripeObject | None") -> str:
    """Of what may be expanded."""
    if value is None or isinstance(value, str):
        return value or ""
    return str(getattr(value, "id", ""))


def is_missing(error: stripe.InvalidRequestError) -> bool:
    """There is no such object, or not any more."""
    return error.code == "resource_missing"
