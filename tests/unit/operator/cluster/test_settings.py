"""Settings: whatever is missing or not usable is named."""

import pytest

from tollgate_operator.cluster.settings import BootstrapSettings, ClusterSettings

COMPLETE = {
    "TOLLGATE_FULLNAME": "tg",
    "TOLLGATE_NAMESPACE": "tollgate",
    "TOLLGATE_POD_NAME": "tg-operator-0",
    "TOLLGATE_REDIS_URL": "redis://:hidden@valkey:6379",
    "TOLLGATE_ADS_LISTEN": "0.0.0.0:18000",
    "TOLLGATE_HEALTH_LISTEN": "0.0.0.0:9000",
    "TOLLGATE_GATEWAY_PORT": "10080",
    "TOLLGATE_GATES": "unix:/gate",
    "TOLLGATE_METERS": "unix:/meter",
    "TOLLGATE_ACCESS_LOG": "/var/log/access.log",
}


def test_what_is_enough() -> None:
    settings = ClusterSettings.from_environment(COMPLETE)
    assert settings.watch_namespaces == ()
    assert not settings.gateway.tls
    assert not settings.gateway.local_upstreams
    assert settings.names.webhook == "tg-tollgate"
    assert "tg-billing.tollgate.svc" in settings.names.dns_names("billing")
    assert "hidden" not in repr(settings)


def test_namespaces_and_tls() -> None:
    more = {"TOLLGATE_WATCH_NAMESPACES": " a, b ,", "TOLLGATE_GATEWAY_TLS_SECRET": "cert"}
    settings = ClusterSettings.from_environment({**COMPLETE, **more})
    assert settings.watch_namespaces == ("a", "b")
    assert settings.gateway.tls


def test_secrets_that_an_administrator_brings_take_the_place_of_ours() -> None:
    """Every variable that the chart writes for them is heard."""
    names = ClusterSettings.from_environment(COMPLETE).names
    assert (names.keys, names.tls("operator")) == ("tg-keys", "tg-operator-tls")
    more = {
        "TOLLGATE_KEYS_SECRET": "my-keys",
        "TOLLGATE_OPERATOR_TLS_SECRET": "operator-cert",
        "TOLLGATE_GATEWAY_CLIENT_SECRET": "envoy-cert",
        "TOLLGATE_BILLING_TLS_SECRET": "billing-cert",
    }
    names = ClusterSettings.from_environment({**COMPLETE, **more}).names
    assert names.keys == "my-keys"
    assert [names.tls(part) for part in ("operator", "gateway", "billing")] == [
        "operator-cert",
        "envoy-cert",
        "billing-cert",
    ]


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        ClusterSettings.from_environment({key: value for key, value in COMPLETE.items() if key != name})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TOLLGATE_GATEWAY_PORT", "http"),
        ("TOLLGATE_GATEWAY_PORT", ""),
        ("TOLLGATE_GATEWAY_PORT", "0"),
        ("TOLLGATE_GATEWAY_PORT", "70000"),
        ("TOLLGATE_HOST_ALIASES", "a=1.2.3.4:5,b"),
    ],
)
def test_what_is_not_usable_is_named(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=name):
        ClusterSettings.from_environment({**COMPLETE, name: text})


def test_secrets_of_an_administrator_take_the_place_of_ours() -> None:
    environment = {
        "TOLLGATE_FULLNAME": "tg",
        "TOLLGATE_NAMESPACE": "ns",
        "TOLLGATE_KEYS_SECRET": "my-keys",
        "TOLLGATE_BILLING_TLS_SECRET": "my-billing",
    }
    names = BootstrapSettings.from_environment(environment).names
    assert (names.keys, names.tls("billing"), names.tls("operator")) == ("my-keys", "my-billing", "tg-operator-tls")


def test_who_owns_what_is_generated() -> None:
    environment = {
        "TOLLGATE_FULLNAME": "tg",
        "TOLLGATE_NAMESPACE": "ns",
        "TOLLGATE_DEPLOYMENTS": "tg-operator,tg-billing",
    }
    settings = BootstrapSettings.from_environment(environment)
    assert (settings.deployments, settings.retain_keys) == (("tg-operator", "tg-billing"), False)
    assert BootstrapSettings.from_environment({**environment, "TOLLGATE_KEYS_RETAIN": "true"}).retain_keys
