"""Events and webhook endpoints."""

from fnmatch import fnmatchcase

import stripe.params as shapes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.stripe.calls import Call, Operation, assign
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.shapes import new_id


def list_events(call: Call) -> Json:
    """Events of the last days, by type and by whether every endpoint took them."""
    type_, types = call.params.get("type"), call.params.get("types")
    success = call.params.get("delivery_success")
    if type_ is not None and types is not None:
        raise invalid("You may pass either type or types, but not both.", param="types")

    def fits(event: Json) -> bool:
        if type_ is not None and not fnmatchcase(event["type"], type_):
            return False
        if types is not None and event["type"] not in types:
            return False
        return success is None or success == _delivered(call, event)

    return call.listed("event", where=fits)


def _delivered(call: Call, event: Json) -> bool:
    return all(delivery.state == "delivered" for delivery in call.world.deliveries.of(event["id"]))


def create_endpoint(call: Call) -> Json:
    """An endpoint; only this answer shows its secret."""
    if not call.params["url"].startswith(("http://", "https://")):
        raise invalid(
            "Invalid URL: an explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
    secret = new_id("whsec", 32)
    fields: Json = {
        "api_version": call.params.get("api_version"),
        "enabled_events": call.params["enabled_events"],
        "status": "enabled",
        "url": call.params["url"],
    }
    endpoint = call.world.new("webhook_endpoint", "we", fields, hidden={"secret": secret})
    assign(endpoint, call.params, ("description", "metadata"))
    return {**endpoint, "secret": secret}


def update_endpoint(call: Call) -> Json:
    """Change it; `disabled` is how it is switched off."""
    endpoint = call.named("webhook_endpoint")
    if "disabled" in call.params:
        endpoint["status"] = "disabled" if call.params["disabled"] else "enabled"
    assign(endpoint, call.params, ("description", "enabled_events", "metadata", "url"))
    return endpoint


def delete_endpoint(call: Call) -> Json:
    """Delete it."""
    endpoint = call.named("webhook_endpoint")
    call.store.remove(endpoint)
    return call.store.deleted[endpoint["id"]]


_ONE = "/v1/webhook_endpoints/{endpoint}"
OPERATIONS = (
    Operation("GET", "/v1/events", shapes.EventListParams, list_events),
    Operation("GET", "/v1/events/{event}", shapes.EventRetrieveParams, lambda call: call.named("event")),
    Operation("POST", "/v1/webhook_endpoints", shapes.WebhookEndpointCreateParams, create_endpoint),
    Operation(
        "GET",
        "/v1/webhook_endpoints",
        shapes.WebhookEndpointListParams,
        lambda call: call.listed("webhook_endpoint"),
    ),
    Operation("GET", _ONE, shapes.WebhookEndpointRetrieveParams, lambda call: call.named("webhook_endpoint")),
    Operation("POST", _ONE, shapes.WebhookEndpointUpdateParams, update_endpoint),
    Operation("DELETE", _ONE, shapes.WebhookEndpointDeleteParams, delete_endpoint),
)
