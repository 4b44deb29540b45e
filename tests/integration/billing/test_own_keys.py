"""Keys that their owner made, over HTTP; and HTTP over TLS, with a certificate that is renewed."""

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import httpx2
import pytest
import trustme
import uvicorn
from fastapi.testclient import TestClient

from tests.integration.billing.conftest import Clock
from tests.integration.billing.neighbours import ADMIN, BillingProcess, Valkey, wait_until
from tests.integration.billing.test_http import KEYS, bearer, create_key
from tests.unit.billing.builders import SUBSCRIPTION, make_catalog
from tollgate_billing.main import Billing, follow_certificate
from tollgate_cli.laptop import loopback
from tollgate_core.api_keys import make_api_key
from tollgate_core.catalog import Subscription
from tollgate_core.redis_contract import Keys

FIRST, SECOND = make_api_key(bytes(range(24))), make_api_key(bytes(range(1, 25)))


def put(http: TestClient, key: str, path: str = KEYS, **body: Any) -> httpx2.Response:
    return http.put(path, json={"key": key, "label": "secret/s", **body}, headers=ADMIN)


def printed(capfd: pytest.CaptureFixture[str]) -> str:
    """All that was logged, whatever the logger."""
    found = capfd.readouterr()
    return found.out + found.err


def works(http: TestClient, key: str) -> bool:
    return http.get("/v1/usage", headers=bearer(key)).status_code == 200


def test_a_key_that_is_put_works_at_once_and_stays_what_it_is(http: TestClient, valkey: Valkey) -> None:
    made = [put(http, FIRST) for _ in range(3)]
    assert [answer.status_code for answer in made] == [200, 200, 200]
    assert len({answer.json()["id"] for answer in made}) == 1
    assert made[0].json()["pushed"] is True
    assert works(http, FIRST)
    name = Keys.subscription(SUBSCRIPTION)
    assert len([f for f in valkey.client.hkeys(name) if f.startswith(b"key:")]) == 1


def test_a_rotation_lets_the_earlier_key_work_on_for_its_overlap(http: TestClient, clock: Clock) -> None:
    put(http, FIRST)
    put(http, SECOND, overlap_seconds=60)
    assert works(http, FIRST)
    clock.now_ms += 60_000
    assert not works(http, FIRST)
    assert works(http, SECOND)
    refused = put(http, FIRST)
    assert refused.status_code == 409
    assert "expired" in refused.json()["detail"]


@pytest.mark.parametrize("key", ["sk-123", FIRST[:-1], FIRST[:-1] + "!", FIRST + "0", "", "x" * 200])
def test_a_malformed_key_is_refused_and_repeated_nowhere(
    http: TestClient, key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = put(http, key)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    if key:
        assert key not in answer.text
        assert key not in printed(capfd)


@pytest.mark.parametrize(
    "body", [{"label": ""}, {"label": "x" * 254}, {"overlap_seconds": -1}, {"overlap_seconds": 10**9}, {"more": 1}]
)
def test_a_bad_body_names_the_field_and_not_the_key(
    http: TestClient, body: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    answer = put(http, FIRST, **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("body")
    assert FIRST not in answer.text + printed(capfd)


def test_the_key_is_in_no_answer_no_log_and_no_table(
    http: TestClient, billing: Billing, valkey: Valkey, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = [put(http, FIRST), put(http, FIRST), http.get(KEYS, headers=ADMIN)]
    assert {answer.status_code for answer in answers} == {200}
    assert FIRST not in "".join(answer.text for answer in answers) + printed(capfd)
    with billing.database.read() as connection:
        assert FIRST not in str(connection.exec_driver_sql("SELECT * FROM api_keys").all())
    assert FIRST.encode() not in b"".join(valkey.client.hgetall(Keys.subscription(SUBSCRIPTION)))


def test_a_key_that_was_revoked_or_is_another_s_is_a_conflict(
    http: TestClient, billing: Billing, valkey: Valkey
) -> None:
    made = put(http, FIRST).json()
    other = Subscription(name="team/other", product="pro", customer="other")
    valkey.publish(make_catalog(subscriptions=(*make_catalog().subscriptions, other)))
    assert billing.keeper.tick()
    path = "/v1/subscriptions/team%2Fother/keys"
    assert put(http, FIRST, path).status_code == 409
    assert http.get(path, headers=ADMIN).json()["keys"] == []
    assert http.delete(f"{KEYS}/{made['id']}", headers=ADMIN).status_code == 204
    assert put(http, FIRST).status_code == 409
    assert not works(http, FIRST)


def test_the_product_s_bound_counts_other_labels_alone(http: TestClient) -> None:
    create_key(http)
    for number in range(4):
        assert put(http, make_api_key(bytes([number] * 24))).status_code == 200
    create_key_refused = http.post(KEYS, headers=ADMIN)
    assert create_key_refused.status_code == 409
    assert put(http, SECOND, label="another").status_code == 409


def test_a_subscription_that_is_cancelled_or_unknown_gets_no_key(
    http: TestClient, billing: Billing, valkey: Valkey
) -> None:
    assert put(http, FIRST, "/v1/subscriptions/team%2Fnobody/keys").status_code == 404
    valkey.publish(make_catalog(subscriptions=()))
    assert billing.keeper.tick()
    assert put(http, FIRST).status_code == 409
    assert http.put(KEYS, json={"key": FIRST, "label": "x"}).status_code == 401


# TLS


class Certificates:
    """A folder as a mounted Secret is: each renewal replaces it at once."""

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self.directory = directory / "tls"
        self.renew("localhost")

    def renew(self, name: str) -> None:
        made = self.authority.issue_cert(name)
        target = Path(tempfile.mkdtemp(dir=self.directory.parent))
        (target / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
        (target / "tls.key").write_bytes(made.private_key_pem.bytes())
        link = self.directory.with_name("new")
        link.symlink_to(target)
        link.replace(self.directory)

    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def answers_as(url: str, name: str, context: ssl.SSLContext) -> bool:
    """Whether a new connection sees a certificate of that name."""
    with httpx.Client(verify=context, trust_env=False) as client:
        try:
            extensions = {"sni_hostname": name}
            return client.get(f"{url}/healthz", extensions=extensions).status_code == 200
        except httpx.ConnectError:
            return False


def test_the_api_speaks_tls_and_nothing_else(process: BillingProcess, certificates: Certificates) -> None:
    process.start(TOLLGATE_TLS_DIR=str(certificates.directory))
    assert process.url.startswith("https://")
    assert answers_as(process.url, "localhost", certificates.trust())
    assert not answers_as(process.url, "localhost", ssl.create_default_context())
    with pytest.raises(httpx.TransportError):
        loopback.get(process.url.replace("https:", "http:") + "/healthz")


class Rounds(Event):
    """Counts how often it was waited for: that is how often the certificate was looked at."""

    count = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.count += 1
        return super().wait(timeout)

    def pass_by(self) -> None:
        """Until a whole round has passed."""
        wanted = self.count + 2
        wait_until(lambda: self.count >= wanted)


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


@pytest.fixture
def followed(certificates: Certificates, rounds: Rounds) -> Iterator[uvicorn.Config]:
    """A server's configuration whose certificate is followed, looked at as often as can be."""
    folder = certificates.directory
    config = uvicorn.Config("x:y", ssl_certfile=folder / "tls.crt", ssl_keyfile=folder / "tls.key")
    config.ssl = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    config.ssl.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    thread = Thread(target=follow_certificate, args=(config, folder, rounds, 0.01))
    thread.start()
    rounds.pass_by()
    yield config
    rounds.set()
    thread.join(10)


def seen_by(config: uvicorn.Config, context: ssl.SSLContext, name: str) -> bool:
    """A handshake in memory with what new connections would get."""
    assert config.ssl
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(back, there, server_hostname=name)
    server = config.ssl.wrap_bio(there, back, server_side=True)
    for end in (client, server, client, server, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return True


def test_a_renewed_certificate_is_used_for_new_connections(
    followed: uvicorn.Config, certificates: Certificates
) -> None:
    assert seen_by(followed, certificates.trust(), "localhost")
    certificates.renew("renewed.example")
    wait_until(lambda: seen_by(followed, certificates.trust(), "renewed.example"))
    assert not seen_by(followed, certificates.trust(), "localhost")


def test_a_certificate_that_is_not_usable_leaves_the_one_that_is(
    followed: uvicorn.Config, certificates: Certificates, rounds: Rounds
) -> None:
    (certificates.directory / "tls.crt").write_text("nonsense")
    rounds.pass_by()
    assert seen_by(followed, certificates.trust(), "localhost")
    certificates.renew("renewed.example")
    wait_until(lambda: seen_by(followed, certificates.trust(), "renewed.example"))


def test_a_certificate_without_its_key_leaves_the_one_that_is(
    followed: uvicorn.Config, certificates: Certificates, rounds: Rounds
) -> None:
    """As where the files are replaced one by one."""
    other = certificates.authority.issue_cert("other.example")
    (certificates.directory / "tls.crt").write_bytes(other.cert_chain_pems[0].bytes())
    rounds.pass_by()
    assert seen_by(followed, certificates.trust(), "localhost")
    (certificates.directory / "tls.key").write_bytes(other.private_key_pem.bytes())
    wait_until(lambda: seen_by(followed, certificates.trust(), "other.example"))
