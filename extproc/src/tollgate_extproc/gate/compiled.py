"""What the gate compiles of a catalog, kept while the catalog's records live."""

import re
from typing import TypeVar
from weakref import WeakKeyDictionary

from tollgate_core.catalog import Api, Product
from tollgate_core.metering import EndpointPlan
from tollgate_extproc.budget.evaluate import Expressions
from tollgate_extproc.gate.transform import Rejector, Transformer

ValueT = TypeVar("ValueT")


class GateRules:
    """Compiled rejection rules, transformations and path patterns, by the record they come from."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self._rejectors: dict[tuple[str, str], Rejector] = {}
        self._transformers: dict[tuple[str, str], Transformer] = {}
        self._patterns: WeakKeyDictionary[EndpointPlan, re.Pattern[str]] = WeakKeyDictionary()

    def rejector(self, api: Api) -> Rejector:
        """Of an API."""
        key = (api.name, repr(api.rejections))
        if key not in self._rejectors:
            _trim(self._rejectors)
            self._rejectors[key] = Rejector(api.rejections, f"API {api.name}", self.expressions)
        return self._rejectors[key]

    def api_transformer(self, api: Api) -> Transformer:
        """Of an API."""
        return self._transformer(f"API {api.name}", api)

    def product_transformer(self, product: Product) -> Transformer:
        """Of a product."""
        return self._transformer(f"Product {product.name}", product)

    def _transformer(self, name: str, owner: Api | Product) -> Transformer:
        key = (name, repr(owner.transformations))
        if key not in self._transformers:
            _trim(self._transformers)
            self._transformers[key] = Transformer(owner.transformations, name, self.expressions)
        return self._transformers[key]

    def path_parameters(self, plan: EndpointPlan, path: str) -> dict[str, str]:
        """The path's parameters; Envoy has matched the same pattern."""
        pattern = self._patterns.get(plan)
        if pattern is None:
            pattern = self._patterns[plan] = re.compile(plan.endpoint.pattern)
        match = pattern.fullmatch(path)
        return match.groupdict() if match else {}


def _trim(compiled: dict[tuple[str, str], ValueT]) -> None:
    """Edits leave old versions behind; none is needed for long."""
    while len(compiled) >= 1024:
        del compiled[next(iter(compiled))]
