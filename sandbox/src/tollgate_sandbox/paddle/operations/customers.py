"""Customers, their addresses, businesses and credit."""

from typing import Any

from paddle_billing.Resources.Addresses.Operations import CreateAddress, ListAddresses, UpdateAddress
from paddle_billing.Resources.Businesses.Operations import CreateBusiness, ListBusinesses, UpdateBusiness
from paddle_billing.Resources.Customers.Operations import (
    CreateCustomer,
    ListCreditBalances,
    ListCustomers,
    UpdateCustomer,
)

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.calls import Answer, Call, Operation, assign, searched
from tollgate_sandbox.paddle.clientele import ADDRESS_FIELDS, new_address, new_customer, same_email
from tollgate_sandbox.paddle.credits import balances
from tollgate_sandbox.paddle.errors import bad_request, missing, refused
from tollgate_sandbox.paddle.ids import ADDRESS, BUSINESS, CUSTOMER

_CUSTOMER_FIELDS = ("email", "name", "custom_data", "locale", "status")
_BUSINESS_FIELDS = ("name", "company_number", "tax_identifier", "contacts", "custom_data", "status")


def _list(call: Call) -> Answer:
    found = call.store.all(CUSTOMER, None if "status" in call.query else _active)
    return call.listed(found, special={"search": searched("id", "name", "email")})


def _active(thing: Json) -> bool:
    """Lists leave out what is archived unless a status is asked for."""
    return bool(thing["status"] == "active")


def _create(call: Call) -> Answer:
    _check_email(call, None)
    fields = {name: call.params[name] for name in _CUSTOMER_FIELDS if name in call.params}
    return Answer(new_customer(call.world, fields), 201)


def _check_email(call: Call, own: Json | None) -> None:
    if "email" not in call.params:
        return
    email: str = call.params["email"]
    if "@" not in email:
        raise bad_request(("email", "must be an email address"))
    other = same_email(call.world, email)
    if other is not None and other is not own:
        detail = f"customer email conflicts with customer of id {other['id']}"
        raise refused("customer_already_exists", detail, 409)


def _update(call: Call) -> Json:
    customer = call.named(CUSTOMER)
    _check_email(call, customer)
    assign(customer, call.params, _CUSTOMER_FIELDS)
    call.world.touched(customer, "customer.updated")
    return customer


def _credit_balances(call: Call) -> Answer:
    wanted: list[str] | None = call.query.get("currency_code")
    found = balances(call.world, call.named(CUSTOMER))
    return Answer([one for one in found if wanted is None or one["currency_code"] in wanted])


def _its(call: Call, kind: str) -> Json:
    """A thing of the customer in the path."""
    found = call.named(kind, 1)
    if found["customer_id"] != call.named(CUSTOMER)["id"]:
        raise missing(found["id"])
    return found


def _list_of(kind: str, *search: str) -> Any:
    def act(call: Call) -> Answer:
        customer = call.named(CUSTOMER)
        found = call.store.all(
            kind, lambda one: one["customer_id"] == customer["id"] and ("status" in call.query or _active(one))
        )
        return call.listed(found, special={"search": searched("id", *search)})

    return act


def _create_address(call: Call) -> Answer:
    customer = call.named(CUSTOMER)
    fields = {name: call.params[name] for name in ADDRESS_FIELDS if name in call.params}
    return Answer(new_address(call.world, customer, fields), 201)


def _update_address(call: Call) -> Json:
    address = _its(call, ADDRESS)
    assign(address, call.params, (*ADDRESS_FIELDS, "status"))
    call.world.touched(address, "address.updated")
    return address


def _create_business(call: Call) -> Answer:
    frame: Json = {**dict.fromkeys(_BUSINESS_FIELDS), "contacts": [], "status": "active", "import_meta": None}
    made = call.world.made(BUSINESS, {"customer_id": call.named(CUSTOMER)["id"], **frame})
    assign(made, call.params, _BUSINESS_FIELDS)
    call.world.emit("business.created", made)
    return Answer(made, 201)


def _update_business(call: Call) -> Json:
    business = _its(call, BUSINESS)
    assign(business, call.params, _BUSINESS_FIELDS)
    call.world.touched(business, "business.updated")
    return business


_ONE = "/customers/{id}"
OPERATIONS = (
    Operation("GET", "/customers", _list, query=ListCustomers),
    Operation("POST", "/customers", _create, CreateCustomer),
    Operation("GET", _ONE, lambda call: call.named(CUSTOMER)),
    Operation("PATCH", _ONE, _update, UpdateCustomer),
    Operation("GET", f"{_ONE}/credit-balances", _credit_balances, query=ListCreditBalances),
    Operation("GET", f"{_ONE}/addresses", _list_of(ADDRESS, "first_line", "city", "postal_code"), query=ListAddresses),
    Operation("POST", f"{_ONE}/addresses", _create_address, CreateAddress),
    Operation("GET", f"{_ONE}/addresses/{{address}}", lambda call: _its(call, ADDRESS)),
    Operation("PATCH", f"{_ONE}/addresses/{{address}}", _update_address, UpdateAddress),
    Operation("GET", f"{_ONE}/businesses", _list_of(BUSINESS, "name", "tax_identifier"), query=ListBusinesses),
    Operation("POST", f"{_ONE}/businesses", _create_business, CreateBusiness),
    Operation("GET", f"{_ONE}/businesses/{{business}}", lambda call: _its(call, BUSINESS)),
    Operation("PATCH", f"{_ONE}/businesses/{{business}}", _update_business, UpdateBusiness),
)
