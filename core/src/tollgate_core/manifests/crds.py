"""CustomResourceDefinitions from the models: the one source of the schemas."""

from typing import Any

from tollgate_core.manifests.parse import KINDS

GROUP, VERSION = "tollgate.dev", "v1alpha1"
_PLURALS = {
    "API": "apis",
    "Product": "products",
    "BillableMetric": "billablemetrics",
    "Price": "prices",
    "Subscription": "subscriptions",
}
_KEPT = frozenset(
    {"type", "description", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"minItems", "maxItems", "format", "default"}
)


def custom_resource_definitions() -> dict[str, dict[str, Any]]:
    """By file name (``tollgate.dev_apis``)."""
    return {f"{GROUP}_{plural}": _definition(kind, plural) for kind, plural in sorted(_PLURALS.items())}


def _definition(kind: str, plural: str) -> dict[str, Any]:
    schema = KINDS[kind].model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    spec = _structural(schema["properties"]["spec"], definitions)
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": (KINDS[kind].__doc__ or kind).strip().splitlines()[0],
                "required": ["spec"],
                "properties": {"spec": spec, "status": status},
            }
        },
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "categories": ["tollgate"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _structural(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema to Kubernetes' structural schema: references inlined, null alternatives dropped."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return _structural({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, definitions)
    if "anyOf" in schema:
        kept = [option for option in schema["anyOf"] if option.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
        return _structural({**kept[0], **rest}, definitions)
    result: dict[str, Any] = {key: value for key, value in schema.items() if key in _KEPT and value is not None}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if "properties" in schema:
        result["properties"] = {name: _structural(p, definitions) for name, p in schema["properties"].items()}
        if schema.get("required"):
            result["required"] = schema["required"]
    if "items" in schema:
        result["items"] = _structural(schema["items"], definitions)
    return result
