"""Upstream: where an API's calls go."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from tollgate_core.manifests.base import Duration, HttpUrl, Model, Name, SecretKeyRef
from tollgate_core.manifests.rules import Matches, Rule

_NO_QUERY = Matches("[?#]", "must not hold a query or fragment", never=True)
_UrlPath = Annotated[str, StringConstraints(pattern=r"^(/[!-~]*)?$", max_length=512), _NO_QUERY]
UpstreamUrl = Annotated[HttpUrl, _NO_QUERY]


class UpstreamTLS(Model):
    """TLS towards the upstream; it is on whenever the URL or the Service's scheme is https."""

    server_name: Annotated[
        str | None,
        Field(min_length=1, max_length=253, description="Name for SNI and verification; the URL's host if absent."),
    ] = None
    ca_secret_key_ref: Annotated[
        SecretKeyRef | None, Field(description="PEM of the certificate authorities to trust; the system's if absent.")
    ] = None


class UpstreamRetries(Model):
    """Retries before the first byte of a response; the customer pays one operation whatever their number."""

    attempts: Annotated[int, Field(ge=0, le=5, description="How often a request is tried again.")] = 0
    retry_on: Annotated[
        str,
        Field(pattern=r"^[a-z0-9-]+(,[a-z0-9-]+)*$", max_length=256, description="Values of Envoy's x-envoy-retry-on."),
    ] = "connect-failure,refused-stream,reset-before-request"


class ServiceRef(Model):
    """A Service of this cluster."""

    name: Annotated[Name, Field(description="Name of the Service.")]
    namespace: Annotated[
        Name | None,
        Field(
            description="Namespace of the Service, where it is another than the API's own; a ReferenceGrant there "
            "must allow it."
        ),
    ] = None
    port: Annotated[int, Field(ge=1, le=65535, description="Port of the Service (not of its pods).")]
    scheme: Annotated[Literal["http", "https"], Field(description="Whether the Service speaks TLS.")] = "http"
    path: Annotated[_UrlPath, Field(description="Put before the endpoint's path, for example /api.")] = ""


class Upstream(Model):
    """Where the API's calls go: exactly one of ``url`` and ``serviceRef``."""

    url: Annotated[UpstreamUrl | None, Field(description="http(s) URL; its path comes before the endpoint's.")] = None
    service_ref: Annotated[ServiceRef | None, Field(description="A Service of this cluster, instead of a URL.")] = None
    tls: Annotated[UpstreamTLS, Field(description="TLS settings for https.")] = UpstreamTLS()
    connect_timeout: Annotated[Duration, Field(description="Time to connect.")] = "5s"
    timeout: Annotated[Duration, Field(description="Longest time without a byte from the upstream.")] = "300s"
    retries: Annotated[UpstreamRetries, Field(description="When a request is tried again.")] = UpstreamRetries()

    rules: ClassVar = (Rule("needs exactly one of url and serviceRef", "has(self.url) != has(self.serviceRef)"),)

    @model_validator(mode="after")
    def _one_address(self) -> "Upstream":
        if (self.url is None) == (self.service_ref is None):
            raise ValueError("needs exactly one of url and serviceRef")
        return self

    def address(self, namespace: str) -> str:
        """The URL, whichever way it was given. ``namespace`` is the API's own."""
        if self.url is not None:
            return self.url
        assert self.service_ref is not None  # noqa: S101
        service = self.service_ref
        host = f"{service.name}.{service.namespace or namespace}.svc.cluster.local"
        return f"{service.scheme}://{host}:{service.port}{service.path}"
