"""The way of a customer's money: checkout, key, usage, period's end, invoice, webhook, paid; at simulated providers.

Everything goes over the interfaces that everybody has: billing's API, the provider's pages as a browser sends them, the
gateway. What the provider says in the end is read at the provider, and compared with the statement.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.billing_client import BillingClient, of_subscription
from tollgate_cli.laptop.demo import DemoCall
from tollgate_cli.laptop.provider_invoice import Invoice, read_invoice, webhooks_delivered
from tollgate_cli.laptop.simulators import Simulated
from tollgate_cli.laptop.system import wait_for
from tollgate_core.catalog import Catalog, Endpoint, Product

Json = dict[str, Any]
#: Reasoning makes a response dear without making it long: a provider collects nothing below half a dollar.
REASONING_TOKENS, REQUESTS = 80_000, 6
TEST_CARD = "4242 4242 4242 4242"
_SECONDS = 40
_PEOPLE = (("lumen", "Lumen GmbH"), ("northwind", "Northwind Traders"), ("umbra", "Umbra Ltd."))


@dataclass
class Journey:
    """One customer's. ``problem`` says why it ended early, where it did; ``short`` is for what is nobody's fault."""

    provider: Simulated
    product: Product
    currency: str
    customer: str
    name: str
    subscription: str
    #: As the customer types it on the provider's page: none of ours to know.
    cardholder: str
    email: str
    calls: list[DemoCall] = field(default_factory=list[DemoCall])
    checkout: str = ""
    metered: Decimal = Decimal(0)
    statement: Json = field(default_factory=dict[str, Any])
    invoice: Invoice | None = None
    paid_at: str = ""
    webhooks: tuple[int, int] = (0, 0)
    problem: str = ""
    short: str = ""

    @property
    def exact(self) -> bool:
        """Whether what was invoiced and paid is what was metered and stated."""
        if self.problem or self.short:
            return not self.problem
        quantities = sum(Decimal(line["quantity"] or 0) for line in self.statement["lines"])
        due = self.statement["due"]
        return (
            self.invoice is not None
            and (self.invoice.net_minor, self.invoice.currency) == (due["minor"], self.statement["currency"])
            and self.invoice.paid
            and bool(self.paid_at)
            and quantities == self.metered
        )


class Journeys:
    """Of all simulated providers that a product names and that the demo can call."""

    def __init__(
        self,
        billing: BillingClient,
        simulated: Sequence[Simulated],
        catalog: Catalog,
        ours: set[str],
    ) -> None:
        """``ours`` names APIs whose upstream is the simulated one."""
        self._billing = billing
        endpoints = {e.id: e for api in catalog.apis for e in api.endpoints if api.name in ours and e.format}
        self._called = {p.name: _called(p, endpoints) for p in catalog.products if not p.overdraft}
        self._currencies = {price.product: price.currency for price in catalog.prices}
        self.all = list(self._planned(simulated, catalog))

    def _planned(self, simulated: Sequence[Simulated], catalog: Catalog) -> Iterator[Journey]:
        taken = {row["name"] for row in self._billing.get("/v1/subscriptions")["subscriptions"]}
        for number, one in enumerate(simulated):
            products = (p for p in catalog.products if p.payment_provider == one.name and self._called.get(p.name))
            product = next(products, None)
            if product is None:
                continue
            customer, name = _PEOPLE[number % len(_PEOPLE)]
            subscription = free_name(f"{customer}-{_short(product.name)}", taken)
            taken.add(subscription)
            currency = self._currencies.get(product.name, "")
            yield Journey(one, product, currency, customer, name, subscription, name, f"{customer}@example.com")

    def begin(self) -> None:
        """Each customer checks out and gets a key."""
        wait_for(self._providers_ready, 20)
        for journey in self.all:
            try:
                self._check_out(journey)
            except CommandError as error:
                journey.problem = str(error)

    def _check_out(self, journey: Journey) -> None:
        url = checkout_page(self._billing, journey, journey.subscription, journey.customer, journey.name)
        give_card(url, journey.cardholder, journey.email)
        if not wait_for(lambda: self._status(journey) != "open", 20):
            raise CommandError("its checkout does not end")
        key = self._billing.create_key(journey.subscription)
        journey.calls = self._calls(journey, key)

    def end(self, events: Iterable[Json]) -> None:
        """Each customer cancels: the books are closed over what was used, and the rest has to happen by itself."""
        open_ = [journey for journey in self.all if not journey.problem]
        usage = list(events)
        for journey in open_:
            journey.metered = _metered(usage, journey.subscription)
            self._billing.post(of_subscription(journey.subscription, "/cancel"), {"at": "now"})
        wait_for(lambda: all(self._settled(journey) for journey in open_), _SECONDS)
        for journey in open_:
            wait_for(partial(self._all_delivered, journey), 5)
            if not journey.paid_at and not journey.short:
                journey.problem = f"not paid after {_SECONDS} s; see billing.log"

    def _all_delivered(self, journey: Journey) -> bool:
        """The last ones are on their way when the money is there."""
        journey.webhooks = webhooks_delivered(journey.provider)
        return journey.webhooks[0] == journey.webhooks[1]

    def _settled(self, journey: Journey) -> bool:
        if journey.paid_at or journey.short:
            return True
        found: list[Json] = self._billing.get(of_subscription(journey.subscription, "/statements"))["statements"]
        if not found:
            return False
        journey.statement = self._billing.get(f"/v1/statements/{found[-1]['id']}")
        journey.short = _too_little(journey.statement)
        if journey.short:
            return True
        if journey.statement["payment_status"] == "paid":
            payments = self._billing.get(f"/v1/statements/{found[-1]['id']}/payments")["payments"]
            journey.invoice = read_invoice(journey.provider, journey.statement["invoice"]["reference"])
            journey.paid_at = payments[-1]["paid_at"]
        return bool(journey.paid_at)

    def _status(self, journey: Journey) -> str:
        journey.checkout = self._billing.get(f"/v1/checkouts/checkout-{journey.subscription}")["status"]
        return journey.checkout

    def _providers_ready(self) -> bool:
        """Billing has asked each which account it is."""
        wanted = {journey.provider.name for journey in self.all}
        listed = self._billing.get("/v1/payment-providers")["providers"]
        return wanted <= {row["name"] for row in listed if row["synced"]}

    def _calls(self, journey: Journey, key: str) -> list[DemoCall]:
        found = self._called[journey.product.name]
        chosen = (found[number % len(found)] for number in range(REQUESTS))
        return [DemoCall(journey.subscription, key, endpoint, True, REASONING_TOKENS) for endpoint in chosen]


def checkout_page(billing: BillingClient, journey: Journey, subscription: str, customer: str, name: str) -> str:
    """Begin a checkout of the journey's product; answers the link of its page."""
    body = {
        "id": f"checkout-{subscription}",
        "subscription": subscription,
        "product": journey.product.name,
        "customer": customer,
        "customer_name": name,
        "currency": journey.currency,
        "success_url": journey.provider.dashboard,
        "cancel_url": journey.provider.dashboard,
    }
    url: str = billing.post("/v1/checkouts", body)["url"]
    return url


def _too_little(statement: Json) -> str:
    """Half a dollar is carried to a later invoice, which a customer who has left does not get."""
    due = f"{statement['due']['amount']} {statement['due']['currency']}"
    if statement["due"]["minor"] <= 0:
        return "nothing is due"
    carried = statement["invoice"] and statement["invoice"]["status"] == "carried"
    return f"{due} is less than the provider collects" if carried else ""


def give_card(url: str, name: str, email: str) -> None:
    """What a customer types into a provider's page. Raises CommandError where it is not taken."""
    page = loopback.get(url, timeout=30)
    form = {
        "number": TEST_CARD,
        "expiry": "12 / 40",
        "cvc": "123",
        "name": name,
        "email": email,
        "country": "DE",
    }
    answer = loopback.post(url, data=form, timeout=30) if page.is_success else page
    if answer.is_error:
        raise CommandError(f"the checkout's page answered {answer.status_code}")


def free_name(wanted: str, taken: set[str]) -> str:
    """With a number where an earlier run has had it."""
    return next(name for n in count(1) if (name := wanted if n == 1 else f"{wanted}-{n}") not in taken)


def _short(product: str) -> str:
    """A subscription's name has 63 characters."""
    return product.rpartition("/")[2].removesuffix("-payg")[:40].rstrip("-")


def _called(product: Product, endpoints: dict[str, Endpoint]) -> list[Endpoint]:
    """What the demo streams from."""
    found = [endpoints[name] for name in product.endpoints if name in endpoints]
    streamed = [e for e in found if e.format != "gemini" or "stream" in e.path]
    return streamed or found


def _metered(events: Iterable[Json], subscription: str) -> Decimal:
    """All quantities of the ledger's events together."""
    own = (event for event in events if event["subject"] == subscription)
    return sum((Decimal(q) for event in own for q in event["data"].get("quantities", {}).values()), Decimal(0))
