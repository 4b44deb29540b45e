"""The private authority and its certificates, as ssl and gRPC take them."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from tollgate_operator.cluster.certificates import (
    AUTHORITY_LIFE,
    LIFE,
    KeyPair,
    is_fresh,
    is_signed_by,
    make_authority,
    make_certificate,
)
from tollgate_operator.cluster.tls import ServerCertificate

NOW = datetime.now(UTC)
NAMES = ["tg-billing", "tg-billing.ns.svc", "localhost", "127.0.0.1", "::1"]
AUTHORITY = make_authority("tg private authority", NOW)


def server_context(pair: KeyPair) -> ssl.SSLContext:
    return ServerCertificate({"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": b""}).context


def client_context(authority: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A handshake in memory. Raises ssl.SSLError."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=name)
    theirs = server.wrap_bio(there, back, server_side=True)
    left = [ours, theirs]
    for _ in range(10):
        for end in list(left):
            try:
                end.do_handshake()
                left.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not left:
            return
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_trusts_the_server_by_all_its_names(name: str) -> None:
    shake(server_context(make_certificate(AUTHORITY, NAMES, NOW)), client_context(AUTHORITY), name)


@pytest.mark.parametrize("name", ["other", "127.0.0.2", "tg-billing.other.svc"])
def test_by_no_other_name(name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake(server_context(make_certificate(AUTHORITY, NAMES, NOW)), client_context(AUTHORITY), name)


def test_another_authority_of_the_same_name_is_not_trusted() -> None:
    other = make_authority("tg private authority", NOW)
    made = make_certificate(other, NAMES, NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server_context(made), client_context(AUTHORITY), "localhost")
    assert is_signed_by(made.certificate, other.certificate)
    assert not is_signed_by(made.certificate, AUTHORITY.certificate)
    assert not is_signed_by(made.certificate, b"nonsense")
    assert not is_signed_by(b"", AUTHORITY.certificate)


def test_a_client_s_certificate_lets_in_a_client_and_serves_nobody() -> None:
    gateway = make_certificate(AUTHORITY, ["tg-gateway"], NOW, client=True)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake(server_context(gateway), client_context(AUTHORITY), "tg-gateway")


def mutual(tmp_path: Path, certificate: KeyPair | None) -> None:
    server = server_context(make_certificate(AUTHORITY, NAMES, NOW))
    server.load_verify_locations(cadata=AUTHORITY.certificate.decode())
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = ssl.TLSVersion.TLSv1_2  # so that the handshake itself tells of a refusal
    client = client_context(AUTHORITY)
    if certificate:
        (tmp_path / "c.pem").write_bytes(certificate.certificate + certificate.key)
        client.load_cert_chain(tmp_path / "c.pem")
    shake(server, client, "localhost")


def test_only_clients_of_the_authority_are_let_in(tmp_path: Path) -> None:
    mutual(tmp_path, make_certificate(AUTHORITY, ["tg-gateway"], NOW, client=True))
    for stranger in (None, make_certificate(make_authority("x", NOW), ["tg-gateway"], NOW, client=True)):
        with pytest.raises(ssl.SSLError):
            mutual(tmp_path, stranger)
    with pytest.raises(ssl.SSLError):  # a server's certificate is no client's
        mutual(tmp_path, make_certificate(AUTHORITY, ["tg-billing"], NOW))


@pytest.mark.parametrize(("share", "fresh"), [(0, True), (0.6, True), (0.7, False), (1.1, False)])
def test_a_certificate_is_renewed_in_the_last_third_of_its_life(share: float, fresh: bool) -> None:
    made = make_certificate(AUTHORITY, NAMES, NOW)
    assert is_fresh(made.certificate, NOW + share * LIFE) is fresh
    assert is_fresh(AUTHORITY.certificate, NOW + share * AUTHORITY_LIFE) is fresh


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"])
def test_what_cannot_be_read_is_not_fresh(content: bytes) -> None:
    assert not is_fresh(content, NOW)


def test_a_clock_that_lags_a_little_takes_a_new_certificate() -> None:
    found = x509.load_pem_x509_certificate(make_certificate(AUTHORITY, NAMES, NOW).certificate)
    assert found.not_valid_before_utc <= NOW - timedelta(minutes=4)


def test_the_key_shows_in_no_repr() -> None:
    assert b"PRIVATE" in AUTHORITY.key
    assert "PRIVATE" not in repr(AUTHORITY)


def test_a_renewed_certificate_is_used_for_new_connections() -> None:
    old, new = (make_certificate(AUTHORITY, ["localhost"], NOW), make_certificate(AUTHORITY, ["renewed"], NOW))
    served = ServerCertificate({"tls.crt": old.certificate, "tls.key": old.key, "ca.crt": AUTHORITY.certificate})
    shake(served.context, client_context(AUTHORITY), "localhost")
    served.update({"tls.crt": new.certificate, "tls.key": new.key, "ca.crt": AUTHORITY.certificate})
    shake(served.context, client_context(AUTHORITY), "renewed")


@pytest.mark.parametrize("part", ["tls.crt", "tls.key"])
def test_a_certificate_that_does_not_fit_its_key_leaves_the_one_that_is(part: str) -> None:
    old, new = (make_certificate(AUTHORITY, ["localhost"], NOW) for _ in range(2))
    data = {"tls.crt": old.certificate, "tls.key": old.key, "ca.crt": AUTHORITY.certificate}
    served = ServerCertificate(data)
    for _ in range(2):
        with pytest.raises(ssl.SSLError):
            served.update({**data, part: new.certificate if part == "tls.crt" else new.key})
    shake(served.context, client_context(AUTHORITY), "localhost")
