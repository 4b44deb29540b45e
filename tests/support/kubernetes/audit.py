"""The API server's audit log: who asked for what. Tests read from it that nobody writes at rest."""

import json
from dataclasses import dataclass
from pathlib import Path

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: [system:apiserver, controllers]
  - level: Metadata
"""


@dataclass(frozen=True)
class AuditRecord:
    """One request. A watch is recorded when it starts (stage ResponseStarted) and again when it ends."""

    user: str
    verb: str
    resource: str
    """With its subresource, for example ``apis/status``."""
    namespace: str
    name: str
    code: int
    stage: str
    user_agent: str

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.verb in {"create", "update", "patch", "delete", "deletecollection"}


def read(log: Path) -> list[AuditRecord]:
    """All records up to now, in order."""
    text = log.read_text() if log.exists() else ""
    complete = text[: text.rfind("\n") + 1]
    return [_record(json.loads(line)) for line in complete.splitlines()]


def _record(event: dict[str, dict[str, str]]) -> AuditRecord:
    target = event.get("objectRef", {})
    parts = [target.get("resource", ""), target.get("subresource", "")]
    return AuditRecord(
        user=event["user"]["username"],
        verb=str(event["verb"]),
        resource="/".join(part for part in parts if part),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=int(event.get("responseStatus", {}).get("code", 0)),
        stage=str(event["stage"]),
        user_agent=str(event.get("userAgent", "")),
    )
