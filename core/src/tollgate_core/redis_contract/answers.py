"""Reading what a Redis client hands back, whatever its declared types: our clients are set to give bytes."""


def raw(answer: object) -> bytes:
    """A bulk string."""
    if isinstance(answer, bytes):
        return answer
    return str(answer).encode()


def text(answer: object) -> str:
    """A bulk string as text."""
    return raw(answer).decode()
