"""The store ends as the API server is, whatever the watches lose, repeat or bring late."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.manifests import Document, resource
from tests.unit.operator.cluster.objects import api, observed, product, store_of, stored
from tollgate_core.manifests import Secret
from tollgate_operator.cluster.store import Store

NAMESPACES = ("default", "team")
Event = tuple[str, Document]


@dataclass
class Server:
    """What an API server does to Products, and all it ever said: ``events`` in order, ``lists`` by version."""

    objects: dict[tuple[str, str], Document] = field(default_factory=dict[tuple[str, str], Document])
    events: list[Event] = field(default_factory=list[Event])
    lists: list[list[Document]] = field(default_factory=lambda: [[]])

    @property
    def version(self) -> int:
        return len(self.lists) - 1

    def write(self, action: str, namespace: str, name: str, value: str) -> None:
        key, version = (namespace, name), self.version + 1
        before = self.objects.get(key)
        if action == "delete" and before:
            gone = {**before, "metadata": {**before["metadata"], "resourceVersion": str(version)}}
            del self.objects[key]
            self._say("DELETED", gone)
        elif before is None:
            made = product(name, version, api=value, namespace=namespace, uid=f"uid-{version}")
            self._put("ADDED", made)
        elif action == "status":
            status = {"serving": value}
            metadata = {**before["metadata"], "resourceVersion": str(version)}
            self._put("MODIFIED", {**before, "metadata": metadata, "status": status})
        elif action == "spec":
            generation = before["metadata"]["generation"] + 1
            metadata = {**before["metadata"], "resourceVersion": str(version), "generation": generation}
            self._put("MODIFIED", {**before, "metadata": metadata, "spec": {"endpoints": [{"api": value}]}})

    def _put(self, event: str, document: Document) -> None:
        self.objects[document["metadata"]["namespace"], document["metadata"]["name"]] = document
        self._say(event, document)

    def _say(self, event: str, document: Document) -> None:
        self.events.append((event, document))
        self.lists.append(list(self.objects.values()))

    def listed(self, version: int, namespace: str | None) -> list[Document]:
        """As a list answers: its items name neither kind nor apiVersion."""
        return [
            {name: value for name, value in document.items() if name not in {"kind", "apiVersion"}}
            for document in self.lists[version]
            if namespace in {None, document["metadata"]["namespace"]}
        ]


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["spec", "status", "delete"]),
        st.sampled_from(NAMESPACES),
        st.sampled_from(["p", "q"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=25,
)


def same(store: Store, server: Server) -> None:
    found = {(o.namespace, o.name): o for o in store}
    assert found.keys() == server.objects.keys()
    for key, document in server.objects.items():
        seen, metadata = found[key], document["metadata"]
        assert (seen.uid, seen.version, seen.generation) == (
            metadata["uid"],
            int(metadata["resourceVersion"]),
            metadata["generation"],
        )
        assert seen.manifest is not None
        assert seen.manifest.model_dump()["spec"]["endpoints"][0]["api"] == document["spec"]["endpoints"][0]["api"]
        assert seen.status == document.get("status", {})


@given(data=st.data(), writes=WRITES, namespaced=st.booleans())
def test_a_last_list_makes_it_right_whatever_came_before(data: Any, writes: Any, namespaced: bool) -> None:
    server, store = Server(), Store()
    for write in writes:
        server.write(*write)
    namespaces = NAMESPACES if namespaced else (None,)
    moments = st.sampled_from([*range(len(server.events)), *("list " + str(v) for v in range(server.version + 1))])
    # Any event any number of times in any order, and lists as they were at any moment, in the order of their versions.
    seen = dict.fromkeys(namespaces, 0)
    drawn: list[int | str] = data.draw(st.lists(moments, max_size=30)) if server.events else []
    for moment in drawn:
        if isinstance(moment, int):
            store.apply(*server.events[moment])
            continue
        namespace, version = data.draw(st.sampled_from(namespaces)), int(moment.removeprefix("list "))
        if version >= seen[namespace]:
            seen[namespace] = version
            store.replace("Product", server.listed(version, namespace), version, namespace)
    for namespace in namespaces:
        store.replace("Product", server.listed(server.version, namespace), server.version, namespace)
    same(store, server)
    old: list[Event] = data.draw(st.lists(st.sampled_from(server.events), max_size=5)) if server.events else []
    for event in old:
        assert store.apply(*event) == "none"  # from before the list: no news
    same(store, server)


@given(WRITES)
def test_a_watch_that_loses_nothing_needs_no_list(writes: Any) -> None:
    server, store = Server(), Store()
    for write in writes:
        server.write(*write)
    for event in server.events:
        store.apply(*event)
        store.apply(*event)
    same(store, server)


def test_events_after_a_list_stand_against_it() -> None:
    store = store_of(product("kept", 5), product("deleted", 6))
    store.apply("DELETED", product("deleted", 9))
    store.apply("ADDED", product("later", 8))
    assert store.replace("Product", [product("kept", 5), product("deleted", 6)], 7) == "none"
    assert {o.name for o in store} == {"kept", "later"}


def test_a_list_of_one_namespace_says_nothing_about_another() -> None:
    store = store_of(product("p", 1), product("p", 2, namespace="team"))
    assert store.replace("Product", [], 5, "team") == "content"
    assert [o.key for o in store] == [("Product", "p")]
    assert store.replace("Product", [], 5, "default") == "content"
    assert list(store) == []


def test_a_list_of_one_kind_says_nothing_about_another() -> None:
    secret = stored({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "p"}, "data": {}})
    store = store_of(product("p"), secret)
    assert store.replace("Secret", [], 5) == "content"
    assert [o.key for o in store] == [("Product", "p")]


@pytest.mark.parametrize(
    ("changed", "change"),
    [
        ({}, "none"),
        ({"labels": {"a": "b"}}, "none"),
        ({"finalizers": ["x"]}, "status"),
        ({"generation": 2}, "status"),
        ({"status": {"serving": "current"}}, "status"),
        ({"deletionTimestamp": "2026-11-22T09:00:00Z", "finalizers": ["x"]}, "content"),
        ({"annotations": {"tollgate.dev/rotate-key": "1"}}, "content"),
        ({"api": "b", "generation": 2}, "content"),
        ({"uid": "another"}, "content"),
    ],
)
def test_a_change_is_named_by_what_must_be_looked_at_again(changed: dict[str, Any], change: str) -> None:
    store = store_of(product("p", 1))
    assert store.apply("MODIFIED", product("p", 2, **changed)) == change


def test_equal_content_keeps_the_identical_manifest() -> None:
    store = store_of(product("p", 1))
    first = store.loaded().resources["Product", "p"]
    store.apply("MODIFIED", product("p", 2, status={"serving": "current"}))
    store.replace("Product", [product("p", 3, labels={"a": "b"})], 3)
    assert store.loaded().resources["Product", "p"] is first
    store.apply("MODIFIED", product("p", 4, api="b"))
    assert store.loaded().resources["Product", "p"] is not first


def test_one_that_is_made_again_under_its_name_is_another() -> None:
    store = store_of(product("p", 1))
    first = store.loaded().resources["Product", "p"]
    assert store.apply("MODIFIED", product("p", 3, uid="new")) == "content"  # DELETED and ADDED were lost
    assert store.loaded().resources["Product", "p"] != first


@pytest.mark.parametrize("kind", ["helm.sh/release.v1", "kubernetes.io/service-account-token"])
def test_secrets_of_helm_and_of_accounts_are_not_kept(kind: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": "s"},
        "data": {"release": "eA=="},
    }
    store = Store()
    assert store.apply("ADDED", stored(secret)) == "none"
    assert store.replace("Secret", [stored(secret, 4)], 4) == "none"
    assert store.apply("MODIFIED", stored(secret, 5)) == "none"
    assert list(store) == []


def test_what_cannot_be_parsed_is_kept_with_its_problems_beside_its_neighbour() -> None:
    wrong = stored(resource("Product", "wrong", endpoint=[{"api": "a"}]), 2)
    store = store_of(product("right", 1), wrong)
    loaded = store.loaded()
    assert set(loaded.resources) == {("Product", "right")}
    assert "did you mean 'endpoints'?" in " ".join(map(str, loaded.broken["Product", "wrong"]))
    assert store.apply("MODIFIED", {**wrong, "metadata": {**wrong["metadata"], "resourceVersion": "3"}}) == "none"
    assert store.apply("MODIFIED", product("wrong", 4)) == "content"
    assert store.loaded().broken == {}


def test_what_others_wrote_into_the_metadata_is_not_remembered() -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "x" * 1000}
    manifest = observed(product("p", annotations=applied, labels={"l": "v"})).manifest
    assert manifest is not None
    assert "x" * 1000 not in manifest.model_dump_json()


def secret(version: int = 1, text: str = "sk-1", name: str = "s") -> Document:
    return stored(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": text}}, version
    )


def wanting(name: str = "s") -> Document:
    made = api("a")
    made["spec"] = {**made["spec"], "credential": {"secretKeyRef": {"name": name, "key": "k"}, "header": "x"}}
    return made


def value(store: Store) -> str | None:
    found = store.loaded().resources.get(("Secret", "s"))
    return found.value("k") if isinstance(found, Secret) else None


def test_values_of_secrets_that_nothing_refers_to_are_not_kept() -> None:
    store = Store()
    assert store.apply("ADDED", secret()) == "content"
    assert store.replace("Secret", [store.trim(secret(2)), secret(2, name="t")], 2) == "content"
    assert "sk-1" not in str([(o.content, o.manifest) for o in store])
    assert store.loaded().resources == {}
    assert store.loaded().broken == {}
    there = store.known()["Secret", "s"]
    assert isinstance(there, Secret)
    assert (there.value("k"), there.value("other")) == ("", None)
    assert store.apply("MODIFIED", secret(3, "sk-2")) == "none", "whose names of keys are as they were"
    assert store.apply("DELETED", secret(4)) == "content"


def test_a_secret_that_comes_to_be_referred_to_is_filled_before_it_counts() -> None:
    store = store_of(secret(5))
    store.apply("ADDED", wanting())
    assert store.refer(store.references()) == [("Secret", "s")]
    assert value(store) is None
    assert store.fill(secret(4, "older")) == "none"
    assert store.fill(secret(5)) == "content"
    assert value(store) == "sk-1"
    assert store.refer(store.references()) == []
    assert store.apply("MODIFIED", secret(6, "sk-2")) == "content"
    assert store.fill(secret(5)) == "none"
    assert value(store) == "sk-2"


def test_an_event_that_comes_before_the_answer_has_the_values_already() -> None:
    store = store_of(secret(5))
    store.apply("ADDED", wanting())
    store.refer(store.references())
    store.apply("MODIFIED", secret(7, "sk-7"))
    assert store.refer(store.references()) == []
    assert store.fill(secret(6, "sk-6")) == "none"
    assert value(store) == "sk-7"


def test_a_list_from_before_it_was_referred_to_is_filled_as_well() -> None:
    store = store_of(secret(5))
    listed = store.trim(secret(8, "sk-8"))
    store.apply("ADDED", wanting())
    store.refer(store.references())
    store.fill(secret(5))
    store.replace("Secret", [listed], 8)
    assert value(store) is None, "not the old one for the new one"
    assert store.refer(store.references()) == [("Secret", "s")]


def test_a_secret_that_went_while_it_was_fetched_stays_gone() -> None:
    store = store_of(secret(5))
    store.apply("ADDED", wanting())
    store.refer(store.references())
    store.replace("Secret", [], 9)
    assert store.fill(secret(5)) == "none"
    assert ("Secret", "s") not in store.known()


def test_values_go_with_the_last_reference() -> None:
    store = store_of(wanting(), secret())
    assert value(store) == "sk-1"
    store.apply("DELETED", {**wanting(), "metadata": {**wanting()["metadata"], "resourceVersion": "9"}})
    assert store.refer(store.references()) == []
    assert "sk-1" not in str([(o.content, o.manifest) for o in store])
    assert isinstance(store.known()["Secret", "s"], Secret)


def test_a_namespace_that_is_gone_takes_all_of_it_along() -> None:
    store = store_of(product("p"), product("p", namespace="team"), api("a", namespace="team"))
    assert store.forget("team") == "content"
    assert [o.key for o in store] == [("Product", "p")]
    assert store.forget("team") == "none"
