"""Credit notes: what is given back of a statement's lines is on the next statement, and never more than was charged."""

import pytest

from tests.unit.billing.builders import SUBSCRIPTION, apply_catalog, make_fee, make_price
from tests.unit.billing.test_statements import DAY, MONTHS, START, catalog_of, close_until, lines, use
from tollgate_billing.ledger.database import Database
from tollgate_billing.statements.credit_notes import CreditRefusedError, credit_lines, write_credit_note
from tollgate_billing.statements.store import StoredStatement
from tollgate_billing.statements.verification import changed_statements
from tollgate_core.catalog import Catalog


def closed(database: Database) -> tuple[Catalog, StoredStatement]:
    """One with a fee of 49.00 (line 1) and usage of 3.00 (line 2)."""
    catalog = catalog_of(make_fee(in_arrears=True), make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "3")
    (statement,) = close_until(database, catalog, MONTHS[0])
    assert [line[2] for line in lines(statement)] == ["49.00", "3.00"]
    return catalog, statement


def write(database: Database, statement: StoredStatement, name: str, wanted: dict[int, int | None]) -> list[int]:
    with database.write() as connection:
        made = write_credit_note(connection, statement, name, wanted, "Outage", MONTHS[0] + DAY)
        return [line.minor for line in made]


def test_what_is_credited_is_on_the_next_statement(database: Database) -> None:
    catalog, statement = closed(database)
    assert write(database, statement, "n1", {1: 1000, 2: None}) == [1000, 300]
    assert write(database, statement, "n1", {1: 1000, 2: None}) == [1000, 300]
    _, *later = close_until(database, catalog, MONTHS[1])
    assert sum(found.total_minor for found in later) == 4900 - 1300
    with database.read() as connection:
        assert [(line.id, line.line) for line in credit_lines(connection, statement.id)] == [("n1", 1), ("n1", 2)]
        assert changed_statements(connection, SUBSCRIPTION) == []


def test_no_more_than_a_line_charged_is_given_back(database: Database) -> None:
    _, statement = closed(database)
    write(database, statement, "n1", {1: 4000})
    for name, wanted, expected in (
        ("n2", {1: 901}, "line 1: at most 9.00 USD"),
        ("n2", {3: 1}, "has no line 3"),
        ("n2", {2: 0}, "line 2: at most 3.00 USD"),
        ("n1", {2: 5}, "the credit note n1 is there already"),
    ):
        with pytest.raises(CreditRefusedError, match=expected):
            write(database, statement, name, {**wanted})
    assert write(database, statement, "n3", {1: None}) == [900]
    with pytest.raises(CreditRefusedError, match="nothing of it is left"):
        write(database, statement, "n4", {1: None})


def test_what_a_correction_has_given_back_already_is_not_given_back_again(database: Database) -> None:
    catalog = catalog_of(make_price(per="1", included="0", amount="1"))
    apply_catalog(database, catalog, START)
    use(database, "a", START + DAY, "3", quality="estimated", witness="hold")
    close_until(database, catalog, MONTHS[0])
    use(database, "a", START + DAY, "1", recorded_ms=MONTHS[0] + 1)
    first, second = close_until(database, catalog, MONTHS[1])
    assert [lines(statement)[0][2] for statement in (first, second)] == ["3.00", "-2.00"]
    with pytest.raises(CreditRefusedError, match="nothing of it is left"):
        write(database, second, "n0", {1: None})
    assert write(database, first, "n1", {1: None}) == [100]
    with pytest.raises(CreditRefusedError, match="nothing of it is left"):
        write(database, first, "n2", {1: None})
