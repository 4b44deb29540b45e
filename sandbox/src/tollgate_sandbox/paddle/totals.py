"""Sums of transactions: every line with its tax, and what they come to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tollgate_sandbox.jsons import Json


@dataclass(frozen=True, slots=True)
class Sum:
    """Before tax, tax, and both."""

    subtotal: int = 0
    tax: int = 0

    @property
    def total(self) -> int:
        """Both."""
        return self.subtotal + self.tax

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.subtotal + other.subtotal, self.tax + other.tax)

    def __sub__(self, other: "Sum") -> "Sum":
        return Sum(self.subtotal - other.subtotal, self.tax - other.tax)

    def shown(self, *, discount: bool = True) -> Json:
        """As answers carry it."""
        middle = {"discount": "0"} if discount else {}
        return {"subtotal": str(self.subtotal), **middle, "tax": str(self.tax), "total": str(self.total)}


def taxed(amount: int, rate: Decimal, *, included: bool) -> Sum:
    """An amount to which tax comes, or which includes it."""
    if included:
        tax = _rounded(amount * rate / (1 + rate))
        return Sum(amount - tax, tax)
    return Sum(amount, _rounded(amount * rate))


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def line_sum(item: Json, rate: Decimal, account_mode: str) -> tuple[Sum, Sum]:
    """One unit of an item, and all of them; a part of a period counts for its share."""
    price = item["price"]
    mode = price["tax_mode"]
    included = (account_mode if mode in {"account_setting", "location"} else mode) == "internal"
    share = Decimal(item["proration"]["rate"]) if item["proration"] else Decimal(1)
    unit = int(price["unit_price"]["amount"])
    whole = _rounded(unit * item["quantity"] * share)
    return taxed(_rounded(unit * share), rate, included=included), taxed(whole, rate, included=included)


def added(sums: Iterable[Sum]) -> Sum:
    """All together."""
    return sum(sums, Sum())


def lines_of(items: Sequence[Json], rate: Decimal, account_mode: str) -> list[Json]:
    """The lines that items become, without ids and products."""
    lines: list[Json] = []
    for item in items:
        unit, whole = line_sum(item, rate, account_mode)
        lines.append(
            {
                "price_id": item["price"]["id"],
                "quantity": item["quantity"],
                "proration": item["proration"],
                "tax_rate": _text(rate),
                "unit_totals": unit.shown(),
                "totals": whole.shown(),
            }
        )
    return lines


def sum_of(totals: Json) -> Sum:
    """What answers carry, as numbers."""
    return Sum(int(totals["subtotal"]), int(totals["tax"]))


def totals_of(total: Sum, currency: str, credit: int, *, paid: bool, settled: bool) -> Json:
    """The sums of a whole transaction; fees are known, and zero, when it is settled."""
    grand = total.total - credit
    return {
        **total.shown(),
        "credit": str(credit),
        "credit_to_balance": "0",
        "balance": "0" if paid else str(grand),
        "grand_total": str(grand),
        "grand_total_tax": str(total.tax),
        "fee": "0" if settled else None,
        "earnings": str(total.subtotal) if settled else None,
        "currency_code": currency,
    }


def tax_rates(total: Sum, rate: Decimal) -> list[Json]:
    """The one rate there is."""
    return [{"tax_rate": _text(rate), "totals": total.shown()}]


def _text(rate: Decimal) -> str:
    return format(rate.normalize(), "f")
