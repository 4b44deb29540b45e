"""Checkouts while somebody waits: written down, asked for at the provider, and looked at again."""

from collections.abc import Callable, Mapping

from tollgate_billing.clock import Clock
from tollgate_billing.ledger.database import Database
from tollgate_billing.payments.checkouts import (
    Checkout,
    apply_checkout,
    ask_for_checkout,
    find_checkout,
    order_of_checkout,
)
from tollgate_billing.payments.port import ProviderPort, TryLaterError
from tollgate_core.catalog import Catalog


class CheckingOut:
    """What it answers is what the provider says now."""

    def __init__(
        self,
        database: Database,
        catalog: Callable[[], Catalog],
        providers: Callable[[], Mapping[str, ProviderPort]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._providers = providers
        self._clock = clock

    def begin(self, wanted: Checkout) -> Checkout:
        """The page of this id: the one that is there, or a new one. Raises CheckoutRefusedError, ProviderError."""
        now = self._clock()
        port = self._port(wanted.provider)
        with self._database.write() as connection:
            checkout = ask_for_checkout(connection, self._catalog(), wanted, now)
            order = order_of_checkout(connection, checkout, now)
        if checkout.reference:
            return checkout
        found = port.check_out(order)
        with self._database.write() as connection:
            return apply_checkout(connection, self._catalog(), checkout.provider, found, now) or checkout

    def look(self, checkout_id: str) -> Checkout | None:
        """None where there is none. Raises ProviderError."""
        with self._database.read() as connection:
            checkout = find_checkout(connection, checkout_id)
        if checkout is None or checkout.status != "open" or not checkout.reference:
            return checkout
        found = self._port(checkout.provider).read_checkout(checkout.reference)
        if found is None:
            return checkout
        with self._database.write() as connection:
            applied = apply_checkout(connection, self._catalog(), checkout.provider, found, self._clock())
            return applied or checkout

    def _port(self, provider: str) -> ProviderPort:
        found = self._providers().get(provider)
        if found is None:
            raise TryLaterError(f"there is no payment provider {provider}, or its keys are missing")
        return found
