"""A statement as a document: what the customer gets, and what the hash covers. Amounts and quantities are texts."""

import json
from collections.abc import Mapping
from typing import Any

from tollgate_billing.ledger.totals import Share as Quality
from tollgate_billing.ledger.totals import UsageTotal
from tollgate_billing.statements.drafting import Draft
from tollgate_core.events import rfc3339
from tollgate_core.money import Money
from tollgate_core.pricing import Line, Share, Span, terms_of
from tollgate_core.pricing.formula import formula, number, share_working
from tollgate_core.quantity import format_decimal, from_micros

Json = dict[str, Any]


def document_of(draft: Draft, status: str) -> Json:
    """``status`` is ``draft`` or ``final``."""
    row = draft.subscription
    return {
        "status": status,
        "sequence": draft.sequence,
        "subscription": row.name,
        "product": row.product,
        "customer": row.customer,
        "customer_name": row.customer_name,
        "currency": draft.total.currency,
        "closes_at" if status == "draft" else "closed_at": rfc3339(draft.moment_ms),
        "period": _span(draft.period),
        "lines": [_line(line, draft.qualities.get(line.key, {})) for line in draft.lines],
        "held": [_held(total, draft.is_free) for total in draft.held],
        "total": _money(draft.total),
        "brought_forward": _money(draft.brought),
        "paid_from_wallet": _money(draft.applied),
        "due": _money(draft.due),
        "carried_forward": _money(draft.left),
    }


def canonical(document: Json) -> str:
    """Equal documents have equal texts."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _line(line: Line, qualities: Mapping[str, Quality]) -> Json:
    due = line.due
    price = due.price
    return {
        "kind": due.kind if not price.name.startswith("charge:") else "charge",
        "adjustment": line.adjustment,
        "display_name": price.display_name or price.metric or price.name,
        "price": price.name,
        "version": price.version,
        "metric": price.metric or None,
        "model": price.model,
        "period": _span(due.span),
        "quantity": number(line.quantity) if price.metric else None,
        "qualities": {
            name: {"events": share.events, "quantity": format_decimal(from_micros(share.micros))}
            for name, share in sorted(qualities.items())
        },
        "formula": formula(line),
        "shares": [_share(share, line) for share in due.shares] if len(due.shares) > 1 else [],
        "exact": f"{line.exact.numerator}/{line.exact.denominator}",
        "amount": Money(line.minor, price.currency).amount,
        "minor": line.minor,
    }


def _share(share: Share, line: Line) -> Json:
    return {
        "period": _span(share.span),
        "quantity": number(share.quantity),
        "exact": number(share.exact),
        "formula": share_working(share, terms_of(line.due.price)),
    }


def _held(total: UsageTotal, is_free: bool) -> Json:
    return {
        "metric": total.metric,
        "quantity": format_decimal(from_micros(total.micros)),
        "events": total.events,
        "note": "free of charge" if is_free else "no price applies yet: not charged",
    }


def _span(span: Span) -> Json:
    return {"start": rfc3339(span.start_ms), "end": rfc3339(span.end_ms)}


def _money(money: Money) -> Json:
    return {"currency": money.currency, "amount": money.amount, "minor": money.minor}
