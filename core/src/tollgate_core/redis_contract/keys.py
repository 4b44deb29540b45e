"""Key names. A partition is a hash of the subscription; the number of partitions is part of the contract."""

import hashlib
import hmac
import zlib

PARTITIONS = 8


def partition_of(subscription: str) -> int:
    """0 ≤ partition < PARTITIONS, stable for ever."""
    return zlib.crc32(subscription.encode()) % PARTITIONS


def key_hash(pepper: bytes, api_key: str) -> str:
    """What is stored of an API key: an HMAC, useless without the pepper."""
    return hmac.new(pepper, api_key.encode(), hashlib.sha256).hexdigest()[:40]


def key_fingerprint(hashed: str) -> str:
    """What tells an API key's hash from others, in names of counters and in usage events. It opens nothing: the gate
    looks keys up by their whole hash."""
    return hashed[:16]


#: No metric has this name: it holds a sign that Kubernetes refuses.
WALLET_METRIC = "$wallet"
#: The name of the rate limit of a subscription with an overdue invoice, which no manifest can give.
THROTTLE = "$unpaid"
#: The state of a subscription that is refused because an invoice is overdue.
UNPAID = "unpaid"
#: The end of its only period, 2262-04-11: beyond any subscription, and within every number's range.
WALLET_ENDS_MS = 9_223_372_036_854


class Keys:
    """Names of all keys."""

    CATALOG = "tollgate:catalog"
    #: Hash: Envoy node → up to which moment (ms) its witness has read the log.
    WATERMARKS = "tollgate:watermarks"
    #: Hash: replica of the operator → what its Envoys said of the snapshot that they were sent.
    OPERATORS = "tollgate:operators"
    #: How long a catalog that is no longer current is kept for requests that were admitted under it.
    CATALOG_KEPT_SECONDS = 7 * 86_400

    @staticmethod
    def catalog(hashed: str) -> str:
        """String: the JSON of one catalog, by its content's hash."""
        return f"tollgate:catalog:{hashed}"

    @staticmethod
    def api_key(hashed: str) -> str:
        """String: the subscription that a key belongs to. Only a pointer: the subscription's hash decides."""
        return f"tollgate:key:{hashed}"

    @staticmethod
    def ready(partition: int) -> str:
        """String: set by billing once the partition holds what SQL knows; without it nothing is admitted."""
        return f"tollgate:{{p{partition}}}:ready"

    @staticmethod
    def subscription(name: str) -> str:
        """Hash: ``revision``, ``state``, ``record`` and ``key:<hash>`` → expiry in ms or 0."""
        return f"tollgate:{{p{partition_of(name)}}}:subscription:{name}"

    @staticmethod
    def hold(partition: int, request: str) -> str:
        """Hash: what an admitted request holds, until it is settled."""
        return f"tollgate:{{p{partition}}}:hold:{request}"

    @staticmethod
    def holds(partition: int) -> str:
        """Sorted set: request id → deadline in ms."""
        return f"tollgate:{{p{partition}}}:holds"

    @staticmethod
    def rate(subscription: str, limit: str, api_key: str = "") -> str:
        """Hash: a token bucket's ``level`` and ``at`` (ms); of one API key (its fingerprint) where the limit is."""
        return f"tollgate:{{p{partition_of(subscription)}}}:rate:{subscription}:{limit}{_of(api_key)}"

    @staticmethod
    def in_flight(subscription: str, limit: str, api_key: str = "") -> str:
        """Sorted set: request id → deadline in ms, for a concurrency limit."""
        return f"tollgate:{{p{partition_of(subscription)}}}:inflight:{subscription}:{limit}{_of(api_key)}"

    @staticmethod
    def counter(subscription: str, metric: str, period_start: int, api_key: str = "") -> str:
        """Hash: ``used`` and ``held`` units of a metric in one period; of one API key (its fingerprint) where the limit
        is."""
        name = f"{subscription}:{metric}:{period_start}{_of(api_key)}"
        return f"tollgate:{{p{partition_of(subscription)}}}:counter:{name}"

    @staticmethod
    def wallet(subscription: str) -> str:
        """Hash: ``used`` and ``held`` major units of a prepaid subscription's credit, over its whole life."""
        return Keys.counter(subscription, WALLET_METRIC, 0)

    @staticmethod
    def settled(partition: int, request: str) -> str:
        """String: ``appended``, then ``confirmed`` once the ledger has committed the event."""
        return f"tollgate:{{p{partition}}}:settled:{request}"

    @staticmethod
    def events(partition: int) -> str:
        """Stream: field ``event`` holds the CloudEvents JSON."""
        return f"tollgate:{{p{partition}}}:events"

    @staticmethod
    def dead_letters(partition: int) -> str:
        """Stream: ``event``, ``reason``, ``id`` of what the ledger refused."""
        return f"tollgate:{{p{partition}}}:deadletters"


def _of(api_key: str) -> str:
    return f":{api_key}" if api_key else ""
