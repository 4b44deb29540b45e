"""Looking at CEL source without an AST: string literals are blanked so that patterns only see code."""

import re

_LITERAL = re.compile(r'"(?:\\.|[^"\\])*"' + r"|'(?:\\.|[^'\\])*'")
_MACRO = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
#: A path below ``request`` or ``path``, optionally inside size() or has(): what a gate can evaluate by itself.
_ATOM = re.compile(
    r"(?P<wrap>(?<![\w.])(?:size|has)\(\s*)?(?<![\w.])(?P<path>(?:request|path)(?:\.[A-Za-z_]\w*(?!\w*\()|\[\s*#+\s*\]|\[\s*\d+\s*\])+)"
    r"(?P<close>\s*\))?"
)
_MEMBER = re.compile(r"(?<![\w.])(request|response|path)\s*\.\s*([A-Za-z_]\w*)(?:\s*\.\s*([A-Za-z_]\w*))?")
_RESPONSE_HEADER = re.compile(r"(?<![\w.])response\.headers(?:\.([A-Za-z_]\w*)|\[\s*(#+)\s*\])?")


def blank_literals(source: str) -> str:
    """The same text with every string literal replaced by ``#`` signs of the same length."""
    return _LITERAL.sub(lambda match: "#" * len(match.group()), source)


def bound_names(source: str) -> set[str]:
    """Names that comprehension macros bind, such as ``m`` in ``messages.exists(m, …)``."""
    return set(_MACRO.findall(blank_literals(source)))


def members(source: str) -> set[tuple[str, str, str]]:
    """(root, member, member of the member) of every ``request.x.y``; the third is empty where there is none."""
    return {(m[1], m[2], m[3] or "") for m in _MEMBER.finditer(blank_literals(source))}


def request_atoms(source: str) -> list[tuple[int, int]]:
    """Spans of the parts that depend on the request alone, in order."""
    spans: list[tuple[int, int]] = []
    for match in _ATOM.finditer(blank_literals(source)):
        whole = match["wrap"] is not None and match["close"] is not None
        spans.append(match.span() if whole else match.span("path"))
    return spans


def response_headers(source: str) -> tuple[set[str], bool]:
    """Names of the response headers that are read, and whether one is read by a name that is not a literal."""
    names: set[str] = set()
    dynamic = False
    for match in _RESPONSE_HEADER.finditer(blank_literals(source)):
        if match[1]:
            names.add(match[1])
        elif match[2]:
            start, end = match.span(2)
            names.add(source[start + 1 : end - 1].lower())
        else:
            dynamic = True
    return names, dynamic
