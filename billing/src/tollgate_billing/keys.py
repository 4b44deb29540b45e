"""Making and revoking API keys: SQL first, then Redis."""

import secrets
from dataclasses import dataclass, field

import structlog
from redis.exceptions import RedisError

from tollgate_billing.clock import Clock
from tollgate_billing.hydration.subscriptions import SubscriptionPusher
from tollgate_billing.ledger.api_keys import StoredKey, add_key, find_key, put_key, revoke_key
from tollgate_billing.ledger.database import Database
from tollgate_core.api_keys import is_well_formed, make_api_key
from tollgate_core.errors import UnavailableError
from tollgate_core.redis_contract import key_hash

_log = structlog.get_logger("keys")


@dataclass(frozen=True)
class NewKey:
    """``plaintext`` is shown to its owner once and kept nowhere. ``pushed``: whether the gate accepts it already."""

    stored: StoredKey
    plaintext: str = field(repr=False)
    pushed: bool


class KeyRing:
    """Keys of all subscriptions."""

    def __init__(self, database: Database, pusher: SubscriptionPusher, pepper: bytes, clock: Clock) -> None:
        self._database = database
        self._pusher = pusher
        self._pepper = pepper
        self._clock = clock

    def create(self, subscription: str, max_keys: int, label: str, expires_ms: int | None) -> NewKey:
        """Raises TooManyKeysError. With Redis away the key is made, and works once Redis is back."""
        plaintext = make_api_key(secrets.token_bytes(24))
        stored = self._record(subscription, plaintext, label, expires_ms)
        with self._database.write() as connection:
            add_key(connection, stored, max_keys)
        return NewKey(stored, plaintext, pushed=self._push(stored))

    def put(self, subscription: str, plaintext: str, label: str, max_keys: int, overlap_ms: int) -> NewKey | None:
        """A key that its owner made. Other keys of the label end after ``overlap_ms``. The same again changes nothing.
        None where the key cannot be had (revoked, expired, or another subscription's). Raises TooManyKeysError."""
        record = self._record(subscription, plaintext, label, None)
        with self._database.write() as connection:
            stored = put_key(connection, record, max_keys, self._clock() + overlap_ms)
        return NewKey(stored, plaintext, pushed=self._push(stored)) if stored else None

    def _record(self, subscription: str, plaintext: str, label: str, expires_ms: int | None) -> StoredKey:
        return StoredKey(
            id=secrets.token_hex(8),
            hash=key_hash(self._pepper, plaintext),
            subscription=subscription,
            label=label,
            last4=plaintext[-4:],
            created_ms=self._clock(),
            expires_ms=expires_ms,
            revoked_ms=None,
        )

    def _push(self, stored: StoredKey) -> bool:
        try:
            self._pusher.push_one(stored.subscription)
        except (RedisError, OSError) as error:
            _log.warning("key not pushed yet", id=stored.id, error=type(error).__name__)
            return False
        return True

    def revoke(self, subscription: str, key_id: str) -> bool:
        """False where there is no such key. When this returns, the gate refuses the key. Raises UnavailableError
        where Redis could not be told: SQL knows, the keeper tells Redis as soon as it answers; asking again is safe."""
        with self._database.write() as connection:
            found = revoke_key(connection, subscription, key_id, self._clock())
        if not found:
            return False
        try:
            self._pusher.push_one(subscription)
        except (RedisError, OSError) as error:
            raise UnavailableError("the key is revoked, but the gate could not be told yet; ask again") from error
        return True

    def owner(self, plaintext: str) -> StoredKey | None:
        """The stored key of a customer's credential, if it is valid now."""
        if not is_well_formed(plaintext):
            return None
        with self._database.read() as connection:
            key = find_key(connection, key_hash(self._pepper, plaintext))
        return key if key is not None and key.is_valid(self._clock()) else None
