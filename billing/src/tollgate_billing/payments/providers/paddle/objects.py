"""How our names are found on Paddle's objects: in their ``custom_data``."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from paddle_billing.Entities.Shared import CustomData
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Exceptions.ApiError import ApiError

SUBJECT, LINE, CUSTOMER = "tollgate_subject", "tollgate_line", "tollgate_customer"
CHECKOUT, SUBSCRIPTION, WITHDRAWN = "tollgate_checkout", "tollgate_subscription", "tollgate_withdrawn"
PAGE = 100


def data_of(custom_data: CustomData | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What somebody wrote there; empty where it is not a mapping."""
    found: object = custom_data.data if isinstance(custom_data, CustomData) else custom_data
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def label(transaction: Transaction, name: str) -> str:
    """Of a transaction: charges have none of their own, their items' prices have."""
    own = data_of(transaction.custom_data).get(name)
    if own:
        return str(own)
    theirs = (data_of(item.price.custom_data).get(name) for item in transaction.items)
    return str(next(filter(None, theirs), ""))


def total_of(amounts: Iterable[str | None]) -> int:
    """Of amounts as Paddle writes them: whole minor units as text."""
    return sum(int(amount) for amount in amounts if amount)


def is_missing(error: ApiError) -> bool:
    """There is no such object."""
    return error.response is not None and error.response.status_code == 404
