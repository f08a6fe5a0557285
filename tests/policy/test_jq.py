"""Which programs of jq are known to read."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.policy import placeholders
from breakglass.policy.jq import objection

EVERYDAY = [
    "",
    ".",
    ".a",
    ".a.b.c",
    ".items[]",
    ".items[0].metadata.name",
    ".items[].metadata.name",
    ".items | length",
    '.items[] | select(.status.phase != "Running") | .metadata.name',
    '.items[] | select(.metadata.labels["app.kubernetes.io/name"] == "x")',
    '.metadata.annotations."a/b"',
    '."a b"',
    '.["a"]["b"]?, .[1:2], .[-1], .[:3], .[2:]',
    '.items[] | "\\(.metadata.name) \\(.status.phase)"',
    '"\\(.a | length) of \\("x" + "\\(.b)")"',
    ".items[] | [.metadata.name, .status.phase] | @tsv",
    ".[] | [.a, .b] | @csv",
    ".data | map_values(@base64d)",
    '.data["tls.crt"] | @base64d',
    '@base64d "\\(.x)"',
    "keys",
    'to_entries[] | "\\(.key)=\\(.value)"',
    "with_entries(select(.value > 1))",
    "[.[] | select(.a > 1 and (.b | not))] | length",
    "map(.a) | add",
    "map({name: .metadata.name, node: .spec.nodeName})",
    '[.[] | {name, (.key): 1, "c": 2, $x, @text "t": 3, if: 4}]',
    "sort_by(.a) | reverse | .[:5]",
    "group_by(.a) | map({a: .[0].a, n: length})",
    "unique_by(.a) | .[]",
    "max_by(.n).name",
    "first(.[] | select(.a))",
    "limit(3; .[])",
    "..|.image? // empty",
    '.a? // "none"',
    '.a // "none"',
    "[paths(scalars)]",
    ".a as $x | .b | . + $x",
    ". as {a: $x, $z, b: [$y, {c: $w}]} | $x",
    "reduce .[] as $x (0; . + $x)",
    "foreach .[] as $x (0; . + $x; [$x, .])",
    "if .a then .b elif .c then .d else empty end",
    "if .a then 1 end",
    'try error("x") catch .',
    ".a[]? , (.b | tonumber?)",
    "label $out | .[] | if . > 3 then ., break $out else empty end",
    "def f(g; $n): g + $n; def h: 1; f(.a; 2) + h",
    "def f: if . > 0 then . - 1 | f else . end; f",
    '.a | test("^x"; "i")',
    '.a | capture("(?<n>[0-9]+)").n',
    '.[] | select(.name | startswith("x") or endswith("y") or contains("z"))',
    '.a | split(",") | join(" ")',
    '.a | sub("x"; "y") | gsub("\\\\s+"; "")',
    '.a | ascii_downcase | ltrimstr("v")',
    "now - (.time | fromdate) > 3600",
    '.time | strptime("%Y") | mktime | todate',
    "-1 + -.a * 2 / 3 % 4",
    ".a |= . + 1 | .b += 2 | del(.c)",
    "[inputs | .a]",
    ". # the whole\n| .a",
    ".env, {env: .env}",
    "$__loc__",
    "[range(0; 10; 2)] | any(. > 3), all",
    '.conditions[] | select(.type=="Ready").status',
    "(.a, .b) = 1",
]


@pytest.mark.parametrize("program", EVERYDAY)
def test_everyday_programs_read(program: str) -> None:
    assert objection(program) == ""


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("env", "`env` shows the environment"),
        ("env.PATH", "`env` shows the environment"),
        ('.a | "\\(env)"', "`env` shows the environment"),
        ("$ENV", "`$ENV` shows the environment"),
        ("{$ENV}", "`$ENV` shows the environment"),
        ('{"a": $ENV.PATH}', "`$ENV` shows the environment"),
        ("def env: 1; env", "`env` shows the environment"),
        ("[.[] | ([[$ENV]])]", "`$ENV` shows the environment"),
        ('import "a" as b; 1', "`import` reads a module"),
        ('include "a"; 1', "`include` reads a module"),
        ("a::b", "this is not understood: a::b"),
        ("$a::b", "this is not understood: $a::b"),
        ("$__prog_args", "this is not understood: $__prog_args"),
        ("debug", "`debug` is not a function that is known"),
        ("input_filename", "`input_filename` is not a function that is known"),
        ("get_search_list", "`get_search_list` is not a function that is known"),
        ("halt_error", "`halt_error` is not a function that is known"),
        ("modulemeta", "`modulemeta` is not a function that is known"),
        ("def f(x): x; x", "`x` is not a function that is known"),
        ("def f(x): x; f", "`f` is not a function that is known"),
        ("(def f: 1; f) | f", "`f` is not a function that is known"),
        (".a-b", "`b` is not a function that is known"),
        ("@shell", "this is not understood: @shell"),
        ('"\\(1"', 'this is not understood: "'),
        ('"a', 'this is not understood: "a'),
        ('"\\x"', 'this is not understood: "\\x"'),
        (".a .", "it ends too early"),
        (". .", "it ends too early"),
        ("[1", "it ends too early"),
        ("1 2", "this is not understood: 2"),
        ("(" * 100 + "1" + ")" * 100, "it is nested too deeply"),
        (". as [$a] ?// $a | $a", "this is not understood: ?// $a | $a"),
        (". # \\\nenv", "a comment ends in a backslash"),
        (". #\renv", "it holds the control character U+000D"),
    ],
)
def test_anything_else_is_objected_to(program: str, why: str) -> None:
    assert objection(program) == why


@pytest.mark.parametrize("program", [program for program in EVERYDAY if "then 1 end" not in program])
def test_jq_itself_reads_the_everyday_programs(program: str, tmp_path: Path) -> None:
    # jq 1.6 wants an `else`, and takes no keyword for a key.
    program = program.replace(", if: 4", "")
    done = subprocess.run(
        ["/usr/bin/jq", "--arg", "x", "1", program],
        input="",
        text=True,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert "compile error" not in done.stderr


@pytest.mark.parametrize("mark", sorted(placeholders.STAND_INS))
@pytest.mark.parametrize("program", ['"{}"', ".{}", "# {}", "{}"])
def test_a_value_is_never_a_part_of_a_program(program: str, mark: str) -> None:
    assert objection(program.format(mark)) == "a value stands in its text"


@given(st.text(st.sampled_from('.[]{}()|,:"\\;ae1$@?#\n=+-/ ') | st.characters()))
def test_any_text_gets_an_answer(program: str) -> None:
    objection(program)


@pytest.mark.parametrize(
    "piece", ["(", "[", "{", '"\\(', '"', "-", "if ", "try ", "1", "1e", ".a", "a", "#\n", "..", "def a: "]
)
def test_a_long_text_gets_an_answer(piece: str) -> None:
    objection(piece * 50_000)
