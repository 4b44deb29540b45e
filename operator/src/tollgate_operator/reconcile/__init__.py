"""Pure: resources in; the effective resources, a catalog and statuses out. A bad resource never stops a good one."""

from tollgate_operator.reconcile.catalog_builder import build_catalog
from tollgate_operator.reconcile.resolve import Effective, ResourceKey, resolve
from tollgate_operator.reconcile.status import Condition, Status
from tollgate_operator.reconcile.upstreams import UpstreamPolicy

__all__ = ["Condition", "Effective", "ResourceKey", "Status", "UpstreamPolicy", "build_catalog", "resolve"]
