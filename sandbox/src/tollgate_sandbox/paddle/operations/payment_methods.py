"""Saved payment methods, and sessions of the customer portal."""

from paddle_billing.Resources.CustomerPortalSessions.Operations import CreateCustomerPortalSession
from paddle_billing.Resources.PaymentMethods.Operations import ListPaymentMethods
from starlette.responses import Response

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.calls import Answer, Call, Operation
from tollgate_sandbox.paddle.errors import bad_request, missing
from tollgate_sandbox.paddle.ids import CUSTOMER, PAYMENT_METHOD, PORTAL, SUBSCRIPTION
from tollgate_sandbox.paddle.listing import Filter
from tollgate_sandbox.paddle.saved import forget

_SPECIAL: dict[str, Filter] = {"supports_checkout": lambda _method, wanted: wanted[0] == "true"}


def _list(call: Call) -> Answer:
    customer = call.named(CUSTOMER)
    found = call.store.all(PAYMENT_METHOD, lambda one: bool(one["customer_id"] == customer["id"]))
    return call.listed(found, special=_SPECIAL)


def _get(call: Call) -> Json:
    method = call.named(PAYMENT_METHOD, 1)
    if method["customer_id"] != call.named(CUSTOMER)["id"]:
        raise missing(method["id"])
    return method


def _delete(call: Call) -> Response:
    forget(call.world, _get(call))
    return Response(status_code=204)


def _portal(call: Call) -> Answer:
    customer, base = call.named(CUSTOMER), call.world.base_url
    wanted: list[str] = call.params.get("subscription_ids") or []
    for at, id_ in enumerate(wanted):
        found = call.store.of_kind(SUBSCRIPTION, id_)
        if found is None or found["customer_id"] != customer["id"]:
            raise bad_request((f"subscription_ids.{at}", "must be a subscription of the customer"))
    made = call.world.new(PORTAL, {"customer_id": customer["id"], "created_at": call.world.time()})
    made["urls"] = {
        "general": {"overview": f"{base}/portal/{made['id']}"},
        "subscriptions": [
            {
                "id": id_,
                "cancel_subscription": f"{base}/portal/{made['id']}/subscriptions/{id_}/cancel",
                "update_subscription_payment_method": (
                    f"{base}/portal/{made['id']}/subscriptions/{id_}/update-payment-method"
                ),
            }
            for id_ in wanted
        ],
    }
    return Answer(made, 201)


_ALL = "/customers/{id}/payment-methods"
OPERATIONS = (
    Operation("GET", _ALL, _list, query=ListPaymentMethods),
    Operation("GET", f"{_ALL}/{{method}}", _get),
    Operation("DELETE", f"{_ALL}/{{method}}", _delete),
    Operation("POST", "/customers/{id}/portal-sessions", _portal, CreateCustomerPortalSession),
)
