"""Our ADS server: incremental, one stream per Envoy, ACKs and NACKs reported back."""

from tollgate_operator.xds.server import AdsServer
from tollgate_operator.xds.snapshot import Report, Snapshot, SnapshotCache, words_on

__all__ = ["AdsServer", "Report", "Snapshot", "SnapshotCache", "words_on"]
