"""CEL and jq: names are checked when compiled; the request side of an expression can be split off."""

from pathlib import Path
from typing import Any

import cel
import pytest

from tollgate_core.errors import ExpressionError
from tollgate_core.expressions import CelExpression, Scope, admit_cel, admit_jq, capture_request_part, compile_cel
from tollgate_core.expressions.source import response_headers
from tollgate_core.formats import FORMATS
from tollgate_core.metering import usage_scope

SCOPE = Scope(frozenset({"request", "response", "path"}), frozenset({"usage"}), frozenset({"model"}))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("usage().input +", "Failed to parse"),
        ("usge().input", "unknown function usge()"),
        ("reqest.json.n", "unknown variable 'reqest'"),
        ("request.heders['x']", "unknown variable request.heders; request has body, headers"),
        ("response.status == 200", "unknown variable response.status; response has body, headers, json, statusCode"),
        ("path.params.modle", "the path has no parameter 'modle'; it has model"),
    ],
)
def test_unknown_names_are_found_when_compiled(source: str, expected: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_cel(source, SCOPE)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        'request.headers["x-a"] == "reqest.foo" ? 2 : 1',
        'request.json.messages.exists(m, m.role == "user") ? 1 : 0',
        'path.params.model.contains("pro") ? 2 : 1',
        "size(request.json.input) * usage().input",
        'double(response.headers["x-cpu"])',
    ],
)
def test_known_names_compile(source: str) -> None:
    compile_cel(source, SCOPE)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_another_format_s_usage_function_is_refused_with_the_right_one(fmt: Any) -> None:
    other = next(f for f in FORMATS.values() if f.name != fmt.name)
    with pytest.raises(ExpressionError, match=rf"this endpoint's format is {fmt.name}, use {fmt.usage_function}\(\)"):
        compile_cel(f"{other.usage_function}().total_tokens", usage_scope(fmt, frozenset()))


def test_a_usage_function_needs_a_format() -> None:
    with pytest.raises(ExpressionError, match="this endpoint has no format"):
        compile_cel("usage().input", usage_scope(None, frozenset()))


REQUEST: dict[str, Any] = {
    "request": {"json": {"n": 3, "input": ["a", "b"], "messages": [{"role": "user"}]}, "headers": {"x-tier": "gold"}},
    "path": {"params": {"model": "pro-1"}},
}
RESPONSE: dict[str, Any] = {"response": {"statusCode": 200, "headers": {}}}


@pytest.mark.parametrize(
    "source",
    [
        "usage().total * request.json.n",
        'request.headers["x-tier"] == "gold" && response.statusCode == 200',
        'usage().total * (path.params.model.contains("pro") ? 2 : 1)',
        "size(request.json.input) * usage().total",
        "has(request.json.n) ? usage().total : 0",
        'request.json.messages.exists(m, m.role == "user") ? usage().total : 0',
        'request.json["n"] + response.statusCode',
        "request.json.input[1] == 'b' ? usage().total : 1",
        "response.statusCode + 1",
        "path.params.model == 'pro-1' ? 2 : 1",
        'request.headers["x-tier"] == "\U0001f600" ? usage().total : 1',
    ],
)
def test_an_expression_split_between_gate_and_meter_computes_the_same(source: str) -> None:
    functions = {"usage": lambda: {"total": 7}}
    expression = CelExpression(source)
    whole = expression.evaluate({**REQUEST, **RESPONSE}, functions)
    split = capture_request_part(expression, ["usage"])
    captured = {capture.key: capture.expression.evaluate(REQUEST) for capture in split.captures}
    assert split.rest.evaluate({**RESPONSE, "captured": captured}, functions) == whole
    assert not split.rest.roots & {"request", "path"}


def test_response_headers_that_are_read_are_known() -> None:
    assert response_headers('response.headers["X-Cpu"] == "response.headers[1]"') == ({"x-cpu"}, False)
    assert response_headers("response.headers[request.json.n]")[1]


def test_what_cannot_be_computed_says_why() -> None:
    with pytest.raises(ExpressionError, match="cannot be computed"):
        CelExpression("request.json.missing + 1").evaluate(REQUEST)


def test_the_reference_s_include_usage_program_works() -> None:
    source = '.request.body | fromjson | if .stream == true then .stream_options = {"include_usage": true} else . end'
    output = admit_jq(source).first({"request": {"body": '{"stream":true}'}})
    assert output == {"stream": True, "stream_options": {"include_usage": True}}


def test_a_jq_program_that_does_not_compile_or_fails_says_why() -> None:
    with pytest.raises(ExpressionError, match="syntax error"):
        admit_jq(".a |")
    with pytest.raises(ExpressionError, match="failed"):
        admit_jq(".a.b").first({"a": 1})
    with pytest.raises(ExpressionError, match="no output"):
        admit_jq("empty").first({})


@pytest.mark.parametrize(
    "source", ["[request].map(r, r.json.n)[0] * usage().total", "request . json . n * usage().total"]
)
def test_what_cannot_be_split_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError, match=r"as in request\.json\.n"):
        capture_request_part(CelExpression(source), ["usage"])


@pytest.mark.parametrize(
    "source",
    ["$ENV.TOLLGATE_KEY_PEPPER", "env.TOLLGATE_KEY_PEPPER", "def f: $ENV; f.TOLLGATE_KEY_PEPPER # and so on"],
)
def test_jq_does_not_see_the_environment_of_the_process(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the pepper of all keys, and Redis' password."""
    monkeypatch.setenv("TOLLGATE_KEY_PEPPER", "pepper")
    assert admit_jq(source).first({}) is None
    with pytest.raises(ExpressionError):
        admit_jq("1) | $ENV | (.")


def test_jq_imports_no_files(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('"content"')
    with pytest.raises(ExpressionError):
        admit_jq(f'import "f" as $f {{search: "{tmp_path}"}}; $f')


LONG = "x" * 600


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[1].all(a, [1].all(b, [1].all(c, true)))", "nested 3 deep; 2 is the most"),
        ("[1].map(a, [[1].filter(b, [1] . exists_one ( c, true))])", "nested 3 deep"),
        ('[1].all(a, "," == "," // )\n && [1].all(b, [1].existsOne(c, true)))', "nested 3 deep"),
        ("[1].all(a, r')' == '' || [1].all(b, [1].all(c, true)))", "nested 3 deep"),
        ("path.params.model.matches(request.json.pattern)", "needs its pattern as a literal"),
        ('path.params.model.matches("a" + request.json.pattern)', "needs its pattern as a literal"),
        (f'path.params.model.matches("{LONG}")', "longer than 512"),
        ("1" + "+1" * 2100, "longer than 4096"),
    ],
)
def test_what_could_take_long_is_refused_when_compiled(source: str, expected: str) -> None:
    with pytest.raises(ExpressionError, match=expected):
        admit_cel(source, SCOPE)
    if len(source) < 4096:
        compile_cel(source, SCOPE)  # a catalog that serves already stays readable


@pytest.mark.parametrize(
    "source",
    [
        "[1].all(a, [1].all(b, true)) && [1].all(c, [1].map(d, d) == [1])",
        "[1].map(a, a).map(b, b).map(c, c).filter(d, true) == [1]",
        'path.params.model == "x.all(a, y.all(b, z.all(c, " && path.params.model.matches(r"a\\.b")',
    ],
)
def test_what_stands_beside_each_other_is_not_nested(source: str) -> None:
    admit_cel(source, SCOPE)


@pytest.mark.parametrize(
    "source",
    [
        '"a" * 1000000000',
        '("a") # times\n * 1e9',
        '1e9*("b" + "c")',
        '"\\("a" * 1e9)"',
        '("a" + ("#")) * 1e9',
        ".a" * 40000,
    ],
)
def test_a_jq_program_that_grows_while_it_compiles_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError, match=r"multiplied|longer than 65536"):
        admit_jq(source)


@pytest.mark.parametrize("source", ['. * 2 # "a"', '."a" * 2', '{"a": 2} * {"b": 3}', '.x * 3 | "a: * b"'])
def test_other_multiplications_compile(source: str) -> None:
    admit_jq(source)


BODY: dict[str, Any] = {"n": 3, "model": {"a": {"b": [1, 2]}}, "messages": [{"role": "user"}], "size": "x"}
WHOLE: dict[str, Any] = {
    "request": {"json": BODY, "body": "text", "headers": {"x-a": "1"}, "query": {}, "method": "POST"},
    "path": {"params": {"m": "1"}},
}


@pytest.mark.parametrize(
    "source",
    [
        "request.json.n + 1",
        "request.json.model.a.b[0] + request . json . n",
        'request["json"].n',
        ".request.json.n",
        "[request].map(r, r.json.n)[0] + request.json.n",
        "request.json.exists(k, k == 'messages')",
        "request.json.all(k, k != 'zzz') && size(request.json) == 4",
        "has(request.json.missing) || has(request.json.n)",
        "request.json.missing",
        "request.missing",
        "request.json.n // it's not request.json.zzz\n + request.json.n // it's",
        "r'\\' + request.body + '''it's''' + request.method + string(b'x'.size())",
        "request.json == request.json && request.json.n == 3",
        "{'request': request.json.n}.request + path.params.size()",
        "request.json.messages.map(request, request.role)[0] + request.body",
        "request.body.size() + request.headers.size()",
        'request.headers["x-a"] + request.headers["x-b"]',
    ],
)
def test_handing_over_only_what_is_read_changes_no_value(source: str) -> None:
    def in_full() -> str:
        try:
            return repr(cel.compile(source).execute(cel.Context(WHOLE)))
        except Exception:  # of the binding's many kinds
            return "no value"

    def in_part() -> str:
        try:
            return repr(CelExpression(source).evaluate(WHOLE))
        except ExpressionError:
            return "no value"

    assert in_part() == in_full()


def test_only_what_is_read_is_handed_over() -> None:
    expression = CelExpression("has(request.json.n) && request.json.model.a == request.method")
    assert expression.needed(WHOLE) == {"request": {"json": {"n": 3, "model": BODY["model"]}, "method": "POST"}}


@pytest.mark.parametrize(
    ("source", "size", "in_place"),
    [
        ('request.json.model == "x"', 1_000, True),
        ('request.json.model == "x"', 100_000, False),
        ("request.json.model + request.json.model + request.json.model", 30_000, False),
        ('request.json.model.all(c, c == "x")', 1_000, True),
        ('request.json.model.all(c, c == "x")', 10_000, False),
        ('[1].all(a, [1].all(b, request.json.model == "x"))', 10, False),
        ("[1, 2].map(a, request.json.model)", 10, False),
        ('[1].all(a, request.json.model.matches("a"))', 10, False),
        ('request.json.model.matches("^a+$")', 1_000, True),
        ('request.json.model.matches("a{1,500}")', 10, False),
        ("1 + 1", 10_000_000, True),
    ],
)
def test_what_may_run_beside_others_depends_on_form_and_input(source: str, size: int, in_place: bool) -> None:
    expression = CelExpression(source)
    assert expression.bounds.allow(expression.needed({"request": {"json": {"model": "x" * size}}})) is in_place
