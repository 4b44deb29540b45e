"""One Envoy's ADS stream as a pure state machine: requests and snapshots in, responses out.

Rules (incremental xDS): a response carries only what differs from what this Envoy holds; a client that comes back says
what it holds; a name that is subscribed again is sent again; a pure ACK is not answered. Our own: make before break.
What others refer to goes first, routes follow once that is acknowledged, and removals come last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tollgate_operator.envoy.resources import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET
from tollgate_operator.xds.snapshot import Report, Snapshot

#: Types that Envoy wants in full whatever it names.
_WILDCARD = frozenset({CLUSTER, LISTENER})
_REFERRED, _REFERRING = (SECRET, CLUSTER, ENDPOINTS), (LISTENER, ROUTES)


@dataclass(frozen=True)
class Request:
    """The parts of a DeltaDiscoveryRequest that matter. ``held``: what a client that reconnects has, with versions."""

    type_url: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict[str, str])
    nonce: str = ""
    error: str = ""


@dataclass(frozen=True)
class Response:
    """The parts of a DeltaDiscoveryResponse. ``resources``: (name, version, content)."""

    type_url: str
    nonce: str
    version: str
    resources: tuple[tuple[str, str, bytes], ...]
    removed: tuple[str, ...] = ()

    @property
    def content(self) -> frozenset[tuple[str, str]]:
        """What it says, without what it is called."""
        return frozenset({(name, version) for name, version, _ in self.resources} | {(n, "") for n in self.removed})


@dataclass
class _Subscription:
    names: set[str] = field(default_factory=set[str])
    #: What this Envoy holds, as far as it was told and did not refuse.
    held: dict[str, str] = field(default_factory=dict[str, str])
    #: Subscribed by name and not there: Envoy was told so once.
    absent: set[str] = field(default_factory=set[str])
    pending: Response | None = None
    refused: frozenset[tuple[str, str]] = frozenset()
    error: str = ""


@dataclass
class AdsStream:
    """State of one stream."""

    node: str = ""
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict[str, _Subscription])
    _counter: int = 0

    def on_request(self, request: Request, snapshot: Snapshot | None) -> list[Response]:
        """Responses to send. A request that acknowledges may release what waited for it."""
        subscription = self._subscriptions.get(request.type_url)
        if subscription is None:
            subscription = self._subscriptions[request.type_url] = _Subscription(held=dict(request.held))
        if request.nonce and subscription.pending and request.nonce == subscription.pending.nonce:
            self._settle(subscription, request.error)
        for name in request.unsubscribe:
            subscription.names.discard(name)
            subscription.held.pop(name, None)
            subscription.absent.discard(name)
        for name in request.subscribe:
            if name in subscription.names:
                subscription.held.pop(name, None)  # asked for again: sent again
            subscription.names.add(name)
            subscription.absent.discard(name)
        return self.on_snapshot(snapshot) if snapshot else []

    def on_snapshot(self, snapshot: Snapshot) -> list[Response]:
        """What can be sent now: at most one response of a type is on its way at a time."""
        responses = list(self._updates(snapshot, _REFERRED))
        if not self._busy(_REFERRED):
            responses += self._updates(snapshot, _REFERRING)
        if self._subscriptions.keys() >= set(_REFERRING) and not self._busy((*_REFERRED, *_REFERRING)):
            responses += self._updates(snapshot, _REFERRED, removals=True)
        return responses

    def report(self, snapshot: Snapshot) -> Report | None:
        """This Envoy's word on ``snapshot``; None while it has not given it."""
        if not self._subscriptions.keys() >= set(_REFERRING) or self._busy((*_REFERRED, *_REFERRING)):
            return None
        errors: list[str] = []
        for url in self._subscriptions:
            if self._difference(url, snapshot, removals=True):
                if not self._subscriptions[url].error:
                    return None
                errors.append(self._subscriptions[url].error)
        return Report(snapshot.version, tuple(sorted(set(errors))))

    def _busy(self, types: tuple[str, ...]) -> bool:
        return any(url in self._subscriptions and self._subscriptions[url].pending for url in types)

    def _settle(self, subscription: _Subscription, error: str) -> None:
        response = subscription.pending
        assert response is not None  # noqa: S101
        subscription.pending = None
        subscription.error, subscription.refused = error, frozenset()
        if error:
            # Envoy may have taken some of it: what it holds of these names is unknown, so all of them are sent again
            # with the next content that is not the refused one.
            subscription.refused = response.content
            for name, _, _ in response.resources:
                subscription.held.pop(name, None)
            subscription.held |= dict.fromkeys(response.removed, "")
            return
        subscription.held |= {name: version for name, version, _ in response.resources}
        for name in response.removed:
            subscription.held.pop(name, None)

    def _updates(self, snapshot: Snapshot, types: tuple[str, ...], *, removals: bool = False) -> Iterator[Response]:
        for url in types:
            subscription = self._subscriptions.get(url)
            if subscription is None or subscription.pending:
                continue
            response = self._difference(url, snapshot, removals=removals or url in _REFERRING)
            if response is None or response.content == subscription.refused:
                continue
            self._counter += 1
            subscription.pending = Response(
                url, str(self._counter), snapshot.version, response.resources, response.removed
            )
            subscription.absent |= set(response.removed) & subscription.names
            yield subscription.pending

    def _difference(self, url: str, snapshot: Snapshot, *, removals: bool) -> Response | None:
        """Between what this Envoy should hold and what it holds; None where that is nothing."""
        subscription = self._subscriptions[url]
        group, versions = snapshot.resources.by_type.get(url, {}), snapshot.versions.get(url, {})
        wanted = set(group) if url in _WILDCARD else subscription.names & set(group)
        changed = tuple(
            (name, versions[name], group[name])
            for name in sorted(wanted)
            if subscription.held.get(name) != versions[name]
        )
        gone = {name for name in subscription.held if name not in wanted}
        missing = set[str]() if url in _WILDCARD else subscription.names - set(group) - subscription.absent
        # A name that does not exist is answered at once, so that nothing waits for it; a removal waits for its turn.
        removed = tuple(sorted((gone if removals else set[str]()) | (missing - gone)))
        return Response(url, "", "", changed, removed) if changed or removed else None
