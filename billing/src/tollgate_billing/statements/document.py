"""A statement as a document: what the customer gets, and what the hash covers. Amounts and quantities are texts."""

import json
from collections.abc import Mapping

from tollgate_billing.ledger.totals import Share as Quality
from tollgate_billing.ledger.totals import UsageTotal
from tollgate_billing.statements.drafting import Draft
from tollgate_core.events import rfc3339
from tollgate_core.pricing import Line
from tollgate_core.pricing.document import Json, line_document, money_document, span_document
from tollgate_core.quantity import format_decimal, from_micros


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
        "period": span_document(draft.period),
        "lines": [_line(line, draft.qualities.get(line.key, {})) for line in draft.lines],
        "held": [_held(total, draft.is_free) for total in draft.held],
        "total": money_document(draft.total),
        "brought_forward": money_document(draft.brought),
        "paid_from_wallet": money_document(draft.applied),
        "due": money_document(draft.due),
        "carried_forward": money_document(draft.left),
    }


def canonical(document: Json) -> str:
    """Equal documents have equal texts."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _line(line: Line, qualities: Mapping[str, Quality]) -> Json:
    document = line_document(line)
    if line.due.price.name.startswith("charge:"):
        document["kind"] = "charge"
    by_quality = {
        name: {"events": share.events, "quantity": format_decimal(from_micros(share.micros))}
        for name, share in sorted(qualities.items())
    }
    return {**document, "adjustment": line.adjustment, "qualities": by_quality}


def _held(total: UsageTotal, is_free: bool) -> Json:
    return {
        "metric": total.metric,
        "quantity": format_decimal(from_micros(total.micros)),
        "events": total.events,
        "note": "free of charge" if is_free else "no price applies yet: not charged",
    }
