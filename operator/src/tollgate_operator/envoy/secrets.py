"""SDS: upstream credentials and certificate authorities. The only place where a secret's value meets Envoy."""

import envoy_data_plane.envoy.config.core.v3 as core
import envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 as tls

from tollgate_core.manifests import API
from tollgate_operator.envoy.settings import GATEWAY_SECRET, GatewaySettings, secret_name
from tollgate_operator.reconcile.index import Index


def gateway_secrets(settings: GatewaySettings) -> list[tls.Secret]:
    """The gateway's own certificate, where it is known."""
    if settings.certificate is None:
        return []
    chain, key = (core.DataSource(inline_string=text) for text in settings.certificate)
    return [
        tls.Secret(name=GATEWAY_SECRET, tls_certificate=tls.TlsCertificate(certificate_chain=chain, private_key=key))
    ]


def api_secrets(api: API, index: Index) -> list[tls.Secret]:
    """The secrets that an API's cluster names."""
    secrets: list[tls.Secret] = []
    if api.spec.credential:
        value = index.secret_value(api, api.spec.credential.secret_key_ref)
        if value is not None:
            generic = tls.GenericSecret(secret=core.DataSource(inline_string=value))
            secrets.append(tls.Secret(name=secret_name(api.qualified_name, "credential"), generic_secret=generic))
    if api.spec.upstream.tls.ca_secret_key_ref:
        pem = index.secret_value(api, api.spec.upstream.tls.ca_secret_key_ref)
        if pem is not None:
            trusted = tls.CertificateValidationContext(trusted_ca=core.DataSource(inline_string=pem))
            secrets.append(tls.Secret(name=secret_name(api.qualified_name, "ca"), validation_context=trusted))
    return secrets
