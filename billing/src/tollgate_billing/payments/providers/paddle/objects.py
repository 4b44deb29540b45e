"""How our names are found on Paddle's objects: in their ``custom_data``."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from paddle_billing.Entities.Shared import CustomData, TransactionOrigin
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Shared.Operations import DateComparison
from paddle_billing.Resources.Shared.Operations.List.Comparator import Comparator

from tollgate_billing.clock import to_datetime
from tollgate_billing.payments.port import UnseenError

SUBJECT, LINE, CUSTOMER = "tollgate_subject", "tollgate_line", "tollgate_customer"
CHECKOUT, SUBSCRIPTION, WITHDRAWN = "tollgate_checkout", "tollgate_subscription", "tollgate_withdrawn"
#: Of a charge: the offer that it was made in the stead of; and that an offer follows where it is declined.
REPLACES, TRIED = "tollgate_replaces", "tollgate_tried"
PAGE = 100
#: Origins of transactions whose own data nobody else has written.
_OURS = (TransactionOrigin.Api, TransactionOrigin.SubscriptionPaymentMethodChange)
#: A list may not show yet what was made. For so long a request that was attempted is looked for and not sent again.
SETTLED_MS = 900_000
_LOOK_AGAIN_MS = 30_000
_CLOCKS_DIFFER_MS = 3_600_000


def require_settled(attempted: bool, age_ms: int, what: str) -> None:
    """Before anything is sent that has no idempotency. Raises UnseenError while an earlier attempt may show yet."""
    left = SETTLED_MS - age_ms
    if attempted and left > 0:
        raise UnseenError(
            f"Paddle shows nothing of {what}, which may be there: not sent again yet", min(left, _LOOK_AGAIN_MS)
        )


def created_since(moment_ms: int) -> DateComparison:
    """Of lists, with room for clocks that differ."""
    return DateComparison(to_datetime(max(0, moment_ms - _CLOCKS_DIFFER_MS)), Comparator.GTE)


def data_of(custom_data: CustomData | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What somebody wrote there; empty where it is not a mapping."""
    found: object = custom_data.data if isinstance(custom_data, CustomData) else custom_data
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def label(transaction: Transaction, name: str) -> str:
    """Of a transaction: charges have none of their own, their items' prices have. What one that began in a browser says
    is whatever somebody wrote there who knows the account's public token, and so with those of a subscription that
    began so; prices are written by the account alone."""
    own = data_of(transaction.custom_data).get(name)
    if own and transaction.origin in _OURS:
        return str(own)
    theirs = (data_of(item.price.custom_data).get(name) for item in transaction.items)
    return str(next(filter(None, theirs), ""))


def total_of(amounts: Iterable[str | None]) -> int:
    """Of amounts as Paddle writes them: whole minor units as text."""
    return sum(int(amount) for amount in amounts if amount)


def is_missing(error: ApiError) -> bool:
    """There is no such object."""
    return error.response is not None and error.response.status_code == 404
