"""The ASGI application of the simulated Paddle."""

from starlette.routing import Route

from tollgate_sandbox.paddle.api import Api
from tollgate_sandbox.paddle.pages.routes import page_routes
from tollgate_sandbox.paddle.settings import PaddleSettings
from tollgate_sandbox.paddle.simulator import Simulator
from tollgate_sandbox.paddle.table import OPERATIONS
from tollgate_sandbox.payments.app import PaymentApp


class PaddleApp(PaymentApp):
    """A simulated account behind HTTP; pages first, for Paddle's API begins at the root."""

    def __init__(self, settings: PaddleSettings) -> None:
        simulator = Simulator(settings)
        api = Api(simulator, OPERATIONS)
        everything = Route("/{rest:path}", api.__call__, methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
        super().__init__(simulator, [*page_routes(simulator), everything], api.ignored)
