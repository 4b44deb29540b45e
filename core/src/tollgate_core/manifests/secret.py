"""Kubernetes' own v1 Secret, from the cluster or a laptop's directory of manifests."""

import base64
import binascii
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from tollgate_core.manifests.base import Metadata, qualified_name


class Secret(BaseModel):
    """``stringData`` wins over ``data``, as in Kubernetes. Values never show in a repr or an error text."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    api_version: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    metadata: Metadata
    data: dict[str, str] = Field(default_factory=dict, repr=False)
    string_data: dict[str, str] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _check_base64(cls, raw: Any) -> Any:
        data: Any = cast("dict[str, Any]", raw).get("data") if isinstance(raw, dict) else None
        for key, value in cast("dict[str, Any]", data).items() if isinstance(data, dict) else ():
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError, ValueError) as error:
                raise ValueError(f"data[{key!r}] is not base64; use stringData for plain text") from error
        return cast("Any", raw)

    @property
    def qualified_name(self) -> str:
        """As for every resource."""
        return qualified_name(self.metadata.namespace, self.metadata.name)

    def value(self, key: str) -> str | None:
        """The decoded value, or None where the Secret has no such key, or its value is no text."""
        if key in self.string_data:
            return self.string_data[key]
        try:
            return base64.b64decode(self.data[key]).decode() if key in self.data else None
        except UnicodeDecodeError:
            return None
