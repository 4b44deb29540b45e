"""Manifests that must be refused: by the models, and at admission by the API server."""

from dataclasses import dataclass
from typing import Any

from tests.support.manifests import Document, resource

_API: dict[str, Any] = {
    "upstream": {"url": "https://api.example.com"},
    "endpoints": [{"name": "chat", "path": "/v1/chat", "format": "openai_completions"}],
}
_PRICE = {"product": "p", "metric": "m", "currency": "USD", "model": "standard", "amount": "1"}
_SUBSCRIPTION = {"product": "p", "customer": {"id": "acme"}}
_STRIPE = {"secretKeyRef": {"name": "s", "key": "k"}, "webhookSecretKeyRef": {"name": "s", "key": "w"}}


@dataclass(frozen=True)
class Bad:
    """``field`` is at fault. ``python`` and ``server`` are what each says; the server says the same if empty."""

    document: Document
    field: str
    python: str
    server: str = ""

    def __str__(self) -> str:
        return f"{self.document['kind']}-{self.field}-{self.python}"


def _without_none(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if value is not None}


def _api(field: str, python: str, server: str = "", **changes: Any) -> Bad:
    return Bad(resource("API", "x", **_without_none({**_API, **changes})), field, python, server)


def _endpoint(field: str, python: str, server: str = "", **endpoint: Any) -> Bad:
    return _api(field, python, server, endpoints=[{"name": "a", "path": "/x", **endpoint}])


def _transformation(python: str, field: str = "", server: str = "", **transformation: Any) -> Bad:
    where = "spec.transformations.request[0]" + field
    return _api(where, python, server, transformations={"request": [transformation]})


def _upstream(field: str, python: str, server: str = "", **upstream: Any) -> Bad:
    return _api(field, python, server, upstream=upstream)


def _price(field: str, python: str, server: str = "", **changes: Any) -> Bad:
    return Bad(resource("Price", "x", **_without_none({**_PRICE, **changes})), field, python, server)


def _product(field: str, python: str, server: str = "", **changes: Any) -> Bad:
    return Bad(resource("Product", "x", **{"endpoints": [{"api": "a"}], **changes}), field, python, server)


def _rate(python: str, field: str = "", **limit: Any) -> Bad:
    return _product("spec.rateLimits[0]" + field, python, rateLimits=[{"name": "a", **limit}])


def _subscription(field: str, python: str, server: str = "", **changes: Any) -> Bad:
    return Bad(resource("Subscription", "x", **{**_SUBSCRIPTION, **changes}), field, python, server)


def _portal(field: str, python: str, server: str = "", **changes: Any) -> Bad:
    return Bad(resource("Portal", "x", **{"displayName": "Acme", **changes}), field, python, server)


_PATTERN, _SERVER_PATTERN = "string should match pattern", "should match"
_SERVICE = {"name": "llm", "port": 80}

BAD_MANIFESTS: tuple[Bad, ...] = (
    # names and kinds of values
    Bad(resource("API", "Not_A_Name", **_API), "metadata.name", _PATTERN, _SERVER_PATTERN),
    Bad(resource("API", "a.b", **_API), "metadata.name", _PATTERN, _SERVER_PATTERN),
    _api("spec.forceUsages", "unknown field 'forceUsages'; did you mean 'forceUsage'?", "unknown field", forceUsages=1),
    _api("spec.forceUsage", "input should be a valid boolean", "must be of type boolean", forceUsage="yes"),
    _api("spec.maxRequestBytes", "must be a text: write it in quotes", "must be of type string", maxRequestBytes=5),
    _api("spec.maxRequestBytes", "must be more than zero", maxRequestBytes="0"),
    _api("spec.pathPrefix", _PATTERN, _SERVER_PATTERN, pathPrefix="/a b"),
    _api("spec.hostnames[0]", _PATTERN, _SERVER_PATTERN, hostnames=["EXAMPLE.com"]),
    _api("spec.hostnames", "the value 'a.test' is used twice", "Duplicate value", hostnames=["a.test", "a.test"]),
    # upstreams
    _upstream("spec.upstream.url", "must be an http:// or https:// URL with a host", url="ftp://x"),
    _upstream("spec.upstream.url", "must be an http:// or https:// URL with a host", url="https://"),
    _upstream("spec.upstream.url", "must be an http:// or https:// URL with a host", url="https://a b"),
    _upstream("spec.upstream.url", "must be an http:// or https:// URL with a host", url="https://a\n"),
    _upstream("spec.upstream.url", "must not hold a user or password", url="https://user:pw@x"),
    _upstream("spec.upstream.url", "must not hold a query or fragment", url="https://x/?key=1"),
    _upstream("spec.upstream.url", "has a port out of range", url="https://x:65536/v1"),
    _upstream("spec.upstream", "needs exactly one of url and serviceRef"),
    _upstream("spec.upstream", "needs exactly one of url and serviceRef", url="https://x", serviceRef=_SERVICE),
    _upstream(
        "spec.upstream.serviceRef.port",
        "input should be less than or equal to 65535",
        "should be less than or equal to 65535",
        serviceRef={**_SERVICE, "port": 70000},
    ),
    _upstream("spec.upstream.serviceRef.name", _PATTERN, _SERVER_PATTERN, serviceRef={**_SERVICE, "name": "a.b"}),
    _upstream(
        "spec.upstream.serviceRef.path", "must not hold a query or fragment", serviceRef={**_SERVICE, "path": "/a?b"}
    ),
    _upstream(
        "spec.upstream.connectTimeout",
        "must be a duration, for example",
        _SERVER_PATTERN,
        url="https://x",
        connectTimeout="5",
    ),
    # endpoints
    _api("spec.endpoints", "is required", "Required value", endpoints=None),
    _api("spec.endpoints", "list should have at least 1 item", "should have at least 1 items", endpoints=[]),
    _api(
        "spec.endpoints",
        "the name 'a' is used twice",
        'spec.endpoints[1]: Duplicate value: {"name":"a"}',
        endpoints=[{"name": "a", "path": "/x"}] * 2,
    ),
    _endpoint("spec.endpoints[0].path", "names a parameter twice", path="/{x}/{x}"),
    _endpoint("spec.endpoints[0].path", "names a parameter twice", path="/{a}/{bb}/{c}:do/{bb}"),
    _endpoint("spec.endpoints[0].path", "has a brace that is no {parameter}", path="/{x"),
    _endpoint("spec.endpoints[0].path", "has a brace that is no {parameter}", path="/{a-b}"),
    _endpoint("spec.endpoints[0].path", "has more than 16 parameters", path="".join(f"/{{p{i}}}" for i in range(17))),
    _endpoint("spec.endpoints[0].path", "must not hold a query or fragment", path="/x?y"),
    _endpoint("spec.endpoints[0].path", _PATTERN, _SERVER_PATTERN, path="x"),
    _endpoint("spec.endpoints[0].format", "input should be", "Unsupported value", format="openai"),
    _endpoint("spec.endpoints[0].method", "input should be", "Unsupported value", method="post"),
    _endpoint("spec.endpoints[0].formt", "did you mean 'format'?", "unknown field", formt="gemini"),
    # transformations and rejections
    _transformation("needs exactly one of value, jq and cel", target="header", name="x", value="a", jq="."),
    _transformation("needs exactly one of value, jq and cel", target="header", name="x"),
    _transformation(
        "action remove takes none of value, jq and cel", target="query", name="x", action="remove", value="a"
    ),
    _transformation("target body takes no name", target="body", name="x", value="a"),
    _transformation("target header or query needs a name", target="query", value="a"),
    _transformation("a body can only be replaced", target="body", action="add", value="a"),
    _transformation("input should be", ".target", "Unsupported value", target="cookie", name="x", value="a"),
    _api(
        "spec.rejectionRules[0].status",
        "input should be less than or equal to 499",
        "should be less than or equal to 499",
        rejectionRules=[{"when": "true", "message": "no", "status": 500}],
    ),
    _api(
        "spec.credential.secretKeyRef.key",
        "is required",
        "Required value",
        credential={"secretKeyRef": {"name": "s"}},
    ),
    # prices
    _price("spec", "a flat price has no metric", model="flat"),
    _price("spec", "a flat price has neither per, included", model="flat", metric=None, per="1k"),
    _price("spec", "a flat price has neither per, included", model="flat", metric=None, when="true"),
    _price("spec", "a price of this model needs a metric", metric=None),
    _price("spec", "need tiers; other models have none", tiers=[{"amount": "1"}]),
    _price("spec", "need tiers; other models have none", model="volume", amount=None),
    _price("spec", "there each tier has its own", amount=None),
    _price("spec", "there each tier has its own", model="volume", tiers=[{"amount": "1"}]),
    _price("spec", "every tier needs upTo but the last", model="volume", amount=None, tiers=[{"amount": "1"}] * 2),
    _price(
        "spec",
        "every tier needs upTo but the last",
        model="graduated",
        amount=None,
        tiers=[{"upTo": "1", "amount": "1"}],
    ),
    _price(
        "spec.tiers[0].amount",
        "must be a decimal number without a sign",
        _SERVER_PATTERN,
        model="volume",
        amount=None,
        tiers=[{"amount": "-1"}],
    ),
    _price("spec", "only a flat price has seats", type="oneOff"),
    _price("spec", "only a flat price has seats", billingMode="inArrears"),
    _price("spec", "needs when", priority=1),
    _price("spec.seats", "between min and max", model="flat", metric=None, seats={"default": 5}),
    _price("spec.currency", "is no ISO 4217 currency", currency="XAU"),
    _price("spec.currency", "is no ISO 4217 currency", currency="ABC"),
    _price("spec.effectiveFrom", "must be a time in RFC 3339", _SERVER_PATTERN, effectiveFrom="tomorrow"),
    _product("spec.unpriced", "input should be", "Unsupported value", unpriced="zero"),
    _product("spec.trialDays", "greater than or equal to 0", "greater than or equal to 0", trialDays=-1),
    _price("spec.per", "must be more than zero", per="0"),
    _price("spec.per", "must be more than zero", per="0.00k"),
    _price("spec.amount", "must be a decimal number without a sign", _SERVER_PATTERN, amount="-1"),
    _price("spec.amount", "must be a text: write it in quotes", "must be of type string", amount=0.15),
    _price("spec.currency", "must be an ISO 4217 code of three capital letters", _SERVER_PATTERN, currency="usd"),
    _price("spec.billingPeriod.interval", "input should be", "Unsupported value", billingPeriod={"interval": "hour"}),
    # products
    _rate("needs exactly one of requests, tokens and concurrency"),
    _rate("needs exactly one of requests, tokens and concurrency", requests="5", tokens="5", window="1m"),
    _rate("requests or tokens need a window", requests="5"),
    _rate("concurrency takes neither window nor burst", concurrency=5, window="1m"),
    _product(
        "spec.rateLimits",
        "the name 'a' is used twice",
        'spec.rateLimits[1]: Duplicate value: {"name":"a"}',
        rateLimits=[{"name": "a", "concurrency": 1}, {"name": "a", "concurrency": 2}],
    ),
    _product(
        "spec.limits",
        "the metric 'm' is used twice",
        'spec.limits[1]: Duplicate value: {"metric":"m"}',
        limits=[{"metric": "m", "limit": "1"}, {"metric": "m", "limit": "2"}],
    ),
    _product(
        "spec.wallet.lowBalance",
        "must be a decimal number without a sign",
        _SERVER_PATTERN,
        wallet={"lowBalance": "-1"},
    ),
    _product("spec.visibility", "input should be", "Unsupported value", visibility="hidden"),
    _product("spec.endpoints[0].api", _PATTERN, _SERVER_PATTERN, endpoints=[{"api": "open ai"}]),
    _product(
        "spec.endpoints[0].endpoints",
        "the value 'chat' is used twice",
        "Duplicate value",
        endpoints=[{"api": "a", "endpoints": ["chat", "chat"]}],
    ),
    # metrics
    Bad(
        resource("BillableMetric", "x", usage=[{"endpoints": [], "quantity": "1"}]),
        "spec.usage[0].endpoints",
        "list should have at least 1 item",
        "should have at least 1 items",
    ),
    Bad(resource("BillableMetric", "x", unit="token"), "spec.usage", "is required", "Required value"),
    # subscriptions
    _subscription("spec.customer.id", _PATTERN, _SERVER_PATTERN, customer={"id": "a b"}),
    _subscription("spec.startsAt", "must be a time in RFC 3339", _SERVER_PATTERN, startsAt="2026-11-01"),
    _subscription("spec.startsAt", "must be a time in RFC 3339", _SERVER_PATTERN, startsAt="2026-11-01T00:00:00"),
    _subscription("spec.secretName", _PATTERN, _SERVER_PATTERN, secretName="My_Secret"),
    _subscription(
        "spec.keyRotationOverlap", "must be a duration, for example", _SERVER_PATTERN, keyRotationOverlap="1 day"
    ),
    # payment providers
    Bad(resource("PaymentProvider", "x"), "spec", "needs exactly one of stripe, paddle and manual"),
    Bad(
        resource("PaymentProvider", "x", stripe=_STRIPE, paddle=_STRIPE),
        "spec",
        "needs exactly one of stripe, paddle and manual",
    ),
    Bad(
        resource("PaymentProvider", "x", stripe={**_STRIPE, "accountId": "1"}),
        "spec.stripe.accountId",
        _PATTERN,
        _SERVER_PATTERN,
    ),
    # portals
    _portal("spec.logoUrl", "must be an https:// URL", logoUrl="http://acme.test/logo.svg"),
    _portal("spec.colors.primary", _PATTERN, _SERVER_PATTERN, colors={"primary": "red"}),
    _portal("spec.cssVariables", "a CSS variable is -- and then", cssVariables={"radius": "4px"}),
    _portal("spec.cssVariables.--radius", _PATTERN, _SERVER_PATTERN, cssVariables={"--radius": "4px; } body {"}),
    _portal("spec.domain", _PATTERN, _SERVER_PATTERN, domain="https://portal.acme.test"),
    _portal(
        "spec.oidc.issuer",
        "must be an https:// URL",
        oidc={"issuer": "http://id.test", "clientId": "c", "clientSecretKeyRef": {"name": "s", "key": "k"}},
    ),
    _portal(
        "spec.legalLinks",
        "the title 'Imprint' is used twice",
        'spec.legalLinks[1]: Duplicate value: {"title":"Imprint"}',
        legalLinks=[{"title": "Imprint", "url": "https://acme.test/imprint"}] * 2,
    ),
)
