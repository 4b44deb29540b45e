"""Whatever dies: every complete response is in the ledger once, with the upstream's own count; the rest is labelled."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support import postgresql
from tests.support.gateway import Gateway
from tests.support.manifests import example_documents
from tests.support.traffic import Traffic
from tollgate_cli.laptop.reconciliation import compare
from tollgate_cli.laptop.system import wait_for


def assert_all_accounted(gateway: Gateway, traffic: Traffic) -> None:
    """Σ ledger = Σ upstream's count for complete responses, no duplicate, every admitted request labelled."""
    gateway.wait_recorded(traffic.seen.admitted, seconds=40)
    gateway.wait_recorded((e["ids"]["x-billing-request-id"] for e in gateway.journal()), seconds=40)
    events = gateway.events()
    assert max(Counter(event["id"] for event in events).values()) == 1
    by_id = {event["id"]: event["data"] for event in events}
    # A response that the upstream finished and its client did not read to the end is not a complete one: it may be
    # estimated. Whatever is called exact must be exact.
    complete = set(traffic.seen.complete)
    journal = [
        entry
        for entry in gateway.journal()
        if (request := entry["ids"]["x-billing-request-id"]) in complete or by_id[request]["quality"] == "exact"
    ]
    differences = [text for count in compare(journal, events).values() for text in count.differences]
    assert not differences, differences
    for request in complete:
        assert by_id[request]["outcome"] == "completed"
        assert by_id[request]["quality"] == "exact"
    for request in set(traffic.seen.admitted) - set(traffic.seen.complete):
        assert by_id[request]["outcome"] in {"client_aborted", "upstream_error", "error_response", "completed"}
    assert wait_for(lambda: gateway.holds() == 0, 20)


def test_clients_that_leave(gateway: Gateway) -> None:
    with Traffic(gateway, leave=0.4) as traffic:
        traffic.wait_for_answers(150)
    assert_all_accounted(gateway, traffic)


@pytest.mark.parametrize("process", ["extproc0", "witness", "billing"])
def test_a_component_that_is_killed_again_and_again(gateway: Gateway, process: str) -> None:
    with Traffic(gateway, leave=0.1) as traffic:
        for _ in range(3):
            traffic.wait_for_answers(40)
            gateway.kill(process)
        traffic.wait_for_answers(60)
    assert_all_accounted(gateway, traffic)


def test_redis_that_is_killed_and_has_lost_its_last_second(gateway: Gateway) -> None:
    """A killed process loses nothing that it has written, a killed machine does: so the end of Redis' append-only file
    is cut off."""
    with Traffic(gateway) as traffic:
        for _ in range(2):
            traffic.wait_for_answers(60)
            [log] = (gateway.system.state / "valkey" / "appendonlydir").glob("*.incr.aof")
            size = log.stat().st_size
            traffic.wait_for_answers(40)
            gateway.kill("valkey", signal.SIGSTOP)
            assert log.stat().st_size > size
            os.truncate(log, size)
            gateway.kill("valkey")
        traffic.wait_for_answers(100)
    assert_all_accounted(gateway, traffic)


def test_redis_that_comes_back_empty(gateway: Gateway) -> None:
    with Traffic(gateway) as traffic:
        traffic.wait_for_answers(60)
        gateway.redis.flushall()
        before = traffic.seen.statuses.count(200)
        assert wait_for(lambda: traffic.seen.statuses.count(200) > before + 40, 30), gateway.logs()
    assert_all_accounted(gateway, traffic)
    assert 401 not in traffic.seen.statuses


def test_envoy_that_is_told_to_stop(gateway: Gateway) -> None:
    with Traffic(gateway) as traffic:
        traffic.wait_for_answers(60)
        gateway.kill("envoy", signal.SIGTERM)
        traffic.wait_for_answers(30)
        assert wait_for(lambda: traffic.seen.statuses[-5:] == [200] * 5, 30)
    assert_all_accounted(gateway, traffic)


def test_the_control_plane_away_changes_nothing_for_clients(gateway: Gateway) -> None:
    with Traffic(gateway) as traffic:
        traffic.wait_for_answers(30)
        gateway.kill("operator")
        traffic.wait_for_answers(100)
    assert set(traffic.seen.statuses) == {200}
    assert_all_accounted(gateway, traffic)


def test_billing_that_is_killed_on_postgresql(tmp_path: Path) -> None:
    with (
        postgresql.server() as url,
        Gateway(tmp_path, example_documents(), join_grace_seconds=2, database_url=url) as gateway,
        Traffic(gateway) as traffic,
    ):
        for _ in range(3):
            traffic.wait_for_answers(40)
            gateway.kill("billing")
        traffic.wait_for_answers(40)
        traffic.stop()
        assert_all_accounted(gateway, traffic)


@pytest.mark.parametrize("mode", ["stream", "native"])
def test_envoy_that_is_killed_leaves_every_admitted_request_labelled(tmp_path: Path, mode: str) -> None:
    """Its log lines of the last moment are lost. The meter's word, else the hold's deadline, accounts for them."""
    with Gateway(tmp_path, example_documents(mode), join_grace_seconds=2, hold_seconds=8) as gateway:
        with Traffic(gateway) as traffic:
            traffic.wait_for_answers(60)
            gateway.kill("envoy")
            traffic.wait_for_answers(40)
        # The upstream also saw requests whose client never learned their id; those wait for the hold's deadline.
        upstream = {entry["ids"]["x-billing-request-id"] for entry in gateway.journal()}
        gateway.wait_recorded({*traffic.seen.admitted, *upstream}, seconds=40)
        events = gateway.events()
        assert max(Counter(event["id"] for event in events).values()) == 1
        by_id = {event["id"]: event["data"] for event in events}
        exact = [e for e in gateway.journal() if by_id[e["ids"]["x-billing-request-id"]]["quality"] == "exact"]
        assert not [text for count in compare(exact, events).values() for text in count.differences]
        assert wait_for(lambda: gateway.holds() == 0, 20)


def test_two_workers_share_every_limit(tmp_path: Path) -> None:
    with Gateway(tmp_path, example_documents(), workers=2, join_grace_seconds=2) as gateway:
        with Traffic(gateway, leave=0.2) as traffic:
            traffic.wait_for_answers(60)
            gateway.kill("extproc1")
            traffic.wait_for_answers(60)
        assert_all_accounted(gateway, traffic)
