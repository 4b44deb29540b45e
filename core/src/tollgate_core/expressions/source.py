"""Looking at CEL source without an AST: literals and comments are blanked so that patterns only see code."""

import re

#: A comment, or a string literal in any of CEL's forms: raw, bytes, with one quote or three.
_LITERAL = re.compile(
    r"//[^\n]*"
    r"|(?<!\w)(?:[rR][bB]?|[bB][rR])(?:\"\"\".*?\"\"\"|'''.*?'''|\"[^\"\n]*\"|'[^'\n]*')"
    r"|\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''"
    r"|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'",
    re.DOTALL,
)
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(?:([A-Za-z_]\w*)\s*,)?")
_COLLECTING = re.compile(r"\.\s*(?:map|filter)\s*\(")
#: A path below ``request`` or ``path``, optionally inside size() or has(): what a gate can evaluate by itself.
_ATOM = re.compile(
    r"(?P<wrap>(?<![\w.])(?:size|has)\(\s*)?(?<![\w.])(?P<path>(?:request|path)(?:\.[A-Za-z_]\w*(?!\w*\()|\[\s*#+\s*\]|\[\s*\d+\s*\])+)"
    r"(?P<close>\s*\))?"
)
_MEMBER = re.compile(r"(?<![\w.])(request|response|path)\s*\.\s*([A-Za-z_]\w*)(?:\s*\.\s*([A-Za-z_]\w*))?")
_RESPONSE_HEADER = re.compile(r"(?<![\w.])response\.headers(?:\.([A-Za-z_]\w*)|\[\s*(#+)\s*\])?")
_READ = re.compile(r"\s*\.\s*([A-Za-z_]\w*)\b(?!\s*\()(?:\s*\.\s*([A-Za-z_]\w*)\b(?!\s*\())?")
_MATCHES = re.compile(r"\.\s*matches\s*\(\s*(?:\w{0,2}(#+)\s*\))?")

#: Keys that are read of each member of a variable; None where a member is read as a whole.
Members = dict[str, frozenset[str] | None]


def blank_literals(source: str) -> str:
    """The same text with every string literal replaced by ``#`` signs, and every comment by spaces, of the same
    length."""
    return _LITERAL.sub(lambda match: (" " if match.group()[0] == "/" else "#") * len(match.group()), source)


def bound_names(source: str) -> set[str]:
    """Names that comprehension macros bind, such as ``m`` in ``messages.exists(m, …)``."""
    return {name for name in _MACRO.findall(blank_literals(source)) if name}


def comprehensions(source: str) -> tuple[int, int]:
    """How many comprehension macros there are, and how deep they are nested in each other's arguments."""
    code = blank_literals(source)
    ends: list[int] = []
    count = deepest = 0
    for match in _MACRO.finditer(code):
        ends = [end for end in ends if end > match.start()]
        ends.append(_closing(code, code.index("(", match.start())))
        count, deepest = count + 1, max(deepest, len(ends))
    return count, deepest


def collects(source: str) -> bool:
    """Whether a macro makes a list: the binding copies all that it has so far at each turn."""
    return _COLLECTING.search(blank_literals(source)) is not None


def _closing(code: str, start: int) -> int:
    depth = 0
    for position in range(start, len(code)):
        depth += (code[position] in "([{") - (code[position] in ")]}")
        if depth == 0:
            return position
    return len(code)


def patterns(source: str) -> list[str | None]:
    """The regular expressions given to ``matches``, with their quotes; None where one is not a literal."""
    code = blank_literals(source)
    return [source[m.start(1) : m.end(1)] if m[1] else None for m in _MATCHES.finditer(code)]


def mentions(source: str, name: str) -> list[int]:
    """Where a variable is named (its end), or what looks like it."""
    return [m.end() for m in re.finditer(rf"\b{name}\b", blank_literals(source))]


def reads(source: str, root: str) -> Members | None:
    """What is read of a variable; None: all of it, as far as can be told."""
    code = blank_literals(source)
    found: Members = {}
    for end in mentions(source, root):
        match = _READ.match(code, end)
        if match is None or code[: end - len(root)].rstrip().endswith("."):
            return None
        member, key = match[1], match[2]
        known = found.get(member, frozenset())
        found[member] = known | {key} if key and known is not None else None
    return found


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
