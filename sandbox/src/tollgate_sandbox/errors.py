"""The ways an exchange ends early."""


class RefusedError(Exception):
    """An answer with an error status; each format writes it in its own shape."""

    def __init__(self, status: int, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param


class DisconnectedError(Exception):
    """The client went away, or the script aborted the connection; nothing more can be said."""
