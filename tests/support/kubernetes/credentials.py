"""Keys, tokens and kubeconfigs of a test API server."""

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ADMIN, CONTROLLERS = "admin", "controllers"


@dataclass(frozen=True)
class Credentials:
    """Files below one directory. ``tokens`` by user; each of them may do everything."""

    directory: Path
    tokens: dict[str, str]

    def kubeconfig(self, name: str, server: str, token: str, namespace: str = "default") -> Path:
        """Write one for whoever holds ``token``; the certificate authority is embedded."""
        authority = base64.b64encode((self.directory / "ca.crt").read_bytes()).decode()
        cluster = {"server": server, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name, "namespace": namespace}}],
        }
        path = self.directory / f"{name}.kubeconfig"
        path.write_text(json.dumps(config, indent=2))
        path.chmod(0o600)
        return path


def create(directory: Path) -> Credentials:
    """A certificate authority, a serving certificate, the key that signs ServiceAccount tokens, and two users."""
    directory.mkdir(parents=True, mode=0o700)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.crt"))
    names = ("127.0.0.1", "localhost", "kubernetes.default.svc")
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (directory / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    tokens = {user: secrets.token_hex(16) for user in (ADMIN, CONTROLLERS)}
    lines = [f'{token},{user},{user},"system:masters"\n' for user, token in tokens.items()]
    (directory / "tokens.csv").write_text("".join(lines))
    return Credentials(directory, tokens)
