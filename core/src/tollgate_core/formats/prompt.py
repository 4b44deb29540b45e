"""A rough count of prompt tokens before a request is sent, good enough for a hold.

English text has about four bytes a token (OpenAI and Google both say so in their documentation); JSON keys count
as text, which errs on the side of the hold. Base64 media is not text: each part counts at most a fixed number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tollgate_core.formats.narrow import as_array, is_object

BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 1_600
"""What an image counts at most; about Anthropic's largest (1568 px, width × height / 750)."""
MEDIA_TOKENS = 8_192
"""What any other media part (audio, video, PDF) counts at most."""

_SMALLEST_MEDIA = 4_096
_DEEPEST = 10
_MEDIA_KEYS = frozenset({"data", "url", "image_url", "file_data", "images", "image", "bytesBase64Encoded"})
_TYPE_KEYS = ("media_type", "mimeType", "mime_type")


def estimate_prompt_tokens(body_bytes: int, body: Mapping[str, Any]) -> int:
    """Return ceil(text bytes / 4) plus a capped number per media part; at least 1.

    A small body is not walked: it can't hold media of a size that matters.
    """
    text, media = body_bytes, 0
    if body_bytes > _SMALLEST_MEDIA:
        for size, cap in _media(body, "", "", _DEEPEST):
            text -= size
            media += min(_quarter(size), cap)
    return max(_quarter(max(text, 0)) + media, 1)


def _quarter(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)


def _media(value: object, key: str, kind: str, depth: int) -> list[tuple[int, int]]:
    """Return (bytes, most tokens) of each base64 string below `value`, which stands under `key`."""
    if isinstance(value, str):
        return _media_string(value, key, kind)
    if depth == 0:
        return []
    found: list[tuple[int, int]] = []
    inside: Iterable[tuple[str, Any]]
    if is_object(value):
        kind = next((value[name] for name in _TYPE_KEYS if isinstance(value.get(name), str)), "")
        inside = value.items()
    else:
        inside = ((key, inner) for inner in as_array(value))
    for name, inner in inside:
        if _may_hold_media(inner):
            found += _media(inner, name, kind, depth - 1)
    return found


def _may_hold_media(value: object) -> bool:
    """Rule out short strings, numbers and arrays of numbers (token ids: there can be 100,000 of them) at once."""
    if isinstance(value, str):
        return len(value) >= _SMALLEST_MEDIA
    first = next(iter(as_array(value)), None)
    return isinstance(value, dict | list) and not isinstance(first, int | float)


def _media_string(value: str, key: str, kind: str) -> list[tuple[int, int]]:
    if len(value) < _SMALLEST_MEDIA or key not in _MEDIA_KEYS:
        return []
    if value.startswith("data:"):
        kind = value[5:40]
    if kind.startswith("text/"):  # plain documents are read as text
        return []
    image = key.startswith("image") or kind.startswith("image/")
    return [(len(value), IMAGE_TOKENS if image else MEDIA_TOKENS)]
