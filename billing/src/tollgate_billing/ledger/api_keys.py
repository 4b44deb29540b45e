"""API keys: their hashes and what belongs to them. A key itself is never stored."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from tollgate_billing.ledger.subscriptions import bump_revision, lock_subscription
from tollgate_billing.ledger.tables import api_keys, subscriptions
from tollgate_core.errors import TollgateError


class TooManyKeysError(TollgateError):
    """The product allows no further key."""


@dataclass(frozen=True)
class StoredKey:
    """``id`` names a key towards people; ``hash`` is what the gate looks up."""

    id: str
    hash: str
    subscription: str
    label: str
    last4: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def is_valid(self, now_ms: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or self.expires_ms > now_ms)


def add_key(connection: Connection, key: StoredKey, max_keys: int) -> None:
    """Raises TooManyKeysError where ``max_keys`` are valid already. Two requests at once cannot both pass."""
    lock = select(subscriptions.c.name).where(subscriptions.c.name == key.subscription).with_for_update()
    connection.execute(lock).all()
    count = select(func.count()).select_from(api_keys)
    valid = connection.execute(
        count.where(api_keys.c.subscription == key.subscription, _is_valid(key.created_ms))
    ).scalar_one()
    if valid >= max_keys:
        raise TooManyKeysError(f"the product allows {max_keys} API keys; revoke one first")
    connection.execute(insert(api_keys).values(**vars(key)))
    bump_revision(connection, key.subscription)


def put_key(connection: Connection, key: StoredKey, max_keys: int, expire_others_ms: int) -> StoredKey | None:
    """Make ``key`` the current one of its label: others of that label expire at ``expire_others_ms`` at the latest, and
    do not count towards ``max_keys``. Idempotent by hash: answers what is stored; None where that hash was revoked, has
    expired, or is another subscription's. Raises TooManyKeysError."""
    k = api_keys.c
    lock = select(subscriptions.c.name).where(subscriptions.c.name == key.subscription).with_for_update()
    connection.execute(lock).all()
    known = find_key(connection, key.hash)
    if known is not None:
        return known if known.subscription == key.subscription and known.is_valid(key.created_ms) else None
    mine, valid = k.subscription == key.subscription, _is_valid(key.created_ms)
    count = select(func.count()).select_from(api_keys).where(mine, valid, k.label != key.label)
    if connection.execute(count).scalar_one() >= max_keys:
        raise TooManyKeysError(f"the product allows {max_keys} API keys; revoke one first")
    later = or_(k.expires_ms.is_(None), k.expires_ms > expire_others_ms)
    same_label = (mine, valid, later, k.label == key.label)
    connection.execute(update(api_keys).where(*same_label).values(expires_ms=expire_others_ms))
    connection.execute(insert(api_keys).values(**vars(key)))
    bump_revision(connection, key.subscription)
    return key


def revoke_key(connection: Connection, subscription: str, key_id: str, now_ms: int) -> bool:
    """False where the subscription has no such key. Revoking again changes nothing."""
    k = api_keys.c
    mine = (k.id == key_id, k.subscription == subscription)
    lock_subscription(connection, subscription)  # first, as everybody else does
    if connection.execute(select(k.id).where(*mine)).first() is None:
        return False
    revoked = connection.execute(update(api_keys).where(*mine, k.revoked_ms.is_(None)).values(revoked_ms=now_ms))
    if revoked.rowcount:
        bump_revision(connection, subscription)
    return True


def list_keys(connection: Connection, subscription: str) -> list[StoredKey]:
    """All of a subscription, the oldest first."""
    k = api_keys.c
    query = select(api_keys).where(k.subscription == subscription).order_by(k.created_ms, k.id)
    return [StoredKey(**row) for row in connection.execute(query).mappings()]


def find_key(connection: Connection, hashed: str) -> StoredKey | None:
    """By hash."""
    row = connection.execute(select(api_keys).where(api_keys.c.hash == hashed)).mappings().first()
    return None if row is None else StoredKey(**row)


def all_keys(connection: Connection) -> list[StoredKey]:
    """Of every subscription, revoked ones included."""
    return [StoredKey(**row) for row in connection.execute(select(api_keys)).mappings()]


def _is_valid(now_ms: int) -> ColumnElement[bool]:
    k = api_keys.c
    return k.revoked_ms.is_(None) & or_(k.expires_ms.is_(None), k.expires_ms > now_ms)
