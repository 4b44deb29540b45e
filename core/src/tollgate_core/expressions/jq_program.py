"""jq programs, for transformations. The input is ``{path: {params}, request: {remote_addr, headers, query, body}}``."""

from collections.abc import Mapping

import jq
import orjson

from tollgate_core.errors import ExpressionError
from tollgate_core.expressions.bounds import check_jq

#: A program is a tenant's: it sees the request, and nothing of the process that runs it, whose environment holds keys.
#: Nor can it import a file: imports only stand at a program's very beginning.
_CONFINED = "def env: {{}}; {{}} as $ENV | (\n{source}\n)"


class JqProgram:
    """A compiled jq program."""

    __slots__ = ("_program", "source")

    def __init__(self, source: str) -> None:
        try:
            jq.compile(source)  # as it was written: for the error's line, and so that it is whole by itself
            self._program = jq.compile(_CONFINED.format(source=source))
        except ValueError as error:
            lines = str(error).strip().splitlines()
            raise ExpressionError(lines[0][:300] if lines else "jq: does not compile") from error
        self.source = source

    def first(self, value: Mapping[str, object]) -> object:
        """The program's first output. Raises ExpressionError where it fails or yields nothing."""
        # orjson writes and jq reads: three times as fast as handing over a Python object.
        return self.first_of(orjson.dumps(value).decode())

    def first_of(self, document: str) -> object:
        """The same, of a JSON text."""
        try:
            return self._program.input_text(document).first()
        except StopIteration as error:
            raise ExpressionError(f"jq {self.source!r} gave no output") from error
        except (ValueError, TypeError) as error:
            raise ExpressionError(f"jq {self.source!r} failed: {str(error)[:200]}") from error


def admit_jq(source: str) -> JqProgram:
    """For manifests that are new: compile; raises ExpressionError with jq's own message, or with what would take too
    long."""
    check_jq(source)
    return JqProgram(source)
