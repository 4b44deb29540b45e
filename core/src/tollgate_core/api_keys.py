"""API keys: ``tg_live_`` + 32 random characters + a 6-character checksum. A typo is found without asking anybody."""

import re
import zlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"tg_(?:live|test)_[0-9A-Za-z]{38}")


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits


def make_api_key(randomness: bytes, mode: str = "live") -> str:
    """A key from at least 24 random bytes, which the caller takes from the operating system."""
    if len(randomness) < 24:
        raise ValueError("an API key needs 24 random bytes")
    head = f"tg_{mode}_{_base62(int.from_bytes(randomness[:24], 'big'), 32)}"
    return head + _checksum(head)


def _checksum(head: str) -> str:
    return _base62(zlib.crc32(head.encode()), 6)


def is_well_formed(key: str) -> bool:
    """Whether a text can be one of our keys at all."""
    return _KEY.fullmatch(key) is not None and _checksum(key[:-6]) == key[-6:]
