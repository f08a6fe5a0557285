"""Makes each change in a forked process and has it judged there. The process that forks has imported none of
the program, so that each one imports it changed, whatever holds names of it."""

import ast
import hashlib
import importlib.machinery
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

from tools.mutants import judges, python_code, tables
from tools.mutants.judges import ROOT, Target

MEMORY = 3 << 30
"""Bytes that one process may take."""
SLOWER, AT_LEAST = 4, 5
"""A change is killed by its tests' taking so many times longer, and so many seconds more."""
WAITING = 10
"""Times its processor's time that a process may take on the clock: other programs run too."""
STEPS = 10_000

Maker = Callable[[], CodeType | str]


class BrokenTestsError(Exception):
    """The tests fail without any change."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a change: which test killed it, empty for a survivor, and its processor's time."""

    name: str
    file: str
    killed_by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one wrong change, under a name that stays when lines move."""

    name: str
    file: str
    make: Maker


def mutants(file: str, percent: float, only: str = "") -> list[Mutant]:
    """The changes of a file that are in the sample, and whose name holds a text."""
    return [Mutant(name, file, make) for name, make in _all(file) if chosen(name, percent) and only in name]


def chosen(name: str, percent: float) -> bool:
    """Whether a change is in the sample of this size: the same always, and a larger sample holds it too."""
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % STEPS
    return drawn < percent / 100 * STEPS


def _all(file: str) -> Iterator[tuple[str, Maker]]:
    text = (ROOT / file).read_text()
    if file.endswith(".yaml"):
        found = tables.changes(text, Path(file).name)
        names = python_code.numbered([f"{file} {each.where}: {each.what}" for each in found])
        yield from zip(names, (each.make for each in found), strict=True)
        return
    told = python_code.changes(ast.parse(text))
    names = python_code.numbered([f"{file} {each.where}: {each.before} -> {each.after}" for each in told])
    for index, name in enumerate(names):
        yield name, _code(file, text, index)


def _code(file: str, text: str, index: int) -> Maker:
    def make() -> CodeType:
        tree = ast.parse(text)
        python_code.changes(tree)[index].make()
        return compile(tree, str(ROOT / file), "exec")

    return make


def judged(target: Target, file: str, found: Iterable[Mutant], jobs: int) -> Iterator[Verdict]:
    """The verdict on each change, as they come. Raises BrokenTestsError where the tests fail without one."""
    start = time.monotonic()
    unchanged = _finished(_started(target, file, None, 600))
    if unchanged.killed_by:
        raise BrokenTestsError(f"{target.name}, {file}: {unchanged.killed_by}")
    limit = unchanged.seconds * SLOWER + AT_LEAST
    print(f"{file}: the tests take {unchanged.seconds:.1f} s, {time.monotonic() - start:.1f} s on the clock")
    running: dict[int, tuple[Mutant, int]] = {}
    for mutant in found:
        if len(running) == jobs:
            yield _next(running)
        process, pipe = _started(target, file, mutant, limit)
        running[process] = mutant, pipe
    while running:
        yield _next(running)


def _next(running: dict[int, tuple[Mutant, int]]) -> Verdict:
    process, status, used = os.wait4(-1, 0)
    mutant, pipe = running.pop(process)
    return _verdict(mutant, pipe, status, used)


def _finished(started: tuple[int, int]) -> Verdict:
    process, pipe = started
    _, status, used = os.wait4(process, 0)
    return _verdict(Mutant("", "", lambda: ""), pipe, status, used)


def _verdict(mutant: Mutant, pipe: int, status: int, used: resource.struct_rusage) -> Verdict:
    with os.fdopen(pipe, "rb") as answers:
        killed_by = answers.read().decode()
    if os.WIFSIGNALED(status):
        killed_by = f"taking too long, or {signal.Signals(os.WTERMSIG(status)).name}"
    elif os.WEXITSTATUS(status):
        killed_by = killed_by or "ending the process"
    return Verdict(mutant.name, mutant.file, killed_by, used.ru_utime + used.ru_stime)


def _started(target: Target, file: str, mutant: Mutant | None, limit: float) -> tuple[int, int]:
    """A process that judges, and the pipe on which it answers."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    status = 1
    try:
        os.close(reading)
        _bounded(limit)
        if mutant is not None:
            _changed(ROOT / file, mutant.make())
        killed_by = judges.judge(target, file)
        os.write(writing, killed_by.encode()[:4000])
        status = 0
    finally:
        os._exit(status)


def _bounded(limit: float) -> None:
    """Keep this process quiet, and within its time and memory."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(int(limit * WAITING) + 1)


def _changed(path: Path, changed: CodeType | str) -> None:
    """Let whoever imports or reads a file from now on get it with its change."""
    if isinstance(changed, str):
        read = Path.read_text

        def read_text(self: Path, encoding: str | None = None, errors: str | None = None) -> str:
            return changed if self == path else read(self, encoding, errors)

        Path.read_text = read_text
        return
    get = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        return changed if Path(self.path) == path else get(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code
