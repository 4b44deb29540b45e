"""The details of a transaction: lines, totals, and totals after refunds and credits."""

from decimal import Decimal

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import LINE, new_id
from tollgate_sandbox.paddle.totals import Sum, added, lines_of, sum_of, tax_rates, totals_of
from tollgate_sandbox.paddle.world import World


def rate_of(world: World, *, located: bool) -> Decimal:
    """One rate for every country; none while the country is unknown."""
    return Decimal(world.paddle.tax_percent) / 100 if located else Decimal(0)


def preview(world: World, items: list[Json], currency: str, *, located: bool = True, credit: int = 0) -> Json:
    """What items would come to."""
    rate = rate_of(world, located=located)
    lines: list[Json] = lines_of(items, rate, world.paddle.tax_mode)
    for line, item in zip(lines, items, strict=True):
        line["product"] = product_of(world, item)
    total = added(sum_of(line["totals"]) for line in lines)
    credit = min(credit, total.total)
    return {
        "tax_rates_used": tax_rates(total, rate),
        "totals": totals_of(total, currency, credit, paid=False, settled=False),
        "line_items": lines,
    }


def recompute(world: World, transaction: Json) -> None:
    """Write the details anew after anything changed; lines keep their ids."""
    hidden = world.hidden(transaction)
    located = transaction["address_id"] is not None
    items = trial_items(transaction["items"]) if transaction["origin"] in {"api", "web"} else transaction["items"]
    details = preview(world, items, transaction["currency_code"], located=located)
    ids: list[str] = hidden.setdefault("lines", [])
    while len(ids) < len(details["line_items"]):
        ids.append(new_id(LINE, world.clock.stamp()))
    lines: list[Json] = [{"id": id_, **line} for id_, line in zip(ids, details["line_items"], strict=False)]
    details["line_items"] = lines
    total = added(sum_of(line["totals"]) for line in lines)
    paid, settled = (transaction["status"] in words for words in ({"paid", "completed"}, {"completed"}))
    currency: str = transaction["currency_code"]
    credit = min(hidden.get("credit", 0), total.total)
    totals = details["totals"] = totals_of(total, currency, credit, paid=paid, settled=settled)
    adjusted = total - Sum(*hidden.get("adjusted_sum", (0, 0)))
    details["adjusted_totals"] = _adjusted(adjusted, currency, credit, settled=settled)
    details["payout_totals"] = {**totals, "exchange_rate": "1", "fee_rate": "0"} if settled else None
    details["adjusted_payout_totals"] = _adjusted_payout(adjusted, currency) if settled else None
    if not paid:
        totals["balance"] = str(max(0, int(totals["grand_total"]) - hidden.get("credited", 0)))
    transaction["details"] = details


def trial_items(items: list[Json]) -> list[Json]:
    """Items as a first transaction bills them: those with a trial cost nothing yet."""
    return [_on_trial(item) if item["price"]["trial_period"] else item for item in items]


def _on_trial(item: Json) -> Json:
    price: Json = item["price"]
    return {**item, "price": {**price, "unit_price": {**price["unit_price"], "amount": "0"}}}


def product_of(world: World, item: Json) -> Json:
    """The product whose price is billed."""
    found = world.store.find(item["price"]["product_id"])
    return {} if found is None else dict(found)


def _adjusted(total: Sum, currency: str, credit: int, *, settled: bool) -> Json:
    return {
        **total.shown(discount=False),
        "grand_total": str(total.total - credit),
        "grand_total_tax": str(total.tax),
        "fee": "0" if settled else None,
        "earnings": str(total.subtotal) if settled else None,
        "retained_fee": "0",
        "currency_code": currency,
    }


def _adjusted_payout(total: Sum, currency: str) -> Json:
    return {
        **total.shown(discount=False),
        "fee": "0",
        "retained_fee": "0",
        "chargeback_fee": {"amount": "0", "original": None},
        "earnings": str(total.subtotal),
        "currency_code": currency,
        "exchange_rate": "1",
    }
