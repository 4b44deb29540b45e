"""From what a witness saw to a usage event: pure, the same for meter, access log and deadline.

``plan`` knows what an endpoint's calls count, ``verdict`` what a response's end means, ``record`` writes the event;
``coverage`` tells what no metric counts.
"""

from tollgate_core.metering.coverage import uncounted_dimensions
from tollgate_core.metering.observation import Observation
from tollgate_core.metering.plan import (
    CallVariables,
    EndpointPlan,
    Measured,
    Measurement,
    Plans,
    Question,
    usage_scope,
)
from tollgate_core.metering.record import Draft, settle_request, usage_event
from tollgate_core.metering.verdict import Verdict, judge

__all__ = [
    "CallVariables",
    "Draft",
    "EndpointPlan",
    "Measured",
    "Measurement",
    "Observation",
    "Plans",
    "Question",
    "Verdict",
    "judge",
    "settle_request",
    "uncounted_dimensions",
    "usage_event",
    "usage_scope",
]
