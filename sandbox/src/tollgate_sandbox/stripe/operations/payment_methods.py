"""Payment methods."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.calls import Call, Operation, address, assign
from tollgate_sandbox.stripe.errors import invalid
from tollgate_sandbox.stripe.payment_methods import attach, detach, from_card_params, resolve


def create(call: Call) -> Json:
    """A card, by number or token."""
    if call.params.get("type", "card") != "card" or "card" not in call.params:
        raise invalid("The simulator knows only cards.", param="type")
    method = from_card_params(call.world, call.params["card"], call.params.get("billing_details"))
    assign(method, call.params, ("metadata",))
    return method


def update(call: Call) -> Json:
    """Change the holder's details."""
    method = call.named("payment_method")
    before = assign(method, call.params, ("metadata",))
    billing = dict(as_object(call.params.get("billing_details")))
    if "address" in billing:
        billing["address"] = address(billing["address"])
    if billing:
        method["billing_details"] = method["billing_details"] | billing
    call.world.emit("payment_method.updated", method, before)
    return method


def attach_to(call: Call) -> Json:
    """Save it to a customer."""
    customer = call.store.get("customer", call.params["customer"], "customer")
    method = resolve(call.world, call.ids[0])
    if call.store.hidden[method["id"]].get("detached"):
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a"
            " Customer, and may not be used again.",
            code="payment_method_unexpected_state",
        )
    attach(call.world, method, customer)
    return method


def detach_from(call: Call) -> Json:
    """Take it off its customer."""
    method = call.named("payment_method")
    detach(call.world, method)
    return method


def list_(call: Call) -> Json:
    """The cards of a customer."""
    return call.listed("payment_method", "customer", "type", where=lambda one: one["customer"] is not None)


OPERATIONS = (
    Operation("POST", "/v1/payment_methods", shapes.PaymentMethodCreateParams, create),
    Operation("GET", "/v1/payment_methods", shapes.PaymentMethodListParams, list_),
    Operation(
        "GET",
        "/v1/payment_methods/{method}",
        shapes.PaymentMethodRetrieveParams,
        lambda call: resolve(call.world, call.ids[0]),
    ),
    Operation("POST", "/v1/payment_methods/{method}", shapes.PaymentMethodUpdateParams, update),
    Operation("POST", "/v1/payment_methods/{method}/attach", shapes.PaymentMethodAttachParams, attach_to),
    Operation("POST", "/v1/payment_methods/{method}/detach", shapes.PaymentMethodDetachParams, detach_from),
)
