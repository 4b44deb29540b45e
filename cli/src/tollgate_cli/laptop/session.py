"""One run of ``tollgate up``: start, keys, demo, comparison, endpoints.json."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from rich.progress import Progress

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop import loopback
from tollgate_cli.laptop.billing_client import BillingClient
from tollgate_cli.laptop.demo import plan_calls, send
from tollgate_cli.laptop.journey import Journey, Journeys
from tollgate_cli.laptop.reconciliation import EndpointCount, compare, upstream_journal
from tollgate_cli.laptop.state import pointer_file
from tollgate_cli.laptop.system import SANDBOX_HOST, System, wait_for
from tollgate_core.catalog import Catalog
from tollgate_core.manifests import API
from tollgate_operator.reconcile import build_catalog
from tollgate_operator.reconcile.index import Index
from tollgate_operator.sources import FileSource


@dataclass
class Outcome:
    """What the demo showed."""

    counts: dict[str, EndpointCount] = field(default_factory=dict[str, EndpointCount])
    failures: list[str] = field(default_factory=list[str])
    journeys: list[Journey] = field(default_factory=list[Journey])

    @property
    def exact(self) -> bool:
        """Whether every request was answered, the ledger equals the upstream's own count, and what payment providers
        invoiced and were paid equals the statements."""
        metered = not any(count.differences for count in self.counts.values())
        return not self.failures and metered and all(journey.exact for journey in self.journeys)


class Session:
    """Commands on a running system."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.billing = BillingClient(system.api_url, system.secrets.admin_token)
        self.keys: dict[str, str] = {}

    def catalog(self) -> Catalog:
        """What the manifests say now."""
        return build_catalog(Index(FileSource(self.system.options.manifests).load().resources))

    def issue_keys(self) -> None:
        """A key for each declared subscription, kept from an earlier run where it still works; endpoints.json."""
        earlier = {s["name"]: s["key"] for s in self.system.state.endpoints().get("subscriptions", [])}
        wanted = {name for name, _ in self._declared()}

        def known() -> bool:
            return wanted <= {s["name"] for s in self.billing.get("/v1/subscriptions")["subscriptions"]}

        if not wait_for(known, 20):
            raise CommandError("Billing does not know the declared subscriptions; see billing.log.")
        for name, _ in self._declared():
            kept = earlier.get(name)
            self.keys[name] = kept if kept and self._works(kept) else self.billing.create_key(name)
        self.system.state.write_endpoints(
            {
                "gateway_url": self.system.gateway_url,
                "api_url": self.system.api_url,
                "sandbox_url": self.system.sandbox_url,
                "payment_simulators": {one.name: one.url for one in self.system.simulators.running},
                "subscriptions": [
                    {"name": name, "product": product, "key": self.keys[name]} for name, product in self._declared()
                ],
            }
        )
        pointer = pointer_file()
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.write_text(str(self.system.state.path))

    def _declared(self) -> list[tuple[str, str]]:
        catalog_subscriptions = [
            (resource.qualified_name, resource.spec.product)
            for resource in FileSource(self.system.options.manifests).load().resources.values()
            if resource.kind == "Subscription"
        ]
        serving = {
            r["name"]
            for r in self.system.status()["resources"]
            if r["kind"] == "Subscription" and r["serving"] != "none"
        }
        return [(name, product) for name, product in catalog_subscriptions if name in serving]

    def _works(self, key: str) -> bool:
        answer = loopback.get(f"{self.system.api_url}/v1/usage", headers={"authorization": f"Bearer {key}"}, timeout=10)
        return answer.status_code == 200

    def run_demo(self, requests: int, progress: Progress, journeys: Journeys | None = None) -> Outcome:
        """Send, wait for the ledger, compare; a customer of each payment provider comes, pays and goes meanwhile."""
        calls = plan_calls(self.catalog(), self.keys, self.simulated(), requests)
        if not calls:
            return Outcome()
        paying = progress.add_task("customers check out", total=None)
        journeys = journeys or self.journeys()
        journeys.begin()
        progress.remove_task(paying)
        calls += [call for journey in journeys.all for call in journey.calls]
        task = progress.add_task("sending requests", total=len(calls))
        failures = asyncio.run(send(self.system.gateway_url, calls, lambda: progress.advance(task)))
        waiting = progress.add_task("waiting for the ledger", total=None)
        wait_for(self._all_recorded, 30)
        events = self.events()
        progress.update(waiting, description="waiting until customers have paid")
        journeys.end(events)
        progress.remove_task(waiting)
        return Outcome(compare(upstream_journal(self.system.sandbox_url), events), failures, journeys.all)

    def journeys(self) -> Journeys:
        """Of customers at the simulated payment providers that run."""
        return Journeys(self.billing, self.system.simulators.running, self.catalog(), self.simulated())

    def simulated(self) -> set[str]:
        """APIs whose upstream is ours."""
        resources = FileSource(self.system.options.manifests).load().resources.values()
        return {
            r.qualified_name
            for r in resources
            if isinstance(r, API) and urlsplit(r.spec.upstream.address(r.metadata.namespace)).hostname == SANDBOX_HOST
        }

    def _all_recorded(self) -> bool:
        wanted = {entry["ids"]["x-billing-request-id"] for entry in upstream_journal(self.system.sandbox_url)}
        return wanted <= {event["id"] for event in self.events()}

    def events(self, subscription: str | None = None) -> list[dict[str, Any]]:
        """All events of the ledger."""
        return all_events(self.billing, subscription)


def all_events(billing: BillingClient, subscription: str | None = None) -> list[dict[str, Any]]:
    """The ledger's events as they stand after corrections, oldest first, page after page."""
    events: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = billing.get("/v1/usage-events", subscription=subscription, order="oldest", limit=1000, after=after)
        events += page["events"]
        after = page.get("next")
        if not after:
            return events
