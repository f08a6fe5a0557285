"""The tutorial is true: its files are written and its commands run, in its order."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from breakglass.cli.main import main

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
_FENCE = re.compile(
    r"^```(yaml title=\"(?P<file>[^\"]+)\"|console)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Shown:
    """A command, and the lines that the page shows of what it prints."""

    command: str
    lines: tuple[str, ...]


def _parts() -> list[tuple[str, str] | Shown]:
    """What the page has its reader do: files to write, with their text, and commands to run."""
    found: list[tuple[str, str] | Shown] = []
    for fence in _FENCE.finditer(PAGE.read_text("utf-8")):
        if fence["file"]:
            found.append((fence["file"], fence["text"]))
            continue
        for part in fence["text"].split("$ ")[1:]:
            command, *lines = part.rstrip("\n").split("\n")
            found.append(Shown(command, tuple(lines)))
    return found


def _missing(lines: tuple[str, ...], printed: list[str]) -> list[str]:
    """The lines of the page that are not printed in this order. `…` stands for any text."""
    at, missing = 0, list[str]()
    for line in lines:
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
        found = next((n for n in range(at, len(printed)) if re.search(pattern, printed[n])), None)
        if found is None:
            missing.append(line)
        else:
            at = found + 1
    return missing


def test_each_command_of_the_tutorial_prints_what_the_tutorial_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("BREAKGLASS_RUNBOOKS", raising=False)
    commands = 0
    for part in _parts():
        if isinstance(part, Shown):
            program, *words = shlex.split(part.command)
            assert program == "breakglass"
            code = main(words)
            printed = capsys.readouterr()
            lines = (printed.out + printed.err).splitlines()
            assert _missing(part.lines, lines) == [], (part.command, code, lines)
            commands += 1
        else:
            path = tmp_path / part[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(part[1])
    assert commands >= 7
