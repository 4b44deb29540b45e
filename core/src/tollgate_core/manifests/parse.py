"""From a decoded YAML document to a model, with errors that name the field and the nearest known name."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from tollgate_core.errors import ManifestError, Problem
from tollgate_core.manifests.api import API
from tollgate_core.manifests.base import API_VERSION, NON_NEGATIVE_PATTERN
from tollgate_core.manifests.kubernetes import ReferenceGrant, Service
from tollgate_core.manifests.metric import BillableMetric
from tollgate_core.manifests.payment_provider import PaymentProvider
from tollgate_core.manifests.portal import Portal
from tollgate_core.manifests.price import CURRENCY_PATTERN, Price
from tollgate_core.manifests.product import Product
from tollgate_core.manifests.secret import Secret
from tollgate_core.manifests.subscription import Subscription
from tollgate_core.quantity import DURATION_PATTERN

Manifest = (
    API | Product | BillableMetric | Price | Subscription | PaymentProvider | Portal | Secret | Service | ReferenceGrant
)
KINDS: Mapping[str, type[Manifest]] = {
    "API": API,
    "Product": Product,
    "BillableMetric": BillableMetric,
    "Price": Price,
    "Subscription": Subscription,
    "PaymentProvider": PaymentProvider,
    "Portal": Portal,
    "Secret": Secret,
    "Service": Service,
    "ReferenceGrant": ReferenceGrant,
}
#: Kubernetes' own kinds; all others are of API_VERSION.
_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "Secret": ("v1",),
    "Service": ("v1",),
    "ReferenceGrant": ("gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1"),
}

_PATTERNS: Mapping[str, str] = {
    NON_NEGATIVE_PATTERN: "must be a decimal number without a sign or an exponent, for example 0.15, 1M or 10Mi",
    DURATION_PATTERN: "must be a duration, for example 500ms, 30s, 5m or 1h30m",
    CURRENCY_PATTERN: "must be an ISO 4217 code of three capital letters, for example USD",
}


def parse_manifest(document: object) -> Manifest:
    """A document of YAML as its model. Raises ManifestError that names every field at fault."""
    if not isinstance(document, dict):
        raise ManifestError([Problem("", "a manifest must be a mapping with apiVersion, kind, metadata and spec")])
    fields = cast("dict[str, Any]", document)
    kind, version = fields.get("kind"), fields.get("apiVersion")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise ManifestError([Problem("kind", f"unknown kind {kind!r}{nearest(str(kind), KINDS)}")])
    versions = _VERSIONS.get(str(kind), (API_VERSION,))
    if version not in versions:
        expected = " or ".join(map(repr, versions))
        raise ManifestError([Problem("apiVersion", f"{kind} needs {expected}, not {version!r}")])
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise ManifestError([_problem(dict(item), model) for item in error.errors(include_input=False)]) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for a near miss, else the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def _problem(item: dict[str, Any], model: type[BaseModel]) -> Problem:
    location: tuple[str | int, ...] = item["loc"]
    field = _dotted(location)
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        return Problem(field, f"unknown field {str(location[-1])!r}{nearest(str(location[-1]), known)}")
    if item["type"] == "missing":
        return Problem(field, "is required")
    message = _in_words(item) or str(item["msg"]).removeprefix("Value error, ")
    return Problem(field, message[:1].lower() + message[1:])


def _in_words(item: Mapping[str, Any]) -> str:
    """Of slips that everybody makes: an amount without quotes, with a sign or an exponent. A pattern tells few people
    what to write."""
    if item["type"] == "string_type":
        return "must be a text: write it in quotes"
    if item["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(item["ctx"]["pattern"], "")
    return ""


def _dotted(location: tuple[str | int, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _fields_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Field names (as in YAML) of the model that stands at ``location``."""
    current: type[BaseModel] | None = model
    for part in location:
        if current is None or isinstance(part, int):
            continue
        current = _model_in(next((f.annotation for f in current.model_fields.values() if f.alias == part), None))
    return [f.alias or name for name, f in current.model_fields.items()] if current else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
