"""`list` and `lint` with what earlier checks found, beside checks made anew: nobody can tell them apart."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.cli.main import main
from breakglass.exit_codes import ExitCode
from breakglass.runbook import check_cache, load
from breakglass.runbook.check_cache import FILE_NAME, cache_folder, program_mark
from tests.rehearsal.support import HEAD
from tests.runbook.format_support import with_steps

RUNBOOK = "runbooks/example/runbook.yaml"
SHARED = "runbooks/shared/more.yaml"
SCENARIO_ONE = "runbooks/example/scenarios/one.yaml"
BASE = "runbooks/example/scenarios/two.yaml"
SITE = "site.yaml"
SCENARIO = f"""\
{HEAD.replace("some-runbook", "example")}\
kubernetes: {{main: {{}}}}
hosts: {{pve: {{}}}}
endpoints: {{app: {{url: "http://app.lab"}}}}
"""
"""What the runbook uses, without an end."""
INCLUDING = with_steps("- include: ../shared/more.yaml\n")
VARIANTS: dict[str, tuple[str | None, ...]] = {
    RUNBOOK: (
        INCLUDING,
        INCLUDING.replace("An example", "An axample"),
        INCLUDING.replace("size(result.json.items)", "size(rasult.json.items)"),
        INCLUDING.replace("title: Ask the app", "title: Ask the app and stop it"),
        f"{SCENARIO}recovered: 'true'\n",
        "a: [",
        None,
    ),
    SHARED: (
        "- {id: more, title: Find the pod and delete it, manual: Look.}\n",
        "- {id: more, title: Find the pod and its node.., manual: Look.}\n",
        "- {id: more, titel: Find the pod and delete it, manual: Look.}\n",
        "- {id: app, title: Find the pod and delete it, manual: Look.}\n",
        "{}\n",
        None,
    ),
    SCENARIO_ONE: ("base: two.yaml\nscenario: one\n", "base: two.yaml\nscenario: one\nspede: 3\n", None),
    BASE: (f"{SCENARIO}recovered: 'false'\n", f"{SCENARIO}recovered: 'falze'\n", f"{SCENARIO}", None),
    SITE: ("site: test\nsecrets: {pw: {env: SECRET_PLACE}}\n", "site: test\nsecrets: {pw: {evn: X}}\n", None),
}
"""What each file can hold: its first text is good, None is no file."""
NAMES = tuple(VARIANTS)


class Folder:
    """A folder with a runbook and what it needs, and its own cache."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name, (text, *_) in VARIANTS.items():
            self.write(name, text)

    def write(self, name: str, text: str | None) -> None:
        """Write a file with the times that it had, as no clock tells two edits apart for sure."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
            os.utime(path, (1_000_000_000, 1_000_000_000))

    @property
    def cache(self) -> Path:
        return self.path / "cache" / "breakglass" / FILE_NAME

    def kept(self) -> dict[str, dict[str, object]]:
        """The checks that are kept, by the names of their files."""
        if not self.cache.exists():
            return {}
        kept = json.loads(self.cache.read_bytes().partition(b"\n")[2])
        return {key.rpartition("\0")[2].removeprefix(f"{self.path}/"): each for key, each in kept.items()}

    def seal(self, body: bytes) -> None:
        """A file that this program takes for its own."""
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        self.cache.unlink(missing_ok=True)
        self.cache.touch(0o600)
        self.cache.write_bytes(sha256(program_mark() + body).hexdigest().encode() + b"\n" + body)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(tmp_path / "runbooks"))
    monkeypatch.setenv("BREAKGLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("breakglass.runbook.library.SHIPPED", tmp_path)
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)


def told(*words: str) -> tuple[int, str, str]:
    """What a command says, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def lint_is_the_same_without_the_cache(root: Path) -> None:
    for flags in ([], ["--json"], ["--strict"], ["--strict", "--json"]):
        for files in (NAMES, [str(root / name) for name in NAMES]):
            there = [file for file in files if Path(file).is_file()]
            words = ["lint", *flags, *there]
            anew = told(*words, "--no-cache")
            assert told(*words) == anew
            assert told(*words) == anew


EDITS = [(name, text) for name, texts in VARIANTS.items() for text in texts[1:]]


@pytest.mark.parametrize(("name", "text"), EDITS)
def test_lint_sees_each_edit_and_each_repair(folder: Folder, name: str, text: str | None) -> None:
    lint_is_the_same_without_the_cache(folder.path)
    folder.write(name, text)
    lint_is_the_same_without_the_cache(folder.path)
    folder.write(name, VARIANTS[name][0])
    lint_is_the_same_without_the_cache(folder.path)


@settings(max_examples=15)
@given(st.lists(st.sampled_from([(name, text) for name in NAMES for text in VARIANTS[name]]), max_size=6))
def test_no_row_of_edits_makes_lint_or_the_list_differ(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str | None]]
) -> None:
    root = tmp_path_factory.mktemp("folder")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        monkeypatch.setenv("BREAKGLASS_RUNBOOKS", str(root / "runbooks"))
        monkeypatch.setattr("breakglass.runbook.library.SHIPPED", root)
        monkeypatch.chdir(root)
        folder = Folder(root)
        for name, text in edits:
            folder.write(name, text)
            words = ["lint", *(each for each in NAMES if (root / each).is_file())]
            assert told(*words) == told(*words, "--no-cache")
            with_cache = told("list", "--json")
            monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
            assert told("list", "--json") == with_cache
            monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))


def test_what_is_unchanged_is_not_checked_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told("lint", "--json")
    assert '"warning": true' in first[1]
    names = told("list", "--json")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("checked again")

    monkeypatch.setattr(load, "read_runbook", refuse)
    monkeypatch.setattr("breakglass.rehearsal.load.load_scenario", refuse)
    assert told("lint", "--json") == first
    assert told("list", "--json") == names
    with pytest.raises(AssertionError):
        told("lint", "--no-cache")


def test_the_cache_holds_what_was_checked_and_for_its_owner_only(folder: Folder) -> None:
    told("lint")
    assert folder.cache.stat().st_mode & 0o777 == 0o600
    assert folder.cache.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in folder.cache.parent.iterdir()] == [FILE_NAME]
    assert {RUNBOOK, SCENARIO_ONE, BASE} == set(folder.kept())


@pytest.mark.parametrize("text", [VARIANTS[RUNBOOK][2], VARIANTS[RUNBOOK][5]])
def test_a_check_that_found_an_error_is_not_kept_nor_that_of_a_scenario_which_needs_the_file(
    folder: Folder, text: str
) -> None:
    folder.write(RUNBOOK, text)
    told("lint")
    told("list")
    assert set(folder.kept()) == set()


def test_a_site_is_not_kept(folder: Folder) -> None:
    told("lint", SITE, RUNBOOK)
    assert set(folder.kept()) == {RUNBOOK}
    assert b"SECRET_PLACE" not in folder.cache.read_bytes()


def test_nothing_is_kept_or_read_where_no_cache_is_wanted(folder: Folder) -> None:
    told("lint", "--no-cache")
    assert not folder.cache.exists()


def test_checks_of_files_that_are_gone_do_not_pile_up(folder: Folder) -> None:
    for number in range(3):
        folder.write(f"runbooks/other/{number}.yaml", VARIANTS[BASE][0])
        told("lint", f"runbooks/other/{number}.yaml")
        folder.write(f"runbooks/other/{number}.yaml", None)
    told("lint", RUNBOOK)
    assert set(folder.kept()) == {RUNBOOK}


def test_of_too_many_checks_the_newest_stay(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_cache, "MOST_CHECKS", 2)
    for name in (RUNBOOK, BASE, SCENARIO_ONE):
        told("lint", name)
    assert list(folder.kept()) == [BASE, SCENARIO_ONE]


def test_an_include_that_leads_elsewhere_is_judged_anew(folder: Folder) -> None:
    lint_is_the_same_without_the_cache(folder.path)
    (folder.path / "runbooks/shared").rename(folder.path / "elsewhere")
    (folder.path / "runbooks/shared").symlink_to(folder.path / "elsewhere")
    lint_is_the_same_without_the_cache(folder.path)
    assert "leads out of the folder" in told("lint", RUNBOOK)[1]


def test_a_file_that_is_no_file_any_more_is_judged_anew(folder: Folder) -> None:
    told("lint", RUNBOOK)
    (folder.path / SHARED).unlink()
    os.mkfifo(folder.path / SHARED)
    assert "not an ordinary file" in told("lint", RUNBOOK)[1]


def damaged(change: Callable[[bytes], bytes]) -> Callable[[Folder], None]:
    def damage(folder: Folder) -> None:
        folder.cache.write_bytes(change(folder.cache.read_bytes()))

    return damage


def in_its_place(make: Callable[[Path], object]) -> Callable[[Folder], None]:
    def replace(folder: Folder) -> None:
        folder.cache.unlink()
        make(folder.cache)

    return replace


def sealed(body: bytes) -> Callable[[Folder], None]:
    return lambda folder: folder.seal(body)


def reshaped(part: str, value: str) -> Callable[[Folder], None]:
    """The cache with one part of every check replaced, under a good seal."""

    def reshape(folder: Folder) -> None:
        kept = json.loads(folder.cache.read_bytes().partition(b"\n")[2])
        folder.seal(
            json.dumps({key: {**each, part: json.loads(value)} for key, each in kept.items()}).encode()
        )

    return reshape


@pytest.mark.parametrize(
    "damage",
    [
        damaged(lambda data: data[:-20]),
        damaged(lambda data: data.replace(b"An example", b"An exemple")),
        damaged(lambda data: data[70:]),
        damaged(lambda data: b""),
        damaged(lambda data: b"\xff\x00" * 4_000),
        damaged(lambda data: data + b" " * check_cache.LARGEST_CACHE),
        in_its_place(Path.mkdir),
        in_its_place(os.mkfifo),
        in_its_place(lambda path: path.symlink_to("/dev/zero")),
        in_its_place(lambda path: path.symlink_to(path)),
        in_its_place(lambda path: path.write_text("mode 0644")),
        sealed(b"[]"),
        sealed(b"null"),
        sealed(b"[" * 200_000),
        sealed(b"9" * 10_000),
        sealed(b"\xff"),
        *(reshaped("files", each) for each in ("null", "[]", "[[]]", '[["a", 1]]', "{}", '"f"', "[null]")),
        reshaped("files", r'[["a\u0000b", "c"]]'),
        *(reshaped("places", each) for each in ("null", '"x"', "[[]]", "[1, 2]")),
        *(
            reshaped("warnings", each)
            for each in ("null", "{}", "[1]", '[["f", 1, 1]]', '[["f", "1", 1, "m"]]')
        ),
        *(
            reshaped("head", each)
            for each in ("[]", "{}", '"h"', "[1, 2, 3, 4, 5]", '["n", "t", "s", "o", "5"]')
        ),
    ],
)
def test_a_cache_that_is_not_as_it_was_written_is_as_good_as_none(
    folder: Folder, damage: Callable[[Folder], None]
) -> None:
    before = told("list", "--json"), told("lint")
    damage(folder)
    assert (told("list", "--json"), told("lint")) == before
    lint_is_the_same_without_the_cache(folder.path)


def test_a_cache_that_others_can_write_is_not_believed(folder: Folder) -> None:
    told("list")
    folder.seal(folder.cache.read_bytes().partition(b"\n")[2].replace(b"An example", b"Something"))
    assert "Something" in told("list")[1]
    folder.cache.chmod(0o620)
    assert "An example" in told("list")[1]


@pytest.mark.parametrize("place", ["/dev/null", "/proc/none", "relative"])
def test_without_a_place_for_a_cache_nothing_is_said(
    folder: Folder, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = told("lint", "--no-cache"), told("list")
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.setenv("HOME", "")
    assert (told("lint"), told("list")) == anew
    assert not (folder.path / "relative").exists()


def test_a_cache_that_cannot_be_written_is_left_as_it_was(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("lint", RUNBOOK)
    before = folder.cache.read_bytes()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, f"no space for {target}")

    monkeypatch.setattr(Path, "replace", full)
    assert told("lint", BASE) == told("lint", BASE, "--no-cache")
    assert folder.cache.read_bytes() == before
    assert [each.name for each in folder.cache.parent.iterdir()] == [FILE_NAME]


def test_the_cache_is_below_the_xdg_folder_or_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ops")
    assert cache_folder() == Path("/var/cache/ops/breakglass")
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path("/home/ops/.cache/breakglass")


def test_a_change_of_the_program_or_of_what_is_installed_changes_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, installed = tmp_path / "package", tmp_path / "installed"
    source = package / "deep" / "module.py"
    source.parent.mkdir(parents=True)
    installed.mkdir()
    source.write_text("A = 1\n")
    monkeypatch.setattr(check_cache, "PACKAGE", package)
    monkeypatch.setattr(sys, "path", [str(installed)])
    marks = [program_mark()]
    assert program_mark() == marks[0]

    def changed() -> None:
        marks.append(program_mark())
        assert len(set(marks)) == len(marks)

    times = source.stat()
    source.with_name("new.py").write_text("A = 2\n")
    os.utime(source.with_name("new.py"), ns=(times.st_atime_ns, times.st_mtime_ns))
    source.with_name("new.py").replace(source)
    changed()
    (package / "other.py").touch()
    changed()
    (installed / "yaml-7.dist-info").mkdir()
    os.utime(installed, (2_000_000_000, 2_000_000_000))
    changed()
    monkeypatch.setattr(sys, "path", [str(installed), str(package)])
    changed()
    monkeypatch.setattr(sys, "version", "3.99")
    changed()


@pytest.mark.parametrize("place", ["archive.pyz/breakglass", "file"])
def test_a_program_whose_sources_cannot_be_looked_at_keeps_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (folder.path / "file").touch()
    anew = told("lint", "--no-cache")
    monkeypatch.setattr(check_cache, "PACKAGE", folder.path / place)
    assert told("lint") == anew
    assert not folder.cache.exists()


def test_another_program_checks_anew(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    told("list")
    folder.seal(folder.cache.read_bytes().partition(b"\n")[2].replace(b"An example", b"Something"))
    monkeypatch.setattr(sys, "version", "3.99")
    assert "An example" in told("list")[1]


def test_a_poisoned_cache_changes_nothing_about_what_runs(folder: Folder) -> None:
    """The cache says that a broken runbook is good. Only the two commands that may look there say so too."""
    told("list")
    broken = VARIANTS[RUNBOOK][2]
    assert broken is not None
    body = folder.cache.read_bytes().partition(b"\n")[2].decode()
    good, bad = (sha256(text.encode()).hexdigest() for text in (INCLUDING, broken))
    folder.write(RUNBOOK, broken)
    folder.seal(body.replace(good, bad).encode())
    assert told("list")[0] == 0, "the poison is there"
    assert told("lint")[0] == 0, "and lint is taken in by it"
    for words in (
        ["show", "example"],
        ["run", "example", "--site", SITE],
        ["run", "example", "--site", SITE, "--dry-run"],
        ["rehearse", "example", "one", "--auto"],
        ["doctor", "example", "--site", SITE],
    ):
        code, _, error = told(*words)
        assert code == ExitCode.USAGE, words
        assert "rasult" in error, words


def test_a_list_from_the_cache_imports_neither_yaml_nor_expressions_nor_a_screen(folder: Folder) -> None:
    script = (
        "import sys; from breakglass.cli.main import main; main(['list']); main(['lint']);"
        "print(*sorted({'yaml', 'cel_expr_python', 'rich', 'textual', 'dataclasses'} & set(sys.modules)))"
    )
    last = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert [each.splitlines()[-1] for each in last] == ["cel_expr_python dataclasses yaml", ""]
