"""The current catalog: from SQL at start, from Redis as soon as it has another one."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec
import structlog
from sqlalchemy import Connection

from tollgate_billing.clock import Clock
from tollgate_billing.ledger.catalogs import current_catalog, store_catalog
from tollgate_billing.ledger.database import Database
from tollgate_billing.ledger.locks import BEGINNING, alone
from tollgate_billing.ledger.subscriptions import Subscription
from tollgate_billing.payments.collecting import Collecting
from tollgate_billing.redis_link import RedisLink
from tollgate_billing.statements.closing import close
from tollgate_billing.statements.drafting import terms_now
from tollgate_billing.subscriptions.declared import declare
from tollgate_core.catalog import Catalog
from tollgate_core.redis_contract import Keys, raw, text

_log = structlog.get_logger("catalog")
#: When what could not be declared is tried again.
_AGAIN_MS = 60_000


class CatalogSync:
    """``current`` may be read from any thread; one thread calls ``load`` and ``refresh``."""

    def __init__(self, database: Database, link: RedisLink, clock: Clock) -> None:
        self._database = database
        self._link = link
        self._clock = clock
        self.hash = ""
        self.current = Catalog()
        #: Subscriptions that could not be declared, and why.
        self.failed: Mapping[str, str] = {}
        self._again_ms = 0
        self._refused = ""

    def load(self) -> None:
        """What SQL knows: enough to serve while Redis is away."""
        with self._database.read() as connection:
            found = current_catalog(connection)
        if found is not None:
            # Without its hash: what it declares is compared with the rows once in each run of the process.
            _, self.current = found

    def refresh(self) -> bool:
        """True where another catalog was taken over. Raises RedisError or what says that the database is away."""
        name = self._link.call("HGET", Keys.CATALOG, "hash")
        again = bool(self.failed) and self._clock() >= self._again_ms
        if name is None or text(name) == self._refused or (text(name) == self.hash and not again):
            return False
        with self._database.write() as connection:
            # One replica after the other, and each the catalog that is current when it is its turn: a slow one does not
            # go back to an older one.
            alone(connection, BEGINNING)
            found = self._read()
            if found is None:
                return False
            hashed, content, catalog = found
            now = self._clock()
            store_catalog(connection, hashed, content, catalog, now)
            outcome = declare(connection, catalog, now, partial(self._settle, catalog))
        self.hash, self.current = hashed, catalog
        self.failed, self._again_ms = outcome.failed, now + _AGAIN_MS
        _log.info("catalog", hash=hashed, prices=len(catalog.prices), subscriptions_changed=len(outcome.changed))
        return True

    def _read(self) -> tuple[str, bytes, Catalog] | None:
        name, encoded = self._link.call("HMGET", Keys.CATALOG, "hash", "json")
        if name is None or encoded is None:
            return None
        hashed, content = text(name), raw(encoded)
        try:
            return hashed, content, Catalog.decode(content)
        except (msgspec.DecodeError, UnicodeError) as error:
            # A bad catalog changes nothing; the last good one stays. It is not tried again, and another one is.
            self._refused = hashed
            _log.error("catalog refused", hash=hashed, error=str(error))
            return None

    def _settle(self, catalog: Catalog, connection: Connection, row: Subscription, now_ms: int) -> None:
        """The last statement of a customer whose subscription's name goes to another one."""
        ended = replace(row, ended_ms=now_ms)
        collect = Collecting(lambda: catalog)
        close(connection, terms_now(connection, catalog), ended, now_ms, now_ms, collect=collect)
