"""Catalogs and price versions as they were seen. A price version never changes once it is stored."""

import msgspec
from sqlalchemy import Connection, insert, select, update

from tollgate_billing.ledger.tables import catalogs, price_versions
from tollgate_core.catalog import Catalog, Price

PriceKey = tuple[str, str]


def store_catalog(connection: Connection, hashed: str, encoded: bytes, catalog: Catalog, now_ms: int) -> None:
    """Keep a catalog and its price versions, and make it the current one."""
    c = catalogs.c
    touched = connection.execute(update(catalogs).where(c.hash == hashed).values(current_since_ms=now_ms))
    if touched.rowcount == 0:
        connection.execute(
            insert(catalogs).values(hash=hashed, json=encoded.decode(), first_seen_ms=now_ms, current_since_ms=now_ms)
        )
    known = {(row[0], row[1]) for row in connection.execute(select(price_versions.c.name, price_versions.c.version))}
    fresh = [
        {
            "name": price.name,
            "version": price.version,
            "spec": msgspec.json.encode(price, order="sorted").decode(),
            "first_seen_ms": now_ms,
        }
        for price in catalog.prices
        if (price.name, price.version) not in known
    ]
    if fresh:
        connection.execute(insert(price_versions), fresh)


def current_catalog(connection: Connection) -> tuple[str, Catalog] | None:
    """The one that became current last, with its hash."""
    c = catalogs.c
    query = select(c.hash, c.json).order_by(c.current_since_ms.desc(), c.first_seen_ms.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else (row[0], Catalog.decode(row[1].encode()))


def stored_prices(connection: Connection) -> dict[PriceKey, Price]:
    """Every version of every price, in the order of appearance."""
    p = price_versions.c
    rows = connection.execute(select(p.name, p.version, p.spec).order_by(p.first_seen_ms, p.name, p.version))
    return {(name, version): msgspec.json.decode(spec, type=Price) for name, version, spec in rows}


def stored_price(connection: Connection, name: str, version: str) -> Price | None:
    """One version, as it was when it was first seen."""
    p = price_versions.c
    spec = connection.execute(select(p.spec).where(p.name == name, p.version == version)).scalar()
    return None if spec is None else msgspec.json.decode(spec, type=Price)


def stored_catalog(connection: Connection, hashed: str) -> Catalog | None:
    """The one under which an event was counted."""
    encoded = connection.execute(select(catalogs.c.json).where(catalogs.c.hash == hashed)).scalar()
    return None if encoded is None else Catalog.decode(encoded.encode())
