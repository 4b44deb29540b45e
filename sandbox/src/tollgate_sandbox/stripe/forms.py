"""Forms with bracket nesting, as Stripe's SDKs send them: items[0][price]=x, metadata[key]=y, expand[]=z."""

import re
from typing import Any
from urllib.parse import parse_qsl

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.errors import invalid

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")


def read_form(text: str) -> Json:
    """Nested dicts with texts as leaves; lists are dicts with numbers as keys until the types say otherwise."""
    tree: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found = _NAME.match(name)
        if found is None:
            raise invalid(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        _put(tree, [found[1], *_PART.findall(found[2])], value, name)
    return tree


def _put(tree: Json, path: list[str], value: str, name: str) -> None:
    here = tree
    for part in path[:-1]:
        inner: Any = here.setdefault(part or str(len(here)), {})
        if isinstance(inner, str):
            raise invalid(f"Invalid nesting of parameter: {name}", param=name)
        here = inner
    last = path[-1] or str(len(here))
    if last in here:
        raise invalid(f"Parameter given twice: {name}", param=name)
    here[last] = value
