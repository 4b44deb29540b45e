"""From pydantic's JSON Schema to Kubernetes' structural schema: no references, no alternatives, no null.

Defaults within lists stay out of the schema and are said in the description. A default that the API server adds to an
item makes the stored list another than the applied one, and tools that compare lists as a whole (kubectl's and Argo
CD's three-way merge of custom resources) would see a change for ever. The models fill them in.
"""

from typing import Any

from tollgate_core.manifests.rules import LIST_TYPE

#: In the order in which they are written.
_KEPT = (
    *("description", "type", "format", "enum", "pattern", "default", "minLength", "maxLength", "minimum", "maximum"),
    *("minItems", "maxItems", "maxProperties"),
    *(LIST_TYPE, "x-kubernetes-list-map-keys", "x-kubernetes-validations"),
)


def structural(schema: dict[str, Any], definitions: dict[str, Any], *, in_list: bool = False) -> dict[str, Any]:
    """``definitions`` are the schema's ``$defs``."""
    schema = _resolved(schema, definitions)
    if in_list and "default" in schema:
        default = schema.pop("default")
        if not isinstance(default, dict | list):
            schema["description"] = f"{schema['description']} Default: {default}."
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].replace("``", "`").split())
    if "const" in schema:
        schema["enum"] = [schema["const"]]
    kind = schema.get("type")
    if kind == "array":
        schema.setdefault(LIST_TYPE, "atomic")
    if kind == "integer":
        schema.setdefault("format", "int64")
    if kind == "object" and "properties" in schema and "default" in schema:
        schema["default"] = {}  # the fields' own defaults fill it
    result: dict[str, Any] = {key: schema[key] for key in _KEPT if schema.get(key) is not None}
    if "properties" in schema:
        result["properties"] = {
            name: structural(p, definitions, in_list=in_list) for name, p in schema["properties"].items()
        }
        if schema.get("required"):
            result["required"] = list(schema["required"])
    if "items" in schema:
        result["items"] = structural(schema["items"], definitions, in_list=True)
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = structural(schema["additionalProperties"], definitions)
    return result


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """With references inlined and the one alternative to null taken; what stands beside them wins."""
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolved({**definitions[schema["$ref"].rpartition("/")[2]], **beside}, definitions)
    if "anyOf" in schema:
        [option] = [option for option in schema["anyOf"] if option.get("type") != "null"]
        beside = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
        return _resolved({**option, **beside}, definitions)
    return dict(schema)
