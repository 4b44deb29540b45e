"""The operator's own certificate, for Envoy (mutual TLS) and for the API server; taken anew when it was renewed."""

import ssl
import tempfile
from pathlib import Path

import grpc

from tollgate_operator.cluster.bootstrap import Data


class ServerCertificate:
    """``update`` changes what new connections see; open ones stay."""

    def __init__(self, data: Data) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(self.context, data)
        self._data = data

    @property
    def authority(self) -> bytes:
        """PEM of who signed it."""
        return self._data["ca.crt"]

    def update(self, data: Data) -> None:
        """Take another one. Raises KeyError or ssl.SSLError for one that cannot be used; then the old one stays."""
        if data != self._data:
            # Elsewhere first: a certificate without its key would break the context that serves.
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), data)
            _load(self.context, data)
            self._data = data

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Only clients with a certificate of the same authority are let in."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(), self._configuration, require_client_authentication=True
        )

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        pair = (self._data["tls.key"], self._data["tls.crt"])
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=self.authority)


def _load(context: ssl.SSLContext, data: Data) -> None:
    # ssl wants files. They are ours alone and gone at once.
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = Path(directory, "tls.crt"), Path(directory, "tls.key")
        certificate.write_bytes(data["tls.crt"])
        key.touch(0o600)
        key.write_bytes(data["tls.key"])
        context.load_cert_chain(certificate, key)
