"""Stripe's errors, in the shape its SDK reads."""

from tollgate_sandbox.jsons import Json


class StripeError(Exception):
    """A refusal with everything the answer says."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **more: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.message = message
        self.param = param
        self.more = more

    def body(self) -> Json:
        """The answer's body."""
        named = {"code": self.code, "param": self.param, **self.more}
        return {
            "error": {
                **{name: value for name, value in named.items() if value is not None},
                "message": self.message,
                "type": self.kind,
            }
        }


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> StripeError:
    """A request that cannot be carried out."""
    return StripeError(400, message, code=code, param=param)


def missing(kind: str, id_: str, param: str, status: int = 400) -> StripeError:
    """An object that does not exist."""
    name = kind.replace("_", "").replace("checkout.session", "checkout.session")
    return StripeError(status, f"No such {name}: '{id_}'", code="resource_missing", param=param)
