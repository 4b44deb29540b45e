"""CEL and jq: compiled once, checked when the manifest is read, evaluated per request.

Nothing here knows a manifest's shape or a wire format's fields: callers hand in the names that may be used.
"""

from tollgate_core.expressions.captures import Capture, CapturedExpression, capture_request_part
from tollgate_core.expressions.cel_expression import CelExpression, Scope, admit_cel, compile_cel
from tollgate_core.expressions.jq_program import JqProgram, admit_jq

__all__ = [
    "Capture",
    "CapturedExpression",
    "CelExpression",
    "JqProgram",
    "Scope",
    "admit_cel",
    "admit_jq",
    "capture_request_part",
    "compile_cel",
]
