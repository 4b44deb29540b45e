"""Sums of an invoice: pure, from lines to what is due."""

from dataclasses import dataclass
from decimal import Decimal

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.currencies import rounded, smallest

TAX_RATE = "txr_simulated"


@dataclass(frozen=True, slots=True)
class Totals:
    """An invoice's sums in minor units."""

    subtotal: int
    exclusive_tax: int
    inclusive_tax: int

    @property
    def total(self) -> int:
        """What the invoice is worth."""
        return self.subtotal + self.exclusive_tax


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be paid, and the customer's balance after that."""

    amount: int
    ending_balance: int


def line_taxes(line: Json, percent: Decimal, currency: str, behavior: str) -> list[Json]:
    """The taxes of one line, rounded on the line."""
    if behavior == "inclusive":
        tax = rounded(line["amount"] * percent / (100 + percent), currency)
    else:
        tax = rounded(line["amount"] * percent / 100, currency)
    return [
        {
            "amount": tax,
            "tax_behavior": behavior,
            "tax_rate_details": {"tax_rate": TAX_RATE},
            "taxability_reason": "standard_rated" if percent else "customer_exempt",
            "taxable_amount": line["amount"] - (tax if behavior == "inclusive" else 0),
            "type": "tax_rate_details",
        }
    ]


def summed(lines: list[Json]) -> Totals:
    """The sums over lines whose taxes are set."""
    taxes = [tax for line in lines for tax in line["taxes"]]
    return Totals(
        subtotal=sum(line["amount"] for line in lines),
        exclusive_tax=sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive"),
        inclusive_tax=sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive"),
    )


def total_taxes(lines: list[Json]) -> list[Json]:
    """Taxes of all lines, one entry for each behaviour."""
    sums: dict[str, Json] = {}
    for line in lines:
        for tax in line["taxes"]:
            total = sums.setdefault(tax["tax_behavior"], {**tax, "amount": 0, "taxable_amount": 0})
            total["amount"] += tax["amount"]
            total["taxable_amount"] += tax["taxable_amount"]
    return list(sums.values())


def due(total: int, balance: int, currency: str) -> Due:
    """Credit is used first, old debts are added, and what is too small to charge is carried to the next invoice."""
    owed = total + balance
    if owed <= 0 or (total <= 0 and owed < smallest(currency)):
        return Due(0, owed)
    return Due(0, owed) if owed < smallest(currency) else Due(owed, 0)
