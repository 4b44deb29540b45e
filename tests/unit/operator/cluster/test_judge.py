"""What is written about which resource, and when it is worth it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.manifests import resource
from tests.unit.operator.cluster.objects import api, product, store_of, stored, subscription
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_operator.cluster.accounts import Said
from tollgate_operator.cluster.finalizers import users
from tollgate_operator.cluster.judge import PASSING_SECONDS, Judge
from tollgate_operator.cluster.programming import Programming
from tollgate_operator.cluster.statuses import Verdict
from tollgate_operator.cluster.store import Observed, Store
from tollgate_operator.control_loop import State, reconcile
from tollgate_operator.reconcile import Condition

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@dataclass
class KnownKeys:
    ids: dict[str, str] = field(default_factory=dict[str, str])
    problems: dict[str, Condition] = field(default_factory=dict[str, Condition])

    def key_id(self, observed: Observed) -> str:
        return self.ids.get(observed.uid, "")


@dataclass
class KnownAccounts:
    said: dict[str, Condition] = field(default_factory=dict[str, Condition])

    def condition(self, observed: Observed, state: State) -> Condition | None:
        return self.said.get(observed.key[1])

    def of(self, name: str, state: State) -> Said | None:
        found = self.said.get(name)
        return Said("", True, found.reason, "", "acct_1", "test") if found and found.status else None


class Cluster:
    """An API server that takes every verdict."""

    def __init__(self, *documents: Any) -> None:
        self.store: Store = store_of(*documents)
        self.keys = KnownKeys()
        self.programming = Programming()
        self.accounts = KnownAccounts()
        self.judge = Judge(self.programming, self.keys, self.accounts)
        self.state: State | None = None
        self.version = 1000

    def reconcile(self, *, taken: bool = True) -> State:
        self.state = reconcile(self.store.loaded(), self.state, SETTINGS)
        if taken:
            self.programming.acknowledge(self.state)
        return self.state

    def judged(self, seconds: float = 0, envoys: int = 1) -> list[tuple[Observed, Verdict]]:
        assert self.state
        used = users(self.state.resources, self.store)
        return self.judge.verdicts(self.store, self.state, used, envoys, NOW + timedelta(seconds=seconds))

    def write(self, seconds: float = 0, envoys: int = 1) -> dict[str, str]:
        """The reason of Programmed by name, of all that was written."""
        written: dict[str, str] = {}
        for observed, verdict in self.judged(seconds, envoys):
            self.version = max(self.version, observed.version) + 1
            metadata: dict[str, Any] = {
                "name": observed.name,
                "namespace": observed.namespace,
                "uid": observed.uid,
                "resourceVersion": str(self.version),
                "generation": observed.generation,
                "finalizers": list(observed.finalizers),
                **({"deletionTimestamp": "2026-11-22T09:00:00Z"} if observed.deleting else {}),
            }
            api_version = {"apiVersion": "tollgate.dev/v1alpha1", "kind": observed.key[0]}
            status = {name: value for name, value in verdict.body.items() if value is not None}
            answer = {**api_version, **observed.content, "metadata": metadata, "status": status}
            assert self.store.apply("MODIFIED", answer) == "status"
            reasons = [c["reason"] for c in status["conditions"] if c["type"] == "Programmed"]
            written[observed.name] = reasons[0] if reasons else ""
        return written

    def status(self, kind: str, name: str) -> Any:
        found = self.store.get((kind, name))
        assert found
        return found.status


def test_each_is_written_once_and_then_there_is_silence() -> None:
    cluster = Cluster(api("a"), product("pro"), subscription("s"))
    cluster.reconcile()
    assert cluster.write() == {"a": "Programmed", "pro": "Programmed", "s": "Programmed"}
    assert (cluster.judged(), cluster.judge.waits) == ([], False)
    assert cluster.status("Product", "pro")["subscriptions"] == 1
    assert cluster.status("API", "a")["endpoints"] == 1


def test_an_edit_of_one_writes_one() -> None:
    cluster = Cluster(*(api(f"a{n}") for n in range(5)), product("pro", api="a1"))
    cluster.reconcile()
    cluster.write()
    cluster.store.apply("MODIFIED", api("a1", 5000, prefix="/new", generation=2))
    assert cluster.judged() == []  # the state does not know it yet
    cluster.reconcile()
    assert cluster.write() == {"a1": "Programmed"}
    assert cluster.status("API", "a1")["observedGeneration"] == 2


def test_what_may_pass_by_itself_is_written_only_if_it_lasts() -> None:
    cluster = Cluster(api("a"))
    cluster.reconcile(taken=False)
    assert (cluster.write(), cluster.judge.waits) == ({}, True)
    assert cluster.write(PASSING_SECONDS - 0.1) == {}
    assert cluster.write(PASSING_SECONDS) == {"a": "Pending"}
    cluster.reconcile()
    assert cluster.write(PASSING_SECONDS + 1) == {"a": "Programmed"}
    assert not cluster.judge.waits


def test_what_passed_starts_anew() -> None:
    cluster = Cluster(api("a"))
    cluster.reconcile(taken=False)
    cluster.write()
    cluster.reconcile()
    cluster.write(1)
    cluster.store.apply("MODIFIED", api("a", 5000, prefix="/new", generation=2))
    cluster.reconcile(taken=False)
    assert cluster.write(PASSING_SECONDS + 1) == {}
    assert cluster.write(2 * PASSING_SECONDS + 1, envoys=0) == {"a": "NoGateway"}


def declared(version: int = 1) -> Any:
    made = subscription("s", version)
    return {**made, "spec": {**made["spec"], "secretName": "s-key"}}


def test_a_declared_key_is_waited_for_and_its_trouble_is_said() -> None:
    cluster = Cluster(api("a"), product("pro"), declared())
    cluster.reconcile()
    assert "s" not in cluster.write()
    assert cluster.judge.waits
    cluster.keys.problems["uid-s"] = Condition("Programmed", False, "SecretNotOwned", "theirs")
    assert cluster.write(1) == {"s": "SecretNotOwned"}
    cluster.keys.problems.clear()
    cluster.keys.ids["uid-s"] = "k1"
    assert cluster.write(2) == {"s": "Programmed"}
    assert cluster.status("Subscription", "s")["keyId"] == "k1"


def test_what_billing_says_of_an_account_is_a_condition_of_its_provider() -> None:
    cluster = Cluster(stored(resource("PaymentProvider", "shop", manual={})), api("a"))
    pending = cluster.accounts.said["shop"] = Condition("Synced", None, "Pending", "wait")
    cluster.reconcile()
    assert cluster.write() == {"a": "Programmed"}
    cluster.accounts.said["shop"] = Condition("Synced", True, "Synced", "acct_1 in test mode")
    assert cluster.write(1) == {"shop": ""}
    status = cluster.status("PaymentProvider", "shop")
    assert (status["account"], status["mode"]) == ("acct_1", "test")
    assert [(c["type"], c["status"]) for c in status["conditions"]][-1] == ("Synced", "True")
    cluster.accounts.said["shop"] = pending
    assert (cluster.write(2), cluster.judge.waits) == ({}, True)
    assert cluster.write(3 + PASSING_SECONDS) == {"shop": ""}
    assert cluster.status("PaymentProvider", "shop")["conditions"][-1]["status"] == "Unknown"


def test_a_refusal_is_not_said_of_the_edit_that_came_after_it() -> None:
    cluster = Cluster(api("a"))
    good = cluster.reconcile()
    cluster.write()
    cluster.store.apply("MODIFIED", api("a", 5000, prefix="/bad", generation=2))
    cluster.state = reconcile(cluster.store.loaded(), good, SETTINGS)
    assert cluster.programming.refuse(cluster.state, ("api/a: x",))
    assert cluster.write() == {"a": "Rejected"}
    cluster.store.apply("MODIFIED", api("a", 6000, prefix="/good", generation=3))
    assert cluster.write() == {}


def test_a_product_in_use_that_is_deleted_says_who_holds_it() -> None:
    subscriptions = [subscription(f"s{n}") for n in range(8)]
    going = product("pro", deletionTimestamp="2026-11-22T09:00:00Z", finalizers=["tollgate.dev/in-use"])
    cluster = Cluster(api("a"), going, *subscriptions)
    cluster.reconcile()
    cluster.write()
    (deletable,) = [c for c in cluster.status("Product", "pro")["conditions"] if c["type"] == "Deletable"]
    assert (deletable["status"], deletable["reason"]) == ("False", "InUse")
    assert "s0, s1, s2, s3, s4 and 3 more" in deletable["message"]


def test_a_status_that_somebody_edits_is_put_right() -> None:
    cluster = Cluster(api("a"))
    cluster.reconcile()
    cluster.write()
    said = cluster.status("API", "a")
    cluster.store.apply("MODIFIED", {**api("a", 5000), "status": {"serving": "nonsense"}})
    assert cluster.write(60) == {"a": "Programmed"}
    assert cluster.status("API", "a")["serving"] == said["serving"]


def test_two_that_undo_each_other_write_ever_more_rarely() -> None:
    """Two releases may watch one namespace; each puts its own status back. Here nothing that is written ever stays."""
    cluster = Cluster(api("a"))
    cluster.reconcile()
    assert [len(cluster.judged(n / 2)) for n in range(4)] == [1, 1, 0, 0]  # undone once it is put right at once
    assert cluster.judge.waits
    assert sum(len(cluster.judged(n / 2)) for n in range(4, 1200)) < 20
    other = Cluster(api("a", 2, generation=2))
    other.judge = cluster.judge
    cluster.programming.acknowledge(other.reconcile())
    assert len(other.judged(600)) == 1  # something new is said at once
