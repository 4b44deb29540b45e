"""Pages as plain functions: text is escaped where it enters, so that a description cannot become markup."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TypeAlias


class Html(str):
    """Markup that is already safe."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | None"


def tag(element: str, /, *children: Child, **attributes: str | None) -> Html:
    """An element; attributes named with a trailing underscore (class_) lose it, those that are None are left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in {"input", "meta", "link", "br"}:
        return Html(f"<{element}{written}>")
    return Html(f"<{element}{written}>{joined(children)}</{element}>")


def joined(children: Iterable[Child]) -> Html:
    """Several pieces after one another."""
    return Html("".join(c if isinstance(c, Html) else escape(str(c)) for c in children if c is not None))


def link(text: Child, href: str) -> Html:
    """A link."""
    return tag("a", text, href=href)


def table(heads: Sequence[str], rows: Iterable[Sequence[Child]], empty: str = "None yet.") -> Html:
    """A table, or a line that says there is nothing. Cells know their heads: on a phone each row becomes a list."""
    body = [
        tag("tr", *(tag("td", cell, data_head=head) for head, cell in zip(heads, row, strict=True))) for row in rows
    ]
    if not body:
        return tag("p", empty, class_="empty")
    return tag("table", tag("thead", tag("tr", *(tag("th", head) for head in heads))), tag("tbody", *body))


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Names and values."""
    return tag("dl", *(joined([tag("dt", name), tag("dd", value)]) for name, value in pairs))


def button(label: str, action: str, *, kind: str = "plain", **hidden: str) -> Html:
    """A form of one button."""
    fields = [tag("input", type="hidden", name=name, value=value) for name, value in hidden.items()]
    return tag("form", *fields, tag("button", label, class_=kind), method="post", action=action, class_="inline")


def field(label: str, name: str, value: str = "", *, type_: str = "text", **attributes: str) -> Html:
    """A labelled input."""
    return tag("label", tag("span", label), tag("input", type=type_, name=name, value=value, **attributes))


def status(word: str | None) -> Html:
    """A coloured word."""
    return tag("span", word or "–", class_=f"status {word or 'none'}")


def page(title: str, css: str, *body: Child, kind: str = "wide", refresh_note: str | None = None) -> str:
    """A whole document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="stylesheet", href=css),
    )
    note = tag("p", refresh_note, class_="note") if refresh_note else None
    return f"<!doctype html>{tag('html', head, tag('body', tag('main', *body, note, class_=kind)), lang='en')}"
