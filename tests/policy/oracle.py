"""What real shells run of a text: every program is a stand-in that notes how it was called.

The text is run in a folder of its own, with no program but the stand-ins to be found, for a few seconds at
most.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from breakglass.policy.placeholders import EXPANSION, WORDS
from breakglass.policy.shell import SimpleCommand
from tests.policy.shell_texts import NAMES

SHELLS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "--norc", "-c"),
    "dash": ("dash", "-c"),
    "bash as sh": ("bash", "--posix", "--norc", "-c"),
    "busybox": ("busybox", "ash", "-c"),
    "zsh": ("zsh", "-f", "-c"),
}


def installed_shells() -> list[str]:
    """bash and dash, and of the others those that are installed."""
    return [name for name, words in SHELLS.items() if name in ("bash", "dash") or shutil.which(words[0])]


ODD_NAMES = (
    *("f", "g", "x", "a", "b", "-f", "-p", "-", "1", "2", "12", "hidden", "time", "]]", "{", "}", "{}"),
    *("!", "if", "then", "else", "elif", "fi", "for", "in", "do", "done", "while", "case", "esac", "until"),
    *(
        "function",
        "select",
        "coproc",
        "repeat",
        "foreach",
        "end",
        "always",
        "nocorrect",
        "noglob",
        "namespace",
    ),
    *("x=1", "x+=1", "x=", "#", "a]", "=ls", "]", "{a,b}", "{rm,f}", "{rm", "f}", "rm}", "ls}", "!rm", "?"),
    *("*", "@", "+", "^", "%", ":", ",", "--", "E", "-eq", "=~", "==", "source", "let", "declare", "é"),
)
NOTES = 200
"""The descriptor that a stand-in notes its calls to; a text names only smaller ones."""

MOST_CALLS = 60
LONGEST = 4.0
"""Seconds."""

STAND_IN = f"""#!/bin/sh
printf '%s\\0' "$#" "${{0##*/}}" "$@" >/dev/fd/{NOTES}
case ${{0##*/}} in
ok) echo 'a[$(hidden)0]' ;;
no) exit 1 ;;
*) echo rm -f f ;;
esac
"""

FILES: Mapping[str, str] = {
    "f": "one two\nthree\n",
    "g": "a[$(hidden)0]\n",
    "-f": "",
    "a b": "",
    "d/f": "rm\n",
}


@dataclass(frozen=True, slots=True)
class Ran:
    calls: frozenset[tuple[str, ...]]
    written: frozenset[str]


class Oracle:
    """A folder of stand-ins, and a folder to run in that is made anew after each text that wrote to it."""

    def __init__(self, folder: Path) -> None:
        self._programs = folder / "programs"
        self._programs.mkdir()
        self._here = folder / "here" / "inner"
        self._input = folder / "input"
        self._input.write_text("one\ntwo\n")
        first = self._programs / NAMES[0]
        first.write_text(STAND_IN)
        first.chmod(0o755)
        for name in {*NAMES, *ODD_NAMES} - {NAMES[0]}:
            (self._programs / name).hardlink_to(first)
        self._prepare()

    def _prepare(self) -> None:
        shutil.rmtree(self._here, ignore_errors=True)
        for name, content in FILES.items():
            file = self._here / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        self._before = self._state()

    def _state(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for file in self._here.rglob("*"):
            if not file.is_dir():
                status = file.lstat()
                found[str(file.relative_to(self._here))] = (status.st_size, status.st_mtime_ns)
        return found

    def run(self, shell: str, text: str) -> Ran:
        """Run the text with one of SHELLS, all that it left in the background included."""
        reads, writes = os.pipe()
        os.dup2(writes, NOTES, inheritable=True)
        os.close(writes)
        environment = {
            "PATH": str(self._programs),
            "HOME": str(self._here),
            "x": "a[$(hidden)0]",
            "y": "-f *",
            "LC_ALL": "C.UTF-8",
        }
        program, *arguments = SHELLS[shell]
        with self._input.open() as given:
            process = subprocess.Popen(
                [shutil.which(program) or program, *arguments, text],
                cwd=self._here,
                env=environment,
                stdin=given,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(NOTES,),
                start_new_session=True,
            )
        os.close(NOTES)
        try:
            notes = _read_all(reads)
        finally:
            os.close(reads)
            _kill(process.pid)
            process.wait()
        after = self._state()
        written = {name for name, state in after.items() if self._before.get(name) != state}
        if after != self._before:
            self._prepare()
        return Ran(frozenset(_calls(notes)), frozenset(written))


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _read_all(descriptor: int) -> bytes:
    """What is noted until every process that could note something is gone, or it is too much or too long."""
    deadline = time.monotonic() + LONGEST
    notes = b""
    while (left := deadline - time.monotonic()) > 0 and notes.count(b"\0") < MOST_CALLS * 3:
        if not select.select([descriptor], [], [], left)[0]:
            break
        read = os.read(descriptor, 65536)
        if not read:
            break
        notes += read
    return notes


def _calls(notes: bytes) -> Iterable[tuple[str, ...]]:
    fields = notes.decode("utf-8", "replace").split("\0")[:-1]
    at = 0
    while at < len(fields):
        count = int(fields[at])
        call = tuple(fields[at + 1 : at + 2 + count])
        if len(call) == count + 1:
            yield call
        at += 2 + count


def unexplained(commands: Sequence[SimpleCommand], ran: Ran) -> list[str]:
    """What ran or was written although no command said so."""
    named = [_call_pattern(command.words) for command in commands if command.words]
    targets = [
        ".*" if WORDS in target else _one_word(target) for command in commands for target in command.writes
    ]
    calls = [
        f"ran {call}"
        for call in sorted(ran.calls)
        if not any(pattern.fullmatch("".join(word + "\0" for word in call)) for pattern in named)
    ]
    files = [
        f"wrote {file}"
        for file in sorted(ran.written)
        if not any(re.fullmatch(rf"(?:\./)*(?:{target})", file, re.DOTALL) for target in targets)
    ]
    return calls + files


def _call_pattern(words: Sequence[str]) -> re.Pattern[str]:
    patterns: list[str] = []
    for index, word in enumerate(words):
        if WORDS in word:
            patterns.append(f"(?:{_one_word(word)}\0)?" if word.startswith(WORDS) else f"{_one_word(word)}\0")
        elif EXPANSION in word and index and words[index - 1] == word:
            patterns[-1] = f"(?:{_one_word(word)}\0)+"
        else:
            patterns.append(f"{_one_word(word)}\0")
    return re.compile("".join(patterns), re.DOTALL)


def _one_word(word: str) -> str:
    """A pattern of one argument. A `~` that some shell may take for the home folder matches any path."""
    pattern = re.escape(word).replace(EXPANSION, "[^\0]*").replace(WORDS, ".*")
    return re.sub(r"(\A|=|:)\\~/*", r"\1[^\0]*", pattern)
