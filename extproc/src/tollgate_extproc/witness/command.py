"""The command ``tollgate-witness [drain]``: the witness, or the request to one that runs."""

import sys

from tollgate_extproc.witness import drain_request


def main() -> None:
    """Without an argument it serves."""
    if sys.argv[1:] == ["drain"]:
        sys.exit(drain_request.main())
    # Only now: a hook must not wait for libraries that it does not need.
    from tollgate_extproc.witness.main import main as serve  # noqa: PLC0415

    serve()
