"""A real Kubernetes API server for tests: its programs found or built, and a server started with them."""

from tests.support.kubernetes.apiserver import ApiServer
from tests.support.kubernetes.binaries import Binaries, BinariesUnavailableError, binaries
from tests.support.kubernetes.kubectl import KubectlError

__all__ = ["ApiServer", "Binaries", "BinariesUnavailableError", "KubectlError", "binaries"]
