"""How a line's amount comes about, as a text that a person can check with a calculator."""

from decimal import Decimal
from fractions import Fraction

from tollgate_core.money import Money, minor_unit_exponent
from tollgate_core.pricing.assessment import Due, Share
from tollgate_core.pricing.lines import Line
from tollgate_core.pricing.models import Part, cost
from tollgate_core.pricing.terms import Terms, terms_of
from tollgate_core.quantity import format_decimal

_SHOWN_DECIMALS = 12


def formula(line: Line) -> str:
    """For example ``(3500000 - 2000000 included) / 1000000 x 5 USD = 7.50 USD``."""
    due = line.due
    terms = terms_of(due.price)
    text, currency = _working(due, terms), due.price.currency
    if line.exact != due.exact:
        earlier = _money(due.exact - line.exact, currency)
        text = f"({text} = {_money(due.exact, currency)}) - {earlier} on earlier statements"
    if line.carried:
        text += f" {'+' if line.carried > 0 else '-'} {number(abs(line.carried))} {currency} carried from rounding"
    exact, rounded = line.exact + line.carried, Money(line.minor, currency)
    if Fraction(line.minor, 10 ** minor_unit_exponent(currency)) == exact:
        return f"{text} = {rounded}"
    return f"{text} = {number(exact)} ≈ {rounded}"


def number(value: Fraction) -> str:
    """Plain digits, at most twelve decimals."""
    return format_decimal(Decimal(round(value * 10**_SHOWN_DECIMALS)).scaleb(-_SHOWN_DECIMALS))


def share_working(share: Share, terms: Terms) -> str:
    """Of one aggregation period."""
    if not share.parts:
        return _free(share)
    trial = f" ({number(share.trial)} of {number(share.quantity)} in trial)" if share.trial else ""
    whole = " + ".join(_part(part, share, terms) for part in share.parts) or f"{number(share.quantity)} x 0"
    whole += _included_in_tiers(share, terms)
    if share.before:
        earlier = cost(terms, share.before)
        return f"{whole} - {number(earlier)} {terms.currency} for {number(share.before)} before it{trial}"
    return f"{whole}{trial}"


def _free(share: Share) -> str:
    """No tier charges. Why, is what a customer asks: a trial ends once, included units come back every period."""
    taken = ((share.trial, "in trial"), (share.quantity - share.trial, "included"))
    return ", ".join(f"{number(units)} {why}" for units, why in taken if units) or "0"


def _working(due: Due, terms: Terms) -> str:
    if due.kind != "usage":
        if due.coverage == 1:
            return f"{number(terms.amount)} {terms.currency}"
        return f"{number(terms.amount)} {terms.currency} x {_coverage(due)}"
    if len(due.shares) == 1:
        return share_working(due.shares[0], terms)
    used = [share for share in due.shares if share.exact]
    periods = f"{len(used)} of {len(due.shares)} aggregation periods"
    return f"{' + '.join(number(share.exact) for share in used) or '0'} {terms.currency} ({periods})"


def _coverage(due: Due) -> str:
    """Seats, or the part of the period in days where it is not all of it: of each seat, where there can be several."""
    if due.coverage.denominator == 1:
        return f"{due.coverage} seats"
    length = Fraction(due.span.end_ms - due.span.start_ms, 86_400_000)
    days = "seat-days" if due.price.max_seats > 1 else "days"
    return f"{number(due.coverage * length)} {days} / {number(length)} days"


def _part(part: Part, share: Share, terms: Terms) -> str:
    amount = f"{number(part.amount)} {terms.currency}"
    where = f"tier {part.tier}: " if part.tier else ""
    if part.flat:
        return f"{where}{amount} flat"
    if part.packages is not None:
        packages = "package" if abs(part.packages) == 1 else "packages"
        return f"{part.packages} {packages} of {number(part.per)} x {amount}{_included(part, share)}"
    units = number(part.units)
    if not part.tier and share.quantity > 0 and part.units != share.before + share.quantity - share.trial:
        total = share.before + share.quantity - share.trial
        units = f"({number(total)} - {number(total - part.units)} included)"
    per = "" if part.per == 1 else f" / {number(part.per)}"
    return f"{where}{units}{per} x {amount}"


def _included_in_tiers(share: Share, terms: Terms) -> str:
    total = share.before + share.quantity - share.trial
    if not terms.tiers or not terms.included or total <= 0:
        return ""
    return f" (the first {number(min(terms.included, total))} included)"


def _included(part: Part, share: Share) -> str:
    total = share.before + share.quantity - share.trial
    return f" ({number(total)} - {number(total - part.units)} included)" if part.units != total and total > 0 else ""


def _money(exact: Fraction, currency: str) -> str:
    return f"{number(exact)} {currency}"
