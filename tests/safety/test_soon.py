"""Whatever is written in a file or sent by a far side, looking at it ends soon and is no crash.

Each case runs in a program of its own, which is ended if it takes minutes; the cases take seconds where time
grows with the text, and days where it grows faster.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.safety.hostile import PROGRAM

MINUTES = 240.0
"""Seconds. Far more than any case takes on a machine that does other work as well."""

MOST = 32_000
"""Characters of one text; what a file may hold in one is little more."""

HEAD = (
    "runbook: big\ntitle: t\nsummary: s\nseverity: sev2\nuses: {hosts: [h], clusters: [c], endpoints: [e]}\n"
)
END = "  - {id: e, title: x, ends: recovered}\n"


def often(text: str) -> str:
    return text * (MOST // len(text))


def expecting(expression: str) -> dict[str, object]:
    return {"ssh": {"host": "h", "run": ["uptime"]}, "expect": [{"that": expression, "else": "x"}]}


SHELL = (
    *('echo "a" ', "a;", "$(", "`a ", "( ", "|a ", "a >b ", "a", "a  ", "<<a ", "{ ", "${a", "$((", "\\\n"),
    *("sudo ", "env ", "xargs ", "sh -c ", "timeout 1 ", "if a; then ", "! ", "'a' ", "a=1 ", "case a in "),
)
STEPS: Mapping[str, dict[str, object]] = {
    "string that is not closed": expecting('"' + often('\\"')),
    "long string that is not closed": expecting("'''" + often("\\'''")),
    "brackets": expecting(often("(")),
    "members": expecting("a" + often(".a")),
    "sums": expecting("1" + often("+1")),
    "denials": expecting(often("!") + "true"),
    "interpolations": {"manual": often("${{ 'a' }} ")},
    "interpolation that is not closed": {"manual": often("${{ '")},
    "blanks in a title": {"title": "& " + often(" ") + "1", "manual": "x"},
    "words of kubectl": {"kubectl": "get pods " + often("a ")},
    "deep patch": {"kubectl": f"patch pod a -p '{often('[')}'"},
    "selector": {"kubectl": f"get pods -l '{often('a in (b),')}'"},
    "path": {"http": {"get": "e", "path": "/" + often("../")}},
    **{f"shell: {text}": {"ssh": {"host": "h", "run": often(text)}} for text in SHELL},
    "no-break space": {"ssh": {"host": "h", "run": "df\u00a0 -k /srv"}},
    "no-break spaces": {"ssh": {"host": "h", "run": "df " + often("\u00a0") + "x"}},
    "awk": {"ssh": {"host": "h", "run": ["awk", often("{print (")]}},
    "sed": {"ssh": {"host": "h", "run": ["sed", "-n", often("/a/{")]}},
    "jq": {"ssh": {"host": "h", "run": ["jq", often(".[")]}},
    "pattern": {"ask": {"prompt": "p", "pattern": often("(a|a)*")}},
    "deep pattern": {"ask": {"prompt": "p", "pattern": often("(")}},
}
"""What is in each of as many steps as fit into a file."""


def runbook(step: Mapping[str, object]) -> str:
    one = len(json.dumps(step))
    steps = [{"id": f"s{n}", "title": "t", "why": "w", **step} for n in range(min(20, 800_000 // one))]
    return HEAD + "steps:\n" + "".join(f"  - {json.dumps(each)}\n" for each in steps) + END


def ran(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", PROGRAM, *words]
    environment = {**os.environ, "XDG_CACHE_HOME": str(at), "XDG_CONFIG_HOME": str(at)}
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=MINUTES, check=False, cwd=at, env=environment
    )


@pytest.mark.parametrize("case", STEPS)
def test_lint_ends_soon(case: str, tmp_path: Path) -> None:
    path = tmp_path / "runbook.yaml"
    path.write_text(runbook(STEPS[case]))
    done = ran("lint", "--no-cache", str(path), at=tmp_path)
    assert done.returncode in (0, 1, 2), done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]


BACKTRACKING = """
inputs:
  name: {type: string, pattern: "(a|a)*b", default: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, help: h}
steps:
  - {id: s, title: t, why: w, ssh: {host: h, run: [uptime]}}
"""


@pytest.mark.parametrize("command", ["lint", "list"])
def test_a_pattern_that_backtracks_holds_nobody_up(command: str, tmp_path: Path) -> None:
    folder = tmp_path / "runbooks" / "redos"
    folder.mkdir(parents=True)
    (folder / "runbook.yaml").write_text(HEAD + BACKTRACKING + END)
    done = ran(command, at=tmp_path)
    assert "redos" in done.stdout + done.stderr
    assert (command == "list") or "does not match the pattern (a|a)*b" in done.stdout


MEGABYTE = 1_000_000
FUNCTIONS = {
    "df: blanks": ("df", "'/d' + ' ' * n + 'x'"),
    "df: numbers": ("df", "'/d ' + '1 ' * (n // 2) + 'x'"),
    "df: digits": ("df", "'/d 1 2 3 ' + '4' * n + ' /x'"),
    "df: many": ("df", "'/dev/sda 1 2 3 4% /x\\n' * (n // 20)"),
    "key_values: blanks": ("key_values", "'k:a' + ' ' * n + 'x'"),
    "key_values: single blanks": ("key_values", "'a' + ' b' * (n // 2)"),
    "key_values: two runs": ("key_values", "'a ' + 'b' + ' ' * n + 'c'"),
    "key_values: tabs": ("key_values", "'\\t' * n"),
    "columns: blanks": ("columns", "'A  B\\n' + 'x' + ' ' * n + 'y'"),
    "columns: many names": ("columns", "'A B  ' * (n // 10) + '\\n' + '1 2  ' * (n // 10)"),
    "columns: many rows": ("columns", "'A B  C\\n' + '1 2  3\\n' * (n // 7)"),
    "lines": ("lines", "'\\x0b' * n"),
    "to_int": ("to_int", "'9' * n"),
    "age_seconds": ("age_seconds", "'2020-01-01T00:00:00Z' * (n // 20)"),
    "json: deep": ("from_json", "'[' * n"),
    "json: just readable": ("from_json", "'[' * 900 + ']' * 900"),
    "json: long number": ("from_json", "'9' * n"),
    "yaml: deep": ("from_yaml", "'[' * n"),
    "first": ("first", "'a' * n, '(a|a)*b'"),
    "all: too many": ("every", "'a' * n, 'a'"),
    "all": ("every", "'a' * n, '(a+)+b'"),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_of_expressions_looks_at_a_megabyte_soon(case: str) -> None:
    name, argument = FUNCTIONS[case]
    program = (
        "from breakglass.runbook import functions\n"
        f"n = {MEGABYTE}\n"
        f"try: functions.{name}({argument})\n"
        "except ValueError: pass\n"
    )
    subprocess.run([sys.executable, "-c", program], timeout=MINUTES, check=True)
