"""The incremental ADS state machine: what is sent when, and what an ACK or a NACK means."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from tollgate_operator.envoy import Resources
from tollgate_operator.envoy.resources import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET
from tollgate_operator.xds import Report, Snapshot
from tollgate_operator.xds.stream import AdsStream, Request, Response

URLS = {"clusters": CLUSTER, "endpoints": ENDPOINTS, "listeners": LISTENER, "routes": ROUTES, "secrets": SECRET}


def snapshot(**groups: Mapping[str, bytes]) -> Snapshot:
    by_type: dict[str, Mapping[str, bytes]] = {url: {} for url in URLS.values()}
    by_type.update({URLS[name]: group for name, group in groups.items()})
    return Snapshot.of(Resources(by_type))


ONE = snapshot(clusters={"a": b"1"}, listeners={"l": b"1"}, routes={"r": b"1"})
TWO = snapshot(clusters={"a": b"1", "b": b"2"}, listeners={"l": b"1"}, routes={"r": b"2"})


class Envoy:
    """A client that takes what it is sent, and keeps what the protocol says it has."""

    def __init__(self, stream: AdsStream) -> None:
        self.stream = stream
        self.holds: dict[str, dict[str, bytes]] = {url: {} for url in URLS.values()}
        self.log: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []

    def ask(self, state: Snapshot | None, url: str, *names: str, held: Mapping[str, str] | None = None) -> None:
        self.take(self.stream.on_request(Request(url, names, held=held or {}), state), state)

    def take(self, responses: list[Response], state: Snapshot | None) -> None:
        for response in responses:
            names = tuple(name for name, _, _ in response.resources)
            self.log.append((response.type_url, names, response.removed))
            self.holds[response.type_url] |= {name: content for name, _, content in response.resources}
            for name in response.removed:
                self.holds[response.type_url].pop(name, None)
        for response in responses:
            request = Request(response.type_url, nonce=response.nonce)
            self.take(self.stream.on_request(request, state), state)

    def see(self, state: Snapshot) -> None:
        self.take(self.stream.on_snapshot(state), state)


def connected(state: Snapshot = ONE) -> Envoy:
    envoy = Envoy(AdsStream(node="n"))
    envoy.ask(state, CLUSTER)
    envoy.ask(state, LISTENER)
    envoy.ask(state, ROUTES, "r")
    return envoy


def test_first_requests_are_answered_in_full() -> None:
    envoy = connected()
    assert envoy.holds[CLUSTER] == {"a": b"1"}
    assert envoy.holds[ROUTES] == {"r": b"1"}
    assert envoy.stream.report(ONE) == Report(ONE.version)


def test_a_first_request_before_any_snapshot_waits_for_it() -> None:
    stream = AdsStream()
    assert stream.on_request(Request(CLUSTER), None) == []
    [response] = stream.on_snapshot(ONE)
    assert [name for name, _, _ in response.resources] == ["a"]


def test_only_what_changed_is_sent_and_routes_wait_for_the_clusters_acknowledgement() -> None:
    stream = connected().stream
    [clusters] = stream.on_snapshot(TWO)
    assert (clusters.type_url, [name for name, _, _ in clusters.resources]) == (CLUSTER, ["b"])
    assert stream.report(TWO) is None
    [routes] = stream.on_request(Request(CLUSTER, nonce=clusters.nonce), TWO)
    assert routes.type_url == ROUTES
    assert stream.on_request(Request(ROUTES, nonce=routes.nonce), TWO) == []
    assert stream.report(TWO) == Report(TWO.version)


def test_a_cluster_is_removed_after_the_routes_that_used_it() -> None:
    envoy = connected(TWO)
    envoy.log.clear()
    envoy.see(ONE)
    assert envoy.log == [(ROUTES, ("r",), ()), (CLUSTER, (), ("b",))]
    assert envoy.stream.report(ONE) == Report(ONE.version)


def test_nothing_is_sent_for_an_equal_snapshot() -> None:
    envoy = connected()
    again = snapshot(clusters={"a": b"1"}, listeners={"l": b"1"}, routes={"r": b"1"})
    assert envoy.stream.on_snapshot(again) == []
    assert envoy.stream.report(again) == Report(ONE.version)


def test_a_client_that_reconnects_with_all_of_it_is_sent_nothing_and_counts_as_programmed() -> None:
    envoy = Envoy(AdsStream())
    for url, names in ((CLUSTER, ()), (LISTENER, ()), (ROUTES, ("r",))):
        envoy.ask(ONE, url, *names, held=ONE.versions[url])
    assert envoy.log == []
    assert envoy.stream.report(ONE) == Report(ONE.version)


def test_a_client_that_reconnects_with_what_is_gone_is_told_so() -> None:
    envoy = Envoy(AdsStream())
    envoy.ask(ONE, CLUSTER, held=TWO.versions[CLUSTER])
    envoy.ask(ONE, LISTENER)
    envoy.ask(ONE, ROUTES, "r", held=TWO.versions[ROUTES])
    assert envoy.log == [(LISTENER, ("l",), ()), (ROUTES, ("r",), ()), (CLUSTER, (), ("b",))]


def test_a_client_that_has_not_asked_for_routes_yet_has_not_said_its_word() -> None:
    envoy = Envoy(AdsStream())
    envoy.ask(ONE, CLUSTER)
    envoy.ask(ONE, LISTENER)
    assert envoy.stream.report(ONE) is None


def test_a_nack_is_reported_and_the_same_is_not_sent_again() -> None:
    stream = connected().stream
    bad = snapshot(clusters={"a": b"1"}, listeners={"l": b"1"}, routes={"r": b"bad"})
    [routes] = stream.on_snapshot(bad)
    assert stream.on_request(Request(ROUTES, nonce=routes.nonce, error="no"), bad) == []
    assert stream.report(bad) == Report(bad.version, ("no",))
    assert stream.on_snapshot(bad) == []
    [mended] = stream.on_snapshot(ONE)
    assert mended.resources[0][2] == b"1"
    assert stream.on_request(Request(ROUTES, nonce=mended.nonce), ONE) == []
    assert stream.report(ONE) == Report(ONE.version)


def test_after_a_nack_what_was_good_in_it_is_sent_with_the_next_content() -> None:
    stream = connected().stream
    bad = snapshot(clusters={"a": b"1", "b": b"good", "c": b"bad"}, listeners={"l": b"1"}, routes={"r": b"1"})
    [clusters] = stream.on_snapshot(bad)
    stream.on_request(Request(CLUSTER, nonce=clusters.nonce, error="c is bad"), bad)
    without = snapshot(clusters={"a": b"1", "b": b"good"}, listeners={"l": b"1"}, routes={"r": b"1"})
    [again] = stream.on_snapshot(without)
    assert [name for name, _, _ in again.resources] == ["b"]


def test_a_stale_nonce_changes_nothing() -> None:
    stream = connected().stream
    [routes] = stream.on_snapshot(snapshot(clusters={"a": b"1"}, listeners={"l": b"1"}, routes={"r": b"9"}))
    assert stream.on_request(Request(ROUTES, nonce="0"), None) == []
    assert stream.report(ONE) is None
    assert routes.nonce != "0"


def test_a_name_that_does_not_exist_is_answered_once_and_sent_when_it_appears() -> None:
    envoy = connected()
    envoy.ask(ONE, SECRET, "x")
    assert envoy.log[-1:] == [(SECRET, (), ("x",))]
    assert envoy.stream.report(ONE) == Report(ONE.version)
    envoy.see(snapshot(clusters={"a": b"1"}, listeners={"l": b"1"}, routes={"r": b"1"}, secrets={"x": b"s"}))
    assert envoy.log[-1:] == [(SECRET, ("x",), ())]


def test_a_name_that_is_subscribed_again_is_sent_again() -> None:
    state = snapshot(endpoints={"e": b"1"})
    envoy = Envoy(AdsStream())
    envoy.ask(state, ENDPOINTS, "e")
    envoy.ask(state, ENDPOINTS, "e")
    assert [names for _, names, _ in envoy.log] == [("e",), ("e",)]


_GROUP = st.dictionaries(st.sampled_from("abc"), st.sampled_from([b"1", b"2", b"3"]), max_size=3)


@given(st.lists(st.tuples(_GROUP, _GROUP), min_size=1, max_size=8))
def test_whatever_the_history_a_client_ends_with_the_last_snapshot(history: list[tuple[dict[str, bytes], ...]]) -> None:
    states = [snapshot(clusters=c, secrets=s, listeners={"l": b"1"}, routes={"r": b"1"}) for c, s in history]
    envoy = connected(states[0])
    envoy.ask(states[0], SECRET, "a", "b", "c")
    for state in states:
        envoy.see(state)
    for url in (CLUSTER, SECRET):
        assert envoy.holds[url] == dict(states[-1].resources.by_type[url])
    assert envoy.stream.report(states[-1]) == Report(states[-1].version)


def test_versions_name_content() -> None:
    assert snapshot(clusters={"a": b"1"}).version == snapshot(clusters={"a": b"1"}).version
    assert snapshot(clusters={"a": b"1"}).version != snapshot(clusters={"a": b"2"}).version
    assert snapshot(clusters={"a": b"1"}).version != snapshot(secrets={"a": b"1"}).version
