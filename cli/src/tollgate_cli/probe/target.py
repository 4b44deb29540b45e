"""Where test calls go: an endpoint of an API, its upstream's address, and the credential that Envoy would put on."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tollgate_cli.errors import CommandError
from tollgate_cli.laptop.system import CA_BUNDLES, SANDBOX_HOST
from tollgate_cli.probe.bodies import is_embedding, takes_prompt
from tollgate_cli.probe.cases import Case
from tollgate_core.catalog import Product
from tollgate_core.manifests import API
from tollgate_core.metering import EndpointPlan, Plans
from tollgate_operator.control_loop import State
from tollgate_operator.reconcile.index import Index


@dataclass(frozen=True)
class Upstream:
    """``base`` is the URL to connect to, ``host`` the Host header, ``name`` the TLS name where it is another than the
    URL's host. ``secret`` is what must never be shown."""

    base: str
    host: str
    name: str | None
    trust: ssl.SSLContext | None = field(repr=False)
    header: str
    value: str = field(repr=False)
    secret: str = field(repr=False)
    simulated: bool


@dataclass(frozen=True)
class Target:
    """One endpoint. ``product`` says whose transformations are applied besides the API's."""

    api: API
    plan: EndpointPlan
    product: Product
    upstream: Upstream

    @property
    def name(self) -> str:
        """``api/endpoint``."""
        return self.plan.endpoint.id

    def upstream_path(self, path: str) -> str:
        """Envoy's rewrite: the API's prefix gives way to the path of the upstream's URL."""
        return urlsplit(self.upstream.base).path.rstrip("/") + path[len(self.api.spec.path_prefix.rstrip("/")) :]

    def streams(self, case: Case) -> bool | None:
        """Whether this case's calls stream here; None where the endpoint has no such case."""
        fmt, path = self.plan.format, self.plan.endpoint.path
        if fmt is None:
            return False if case.streamed is False else None
        can_stream = fmt.is_stream({"stream": True}, path) and not is_embedding(path)
        can_not = not fmt.is_stream({"stream": False}, path)
        if is_embedding(path):
            return False if case.streamed is False or case.unknown_model else None
        if takes_prompt(fmt.name, path) and (case.tools or case.multi_turn):
            return None
        if not case.asks_usage and fmt.client_asked_usage({"stream": True}):
            return None  # usage needs no asking for in this format
        if case.streamed is None:
            return not can_not
        return case.streamed if (can_stream if case.streamed else can_not) else None


@dataclass(frozen=True)
class Chosen:
    """``skipped`` says why an endpoint is not called, by its id."""

    targets: tuple[Target, ...]
    skipped: Mapping[str, str]


def choose(
    state: State, api_name: str | None, endpoints: Sequence[str], product: str | None, base: str | None, has_body: bool
) -> Chosen:
    """The endpoints to call. Raises CommandError where a name is unknown, or nothing is left."""
    index, plans = Index(state.resources), Plans(state.catalog, state.catalog_hash)
    apis = [api for api in index.of_kind(API) if api_name in (None, api.qualified_name)]
    if not apis:
        known = ", ".join(api.qualified_name for api in index.of_kind(API)) or "none"
        raise CommandError(f"There is no API {api_name}; there are: {known}." if api_name else "There is no API.")
    names = {f"{api.qualified_name}/{endpoint.name}": api for api in apis for endpoint in api.spec.endpoints}
    for name in endpoints:
        if not any(name in (known, known.rsplit("/", 1)[1]) for known in names):
            raise CommandError(f"There is no endpoint {name}; there are: {', '.join(names)}.")
    skipped: dict[str, str] = {}
    targets: list[Target] = []
    for name, api in names.items():
        named = name in endpoints or name.rsplit("/", 1)[1] in endpoints
        plan = plans.endpoints[name]
        reason = _skip(plan, has_body)
        if endpoints and not named:
            continue
        if reason:
            skipped[name] = reason
        else:
            targets.append(Target(api, plan, _product(plans, name, product), upstream_of(api, index, base)))
    if not targets:
        raise CommandError("No endpoint can be called: " + "; ".join(f"{n}: {why}" for n, why in skipped.items()))
    return Chosen(tuple(targets), skipped)


def _skip(plan: EndpointPlan, has_body: bool) -> str:
    if plan.endpoint.method != "POST":
        return f"{plan.endpoint.method} asks for nothing that is made now"
    if plan.format is None and not has_body:
        return "it has no format, so what a call of it holds is not known; say it with --with"
    return ""


def _product(plans: Plans, endpoint: str, wanted: str | None) -> Product:
    granting = [p for p in plans.products.values() if endpoint in p.endpoints]
    if wanted is not None:
        found = next((p for p in granting if p.name == wanted), None)
        if found is None:
            raise CommandError(f"The product {wanted} does not grant {endpoint}.")
        return found
    if len(granting) == 1:
        return granting[0]
    return Product(name="", version="", endpoints=(endpoint,))


def upstream_of(api: API, index: Index, base: str | None) -> Upstream:
    """Address, trust and credential. Raises CommandError that names what is missing, and never a value."""
    declared = api.spec.upstream.address(api.metadata.namespace)
    try:
        parts = urlsplit(base or declared)
    except ValueError as error:
        raise CommandError(f"--upstream: {base!r} is no URL: {error}") from error
    header, value, secret = _credential(api, index)
    name = api.spec.upstream.tls.server_name or (urlsplit(declared).hostname if base else None)
    return Upstream(
        base=(base or declared).rstrip("/"),
        host=urlsplit(declared).netloc,
        name=name,
        trust=_trust(api, index) if parts.scheme == "https" else None,
        header=header,
        value=value,
        secret=secret,
        simulated=base is None and parts.hostname == SANDBOX_HOST,
    )


def _credential(api: API, index: Index) -> tuple[str, str, str]:
    credential = api.spec.credential
    if credential is None:
        return "", "", ""
    reference = credential.secret_key_ref
    secret = index.secret_value(api, reference)
    where = f"key {reference.key} of the Secret {reference.name}"
    if secret is None:
        raise CommandError(f"API/{api.qualified_name} spec.credential: there is no {where}.")
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise CommandError(
            f"API/{api.qualified_name} spec.credential: {where} holds what no header can: a line break, perhaps at its "
            "end, a space around it, or a letter beyond ASCII."
        )
    return credential.header, credential.prefix + secret, secret


def _trust(api: API, index: Index) -> ssl.SSLContext:
    reference = api.spec.upstream.tls.ca_secret_key_ref
    if reference is None:
        bundle = next((path for path in CA_BUNDLES if Path(path).exists()), None)
        return ssl.create_default_context(cafile=bundle)
    pem = index.secret_value(api, reference)
    where = f"API/{api.qualified_name} spec.upstream.tls.caSecretKeyRef"
    if pem is None:
        raise CommandError(f"{where}: there is no key {reference.key} of the Secret {reference.name}.")
    try:
        return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise CommandError(f"{where}: is no PEM of certificates.") from error


def planned(targets: Sequence[Target], cases: Sequence[Case]) -> Iterator[tuple[Target, Case, bool]]:
    """(target, case, whether it streams), in order."""
    for target in targets:
        for case in cases:
            streams = target.streams(case)
            if streams is not None:
                yield target, case, streams
