"""Customers and addresses, made over the API or at a checkout."""

from tollgate_sandbox.jsons import Json
from tollgate_sandbox.paddle.ids import ADDRESS, CUSTOMER
from tollgate_sandbox.paddle.world import World

ADDRESS_FIELDS = (
    "country_code", "description", "first_line", "second_line", "city", "postal_code", "region", "custom_data",
)  # fmt: skip


def new_customer(world: World, fields: Json) -> Json:
    """A customer."""
    frame: Json = {
        "name": None,
        "email": None,
        "marketing_consent": False,
        "locale": "en",
        "custom_data": None,
        "import_meta": None,
    }
    made = world.made(CUSTOMER, {**frame, "status": "active", **fields})
    world.emit("customer.created", made)
    return made


def same_email(world: World, email: str) -> Json | None:
    """The customer with that address, archived or not."""
    found = world.store.all(CUSTOMER, lambda one: one["email"].lower() == email.lower())
    return found[0] if found else None


def new_address(world: World, customer: Json, fields: Json) -> Json:
    """An address of a customer."""
    frame: Json = {**dict.fromkeys(ADDRESS_FIELDS), "status": "active", "import_meta": None}
    made = world.made(ADDRESS, {"customer_id": customer["id"], **frame, **fields})
    world.emit("address.created", made)
    return made
