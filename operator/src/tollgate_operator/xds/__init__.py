"""Our ADS server: state of the world, one stream per Envoy, ACKs and NACKs reported back."""

from tollgate_operator.xds.server import AdsServer
from tollgate_operator.xds.snapshot import Acknowledgement, Snapshot, SnapshotCache

__all__ = ["Acknowledgement", "AdsServer", "Snapshot", "SnapshotCache"]
