"""Which tests judge which file, and how they are run: straight, in a process that is thrown away.

The tests' functions are called without pytest's own machinery, which would cost seconds for each change: with
each of their parameters, with `tmp_path` and `monkeypatch`, and with the fixtures of their own module. A test
that takes another fixture is not called. What Hypothesis draws is the same every time.
"""

import asyncio
import contextlib
import hashlib
import importlib
import inspect
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias, cast

import _pytest.outcomes
import hypothesis
import pytest
from _pytest.fixtures import FixtureFunctionDefinition
from _pytest.mark import Mark, ParameterSet

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = 8
"""Of each property. More are drawn in the suite itself."""


PATIENCE = 15.0
"""Seconds of the processor that the tests of one change may take in sum, with each line noted."""
PATIENCE_ON_SCREEN = 90.0
"""The same for tests that drive a screen: noting lines makes those take about six times longer."""


@dataclass(frozen=True, slots=True)
class Target:
    """Files whose changes the same tests judge, those that kill most of them first.

    unless: beginnings of names of tests that are left out, since they take long or are no judges of it.
    preload: modules of others that the tests need, imported once. patience: as PATIENCE.
    """

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    unless: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    patience: float = PATIENCE


_SLOW = (
    "test_jq_itself",
    "test_a_long_text",
    "test_the_tables_are_shipped",
    "test_any_words",
    "test_any_text",
)
_YAML = ("yaml", "re2")


def _policy(*names: str) -> tuple[str, ...]:
    return tuple(f"tests.policy.test_{name}" for name in names)


TARGETS = (
    Target(
        "programs",
        tuple(
            f"breakglass/policy/{name}.py"
            for name in ("sed", "awk", "awk_tokens", "jq", "token_parser", "program_text", "conditions")
        ),
        _policy("sed", "awk", "jq", "word_lists", "injection", "cases"),
        _SLOW,
        _YAML,
    ),
    Target(
        "shell",
        ("breakglass/policy/shell*.py",),
        (
            *_policy("parsed", "shell", "shell_corners", "word_lists", "cases", "injection"),
            "tests.runbook.test_shell_text",
        ),
        _SLOW,
        _YAML,
    ),
    Target(
        "kubectl",
        ("breakglass/policy/kubectl/*.py",),
        _policy("kubectl", "kubectl_words", "word_lists", "risk", "assessment", "injection", "cases"),
        _SLOW,
        _YAML,
    ),
    Target(
        "commands",
        tuple(
            f"breakglass/policy/{name}.py"
            for name in (
                *("commands", "tables", "risk", "site_rules", "placeholders", "interpreters", "injection"),
                "login_shell",
            )
        ),
        _policy(
            *("risk", "tables", "cases", "assessment", "site_rules", "injection", "login_shell", "shell"),
            *("reasons", "code_words", "word_lists", "sed", "awk", "jq"),
        ),
        _SLOW,
        _YAML,
    ),
    Target(
        "tables",
        ("breakglass/policy/programs/*.yaml",),
        _policy("known_changes", "option_values", "cases", "tables"),
        _SLOW,
        _YAML,
    ),
    Target(
        "journal",
        ("breakglass/journal/events.py", "breakglass/journal/state.py", "breakglass/journal/store.py"),
        (
            *(
                "tests.journal.test_events",
                "tests.journal.test_store",
                "tests.journal.test_folder_sync",
                "tests.journal.test_sessions",
                "tests.safety.test_tampering",
            ),
            *("tests.journal.test_state", "tests.engine.test_resume", "tests.engine.test_unknown_changes"),
            "tests.safety.test_disk",
        ),
        ("test_a_large_journal",),
    ),
    Target(
        "redaction",
        ("breakglass/site/redaction.py", "breakglass/site/secret_forms.py"),
        ("tests.site.test_redaction", "tests.site.test_secret_spellings"),
        ("test_a_huge_secret",),
        _YAML,
    ),
    Target(
        "confirming",
        (
            *(
                "breakglass/engine/admission.py",
                "breakglass/engine/confirmation.py",
                "breakglass/engine/signature.py",
            ),
            "breakglass/engine/change.py",
            "breakglass/engine/prompts.py",
        ),
        (
            *("tests.engine.test_confirmation", "tests.engine.test_changes", "tests.engine.test_admission"),
            *("tests.engine.test_change_words", "tests.engine.test_what_came_of_it"),
            "tests.engine.test_change_record",
            *("tests.engine.test_unknown_changes", "tests.engine.test_signature", "tests.engine.test_values"),
            *("tests.engine.test_dry_run", "tests.engine.test_drift", "tests.engine.test_redact"),
            *("tests.engine.test_prompts", "tests.engine.test_resume", "tests.safety.test_acting_now"),
            *("tests.engine.test_answers", "tests.engine.test_secret_answers"),
        ),
        (),
        (*_YAML, "cel_expr_python", "aiohttp", "kubernetes", "httpx"),
    ),
    Target(
        "asking",
        (
            "breakglass/tui/dialogs/confirm*.py",
            "breakglass/cli/plain.py",
            "breakglass/cli/terminal_input.py",
        ),
        (
            "tests.cli.test_plain",
            "tests.cli.test_terminal_input",
            "tests.tui.test_confirm_lines",
            "tests.tui.test_confirm",
            "tests.tui.test_typed_ahead",
        ),
        (),
        (*_YAML, "cel_expr_python", "aiohttp", "kubernetes", "httpx", "textual.app", "textual.pilot"),
        PATIENCE_ON_SCREEN,
    ),
)


class BrokenTestsError(Exception):
    """The tests fail without any change."""


Test: TypeAlias = tuple[str, Callable[[], object]]
TraceFunction: TypeAlias = Callable[[FrameType, str, Any], Any]


def files(target: Target) -> list[str]:
    """The files of a target, sorted, from the repository's root. Those that say nothing are left out."""
    found = {path for pattern in target.files for path in ROOT.glob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in found if path.stat().st_size > 200)


def preload(target: Target) -> None:
    """Import what is nobody's here, so that no change waits for it."""
    for name in ("pytest_asyncio", "hypothesis.strategies", *target.preload):
        importlib.import_module(name)


def prepare() -> None:
    """Let Hypothesis draw the same each time, and neither keep nor shrink what it finds."""
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=EXAMPLES,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    hypothesis.settings.load_profile("mutants")


def in_order(target: Target, file: str) -> list[str]:
    """The modules of tests, the one that is named after the file first."""
    stem = Path(file).stem
    own = [name for name in target.tests if _is_named(name, stem)]
    return [*own, *(name for name in target.tests if name not in own)]


def _is_named(module: str, stem: str) -> bool:
    return module.rpartition(".test_")[2].startswith(stem)


def tests(module: str, unless: Sequence[str]) -> Iterator[Test]:
    """Each call of each test of a module. Raises whatever importing it raises."""
    names = dict(vars(importlib.import_module(module)))
    for name, found in names.items():
        if not name.startswith("test_") or not callable(found) or name.startswith(tuple(unless)):
            continue
        for given in _parameters(found):
            needed = [each for each in inspect.signature(found).parameters if each not in given]
            if all(_can_be_made(each, names) for each in needed):
                yield f"{module}.{name}", _call(found, given, needed, names)


def _can_be_made(name: str, names: Mapping[str, object]) -> bool:
    """Whether a fixture is known here, and all that it takes itself."""
    if name in ("tmp_path", "monkeypatch"):
        return True
    found = names.get(name)
    if not isinstance(found, FixtureFunctionDefinition) or _params_of(found):
        return False
    if inspect.isasyncgenfunction(_function_of(found)) or inspect.iscoroutinefunction(_function_of(found)):
        return False
    return all(_can_be_made(each, names) for each in inspect.signature(_function_of(found)).parameters)


def _params_of(fixture: FixtureFunctionDefinition) -> object:
    """The parameters of a fixture that has several values."""
    return fixture._fixture_function_marker.params  # pyright: ignore[reportPrivateUsage]


def _function_of(fixture: FixtureFunctionDefinition) -> Callable[..., object]:
    return cast("Callable[..., object]", fixture._fixture_function)  # pyright: ignore[reportPrivateUsage]


def _parameters(test: Callable[..., object]) -> Iterator[Mapping[str, object]]:
    """The parameters of each call, as `pytest.mark.parametrize` says."""
    marks = cast("list[Mark]", getattr(test, "pytestmark", []))
    lists: list[list[Mapping[str, object]]] = []
    for mark in (each for each in marks if each.name == "parametrize"):
        names, values = mark.args[0], list(mark.args[1])
        split = [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
        one = len(split) == 1
        rows = [
            each.values if isinstance(each, ParameterSet) else (each,) if one else tuple(each)
            for each in values
        ]
        lists.append([dict(zip(split, row, strict=True)) for row in rows])
    for each in itertools.product(*lists):
        yield {name: value for part in each for name, value in part.items()}


def _call(
    test: Callable[..., object],
    given: Mapping[str, object],
    needed: Sequence[str],
    names: Mapping[str, object],
) -> Callable[[], object]:
    def call() -> None:
        made: dict[str, object] = {}
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setenv("XDG_CACHE_HOME", f"{folder}/cache")
            made |= {"tmp_path": Path(folder).resolve(), "monkeypatch": patch}
            values = {name: _made(name, names, made, stack) for name in needed}
            try:
                result = test(**given, **values)
                if inspect.iscoroutine(result):
                    asyncio.run(result)
            except _pytest.outcomes.Skipped:
                pass

    return call


def _made(
    name: str, names: Mapping[str, object], made: dict[str, object], stack: contextlib.ExitStack
) -> object:
    """A fixture's value, which is taken down with the stack."""
    if name in made:
        return made[name]
    fixture = names[name]
    assert isinstance(fixture, FixtureFunctionDefinition)
    function = _function_of(fixture)
    values = {each: _made(each, names, made, stack) for each in inspect.signature(function).parameters}
    if inspect.isgeneratorfunction(function):
        made[name] = stack.enter_context(contextlib.contextmanager(function)(**values))
    else:
        made[name] = function(**values)
    return made[name]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one test: the place of it among its module's, and what it took without a change.

    seconds: of the processor. lines: of the changed file that it went through.
    """

    module: str
    name: str
    index: int
    seconds: float
    lines: frozenset[int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tests did without a change. imported: lines that ran when the file was imported, whose value
    any test may find."""

    calls: tuple[Call, ...]
    imported: frozenset[int]

    def that_could_find(self, lines: frozenset[int], file: str, patience: float) -> list[Call]:
        """The calls that go through one of these lines, the quickest first, as many as the patience is for.
        Without lines, all calls: first those that go through the file at all."""
        if lines and not lines & self.imported:
            found = _quickest_first(each for each in self.calls if each.lines & lines)
        else:
            # Here each module is imported anew, which takes longer than most tests: one after the other.
            found = self._by_module(Path(file).stem)
        spent = accumulate(each.seconds for each in found)
        return [each for each, so_far in zip(found, spent, strict=True) if so_far <= patience]

    def _by_module(self, stem: str) -> list[Call]:
        """All calls, those that go through the file first; of the module that is named after it, then of that
        which takes the shortest."""
        takes: dict[str, float] = {}
        for each in self.calls:
            takes[each.module] = takes.get(each.module, 0.0) + each.seconds
        return [
            each
            for through in (True, False)
            for module in sorted(takes, key=lambda module: (not _is_named(module, stem), takes[module]))
            for each in _quickest_first(self.calls)
            if each.module == module and bool(each.lines) is through
        ]


def _quickest_first(calls: Iterable[Call]) -> list[Call]:
    """Calls by what they take. The second call of the same test counts twice, and so on: it rarely finds what
    the first did not."""
    times = Counter[tuple[str, str]]()
    ranked: list[tuple[float, Call]] = []
    for each in sorted(calls, key=lambda each: each.seconds):
        times[each.module, each.name] += 1
        ranked.append((each.seconds * times[each.module, each.name], each))
    return [each for _, each in sorted(ranked, key=lambda both: both[0])]


def import_tests(target: Target) -> None:
    sys.path.insert(0, str(ROOT))
    for module in target.tests:
        importlib.import_module(module)


def observed_before(target: Target) -> Path:
    """Where what `observe` saw is kept, until one of the files or the tests is another."""
    tests = [ROOT / f"{name.replace('.', '/')}.py" for name in target.tests]
    of_files = b"".join((ROOT / file).read_bytes() for file in files(target))
    text = repr(target).encode() + of_files + b"".join(path.read_bytes() for path in tests)
    return ROOT / ".cache" / "mutants" / hashlib.sha256(text).hexdigest()[:24]


def observe(target: Target) -> dict[str, Seen]:
    """Call every test without a change, and note what each goes through of each file. Raises BrokenTestsError
    where one fails."""
    sys.path.insert(0, str(ROOT))
    prepare()
    tracer = _Tracer({str(ROOT / file): file for file in files(target)})
    threading.settrace(tracer.call)
    sys.settrace(tracer.call)
    found: dict[str, list[Call]] = {file: [] for file in files(target)}
    for module in target.tests:
        name = module
        try:
            for index, (test, call) in enumerate(tests(module, target.unless)):
                name = test
                tracer.lines = {}
                start = time.process_time()
                call()
                seconds = round(time.process_time() - start, 4)
                for file, calls in found.items():
                    lines = frozenset(tracer.lines.get(file, ()))
                    calls.append(Call(module, test, index, seconds, lines))
        except BaseException as error:
            raise BrokenTestsError(f"{target.name}: {name}: {type(error).__name__}: {error}") from error
    return {
        file: Seen(
            tuple(sorted(calls, key=lambda each: in_order(target, file).index(each.module))),
            frozenset(tracer.imported.get(file, ())),
        )
        for file, calls in found.items()
    }


class _Tracer:
    """Notes the lines of some files that run: those of a test, and those that run while one is imported."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.lines: dict[str, set[int]] = {}
        self.imported: dict[str, set[int]] = {}
        self._files = files
        self._importing: set[str] = set()

    def call(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        file = self._files.get(frame.f_code.co_filename)
        if file is None:
            return None
        if frame.f_code.co_name == "<module>":
            self._importing.add(file)
        return self._line

    def _line(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:
        file = self._files[frame.f_code.co_filename]
        if event == "line":
            where = self.imported if file in self._importing else self.lines
            where.setdefault(file, set()).add(frame.f_lineno)
        elif event == "return" and frame.f_code.co_name == "<module>":
            self._importing.discard(file)
        return self._line


def judge(target: Target, calls: Sequence[Call]) -> str:
    """The name of the first of these that fails, or the error of importing it; empty where all pass."""
    sys.path.insert(0, str(ROOT))
    prepare()
    known: dict[str, list[Test]] = {}
    for each in calls:
        name = each.module
        try:
            if each.module not in known:
                known[each.module] = list(tests(each.module, target.unless))
            name, call = known[each.module][each.index]
            call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a wrong change raises kills it
            return f"{name}: {type(error).__name__}"
    return ""
