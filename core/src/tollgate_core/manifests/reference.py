"""The reference of all resources, as Markdown, from their CustomResourceDefinitions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tollgate_core.manifests.base import LABEL_PATTERN, NAME_PATTERN, NON_NEGATIVE_PATTERN
from tollgate_core.quantity import DURATION_PATTERN, QUANTITY_PATTERN

_WORDS = {
    LABEL_PATTERN: "label",
    NAME_PATTERN: "DNS name",
    NON_NEGATIVE_PATTERN: "quantity",
    QUANTITY_PATTERN: "quantity",
    DURATION_PATTERN: "duration",
}
_HEAD = """\
# Resources

Every field of every kind of `tollgate.dev/v1alpha1`. Generated from the models by `tollgate crds`; the same text is in
`kubectl explain`. **Bold** fields are required.

- *quantity*: a text, never a float: `"0.15"`, `1M`, `10Mi`. *duration*: a text such as `500ms`, `30s`, `1h30m`.
- *label*: a DNS label of lower-case letters, digits and `-`, at most 63 characters. *DNS name*: labels with dots
  between them, at most 253 characters.
- A list *by name* (or another key) is merged item by item when several people apply parts of it.
- References lead to the resource's own namespace unless they say otherwise.
"""


def reference(definitions: Mapping[str, dict[str, Any]]) -> str:
    """The page."""
    return "\n".join([_HEAD, *(line for d in definitions.values() for line in _kind(d["spec"]))]).rstrip() + "\n"


def _kind(definition: dict[str, Any]) -> Iterator[str]:
    names, [version] = definition["names"], definition["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}\n"
    yield f"{schema['description']}\n"
    columns = ", ".join(column["name"] for column in version["additionalPrinterColumns"])
    yield f"`kubectl get {names['plural']}` (or `{', '.join(names['shortNames'])}`) shows: {columns}.\n"
    for part in ("spec", "status"):
        yield f"| {part} | type | default | |"
        yield "|---|---|---|---|"
        yield from _rows(schema["properties"][part], part)
        yield ""
    rules = list(_rules(schema["properties"]["spec"], "spec"))
    if rules:
        yield "Rules beyond the table:\n"
        yield from rules
        yield ""


def _rows(schema: dict[str, Any], path: str) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        shown = f"**`{where}`**" if name in required else f"`{where}`"
        text = _cell(field.get("description", "")).replace("<", "&lt;")
        yield f"| {shown} | {_type(field)} | {_default(field)} | {text} |"
        yield from _rows(field, where)
        yield from _rows(field.get("items", {}), f"{where}[]")


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field.get("pattern") in _WORDS:
        return _WORDS[field["pattern"]]
    if field["type"] == "array":
        keys = field.get("x-kubernetes-list-map-keys")
        return f"list of {_type(field['items'])}{_bounds(field, 'Items')}{f', by {keys[0]}' if keys else ''}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return _text(field) if field["type"] == "string" else _number(field)


def _text(field: dict[str, Any]) -> str:
    if field.get("format") == "date-time":
        return "time"
    pattern = f", `{_cell(field['pattern'])}`" if "pattern" in field else ""
    return f"text{_bounds(field, 'Length')}{pattern}"


def _number(field: dict[str, Any]) -> str:
    limits = [f"{word} {field[key]}" for word, key in (("≥", "minimum"), ("≤", "maximum")) if key in field]
    return " ".join([str(field["type"]), ", ".join(limits)]).strip()


def _bounds(field: dict[str, Any], of: str) -> str:
    low, high = field.get(f"min{of}"), field.get(f"max{of}")
    if low and high:
        return f" ({low} to {high})"
    return f" (at most {high})" if high else ""


def _default(field: dict[str, Any]) -> str:
    if "default" not in field or field["default"] in ({}, []):
        return ""
    return f"`{json.dumps(field['default'])}`"


def _rules(schema: dict[str, Any], path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield f"- `{path}{rule.get('fieldPath', '')}`: {rule['message']}"
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
