"""API: an upstream with endpoints, and how its calls are passed on and metered."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tollgate_core.manifests.base import (
    CelSource,
    Duration,
    HeaderName,
    Model,
    Name,
    PositiveQuantity,
    Resource,
    SecretKeyRef,
)

FormatName = Literal[
    "openai_completions", "openai_responses", "anthropic_messages", "gemini", "ollama", "deepseek", "mistral"
]
PATH_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class UpstreamTLS(Model):
    """TLS towards the upstream; it is on whenever the URL says https."""

    server_name: Annotated[
        str | None, Field(description="Name for SNI and verification; the URL's host if absent.")
    ] = None
    ca_secret_key_ref: Annotated[
        SecretKeyRef | None, Field(description="PEM of the certificate authorities to trust; the system's if absent.")
    ] = None


class UpstreamRetries(Model):
    """Retries before the first byte of a response; the customer pays one operation whatever their number."""

    attempts: Annotated[int, Field(ge=0, le=5, description="How often a request is tried again.")] = 0
    retry_on: Annotated[str, Field(description="Envoy's x-envoy-retry-on values.")] = (
        "connect-failure,refused-stream,reset-before-request"
    )


class Upstream(Model):
    """Where the API's calls go."""

    url: Annotated[str, Field(description="http(s) URL; its path is put before the endpoint's path.")]
    tls: Annotated[UpstreamTLS, Field(description="TLS settings for https.")] = UpstreamTLS()
    connect_timeout: Annotated[Duration, Field(description="Time to connect.")] = "5s"
    timeout: Annotated[Duration, Field(description="Longest time without a byte from the upstream.")] = "300s"
    retries: Annotated[UpstreamRetries, Field(description="When a request is tried again.")] = UpstreamRetries()

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL with a host")
        if parts.username or parts.password:
            raise ValueError("must not hold a user or password; use spec.credential")
        if parts.query or parts.fragment:
            raise ValueError("must not hold a query or fragment")
        _ = parts.port  # raises ValueError for a port out of range
        return url


class Credential(Model):
    """The upstream's own key, put on the way up by Envoy; no client and no component of ours but Envoy sees it."""

    header: Annotated[HeaderName, Field(description="Header that carries it.")] = "Authorization"
    prefix: Annotated[str, Field(max_length=32, description="Put before the secret, for example 'Bearer '.")] = ""
    secret_key_ref: Annotated[SecretKeyRef, Field(description="Where the secret is.")]


class Endpoint(Model):
    """A method and path that customers may be granted."""

    name: Annotated[Name, Field(description="Name by which products and metrics refer to it.")]
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], Field(description="HTTP method.")] = "POST"
    path: Annotated[
        str, Field(pattern=r"^/[^?#\s]*$", max_length=512, description="Path below the prefix, with {parameters}.")
    ]
    format: Annotated[FormatName | None, Field(description="Wire format whose usage is read; none for plain HTTP.")] = (
        None
    )

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        names = PATH_PARAMETER.findall(path)
        if len(names) != len(set(names)):
            raise ValueError("names a parameter twice")
        if set("{}") & set(PATH_PARAMETER.sub("", path)):
            raise ValueError("has a brace that is no {parameter}")
        return path


class Transformation(Model):
    """One change of a request before it goes up. Exactly one of value, jq and cel, unless the action is remove."""

    endpoints: Annotated[
        list[Name] | None, Field(min_length=1, description="Endpoints it applies to; all if absent.")
    ] = None
    target: Annotated[Literal["header", "query", "body"], Field(description="What is changed.")]
    name: Annotated[str | None, Field(min_length=1, max_length=128, description="Header or query parameter.")] = None
    action: Annotated[Literal["add", "replace", "remove"], Field(description="What is done.")] = "replace"
    value: Annotated[str | None, Field(max_length=65536, description="A literal text.")] = None
    jq: Annotated[str | None, Field(max_length=65536, description="A jq program over {path, request}.")] = None
    cel: Annotated[CelSource | None, Field(description="A CEL expression over request and path.")] = None

    @model_validator(mode="after")
    def _check_shape(self) -> "Transformation":
        given = [kind for kind in ("value", "jq", "cel") if getattr(self, kind) is not None]
        if self.action == "remove" and given:
            raise ValueError(f"action remove takes no {given[0]}")
        if self.action != "remove" and len(given) != 1:
            raise ValueError("needs exactly one of value, jq and cel")
        if (self.target == "body") == (self.name is not None):
            raise ValueError("target body takes no name" if self.name else f"target {self.target} needs a name")
        if self.target == "body" and self.action != "replace":
            raise ValueError("a body can only be replaced")
        return self


class Transformations(Model):
    """In order; the API's come before the product's."""

    request: Annotated[list[Transformation], Field(max_length=64, description="Changes to requests.")] = []


class RejectionRule(Model):
    """A request for which ``when`` is true is refused before anything is counted."""

    endpoints: Annotated[
        list[Name] | None, Field(min_length=1, description="Endpoints it applies to; all if absent.")
    ] = None
    when: Annotated[CelSource, Field(description="CEL over request and path; true refuses.")]
    status: Annotated[int, Field(ge=400, le=499, description="HTTP status of the refusal.")] = 400
    message: Annotated[str, Field(min_length=1, max_length=1024, description="What the client reads.")]


class Metering(Model):
    """How usage is read, and what an incomplete response costs."""

    mode: Annotated[
        Literal["stream", "native"],
        Field(description="stream: a meter and Envoy's log witness each call; native: Envoy's log alone, cheaper."),
    ] = "stream"
    on_incomplete: Annotated[
        Literal["estimate", "lastSnapshot", "waive"],
        Field(
            description="What a response that broke off costs: estimated, as last reported by the upstream, or nothing."
        ),
    ] = "estimate"
    default_max_output_tokens: Annotated[
        int, Field(ge=1, le=10_000_000, description="Assumed output bound for the hold where a request names none.")
    ] = 4096


class APISpec(Model):
    """What an API is."""

    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None
    hostnames: Annotated[list[str], Field(min_length=1, description="Hosts it answers on; * for all.")] = ["*"]
    path_prefix: Annotated[
        str, Field(pattern=r"^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$", description="Where it is on the gateway.")
    ] = "/"
    upstream: Annotated[Upstream, Field(description="Where calls go.")]
    credential: Annotated[Credential | None, Field(description="The upstream's own key.")] = None
    endpoints: Annotated[list[Endpoint], Field(min_length=1, max_length=128, description="What can be called.")]
    force_usage: Annotated[
        bool, Field(description="Make the upstream report usage in streams even when the client did not ask.")
    ] = True
    max_request_bytes: Annotated[PositiveQuantity, Field(description="Largest request body.")] = "10Mi"
    transformations: Annotated[Transformations, Field(description="Changes to requests.")] = Transformations()
    rejection_rules: Annotated[list[RejectionRule], Field(max_length=64, description="What is refused.")] = []
    metering: Annotated[Metering, Field(description="How usage is read.")] = Metering()

    @field_validator("endpoints")
    @classmethod
    def _unique(cls, endpoints: list[Endpoint]) -> list[Endpoint]:
        names = [endpoint.name for endpoint in endpoints]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the name {name!r} is used twice")
        return endpoints


class API(Resource[APISpec]):
    """An upstream with endpoints."""

    kind: Literal["API"] = "API"
