"""A line as JSON: the same in statements and quotes. Amounts and quantities are texts, times RFC 3339."""

from typing import Any

from tollgate_core.events import rfc3339
from tollgate_core.money import Money
from tollgate_core.pricing.assessment import Share
from tollgate_core.pricing.calendar import Span
from tollgate_core.pricing.formula import formula, number, share_working
from tollgate_core.pricing.lines import Line
from tollgate_core.pricing.terms import terms_of

Json = dict[str, Any]


def line_document(line: Line) -> Json:
    """What a line charges and how it comes about."""
    due = line.due
    price = due.price
    return {
        "kind": due.kind,
        "display_name": price.display_name or price.metric or price.name,
        "price": price.name,
        "version": price.version,
        "metric": price.metric or None,
        "model": price.model,
        "period": span_document(due.span),
        "quantity": number(line.quantity) if price.metric else None,
        "formula": formula(line),
        "shares": [_share(share, line) for share in due.shares] if len(due.shares) > 1 else [],
        "exact": f"{line.exact.numerator}/{line.exact.denominator}",
        "amount": Money(line.minor, price.currency).amount,
        "minor": line.minor,
    }


def span_document(span: Span) -> Json:
    """Half-open."""
    return {"start": rfc3339(span.start_ms), "end": rfc3339(span.end_ms)}


def money_document(money: Money) -> Json:
    """Major units as text, minor units as a number."""
    return {"currency": money.currency, "amount": money.amount, "minor": money.minor}


def _share(share: Share, line: Line) -> Json:
    return {
        "period": span_document(share.span),
        "quantity": number(share.quantity),
        "exact": number(share.exact),
        "formula": share_working(share, terms_of(line.due.price)),
    }
