"""BillableMetric: what is counted."""

from typing import Annotated, Literal

from pydantic import Field

from tollgate_core.manifests.base import CelSource, EndpointSelector, Model, Resource
from tollgate_core.manifests.rules import immutable

DEFAULT_WHEN = "response.statusCode >= 200 && response.statusCode < 300"


class MetricUsage(Model):
    """How much one call of these endpoints counts."""

    endpoints: Annotated[list[EndpointSelector], Field(min_length=1, max_length=64, description="Calls that count.")]
    quantity: Annotated[
        CelSource, Field(description="CEL over usage(), <format>_usage(), request, response, path; a number.")
    ] = "1"
    when: Annotated[CelSource, Field(description="CEL; only calls for which it is true count.")] = DEFAULT_WHEN


class BillableMetricSpec(Model):
    """What a metric is."""

    display_name: Annotated[str | None, Field(max_length=128, description="Name for people.")] = None
    unit: Annotated[str, Field(max_length=32, description="What one unit is called, for example token.")] = "unit"
    aggregation: Annotated[
        Literal["sum", "count", "max", "last", "unique"],
        Field(
            description="How calls add up in a period: the sum of their quantities, how many calls, the largest "
            "quantity, the latest one, or how many different ones."
        ),
        immutable("cannot be changed: what was counted before would add up in another way; make another metric"),
    ] = "sum"
    usage: Annotated[list[MetricUsage], Field(min_length=1, max_length=64, description="What counts.")]


class BillableMetric(Resource[BillableMetricSpec]):
    """What is counted."""

    kind: Literal["BillableMetric"] = "BillableMetric"
