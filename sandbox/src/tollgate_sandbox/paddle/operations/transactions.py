"""Transactions."""

from paddle_billing.Resources.Transactions.Operations import (
    CreateTransaction,
    GetTransactionInvoice,
    ListTransactions,
    PreviewTransaction,
    PreviewTransactionByAddress,
    PreviewTransactionByCustomer,
    PreviewTransactionByIP,
    ReviseTransaction,
    UpdateTransaction,
)
from paddle_billing.Resources.Transactions.Operations.List.Includes import Includes

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.calls import Answer, Call, Operation, assign
from tollgate_sandbox.paddle.catalog import currency_of, cycle_of, resolve
from tollgate_sandbox.paddle.details import preview, trial_items
from tollgate_sandbox.paddle.errors import bad_request, refused
from tollgate_sandbox.paddle.ids import ADDRESS, BUSINESS, CUSTOMER, TRANSACTION
from tollgate_sandbox.paddle.rendering import show_transaction
from tollgate_sandbox.paddle.subscribing import call_off
from tollgate_sandbox.paddle.transacting import OPEN, Beginning, begin, bill, changed, check_smallest

MOST = 30
"""Transactions come in smaller pages than everything else."""
_TOO_LITTLE = "transaction_balance_less_than_charge_limit"
_SIMPLE = ("customer_id", "address_id", "business_id", "custom_data", "collection_mode", "billing_period")


def _list(call: Call) -> Answer:
    return call.listed(
        call.store.all(TRANSACTION), lambda one: show_transaction(call.world, one, call.include), most=MOST
    )


def _create(call: Call) -> Answer:
    params = call.params
    items = resolve(call.world, params["items"])
    cycle_of(items)
    currency = currency_of(items, params.get("currency_code"))
    customer, address, business = _parties(call)
    status = params.get("status")
    if status not in {None, "draft", "ready", "billed"}:
        raise refused("transaction_invalid_status_change", f"a transaction cannot begin as {status}")
    total = int(preview(call.world, trial_items(items), currency, located=address is not None)["totals"]["total"])
    check_smallest(total, currency, _TOO_LITTLE)
    made = begin(
        call.world,
        Beginning(
            items,
            currency,
            customer=_id(customer),
            address=_id(address),
            business=_id(business),
            custom_data=params.get("custom_data"),
            billing_period=params.get("billing_period"),
            billing_details=_billing_details(params.get("billing_details")),
            collection_mode=params.get("collection_mode", "automatic"),
            checkout_url=_checkout_url(params.get("checkout")),
        ),
    )
    if status == "billed":
        bill(call.world, made)
    return Answer(show_transaction(call.world, made, call.include), 201)


def _parties(call: Call) -> tuple[Json | None, Json | None, Json | None]:
    customer = call.referenced(CUSTOMER, "customer_id")
    address, business = call.referenced(ADDRESS, "address_id"), call.referenced(BUSINESS, "business_id")
    for name, one in (("address_id", address), ("business_id", business)):
        if one is not None and (customer is None or one["customer_id"] != customer["id"]):
            raise bad_request((name, "must belong to the customer in customer_id"))
    return customer, address, business


def _id(thing: Json | None) -> str | None:
    return None if thing is None else str(thing["id"])


def _billing_details(given: Json | None) -> Json | None:
    frame: Json = {"enable_checkout": False, "purchase_order_number": None, "additional_information": None}
    return None if given is None else {**frame, **given}


def _checkout_url(given: Json | None) -> str | None:
    url: str | None = (given or {}).get("url")
    if url is not None and not url.startswith(("http://", "https://")):
        raise bad_request(("checkout.url", "must be a URL"))
    return url


def _update(call: Call) -> Json:
    transaction, params = call.named(TRANSACTION), call.params
    wanted: str | None = params.get("status")
    if wanted == "canceled":
        call_off(call.world, transaction)
        return show_transaction(call.world, transaction, call.include)
    if transaction["status"] not in OPEN:
        raise refused("transaction_immutable", f"transaction is {transaction['status']} and cannot be changed")
    if wanted not in {None, "billed", transaction["status"]}:
        raise refused("transaction_invalid_status_change", f"{transaction['status']} cannot become {wanted}")
    if "items" in params:
        transaction["items"] = resolve(call.world, params["items"])
        transaction["currency_code"] = currency_of(transaction["items"], params.get("currency_code"))
        cycle_of(transaction["items"])
    if "customer_id" in params:
        _parties(call)
    assign(transaction, params, _SIMPLE)
    if "billing_details" in params:
        transaction["billing_details"] = _billing_details(params["billing_details"])
    if "checkout" in params:
        call.world.hidden(transaction)["checkout_url"] = _checkout_url(params["checkout"])
    changed(call.world, transaction)
    if wanted == "billed":
        bill(call.world, transaction)
    return transaction


def _revise(call: Call) -> Json:
    """Correct names and addresses on a finished invoice."""
    transaction = call.named(TRANSACTION)
    if transaction["status"] not in {"billed", "completed"} or transaction["revised_at"]:
        raise refused("transaction_cannot_be_revised", "only billed or completed transactions are revised, and once")
    for name, kind in (("customer", CUSTOMER), ("address", ADDRESS), ("business", BUSINESS)):
        thing = call.store.of_kind(kind, transaction[f"{name}_id"])
        if thing is not None and name in call.params:
            assign(thing, call.params[name], call.params[name])
    transaction["revised_at"] = call.world.time()
    call.world.touched(transaction, "transaction.revised")
    return transaction


def _invoice(call: Call) -> Json:
    transaction = call.named(TRANSACTION)
    if transaction["invoice_number"] is None:
        raise refused("transaction_invoice_not_found", "there is no invoice before a transaction is billed", 404)
    return {"url": f"{call.world.base_url}/invoices/{transaction['id']}.pdf"}


def _preview(call: Call) -> Json:
    params = call.params
    items = resolve(call.world, params["items"])
    flags = [item.get("include_in_totals") is not False for item in params["items"]]
    currency = currency_of(items, params.get("currency_code"))
    counted = [item for item, flag in zip(items, flags, strict=True) if flag]
    if not params.get("ignore_trials"):
        counted = trial_items(counted)
    located = any(params.get(name) for name in ("address", "address_id", "customer_ip_address"))
    return {
        **{name: params.get(name) for name in ("customer_id", "address_id", "business_id", "customer_ip_address")},
        "address": params.get("address"),
        "currency_code": currency,
        "discount_id": None,
        "ignore_trials": params.get("ignore_trials", False),
        "items": [{**item, "include_in_totals": flag} for item, flag in zip(items, flags, strict=True)],
        "details": preview(call.world, counted, currency, located=located),
        "available_payment_methods": ["card"],
    }


OPERATIONS = (
    Operation("GET", "/transactions", _list, query=ListTransactions),
    Operation("POST", "/transactions", _create, CreateTransaction, include=Includes),
    Operation(
        "POST",
        "/transactions/preview",
        _preview,
        bodies=(
            PreviewTransaction,
            PreviewTransactionByAddress,
            PreviewTransactionByCustomer,
            PreviewTransactionByIP,
        ),
    ),
    Operation(
        "GET",
        "/transactions/{id}",
        lambda call: show_transaction(call.world, call.named(TRANSACTION), call.include),
        include=Includes,
    ),
    Operation("PATCH", "/transactions/{id}", _update, UpdateTransaction, include=Includes),
    Operation("GET", "/transactions/{id}/invoice", _invoice, query=GetTransactionInvoice),
    Operation("POST", "/transactions/{id}/revise", _revise, ReviseTransaction),
)
