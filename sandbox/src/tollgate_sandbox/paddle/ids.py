"""Ids as Paddle's look: a prefix that says the kind, then letters that sort by when they were made."""

import secrets

CUSTOMER, ADDRESS, BUSINESS = "ctm", "add", "biz"
PRODUCT, PRICE = "pro", "pri"
TRANSACTION, LINE = "txn", "txnitm"
SUBSCRIPTION, ADJUSTMENT, ADJUSTED_LINE = "sub", "adj", "adjitm"
PAYMENT_METHOD, PORTAL = "paymtd", "cpls"
EVENT, NOTIFICATION, SETTING, LOG = "evt", "ntf", "ntfset", "ntflog"
INVOICE = "inv"
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME, _CHANCE = 11, 15


def new_id(prefix: str, micros: int) -> str:
    """An id made at that time; a later one sorts after it."""
    chance = "".join(secrets.choice(_LETTERS) for _ in range(_CHANCE))
    return f"{prefix}_{_written(micros)}{chance}"


def kind_of(id_: str) -> str:
    """The prefix."""
    return id_.partition("_")[0]


def _written(number: int) -> str:
    text = ""
    for _ in range(_TIME):
        number, digit = divmod(number, 32)
        text = _LETTERS[digit] + text
    return text
