"""One Envoy's ADS stream as a pure state machine: requests and snapshots in, responses out.

Rules (xDS protocol, state of the world): answer a first request and a changed subscription; take a nonce that is not
the latest for nothing; never answer a pure ACK; send in make-before-break order.
"""

from dataclasses import dataclass, field

from tollgate_operator.envoy.resources import CLUSTER, LISTENER, ORDER
from tollgate_operator.xds.snapshot import Acknowledgement, Snapshot

#: Types that Envoy wants in full whatever it names.
_WILDCARD = frozenset({CLUSTER, LISTENER})


@dataclass(frozen=True)
class Request:
    """The parts of a DiscoveryRequest that matter."""

    type_url: str
    version: str
    nonce: str
    names: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True)
class Response:
    """The parts of a DiscoveryResponse."""

    type_url: str
    version: str
    nonce: str
    resources: tuple[bytes, ...]


@dataclass
class _Subscription:
    names: tuple[str, ...]
    nonce: str = ""
    sent_version: str = ""
    sent: tuple[bytes, ...] | None = None
    #: What Envoy said of what was sent last: "" took it, a text refused it, None nothing yet.
    answer: str | None = None


@dataclass
class AdsStream:
    """State of one stream."""

    node: str = ""
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict[str, _Subscription])
    _counter: int = 0

    def on_request(self, request: Request, snapshot: Snapshot | None) -> tuple[list[Response], Acknowledgement | None]:
        """Responses to send, and what the request acknowledged."""
        subscription = self._subscriptions.get(request.type_url)
        if subscription is None:
            self._subscriptions[request.type_url] = _Subscription(request.names)
            return self._responses(request.type_url, snapshot, force=True), None
        if request.nonce and request.nonce != subscription.nonce:
            return [], None
        word = None
        if request.nonce:
            subscription.answer = request.error
            word = Acknowledgement(self.node, request.type_url, subscription.sent_version, request.error)
        if set(request.names) != set(subscription.names):
            subscription.names = request.names
            return self._responses(request.type_url, snapshot, force=True), word
        return [], word

    def on_snapshot(self, snapshot: Snapshot) -> list[Response]:
        """Responses for every subscribed type whose content changed for this stream."""
        return [r for url in ORDER if url in self._subscriptions for r in self._responses(url, snapshot, force=False)]

    def _responses(self, type_url: str, snapshot: Snapshot | None, *, force: bool) -> list[Response]:
        if snapshot is None or type_url not in snapshot.resources.by_type:
            return []
        subscription = self._subscriptions[type_url]
        group = snapshot.resources.by_type[type_url]
        names = sorted(group) if type_url in _WILDCARD else [n for n in sorted(subscription.names) if n in group]
        content = tuple(group[name] for name in names)
        version = snapshot.versions[type_url]
        if not force and subscription.sent == content:
            # What this Envoy runs is the same; it stands for the new version too.
            subscription.sent_version = version
            return []
        self._counter += 1
        subscription.nonce, subscription.sent, subscription.sent_version = str(self._counter), content, version
        subscription.answer = None
        return [Response(type_url, version, subscription.nonce, content)]

    def unchanged(self, snapshot: Snapshot) -> list[Acknowledgement]:
        """Types of ``snapshot`` that Envoy has answered already, so that no new answer will come; with that answer."""
        return [
            Acknowledgement(self.node, url, snapshot.versions[url], s.answer)
            for url, s in self._subscriptions.items()
            if s.answer is not None and s.sent_version == snapshot.versions.get(url)
        ]
