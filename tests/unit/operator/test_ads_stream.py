"""The ADS state machine: what is sent when, and what an ACK or a NACK means."""

from collections.abc import Mapping

from tollgate_operator.envoy import Resources
from tollgate_operator.envoy.resources import CLUSTER, LISTENER, ROUTES, SECRET
from tollgate_operator.xds import Snapshot
from tollgate_operator.xds.stream import AdsStream, Request, Response


def snapshot(**groups: Mapping[str, bytes]) -> Snapshot:
    urls = {"clusters": CLUSTER, "listeners": LISTENER, "routes": ROUTES, "secrets": SECRET}
    by_type: dict[str, Mapping[str, bytes]] = {url: {} for url in urls.values()}
    by_type.update({urls[name]: group for name, group in groups.items()})
    return Snapshot.of(Resources(by_type))


ONE = snapshot(clusters={"a": b"1"}, routes={"r": b"1"})
TWO = snapshot(clusters={"a": b"1", "b": b"2"}, routes={"r": b"2"})


def ask(url: str, *names: str, nonce: str = "", version: str = "", error: str = "") -> Request:
    return Request(url, version, nonce, names, error)


def open_stream() -> tuple[AdsStream, Response, Response]:
    stream = AdsStream(node="n")
    [clusters], _ = stream.on_request(ask(CLUSTER), ONE)
    [routes], _ = stream.on_request(ask(ROUTES, "r"), ONE)
    return stream, clusters, routes


def test_a_first_request_is_answered() -> None:
    _, clusters, routes = open_stream()
    assert clusters.resources == (b"1",)
    assert routes.resources == (b"1",)


def test_a_first_request_before_any_snapshot_waits_for_it() -> None:
    stream = AdsStream()
    assert stream.on_request(ask(CLUSTER), None) == ([], None)
    [response] = stream.on_snapshot(ONE)
    assert response.resources == (b"1",)


def test_a_pure_ack_is_not_answered_and_is_reported() -> None:
    stream, clusters, _ = open_stream()
    responses, word = stream.on_request(ask(CLUSTER, nonce=clusters.nonce, version=clusters.version), ONE)
    assert responses == []
    assert word
    assert (word.version, word.error) == (ONE.versions[CLUSTER], "")


def test_a_nack_is_reported_with_its_reason_and_nothing_is_sent_again() -> None:
    stream, clusters, _ = open_stream()
    responses, word = stream.on_request(ask(CLUSTER, nonce=clusters.nonce, error="bad"), ONE)
    assert responses == []
    assert word
    assert word.error == "bad"


def test_a_stale_nonce_is_ignored() -> None:
    stream, clusters, _ = open_stream()
    stream.on_snapshot(TWO)
    assert stream.on_request(ask(CLUSTER, nonce=clusters.nonce), TWO) == ([], None)


def test_a_new_snapshot_is_sent_clusters_before_routes() -> None:
    stream, _, _ = open_stream()
    assert [r.type_url for r in stream.on_snapshot(TWO)] == [CLUSTER, ROUTES]


def test_an_unchanged_type_is_not_sent_again() -> None:
    stream, clusters, _ = open_stream()
    stream.on_request(ask(CLUSTER, nonce=clusters.nonce), ONE)
    again = snapshot(clusters={"a": b"1"}, routes={"r": b"9"})
    assert [r.type_url for r in stream.on_snapshot(again)] == [ROUTES]
    assert [(w.type_url, w.error) for w in stream.unchanged(again)] == [(CLUSTER, "")]


def test_what_was_sent_and_not_answered_counts_as_nothing() -> None:
    stream, _, _ = open_stream()
    assert stream.unchanged(ONE) == []


def test_a_refused_type_stays_refused_while_it_is_not_sent_again() -> None:
    stream, _, routes = open_stream()
    stream.on_request(ask(ROUTES, "r", nonce=routes.nonce, error="bad"), ONE)
    again = snapshot(clusters={"a": b"7"}, routes={"r": b"1"})
    stream.on_snapshot(again)
    assert [(w.type_url, w.error) for w in stream.unchanged(again)] == [(ROUTES, "bad")]


def test_a_changed_subscription_is_answered() -> None:
    stream = AdsStream()
    secrets = snapshot(secrets={"x": b"1", "y": b"2"})
    [first], _ = stream.on_request(ask(SECRET, "x"), secrets)
    [second], _ = stream.on_request(ask(SECRET, "x", "y", nonce=first.nonce), secrets)
    assert second.resources == (b"1", b"2")


def test_versions_name_content() -> None:
    assert snapshot(clusters={"a": b"1"}).versions == snapshot(clusters={"a": b"1"}).versions
    assert snapshot(clusters={"a": b"1"}).versions != snapshot(clusters={"a": b"2"}).versions
