"""From a client's request to what would go up: rejection rules, the metrics' request side, transformations.

Nothing here knows keys, limits or subscriptions, so ``tollgate probe`` runs the same code on its own test calls.
"""

from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from tollgate_core.catalog import Product
from tollgate_core.errors import BudgetError, ExpressionError
from tollgate_core.metering import EndpointPlan
from tollgate_core.metering.plan import MAX_CAPTURE_BYTES
from tollgate_extproc.budget.evaluate import Expressions, Place
from tollgate_extproc.gate.compiled import GateRules
from tollgate_extproc.gate.denial import Denial
from tollgate_extproc.gate.request import Request
from tollgate_extproc.gate.transform import TransformationError

_log = structlog.get_logger("gate")


@dataclass(frozen=True)
class Prepared:
    """``client`` is the JSON body as sent, ``body`` as transformed."""

    client: dict[str, Any] | None
    body: dict[str, Any] | None
    captured: dict[str, Any]


async def prepare(rules: GateRules, plan: EndpointPlan, product: Product, request: Request) -> Prepared | Denial:
    """Change the request in place, or say why it is refused."""
    request.params = rules.path_parameters(plan, request.path)
    client = request.json_object
    if plan.format is not None:
        malformed = _malformed(request, client)
        if malformed:
            return malformed
    try:
        captured = await _apply_expressions(rules, plan, product, request)
    except BudgetError as error:
        return _over_budget(error)
    except TransformationError as error:
        _log.warning("transformation failed", endpoint=plan.endpoint.id, place=str(error))
        return Denial(400, "transformation_failed", "The request cannot be transformed as this API declares.")
    if isinstance(captured, Denial):
        return captured
    body = request.json_object
    if plan.format is not None and body is None:
        return Denial(400, "invalid_json", "The transformed body is no JSON object.")
    return Prepared(client, body, captured)


async def _apply_expressions(
    rules: GateRules, plan: EndpointPlan, product: Product, request: Request
) -> dict[str, Any] | Denial:
    """Rejects or captures, then transforms. Raises BudgetError and TransformationError."""
    rejected = await rules.rejector(plan.api).reject(request, plan.endpoint.id)
    if rejected:
        return rejected
    captured = await _capture(plan, request, rules.expressions)
    if not isinstance(captured, Denial):
        await rules.api_transformer(plan.api).apply(request, plan.endpoint.id)
        await rules.product_transformer(product).apply(request, plan.endpoint.id)
    return captured


def _malformed(request: Request, client: dict[str, Any] | None) -> Denial | None:
    """What an upstream might read in another way than the gate does."""
    if request.headers.get("content-encoding", "identity") != "identity":
        return Denial(415, "unsupported_encoding", "Send the body without a content-encoding.")
    if client is None:
        return Denial(400, "invalid_json", "The body must be a JSON object.")
    if not isinstance(client.get("stream", False), bool | None):
        return Denial(400, "invalid_json", "stream must be true or false.")
    try:
        orjson.dumps(client)
    except TypeError:
        return Denial(400, "invalid_json", "The body is nested too deeply.")
    return None


def _over_budget(error: BudgetError) -> Denial:
    """The fault is in the API's own manifest, or in how much there is to do; not in the request."""
    text = f"This API cannot process the request: {error}"
    return Denial(503, "expression_not_run", text, 1000) if error.passing else Denial(500, "expression_stopped", text)


async def _capture(plan: EndpointPlan, request: Request, expressions: Expressions) -> dict[str, Any] | Denial:
    """The request side of the metrics' expressions. A part that cannot be computed is refused: a client could else
    choose requests that nobody can meter."""
    captured: dict[str, Any] = {}
    variables = request.variables() if plan.captures else {}
    for capture in plan.captures:
        place = Place(f"API {plan.api.name}", f"the metering expression {capture.key}")
        try:
            value = await expressions.cel(capture.expression, variables, place)
            size = len(orjson.dumps(value))
        except BudgetError:
            raise
        except (ExpressionError, TypeError):  # its words may hold parts of the request
            _log.info("unmeterable request", endpoint=plan.endpoint.id, expression=capture.key)
            text = f"{capture.key} cannot be computed from this request, and this API's metering needs it."
            return Denial(400, "unmeterable_request", text)
        if size > MAX_CAPTURE_BYTES:
            text = f"{capture.key} is larger than {MAX_CAPTURE_BYTES} bytes, and this API's metering needs it."
            return Denial(400, "metered_value_too_large", text)
        captured[capture.key] = value
    return captured
