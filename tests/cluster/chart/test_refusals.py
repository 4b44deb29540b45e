"""Nonsense is refused when it is installed, with words that name the value."""

import pytest

from tests.support.helm import Helm, HelmError

REFUSED = {
    # The schema
    "unknown=1": "additional properties 'unknown' not allowed",
    "gateway.replica=2": "at '/gateway': additional properties 'replica' not allowed",
    "gateway.replicas=0": "'/gateway/replicas': minimum: got 0, want 1",
    "gateway.replicas=two": "'/gateway/replicas': got string, want integer",
    "gateway.accessLogSize=lots": "'/gateway/accessLogSize': 'lots' does not match pattern",
    "gateway.resources.requests.cpu=1": "at '/gateway': additional properties 'resources' not allowed",
    "gateway.envoy.resources.request.cpu=1": "additional properties 'request' not allowed",
    "gateway.envoy.logLevel=verbose": "'/gateway/envoy/logLevel': value must be one of 'trace'",
    "gateway.envoy.concurrency=0": "'/gateway/envoy/concurrency': minimum",
    "podSecurityContext.runAsUser=0": "'/podSecurityContext/runAsUser': minimum: got 0, want 1",
    "gateway.service.type=ExternalName": "'/gateway/service/type': value must be one of 'ClusterIP'",
    "gateway.service.httpPort=70000": "'/gateway/service/httpPort': maximum",
    "gateway.podDisruptionBudget.maxUnavailable=half": "'/gateway/podDisruptionBudget/maxUnavailable'",
    "image.pullPolicy=Sometimes": "'/image/pullPolicy': value must be one of 'Always'",
    "image.digests.operator=sha256:1": "'/image/digests/operator': 'sha256:1' does not match pattern",
    "image.registry=https://ghcr.io": "'/image/registry': 'https://ghcr.io' does not match pattern",
    "fullnameOverride=Not_A_Name": "'/fullnameOverride': 'Not_A_Name' does not match pattern",
    "watchNamespaces={team_a}": "'/watchNamespaces/0': 'team_a' does not match pattern",
    "watchNamespaces={a,a}": "'/watchNamespaces': items at 0 and 1 are equal",
    "redis.url=redis.example.com:6379": "'/redis/url': 'redis.example.com:6379' does not match pattern",
    "database.url=mysql://host/name": "'/database/url': 'mysql://host/name' does not match pattern",
    "sandbox.enabled=maybe": "'/sandbox/enabled': got string, want boolean",
    "monitoring.interval=often": "'/monitoring/interval': 'often' does not match pattern",
    "billing.extraEnv[0].value=1": "missing property 'name'",
    "networkPolicy.dns.ports={dns}": "'/networkPolicy/dns/ports/0': got string, want integer",
    "ingress.hosts={http://a}": "'/ingress/hosts/0': 'http://a' does not match pattern",
    # Contradictions
    "billing.replicas=2": "billing.replicas is greater than 1, but the ledger is SQLite",
    "billing.autoscaling.enabled=true": "billing.autoscaling.enabled needs PostgreSQL",
    "database.url=postgresql://h/d,database.existingSecret.name=s": "database.url and database.existingSecret.name are",
    "redis.url=redis://h,redis.existingSecret.name=s,valkey.enabled=false": "redis.url and redis.existingSecret.name",
    "redis.url=redis://h": "valkey.enabled is true and redis names another server",
    "valkey.enabled=false": "valkey.enabled is false and redis names no other server",
    "valkey.enabled=false,redis.url=redis://h:7000": "redis.url uses port 7000, which networkPolicy.redis.ports does",
    "database.url=postgres://u:p@h:6432/d": "database.url uses port 6432, which networkPolicy.database.ports does not",
    "gateway.drainSeconds=620": "gateway.terminationGracePeriodSeconds must be at least 45 greater than",
    "gateway.autoscaling.enabled=true,gateway.autoscaling.minReplicas=20": "gateway.autoscaling.minReplicas is greater",
    "httpRoute.enabled=true": "httpRoute.enabled needs httpRoute.parentRefs",
    "ingress.enabled=true": "ingress.enabled needs ingress.hosts",
    "webhooks.ingress.enabled=true": "webhooks.ingress.enabled needs webhooks.ingress.hosts",
    "gateway.service.nodePort=30080": "gateway.service.nodePort needs gateway.service.type",
    "gateway.service.externalTrafficPolicy=Local": "gateway.service.externalTrafficPolicy needs",
    "gateway.service.loadBalancerClass=x": "loadBalancerClass and loadBalancerSourceRanges need",
    "image.tag=latest": "image.tag is latest",
    "valkey.image.tag=latest": "valkey.image.tag is latest",
    "tls.existingSecrets.billing=mine": "name all three or none",
}


@pytest.mark.parametrize("values", REFUSED)
def test_nonsense_is_refused(helm: Helm, values: str) -> None:
    with pytest.raises(HelmError) as refused:
        helm.template("--set", values)
    assert REFUSED[values] in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        "gateway.envoy.resources.limits=null",
        "global.anything=1",
        "podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null,podSecurityContext.fsGroup=null",
        "redis.url=rediss://h,valkey.enabled=false",
        "valkey.enabled=false,redis.url=redis://h:7000,networkPolicy.enabled=false",
        "image.digests.operator=sha256:" + 64 * "a",
        "gateway.podDisruptionBudget.maxUnavailable=25%",
    ],
)
def test_sense_is_not(helm: Helm, values: str) -> None:
    assert helm.template("--set", values)
