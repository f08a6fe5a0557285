"""Files that went wrong, by accident or on purpose: problems with a position, or a good file; in bounded
memory, and soon."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from breakglass.rehearsal.load import load_scenario
from breakglass.runbook.load import read_runbook
from breakglass.site.load import read_site
from breakglass.yamlio.position import InvalidFileError, Problem
from tests.safety.hostile import PROGRAM
from tests.support.peak import run_measured

ROOT = Path(__file__).parents[2]
SOURCES = {
    "runbook": ROOT / "tests/runbook/everything.yaml",
    "site": ROOT / "runbooks/example-site.yaml",
    "scenario": ROOT / "runbooks/outpost-shm-purge/scenarios/recorded-incident.yaml",
}


def read_scenario(text: str, path: Path) -> tuple[object | None, list[Problem]]:
    """A scenario is only read from a file."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return load_scenario(path), []
    except InvalidFileError as error:
        return None, list(error.problems)


READERS: dict[str, Callable[[str, Path], tuple[object | None, list[Problem]]]] = {
    "runbook": read_runbook,
    "site": read_site,
    "scenario": read_scenario,
}
FEW, MANY = 300, 12_000
"""Mutated files of each kind, in the suite and in the long form."""
PIECES = (
    *(
        "",
        " ",
        "\n",
        "\t",
        "~",
        "[]",
        "{}",
        "[[",
        "{{",
        "- ",
        ": ",
        "? ",
        "|",
        ">",
        "#",
        "%",
        "@",
        "&a ",
        "*a",
        "<<: *a",
    ),
    *(
        "'",
        '"',
        "${{",
        "}}",
        "${{ x }}",
        "${{ }}",
        "!!python/object:os.system x",
        "!!binary x",
        "1e999",
        "-1",
        "null",
    ),
    *(
        "\0",
        "\x1b",
        "\u202e",
        "\ufeff",
        "\ud800",
        "\u2028",
        "0x",
        "yes",
        "include: /etc/passwd",
        "\\",
        "a.b.c()",
        "---\n",
    ),
)


def mutated(text: str, chance: random.Random) -> str:
    """A text with a few things cut, doubled, moved or put in."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        length = chance.choice((0, 1, 3, 12, 80))
        match chance.randrange(4):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[at + length :]
            case 1:
                text = text[:at] + text[at : at + length] * 2 + text[at + length :]
            case 2:
                to = chance.randrange(len(text) + 1)
                piece = text[at : at + length]
                text = text[:to] + piece + text[to:]
            case _:
                lines = text.split("\n")
                line = chance.randrange(len(lines))
                lines[line] = chance.choice((" ", "  ", "", "- ")) + lines[line].lstrip()
                text = "\n".join(lines)
    return text


@pytest.mark.parametrize("kind", SOURCES)
def test_mutated_files_are_read_or_refused_with_a_position(kind: str, soak: bool, tmp_path: Path) -> None:
    text, path, read = SOURCES[kind].read_text(), tmp_path / "mutated.yaml", READERS[kind]
    chance = random.Random(20251205)
    refused = 0
    for _ in range(MANY if soak else FEW):
        found, problems = read(mutated(text, chance), path)
        errors = [each for each in problems if not each.warning]
        assert (found is None) == bool(errors)
        for each in problems:
            assert each.message
            assert each.position.line >= 1
            assert each.position.column >= 1
        refused += bool(errors)
    assert refused, "the mutations do harm"


def laughs(levels: int) -> str:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(rows) + "\n"


def merges(levels: int) -> str:
    rows = ["m0: &m0 {k0: 1, j0: 1}"]
    rows += [f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], k{n}: 1}}" for n in range(1, levels)]
    return "\n".join(rows) + "\n"


HEADS = {
    "runbook": "runbook: x\ntitle: X\nsummary: X.\nseverity: sev2\nsteps: [{id: a, title: A, manual: x}]\n",
    "site": "site: x\nvariables:\n  v: 1\n",
    "scenario": "scenario: x\ntitle: X\nsummary: X.\nrunbook: x\nrecovered: 'true'\nworld: {v: 1}\n",
}
BOMBS = {
    "aliases": laughs(9),
    "merges": merges(40),
    "lists in lists": "x: " + "[" * 50_000 + "]" * 50_000 + "\n",
    "mappings in mappings": "x: " + "{a: " * 20_000 + "}" * 20_000 + "\n",
    "indentation": "".join(f"{' ' * depth}a:\n" for depth in range(2_000)),
    "many keys": "".join(f"k{number}: 1\n" for number in range(30_000)),
    "a long line": f"x: '{'y' * 3_000_000}'\n",
    "brackets in an expression": "x: ${{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}\n",
    "an endless expression": "x: ${{ " + "1 + " * 30_000 + "1 }}\n",
    "a number": "x: " + "9" * 200_000 + "\n",
    "itself": "x: &x [*x]\n",
}
LARGEST = 200 * 1024
"""KiB of memory."""
SOON = 60.0
"""Seconds, on a busy machine."""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(bomb: str, tmp_path: Path) -> None:
    paths: list[Path] = []
    for kind, head in HEADS.items():
        paths.append(tmp_path / f"{kind}.yaml")
        inside = "".join(f"  {line}\n" for line in BOMBS[bomb].splitlines())
        tail = (
            f"variables:\n{inside}"
            if kind == "site"
            else f"world:\n{inside}"
            if kind == "scenario"
            else BOMBS[bomb]
        )
        paths[-1].write_text(head.replace("variables:\n  v: 1\n", "").replace("world: {v: 1}\n", "") + tail)
    words = ["lint", *map(str, paths)]
    printed, code, largest = run_measured(sys.executable, PROGRAM, words, preexec=limit)
    said = printed.decode()
    assert code in (0, 2), said[-2000:]
    assert "Traceback" not in said
    assert 0 < largest < LARGEST, f"{largest} KiB"
    assert len(said) < 20_000, "a message is no bomb itself"


def limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (int(SOON), int(SOON)))
    resource.setrlimit(resource.RLIMIT_AS, (2 * 1024**3, 2 * 1024**3))
