"""What Envoy runs, whom its refusal is blamed on, and what a status says of it."""

from tests.support.manifests import Document
from tests.unit.operator.cluster.objects import api, product, store_of, subscription
from tests.unit.operator.test_reconcile import SETTINGS
from tollgate_operator.cluster.programming import Programming
from tollgate_operator.cluster.store import Store
from tollgate_operator.control_loop import State, reconcile


def state_of(*documents: Document, last: State | None = None, store: Store | None = None) -> State:
    return reconcile((store or store_of(*documents)).loaded(), last, SETTINGS)


def word(programming: Programming, state: State, kind: str, name: str, envoys: int = 1) -> tuple[bool | None, str]:
    condition = programming.condition((kind, name), state, envoys)
    return condition.status, condition.reason


def test_a_resource_waits_for_envoy_and_is_programmed_once_it_took_it() -> None:
    state, programming = state_of(api("a"), product("p")), Programming()
    assert word(programming, state, "API", "a") == (False, "Pending")
    assert word(programming, state, "API", "a", envoys=0) == (False, "NoGateway")
    programming.acknowledge(state)
    assert word(programming, state, "API", "a", envoys=0) == (True, "Programmed")
    assert word(programming, state, "Product", "p") == (True, "Programmed")


def test_an_edit_of_one_resource_changes_nothing_for_the_others() -> None:
    store, programming = store_of(api("a"), api("b"), product("p")), Programming()
    first = state_of(store=store)
    programming.acknowledge(first)
    store.apply("MODIFIED", api("a", 2, prefix="/new", generation=2))
    second = state_of(store=store, last=first)
    assert word(programming, second, "API", "a") == (False, "Pending")
    assert word(programming, second, "API", "b") == (True, "Programmed")
    assert word(programming, second, "Product", "p") == (True, "Programmed")


def test_what_does_not_serve_is_not_programmed_and_says_where_to_look() -> None:
    state, programming = state_of(subscription("s", to="nothing")), Programming()
    programming.acknowledge(state)
    assert word(programming, state, "Subscription", "s") == (False, "NotServing")


def refused_edit(*texts: str) -> tuple[Programming, State]:
    """Envoy runs a and a-twin; both are edited and it refuses."""
    store, programming = store_of(api("a"), api("a-twin"), product("p")), Programming()
    first = state_of(store=store)
    programming.acknowledge(first)
    store.apply("MODIFIED", api("a", 2, prefix="/new-a", generation=2))
    store.apply("MODIFIED", api("a-twin", 3, prefix="/new-twin", generation=2))
    second = state_of(store=store, last=first)
    assert programming.refuse(second, texts)
    return programming, second


def test_a_refusal_that_names_one_blames_only_that() -> None:
    for text in (
        "api/a-twin: no such thing",
        "Error adding cluster 'api/a-twin'",
        "failed to load api/a-twin/ca: no certificate",
        'route "a-twin/e": bad regex',
    ):
        programming, _ = refused_edit(text)
        assert set(programming.refused) == {("API", "a-twin")}, text
    programming, _ = refused_edit("Error adding cluster api/a: x")
    assert set(programming.refused) == {("API", "a")}


def test_a_refusal_that_names_nobody_blames_all_that_changed() -> None:
    programming, state = refused_edit("invalid regex")
    assert set(programming.refused) == {("API", "a"), ("API", "a-twin")}
    assert word(programming, state, "API", "a") == (False, "Rejected")
    assert "invalid regex" in programming.condition(("API", "a"), state, 1).message


def test_a_quarantine_is_lifted_when_the_resource_changes_and_by_nothing_else() -> None:
    programming, _ = refused_edit("api/a: x")
    store = store_of(api("a", 2, prefix="/new-a", generation=2), api("b", 4))
    assert set(programming.quarantined(store.loaded().resources)) == {("API", "a")}
    store.apply("MODIFIED", api("a", 5, prefix="/new-a", generation=2, finalizers=["x"]))
    manifest = store.loaded().resources["API", "a"]
    assert programming.is_refused(("API", "a"), manifest)
    store.apply("MODIFIED", api("a", 6, prefix="/other", generation=3))
    manifest = store.loaded().resources["API", "a"]
    assert not programming.is_refused(("API", "a"), manifest)
    assert programming.quarantined(store.loaded().resources) == {}


def test_a_fault_that_is_nobody_s_edit_does_not_fall_on_the_next_one() -> None:
    """The gateway's own certificate is no resource: whoever edits next is not to blame for it."""
    fault = "gateway/tls: key values mismatch"
    store, programming = store_of(api("a"), product("p")), Programming()
    first = state_of(store=store)
    programming.acknowledge(first)
    assert not programming.refuse(first, (fault,))
    store.apply("MODIFIED", api("a", 2, prefix="/new", generation=2))
    second = state_of(store=store, last=first)
    assert not programming.refuse(second, (fault,))
    assert word(programming, second, "API", "a") == (False, "Pending")
    assert fault in programming.condition(("API", "a"), second, 1).message
    programming.acknowledge(second)  # the certificate was put right
    assert word(programming, second, "API", "a") == (True, "Programmed")
    store.apply("MODIFIED", api("a", 3, prefix="/wrong", generation=3))
    third = state_of(store=store, last=second)
    assert programming.refuse(third, ("invalid regex",))
    assert word(programming, third, "API", "a") == (False, "Rejected")
