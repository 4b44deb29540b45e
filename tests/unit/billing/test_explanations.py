"""A charge down to its requests, and a request up to its charges, on both databases."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import event as hooks

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_event, make_price, record
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.evidence import Window, parts_of
from tollgate_billing.ledger.repricing import reprice_changed
from tollgate_billing.ledger.subscriptions import find_subscription
from tollgate_billing.statements.evidence import Evidence, evidence_of
from tollgate_billing.statements.journey import journey_of
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.subscriptions import changes
from tollgate_core.catalog import Metric, MetricUsage, content_hash

PRICE = make_price(per="1", included="0", amount="1")


def evidence(
    database: Database, statement: StoredStatement, line: int = 1, after: str = "", limit: int = 100
) -> Evidence:
    with database.read() as connection:
        found = evidence_of(connection, statement, line, after, limit)
    assert found
    return found


def seen(found: Evidence) -> list[tuple[str, int, bool, bool]]:
    return [(p.part.event_id, p.part.micros // 10**6, p.late, p.corrected) for p in found.parts]


def matches(found: Evidence) -> bool:
    assert found.sums
    assert (found.sums["quantity"] == found.sums["line_quantity"]) == found.sums["matches"]
    return bool(found.sums["matches"])


def journey(database: Database, event: str) -> Any:
    with database.read() as connection:
        return journey_of(connection, event)


def test_every_line_is_the_sum_of_its_events_as_they_stood_then(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    use(database, "guess", START + DAY, "50", quality="estimated", witness="hold", outcome="unaccounted")
    use(database, "a", START + 2 * DAY, "7")
    use(database, "elsewhere", START + 3 * DAY, "9", subscription="team/other")
    use(database, "next", MONTHS[0], "3")
    (first,) = close_until(database, catalog, MONTHS[0] + DAY)
    use(database, "guess", START + DAY, "20", recorded_ms=MONTHS[0] + 2 * DAY)
    use(database, "late", MONTHS[0] - 1, "4", recorded_ms=MONTHS[0] + 2 * DAY)
    adjusted = close_until(database, catalog, MONTHS[1])[-1]

    before = evidence(database, first)
    assert seen(before) == [("guess", 50, False, False), ("a", 7, False, False)]
    assert before.parts[0].body["data"]["quality"] == "estimated"
    assert matches(before)
    adjustment = evidence(database, adjusted)
    assert seen(adjustment) == [("guess", -30, False, True), ("late", 4, True, False)]
    assert adjustment.parts[0].body["data"]["quality"] == "exact"
    assert matches(adjustment)
    usual = evidence(database, adjusted, line=2)
    assert seen(usual) == [("next", 3, False, False)]
    assert matches(usual)


def test_the_version_that_was_billed_is_shown_and_not_the_current_one(database: Database) -> None:
    dearer = replace(PRICE, version="v2", amount="2")
    apply_catalog(database, catalog_of(PRICE), START)
    use(database, "a", START + DAY, "5")
    (statement,) = close_until(database, catalog_of(PRICE), MONTHS[0])
    apply_catalog(database, catalog_of(dearer), MONTHS[0] + 1)
    found = evidence(database, statement)
    assert found.price == PRICE


def test_pages_follow_each_other_and_sums_are_on_the_first(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    for number in range(5):
        use(database, f"e{number}", START + DAY * (1 + number // 2), "1")
    (statement,) = close_until(database, catalog, MONTHS[0])
    first = evidence(database, statement, limit=2)
    second = evidence(database, statement, after="e1", limit=2)
    third = evidence(database, statement, after="e3", limit=2)
    assert [p.part.event_id for page in (first, second, third) for p in page.parts] == [f"e{n}" for n in range(5)]
    assert first.sums == {"events": 5, "quantity": "5", "line_quantity": "5", "matches": True, "note": ""}
    assert second.sums is None


def test_largest_values_are_listed_and_not_added(database: Database) -> None:
    catalog = catalog_of(replace(PRICE, aggregation="max"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "5")
    use(database, "b", START + DAY, "7")
    (statement,) = close_until(database, catalog, MONTHS[0])
    found = evidence(database, statement)
    assert len(found.parts) == 2
    assert found.sums
    assert (found.sums["matches"], found.sums["line_quantity"]) == (None, "7")


def test_an_event_knows_its_lines(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    use(database, "e", START + DAY, "50", quality="estimated", witness="hold", outcome="unaccounted")
    (first,) = close_until(database, catalog, MONTHS[0])
    use(database, "e", START + DAY, "20", recorded_ms=MONTHS[0] + DAY)
    (metric,) = journey(database, "e").metrics
    assert metric["billed"] == [
        {"statement": first.id, "line": 1, "quantity": "50"},
        {"statement": None, "line": None, "quantity": "-30"},
    ]
    second = close_until(database, catalog, MONTHS[1])[-1]
    (metric,) = journey(database, "e").metrics
    assert metric["billed"][1] == {"statement": second.id, "line": 1, "quantity": "-30"}
    assert metric["charged_by"] == {"price": "token-price", "version": "v1"}


def test_an_event_knows_which_conditions_were_tried(database: Database) -> None:
    prices = (
        make_price(name="gpt", when='model == "gpt"', priority=2),
        make_price(name="fast", when="usage.speed > 3", priority=1),
        PRICE,
    )
    usage = (MetricUsage(endpoints=("api/chat",), quantity="usage().total", when="true"),)
    catalog = replace(catalog_of(*prices), metrics=(Metric(name="tokens", unit="token", usage=usage),))
    apply_catalog(database, catalog, START)
    use(database, "e", START + DAY, "5", served_model="other", catalog=content_hash(catalog.encode()))
    (metric,) = journey(database, "e").metrics
    assert [(t["price"], t["holds"], bool(t["reason"])) for t in metric["tried"]] == [
        ("gpt", False, False),
        ("fast", False, True),
        ("token-price", True, False),
    ]
    assert metric["rules"] == [{"quantity": "usage().total", "when": "true"}]


def test_usage_that_moved_to_another_price_is_on_both_lines(database: Database) -> None:
    catalog = catalog_of(PRICE)
    apply_catalog(database, catalog, START)
    moment = START + 10 * DAY
    record(database, make_event("e", "6", at_ms=moment, quantities={"tokens": "6"}), now_ms=moment)
    dearer = catalog_of(replace(PRICE, version="v2", amount="2"))
    apply_catalog(database, dearer, moment - DAY)
    with database.write() as connection:
        row = find_subscription(connection, SUBSCRIPTION)
        assert row
        changes.migrate(connection, dearer, row, moment - DAY)
        assert reprice_changed(connection, {SUBSCRIPTION: moment - DAY}, moment + 1) == 1
    (statement,) = close_until(database, dearer, MONTHS[0])
    (metric,) = journey(database, "e").metrics
    assert metric["charged_by"] == {"price": "token-price", "version": "v2"}
    assert [(b["statement"], b["quantity"]) for b in metric["billed"]] == [(statement.id, "6")]
    found = evidence(database, statement)
    assert (seen(found), matches(found)) == ([("e", 6, False, True)], True)


def test_an_index_serves_the_events_of_a_line(database: Database) -> None:
    if database.dialect != "sqlite":
        return  # a planner with statistics takes what is cheapest for a table this small
    window = Window(SUBSCRIPTION, "tokens", "token-price", "v1", START, MONTHS[0], MONTHS[0])
    plans: list[str] = []
    with database.read() as connection:

        def explain(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
            if "postings" in statement and "EXPLAIN" not in statement:
                rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans.extend(row[3] for row in rows)

        hooks.listen(connection, "before_cursor_execute", explain)
        parts_of(connection, window)
    assert any("USING INDEX ix_postings_usage" in plan for plan in plans)
    assert not any(plan.startswith("SCAN") for plan in plans)
