"""What Paddle's script does in a browser: with the public token of an account, anybody can begin a transaction of its
prices, and write into its ``custom_data`` what he likes."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tollgate_sandbox.paddle.catalog import currency_of, resolve
from tollgate_sandbox.paddle.errors import PaddleError
from tollgate_sandbox.paddle.rendering import show_transaction
from tollgate_sandbox.paddle.transacting import WEB, Beginning, begin
from tollgate_sandbox.paddle.world import World


async def open_checkout(world: World, request: Request) -> Response:
    """``{"items": [{"price_id", "quantity"}], "custom_data"}`` becomes a transaction, as with
    ``Paddle.Checkout.open``."""
    try:
        asked = json.loads(await request.body())
        items = resolve(world, [{"quantity": 1, **item} for item in asked["items"]])
        given = Beginning(items, currency_of(items, None), origin=WEB, custom_data=asked.get("custom_data"))
        made = begin(world, given)
    except (PaddleError, ValueError, KeyError, TypeError) as error:
        return JSONResponse({"error": f"this opens no checkout: {error}"}, 400)
    finally:
        world.changed()
    return JSONResponse({"data": show_transaction(world, made, [])}, 201)
