"""Makes each change in a forked process, and has it judged there."""

import ast
import contextlib
import gc
import hashlib
import importlib.machinery
import os
import pickle
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import BinaryIO, cast

from tools.mutants import judges, python_code, tables
from tools.mutants.judges import ROOT, BrokenTestsError, Call, Seen, Target

MEMORY = 3 << 30
"""Bytes that one process may take."""
SLOWER, AT_LEAST = 3, 4
"""A change is killed by its tests' taking so many times longer, and so many seconds more."""
WAITING = 10
"""Times its processor's time that a process may take on the clock: other programs run too."""
OBSERVING = 600.0
"""Seconds of the processor that the tests of a group may take, with each line noted."""
TOO_LONG = "taking too long"

Maker = Callable[[], CodeType | str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a change: which test killed it, empty for a survivor, and its processor's time."""

    name: str
    file: str
    killed_by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one wrong change, under a name that stays when lines move. lines: one of them runs wherever
    the change makes a difference; none where that isn't known."""

    name: str
    file: str
    make: Maker
    lines: frozenset[int] = frozenset()


def mutants(file: str) -> Iterator[Mutant]:
    """All changes of a file."""
    text = (ROOT / file).read_text()
    if file.endswith(".yaml"):
        found = tables.changes(text, Path(file).name)
        names = python_code.numbered([f"{file} {each.where}: {each.what}" for each in found])
        for name, each in zip(names, found, strict=True):
            yield Mutant(name, file, each.make)
        return
    told = python_code.changes(ast.parse(text))
    names = python_code.numbered([f"{file} {each.where}: {each.before} -> {each.after}" for each in told])
    for index, (name, each) in enumerate(zip(names, told, strict=True)):
        yield Mutant(name, file, _code(file, text, index), each.lines)


def sample(found: Iterable[Mutant], size: int, seed: str = "") -> list[Mutant]:
    """So many of them, or all where there are fewer; for a seed always the same, and a larger sample holds a
    smaller one."""
    return sorted(found, key=lambda each: hashlib.sha256((seed + each.name).encode()).digest())[:size]


def _code(file: str, text: str, index: int) -> Maker:
    def make() -> CodeType:
        tree = ast.parse(text)
        python_code.changes(tree)[index].make()
        return compile(tree, str(ROOT / file), "exec")

    return make


def judged(target: Target, seen: Seen, found: Iterable[Mutant]) -> Iterator[Verdict]:
    """The verdict on each change of one file, as they come.

    A change of a function is made in a process that has imported everything; one of what runs on importing
    the file is made before anything is imported.
    """
    inner: list[Mutant] = []
    outer: list[Mutant] = []
    for mutant in found:
        (inner if mutant.lines and not mutant.lines & seen.imported else outer).append(mutant)
    if inner:
        process, pipe = _started(None, lambda answer: _judge_functions(target, seen, inner, answer))
        with os.fdopen(pipe, "rb") as verdicts:
            while told := verdicts.readline():
                mutant, verdict = inner[int(told)], cast("Verdict | None", pickle.load(verdicts))
                if verdict is None:
                    outer.append(mutant)
                else:
                    yield verdict
        os.waitpid(process, 0)
    for mutant in outer:
        yield _judged(
            target, mutant, seen.that_could_find(mutant.lines, mutant.file, target.patience), imported=False
        )


def _judge_functions(target: Target, seen: Seen, found: Sequence[Mutant], answer: BinaryIO) -> None:
    """Import everything, and have each change made and judged in a process of its own from there. Answers
    with the number of the change, and its verdict, or none where it cannot be made here."""
    judges.import_tests(target)
    for number, mutant in enumerate(found):
        possible = _exchanged(ROOT / mutant.file, mutant.make(), try_only=True)
        calls = seen.that_could_find(mutant.lines, mutant.file, target.patience)
        verdict = _judged(target, mutant, calls, imported=True) if possible else None
        answer.write(f"{number}\n".encode() + pickle.dumps(verdict))
        answer.flush()


def _judged(target: Target, mutant: Mutant, calls: Sequence[Call], *, imported: bool) -> Verdict:
    if not calls:
        return Verdict(mutant.name, mutant.file, "", 0)
    change = _exchanged if imported else _changed

    def work(answer: BinaryIO) -> None:
        change(ROOT / mutant.file, mutant.make())
        answer.write(judges.judge(target, calls).encode())

    process, pipe = _started(sum(each.seconds for each in calls) * SLOWER + AT_LEAST, work)
    _, status, used = os.wait4(process, 0)
    with contextlib.suppress(ProcessLookupError):  # what it started itself
        os.killpg(process, signal.SIGKILL)
    with os.fdopen(pipe, "rb") as answers:
        os.set_blocking(answers.fileno(), False)
        killed_by = (answers.read() or b"").decode()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        late = number in (signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM)
        killed_by = TOO_LONG if late else signal.Signals(number).name
    elif os.WEXITSTATUS(status):
        killed_by = killed_by or "ending the process"
    return Verdict(mutant.name, mutant.file, killed_by, used.ru_utime + used.ru_stime)


def observed(target: Target) -> Mapping[str, Seen]:
    """What the tests of a group do without a change, by file. Raises BrokenTestsError where one fails."""
    kept = judges.observed_before(target)
    if not kept.exists():
        start = time.monotonic()
        process, pipe = _started(OBSERVING, lambda answer: pickle.dump(_observed(target), answer))
        with os.fdopen(pipe, "rb") as answers:
            told = answers.read()
        _, status, _ = os.wait4(process, 0)
        if not told:
            raise BrokenTestsError(f"{target.name}: they ended with status {status}")
        found = cast("dict[str, Seen] | str", pickle.loads(told))
        if isinstance(found, str):
            raise BrokenTestsError(found)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(told)
        print(f"{target.name}: looked on for {time.monotonic() - start:.0f} s", flush=True)
    return cast("dict[str, Seen]", pickle.loads(kept.read_bytes()))


def _observed(target: Target) -> dict[str, Seen] | str:
    try:
        return judges.observe(target)
    except BrokenTestsError as error:
        return str(error)


def _started(limit: float | None, work: Callable[[BinaryIO], None]) -> tuple[int, int]:
    """A process that does something within a limit, and the pipe on which it answers."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    status = 1
    try:
        os.close(reading)
        os.setpgid(0, 0)
        _bounded(limit)
        with os.fdopen(writing, "wb") as answer:
            work(answer)
        status = 0
    finally:
        os._exit(status)


def _bounded(limit: float | None) -> None:
    """Keep this process quiet, and within its time and memory."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
        signal.alarm(int(limit * WAITING) + 1)


def _exchanged(path: Path, changed: CodeType | str, *, try_only: bool = False) -> bool:
    """Let the functions of a file that is imported run their changed code. Says whether that can be done."""
    assert isinstance(changed, CodeType)
    new = {(code.co_qualname, code.co_firstlineno): code for code in _codes(changed)}
    for function in [each for each in gc.get_objects() if isinstance(each, FunctionType)]:
        old = function.__code__
        code = new.get((old.co_qualname, old.co_firstlineno)) if old.co_filename == str(path) else None
        if code is None or code == old:
            continue
        if code.co_freevars != old.co_freevars:
            return False
        if not try_only:
            function.__code__ = code
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


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
