"""API: an upstream with endpoints, and how its calls are passed on and metered."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tollgate_core.manifests.base import (
    CelSource,
    HeaderName,
    Model,
    Name,
    Names,
    PositiveQuantity,
    Resource,
    SecretKeyRef,
)
from tollgate_core.manifests.rules import Admission, ListMap, ListSet, Matches, Rule
from tollgate_core.manifests.upstream import Upstream

FormatName = Literal[
    "openai_completions", "openai_responses", "anthropic_messages", "gemini", "ollama", "deepseek", "mistral"
]
PATH_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TWICE = "names a parameter twice"


def _no_parameter_twice(path: str) -> str:
    names = PATH_PARAMETER.findall(path)
    if len(names) != len(set(names)):
        raise ValueError(_TWICE)
    return path


#: The first and the last place of each {parameter} are the same. 16 is a bound on the rule's cost.
_ONCE = """self.split('{', 17).all(s, !s.contains('}') ||
  self.indexOf('{' + s.split('}', 2)[0] + '}') == self.lastIndexOf('{' + s.split('}', 2)[0] + '}'))"""
EndpointPath = Annotated[
    str,
    StringConstraints(pattern=r"^/[!-~]*$", max_length=512),
    Matches("[?#]", "must not hold a query or fragment", never=True),
    Matches(r"^([^{}]|[{][A-Za-z_][A-Za-z0-9_]*[}])*$", "has a brace that is no {parameter}"),
    Matches(r"^[^{]*([{][^{]*){0,16}$", "has more than 16 parameters"),
    AfterValidator(_no_parameter_twice),
    Admission((Rule(_TWICE, _ONCE),)),
]
Hostname = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\*|(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$", max_length=253
    ),
]


class Credential(Model):
    """The upstream's own key, put on the way up by Envoy; no client and no component of ours but Envoy sees it."""

    header: Annotated[HeaderName, Field(description="Header that carries it.")] = "Authorization"
    prefix: Annotated[str, Field(max_length=32, description="Put before the secret, for example 'Bearer '.")] = ""
    secret_key_ref: Annotated[SecretKeyRef, Field(description="Where the secret is.")]


class Endpoint(Model):
    """A method and path that customers may be granted."""

    name: Annotated[Name, Field(description="Name by which products and metrics refer to it.")]
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], Field(description="HTTP method.")] = "POST"
    path: Annotated[EndpointPath, Field(description="Path below the API's prefix, with {parameters}.")]
    format: Annotated[FormatName | None, Field(description="Wire format whose usage is read; none for plain HTTP.")] = (
        None
    )


class Transformation(Model):
    """One change of a request before it goes up. Exactly one of value, jq and cel, unless the action is remove."""

    endpoints: Annotated[Names | None, Field(description="Endpoints it applies to; all if absent.")] = None
    target: Annotated[Literal["header", "query", "body"], Field(description="What is changed.")]
    name: Annotated[str | None, Field(min_length=1, max_length=128, description="Header or query parameter.")] = None
    action: Annotated[Literal["add", "replace", "remove"], Field(description="What is done.")] = "replace"
    value: Annotated[str | None, Field(max_length=65536, description="A literal text.")] = None
    jq: Annotated[str | None, Field(max_length=65536, description="A jq program over {path, request}.")] = None
    cel: Annotated[CelSource | None, Field(description="A CEL expression over request and path.")] = None

    rules: ClassVar = (
        Rule(
            "action remove takes none of value, jq and cel",
            "!has(self.action) || self.action != 'remove' || !(has(self.value) || has(self.jq) || has(self.cel))",
        ),
        Rule(
            "needs exactly one of value, jq and cel",
            """(has(self.action) && self.action == 'remove') ||
  [has(self.value), has(self.jq), has(self.cel)].filter(g, g).size() == 1""",
        ),
        Rule("target body takes no name", "self.target != 'body' || !has(self.name)", "name"),
        Rule("target header or query needs a name", "self.target == 'body' || has(self.name)", "name"),
        Rule(
            "a body can only be replaced",
            "self.target != 'body' || !has(self.action) || self.action == 'replace'",
            "action",
        ),
    )

    @model_validator(mode="after")
    def _check_shape(self) -> "Transformation":
        given = [kind for kind in ("value", "jq", "cel") if getattr(self, kind) is not None]
        if self.action == "remove" and given:
            raise ValueError("action remove takes none of value, jq and cel")
        if self.action != "remove" and len(given) != 1:
            raise ValueError("needs exactly one of value, jq and cel")
        if (self.target == "body") == (self.name is not None):
            raise ValueError("target body takes no name" if self.name else "target header or query needs a name")
        if self.target == "body" and self.action != "replace":
            raise ValueError("a body can only be replaced")
        return self


class Transformations(Model):
    """In order; the API's come before the product's."""

    request: Annotated[list[Transformation], Field(max_length=64, description="Changes to requests.")] = []


class RejectionRule(Model):
    """A request for which ``when`` is true is refused before anything is counted."""

    endpoints: Annotated[Names | None, Field(description="Endpoints it applies to; all if absent.")] = None
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
    hostnames: Annotated[
        list[Hostname],
        Field(
            min_length=1,
            max_length=64,
            description="Hosts it answers on: a name, *.example.com, or * for all. A closer name wins on its host.",
        ),
        ListSet(),
    ] = ["*"]
    path_prefix: Annotated[
        str,
        Field(
            pattern=r"^/([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$",
            max_length=256,
            description="Where it is on the gateway, for example /openai.",
        ),
    ] = "/"
    upstream: Annotated[Upstream, Field(description="Where calls go.")]
    credential: Annotated[Credential | None, Field(description="The upstream's own key.")] = None
    endpoints: Annotated[
        list[Endpoint],
        Field(min_length=1, max_length=128, description="What can be called, by name."),
        ListMap("name"),
    ]
    force_usage: Annotated[
        bool, Field(description="Make the upstream report usage in streams even when the client did not ask.")
    ] = True
    max_request_bytes: Annotated[PositiveQuantity, Field(description="Largest request body.")] = "10Mi"
    transformations: Annotated[Transformations, Field(description="Changes to requests.")] = Transformations()
    rejection_rules: Annotated[list[RejectionRule], Field(max_length=64, description="What is refused.")] = []
    metering: Annotated[Metering, Field(description="How usage is read.")] = Metering()


class API(Resource[APISpec]):
    """An upstream with endpoints."""

    kind: Literal["API"] = "API"
