"""The models and the CRDs have one opinion of every manifest: what laptop mode takes, a cluster takes."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cluster.test_crds import CRDS, STRIPE, good_documents
from tests.support.bad_manifests import BAD_MANIFESTS
from tests.support.kubernetes import ApiServer
from tests.support.kubernetes.resources import Resources
from tests.support.manifests import Document, resource
from tollgate_core.errors import ManifestError
from tollgate_core.manifests import parse_manifest

ABSENT = object()
SETTINGS = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def trial(api_server: ApiServer) -> Iterator[Resources]:
    api_server.add_kinds("-f", str(CRDS))
    with Resources(api_server, api_server.namespace("agree")) as running:
        yield running


def agree(trial: Resources, document: Document) -> None:
    try:
        parse_manifest(document)
        ours = ""
    except ManifestError as error:
        ours = str(error)
    theirs = trial.refusal(document)
    assert bool(ours) == bool(theirs), f"{document}\nmodels: {ours or 'accepted'}\nAPI server: {theirs or 'accepted'}"


def objects(fields: dict[str, st.SearchStrategy[Any]], base: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """``base``, which is right, with up to three fields drawn anew or left out: near misses on both sides."""
    names = st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True)
    changes = names.flatmap(lambda chosen: st.fixed_dictionaries({n: fields[n] | st.just(ABSENT) for n in chosen}))
    return changes.map(lambda c: {k: v for k, v in {**(base or {}), **c}.items() if v is not ABSENT})


def among(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


NAMES = among("a", "b", "a-b", "a.b", "A", "", "a_b", "-a", "a" * 63, "a" * 64)
QUANTITIES = among("1", "0", "0.0", "1k", "10Mi", "1.5", "-1", "1e3", "", 5, "1" * 31, "0." + "0" * 18 + "1")
DURATIONS = among("1s", "1h30m", "0s", "1", "", "s", "1 s", "1d", "9" * 31 + "s", "9" * 33 + "s")
URLS = among(
    *("http://a", "https://a.b:8443/c", "https://[::1]:80/", "https://a_b", "https://a/b?c", "https://a#b", "https://"),
    *("https://u@a", "https://@a", "https://u:p@a/", "http://a:", "http://a:0", "http://a:65535", "http://a:65536"),
    *("http://a:99999", "ftp://a", "HTTPS://a", "http://a b", "http://a\n", "http://ä", "http://a/ä", "//a", "", 5),
) | st.text(alphabet="htps:/.@?#[]a0 \n", max_size=20).map(lambda tail: f"http://{tail}")
PATHS = st.text(alphabet="/{}ab?# \t\n\u00a0ä", max_size=12) | among("/{a}/{a}", "/{a}{b}", "/{a}/{b}/{a}", "/" * 513)
BITS = st.booleans() | among("true", 1)
SELECTORS = st.lists(
    objects({"api": NAMES, "endpoints": st.lists(NAMES, max_size=3), "namespace": NAMES}, {"api": "a"}), max_size=2
)


@given(
    url=URLS,
    service=objects({"name": NAMES, "port": among(0, 1, 65535, 65536, "80"), "path": PATHS}, {"name": "a", "port": 1})
    | st.just(ABSENT),
)
@SETTINGS
def test_about_upstreams(trial: Resources, url: Any, service: Any) -> None:
    upstream = {"url": url} if service is ABSENT else {"serviceRef": service}
    if url == "http://a":
        upstream = {"url": url, "serviceRef": service} if service is not ABSENT else {}
    agree(trial, resource("API", "x", upstream=upstream, endpoints=[{"name": "a", "path": "/"}]))


@given(
    endpoints=st.lists(
        objects({"name": NAMES, "path": PATHS, "method": among("GET", "get")}, {"name": "a", "path": "/"}), max_size=3
    ),
    hostnames=st.lists(among("*", "a", "*.a.b", "a.*", "A", "a:80", "", "a..b"), max_size=3),
    prefix=among("/", "/a", "/a/", "a", "/a//b", "/a b", "/ä"),
)
@SETTINGS
def test_about_endpoints(trial: Resources, endpoints: Any, hostnames: Any, prefix: str) -> None:
    spec = {"upstream": {"url": "http://a"}, "endpoints": endpoints, "hostnames": hostnames, "pathPrefix": prefix}
    agree(trial, resource("API", "x", **spec))


@given(path=PATHS.map(lambda path: "/" + path))
@SETTINGS
def test_about_paths(trial: Resources, path: str) -> None:
    agree(trial, resource("API", "x", upstream={"url": "http://a"}, endpoints=[{"name": "a", "path": path}]))


@given(
    objects(
        {
            "target": among("header", "query", "body", "cookie"),
            "name": among("x", "", "x" * 129),
            "action": among("add", "replace", "remove"),
            "value": among("", "a"),
            "jq": among("."),
            "cel": among("true", ""),
        },
        {"target": "header", "name": "x", "value": "a"},
    )
)
@SETTINGS
def test_about_transformations(trial: Resources, transformation: Any) -> None:
    spec = {"endpoints": [{"api": "a"}], "transformations": {"request": [transformation]}}
    agree(trial, resource("Product", "x", **spec))


@given(
    objects(
        {
            "product": NAMES,
            "metric": NAMES,
            "currency": among("USD", "usd", "US", "XAU", "KWD"),
            "model": among("flat", "standard", "package", "graduated", "volume", "tiered"),
            "type": among("recurring", "oneOff", "once"),
            "amount": QUANTITIES,
            "tiers": st.lists(
                objects(
                    {"upTo": among("1", "1k", "0"), "amount": QUANTITIES, "flatAmount": among("0", "5")},
                    {"amount": "1"},
                ),
                max_size=3,
            ),
            "seats": objects({n: among(0, 1, 5, -1) for n in ("default", "min", "max")}),
            "billingMode": among("inAdvance", "inArrears"),
            "when": among("true", "", "model =="),
            "priority": among(0, 1, 2000),
            "trialUnits": among("0", "1k", "-1"),
            "cost": objects({"amount": QUANTITIES, "per": among("1k", "0")}, {"amount": "1"}),
            "aggregationPeriod": among({}, {"interval": "day"}, {"interval": "hour"}),
            "effectiveFrom": among("2026-11-01T00:00:00Z", "2026-11-01"),
            "per": among("1", "1k", "0"),
            "included": among("0", "1", "0.0"),
            "billingPeriod": among({}, {"interval": "day"}, {"intervalCount": 0}, {"intervalCount": 1001}),
        },
        {"product": "p", "metric": "m", "currency": "USD", "model": "standard", "amount": "1"},
    )
)
@SETTINGS
def test_about_prices(trial: Resources, spec: Any) -> None:
    agree(trial, resource("Price", "x", **spec))


RATES = objects(
    {
        "name": among("a", "b"),
        "requests": QUANTITIES,
        "tokens": QUANTITIES,
        "concurrency": among(0, 1, 5),
        "window": DURATIONS,
        "burst": QUANTITIES,
    },
    {"name": "a", "requests": "1", "window": "1s"},
)
LIMITS = objects(
    {"metric": among("m", "n"), "limit": QUANTITIES, "hold": QUANTITIES, "period": among({}, {"interval": "x"})},
    {"metric": "m", "limit": "1"},
)


@given(
    objects(
        {
            "endpoints": SELECTORS,
            "rateLimits": st.lists(RATES, max_size=2),
            "limits": st.lists(LIMITS, max_size=2),
            "visibility": among("public", "private", "hidden"),
            "maxKeys": among(0, 1, 1000, 1001),
        },
        {"endpoints": [{"api": "a"}]},
    )
)
@SETTINGS
def test_about_products(trial: Resources, spec: Any) -> None:
    agree(trial, resource("Product", "x", **spec))


@given(
    objects(
        {
            "product": NAMES,
            "productNamespace": NAMES,
            "customer": among({}, {"id": "a"}, {"id": "a b"}, {"id": "a" * 129}, {"id": "a", "displayName": ""}),
            "startsAt": among(
                *("2026-11-01T00:00:00Z", "2026-11-01T00:00:00+01:00", "2026-11-01T00:00:00.123456Z", "2026-11-01"),
                *("2026-11-01T00:00:00", "2026-11-01 00:00:00Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", ""),
            ),
            "suspended": BITS,
            "secretName": NAMES,
            "keyRotationOverlap": DURATIONS,
        },
        {"product": "p", "customer": {"id": "acme"}},
    )
)
@SETTINGS
def test_about_subscriptions(trial: Resources, spec: Any) -> None:
    agree(trial, resource("Subscription", "x", **spec))


REFERENCES = objects({"name": NAMES, "key": among("k", ""), "namespace": NAMES}, {"name": "s", "key": "k"})
ACCOUNTS = objects(
    {
        "secretKeyRef": REFERENCES,
        "webhookSecretKeyRef": REFERENCES,
        "previousWebhookSecretKeyRef": REFERENCES,
        "accountId": among("acct_1", "1"),
        "apiUrl": among("http://127.0.0.1:1", "ftp://a", ""),
    },
    STRIPE,
)
MANUAL = objects({"daysUntilDue": among(0, 365, 366, -1)}, {})


@given(
    objects(
        {"displayName": among("", "a"), "stripe": ACCOUNTS, "paddle": ACCOUNTS, "manual": MANUAL}, {"stripe": STRIPE}
    )
)
@SETTINGS
def test_about_payment_providers(trial: Resources, spec: Any) -> None:
    agree(trial, resource("PaymentProvider", "x", **spec))


@given(
    objects(
        {
            "displayName": among("a", ""),
            "logoUrl": URLS,
            "colors": among({}, {"primary": "#00ff00"}, {"text": "red"}, {"text": "#00ff00\n"}),
            "cssVariables": st.dictionaries(
                among("--a", "-a", "--", "--a b", "--a\n"), among("1px", "a;b", ""), max_size=2
            ),
            "domain": among("a.b", "a", "A.b", "a.b:80"),
            "legalLinks": st.lists(
                objects({"title": among("a", "b", ""), "url": URLS}, {"title": "a", "url": "https://a"}), max_size=2
            ),
        },
        {"displayName": "a"},
    )
)
@SETTINGS
def test_about_portals(trial: Resources, spec: Any) -> None:
    agree(trial, resource("Portal", "x", **spec))


@given(name=NAMES, document=st.sampled_from([*good_documents(), *(bad.document for bad in BAD_MANIFESTS)]))
@SETTINGS
def test_about_names(trial: Resources, name: str, document: Document) -> None:
    agree(trial, {**document, "metadata": {"name": name}})
