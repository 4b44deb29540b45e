"""Rules that a schema cannot say, and how they reach the API server.

A model is checked twice: here by Python (laptop, operator), and at admission by the API server, which knows only the
CRD. What JSON Schema cannot express is a CEL rule in the CRD. Markers such as ``Matches`` and ``ListMap`` say both at
once; a rule over several fields stands as ``rules`` on the model, directly above the validator that says the same in
Python. Tests send the same manifests to both and compare the verdicts.

Regular expressions are in the syntax that Go's RE2 and Python share; ``\\s`` and ``\\w`` mean ASCII in both.
"""

import json
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

VALIDATIONS = "x-kubernetes-validations"
LIST_TYPE, LIST_MAP_KEYS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys"


@dataclass(frozen=True)
class Rule:
    """A CEL expression over ``self`` that must be true. ``field`` (a name as in YAML) is where the fault is shown."""

    message: str
    cel: str
    field: str = ""

    def schema(self) -> dict[str, str]:
        """As in ``x-kubernetes-validations``."""
        where = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel, "message": self.message, **where}


@dataclass(frozen=True)
class Admission:
    """Rules for the API server alone: about changes (``oldSelf``), or said in Python by another validator."""

    rules: tuple[Rule, ...]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the rules."""
        return add_rules(handler(schema), *self.rules)


def immutable(message: str) -> Admission:
    """Kubernetes refuses a change of this field."""
    return Admission((Rule(message, "self == oldSelf"),))


@dataclass(frozen=True)
class Matches:
    """A text in which the regular expression is found, or with ``never`` is not found."""

    pattern: str
    message: str
    never: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check in Python."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Check at admission."""
        negation = "!" if self.never else ""
        return add_rules(handler(schema), Rule(self.message, f"{negation}self.matches({json.dumps(self.pattern)})"))

    def _check(self, text: str) -> str:
        if _found(self.pattern, text) == self.never:
            raise ValueError(self.message)
        return text


@dataclass(frozen=True)
class OneOf:
    """A text among many: too many to list them in an error."""

    values: frozenset[str]
    message: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check in Python."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Check at admission."""
        return add_rules(handler(schema), Rule(self.message, f"self in {json.dumps(sorted(self.values))}"))

    def _check(self, text: str) -> str:
        if text not in self.values:
            raise ValueError(self.message)
        return text


@dataclass(frozen=True)
class ListMap:
    """A list whose items have a key: unique, and merged item by item when several people apply parts of it."""

    key: str
    attribute: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check in Python."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Check at admission."""
        return {**handler(schema), LIST_TYPE: "map", LIST_MAP_KEYS: [self.key]}

    def _check(self, items: list[Any]) -> list[Any]:
        _no_duplicates([getattr(item, self.attribute or self.key) for item in items], self.key)
        return items


@dataclass(frozen=True)
class ListSet:
    """A list of different texts, merged when several people apply parts of it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check in Python."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Check at admission."""
        return {**handler(schema), LIST_TYPE: "set"}

    def _check(self, items: list[Any]) -> list[Any]:
        _no_duplicates(items, "value")
        return items


@dataclass(frozen=True)
class KeysMatch:
    """A map of which every key matches."""

    pattern: str
    message: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check in Python."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Check at admission."""
        return add_rules(handler(schema), Rule(self.message, f"self.all(k, k.matches({json.dumps(self.pattern)}))"))

    def _check(self, items: dict[str, Any]) -> dict[str, Any]:
        for key in items:
            if not _found(self.pattern, key):
                raise ValueError(self.message)
        return items


def add_rules(schema: dict[str, Any], *rules: Rule) -> dict[str, Any]:
    """The schema with CEL rules added."""
    if not rules:
        return schema
    return {**schema, VALIDATIONS: [*schema.get(VALIDATIONS, []), *(rule.schema() for rule in rules)]}


def _found(pattern: str, text: str) -> bool:
    # $ is the end of the text in RE2, but may stand before a last line break in Python
    whole = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
    return re.search(whole, text, re.ASCII) is not None


def _no_duplicates(values: Sequence[Hashable], key: str) -> None:
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"the {key} {value!r} is used twice")
        seen.add(value)
