"""Customers."""

import stripe.params as shapes

from tollgate_sandbox.jsons import Json, as_object
from tollgate_sandbox.stripe.balances import book
from tollgate_sandbox.stripe.calls import Call, Operation, address, assign
from tollgate_sandbox.stripe.clientele import new_customer, remove_customer
from tollgate_sandbox.stripe.currencies import known
from tollgate_sandbox.stripe.errors import invalid, missing
from tollgate_sandbox.stripe.payment_methods import attach, resolve

_SIMPLE = (
    "description",
    "email",
    "name",
    "phone",
    "metadata",
    "invoice_prefix",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)


def create(call: Call) -> Json:
    """A customer, with a card if one is given."""
    method = resolve(call.world, call.params["payment_method"]) if call.params.get("payment_method") else None
    customer = new_customer(call.world, {})
    try:
        _change(call, customer)
        if method is not None:
            attach(call.world, method, customer)
    except Exception:
        call.store.remove(customer)
        raise
    call.world.emit("customer.created", customer)
    return customer


def retrieve(call: Call) -> Json:
    """A customer; of a deleted one only that it is."""
    return call.store.deleted.get(call.ids[0]) or call.named("customer")


def update(call: Call) -> Json:
    """Change what is given."""
    customer = call.named("customer")
    before = _change(call, customer)
    if before:
        call.world.emit("customer.updated", customer, before)
    return customer


def _change(call: Call, customer: Json) -> Json:
    params = call.params
    before = assign(customer, params, _SIMPLE)
    if "address" in params:
        before["address"], customer["address"] = customer["address"], address(params["address"])
    if "balance" in params:
        book(call.world, customer, params["balance"] - customer["balance"], customer["currency"] or "usd", "adjustment")
    settings = as_object(params.get("invoice_settings"))
    if settings.get("default_payment_method"):
        method = call.store.get("payment_method", settings["default_payment_method"], "default_payment_method")
        if method["customer"] != customer["id"]:
            raise invalid(
                "The customer does not have a payment method with the ID " + method["id"] + ".",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
    if settings:
        before["invoice_settings"] = dict(customer["invoice_settings"])
        customer["invoice_settings"] |= {name: value or None for name, value in settings.items()}
    return before


def delete(call: Call) -> Json:
    """Delete for good; subscriptions end, invoices stay as they are."""
    customer = call.named("customer")
    remove_customer(call.world, customer)
    return call.store.deleted[customer["id"]]


def create_balance_transaction(call: Call) -> Json:
    """Book on the balance by hand."""
    customer = call.named("customer")
    currency = known(call.params["currency"])
    booked = book(call.world, customer, call.params["amount"], currency, "adjustment")
    assign(booked, call.params, ("description", "metadata"))
    call.world.emit("customer.updated", customer)
    return booked


def list_balance_transactions(call: Call) -> Json:
    """The balance's bookings."""
    customer = call.named("customer")
    return call.listed("customer_balance_transaction", where=lambda one: one["customer"] == customer["id"])


def list_methods(call: Call) -> Json:
    """The customer's cards."""
    customer = call.named("customer")
    return call.listed("payment_method", "type", where=lambda one: one["customer"] == customer["id"])


def retrieve_method(call: Call) -> Json:
    """One of the customer's cards."""
    method = call.named("payment_method", 1)
    if method["customer"] != call.named("customer")["id"]:
        raise missing("payment_method", method["id"], "payment_method", 404)
    return method


OPERATIONS = (
    Operation("POST", "/v1/customers", shapes.CustomerCreateParams, create),
    Operation("GET", "/v1/customers", shapes.CustomerListParams, lambda call: call.listed("customer", "email")),
    Operation("GET", "/v1/customers/search", shapes.CustomerSearchParams, lambda call: call.searched("customer")),
    Operation("GET", "/v1/customers/{customer}", shapes.CustomerRetrieveParams, retrieve),
    Operation("POST", "/v1/customers/{customer}", shapes.CustomerUpdateParams, update),
    Operation("DELETE", "/v1/customers/{customer}", shapes.CustomerDeleteParams, delete),
    Operation(
        "POST",
        "/v1/customers/{customer}/balance_transactions",
        shapes.CustomerBalanceTransactionCreateParams,
        create_balance_transaction,
    ),
    Operation(
        "GET",
        "/v1/customers/{customer}/balance_transactions",
        shapes.CustomerBalanceTransactionListParams,
        list_balance_transactions,
    ),
    Operation("GET", "/v1/customers/{customer}/payment_methods", shapes.CustomerPaymentMethodListParams, list_methods),
    Operation(
        "GET",
        "/v1/customers/{customer}/payment_methods/{method}",
        shapes.CustomerPaymentMethodRetrieveParams,
        retrieve_method,
    ),
)
