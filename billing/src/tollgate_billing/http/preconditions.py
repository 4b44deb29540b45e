"""Doing something only if it is still what somebody has seen (RFC 9110, If-Match)."""

from typing import Annotated

from fastapi import Header

from tollgate_billing.http.problems import Problem

IfMatch = Annotated[str | None, Header(description="Fingerprint of a preview: anything else is not done.")]


def entity_tag(fingerprint: str) -> str:
    """As headers have it."""
    return f'"{fingerprint}"'


def require_match(if_match: str | None, fingerprint: str) -> None:
    """Raises a 412 where it is asked for and differs; quotes may be left out."""
    if if_match is None:
        return
    wanted = [tag.strip().strip('"') for tag in if_match.split(",")]
    if fingerprint not in wanted and "*" not in wanted:
        detail = f"what would be changed is not what the preview {', '.join(wanted)} showed: it is {fingerprint} now"
        raise Problem(412, detail)
