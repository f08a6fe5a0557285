from pathlib import Path
from textwrap import dedent

import pytest

from breakglass.runbook.includes import DEEPEST_INCLUDE, MOST_INCLUDES
from breakglass.runbook.model import Runbook
from breakglass.yamlio.position import Problem
from tests.runbook.format_support import read_but_for_meanings, with_steps


class Folder:
    """A folder of runbooks with one runbook in it, and whatever a test puts beside it."""

    def __init__(self, path: Path) -> None:
        self.root = path / "runbooks"
        self.path = self.root / "example" / "runbook.yaml"
        self.path.parent.mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def read(self, steps: str) -> tuple[Runbook | None, list[Problem]]:
        text = with_steps(steps)
        self.path.write_text(text)
        return read_but_for_meanings(text, self.path)

    def problems(self, steps: str) -> list[str]:
        return [
            str(problem).removeprefix(f"{problem.position.file.parent}/") for problem in self.read(steps)[1]
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


SHARED = """\
# One group of steps, for several runbooks.
- id: quorum
  title: Count the voters
  kubectl: get pods -n vault -o json
  capture: {voters: size(result.json.items)}
  expect: [voters >= 2]
"""


def test_the_steps_of_an_included_file_stand_where_the_include_stood(folder: Folder):
    shared = folder.write("shared/quorum.yaml", SHARED)
    runbook, problems = folder.read(
        """\
        - include: ../shared/quorum.yaml
        - {id: last, title: Say it, manual: "There are ${{ voters }}."}
        """
    )
    assert problems == []
    assert runbook is not None
    assert [step.id for step in runbook.steps] == ["pod", "host", "app", "quorum", "last"]
    position = runbook.step("quorum").position
    assert (position.file, position.line, position.column) == (shared, 2, 3)


def test_problems_point_into_the_included_file(folder: Folder):
    folder.write(
        "shared/quorum.yaml",
        """\
        - id: quorum
          title: Count the voters
          kubectl: get pods -n vault -o json
          expekt: []
          expect: [voter == 1]
        """,
    )
    assert folder.problems("- include: ../shared/quorum.yaml\n") == [
        "quorum.yaml:4:3: unknown key 'expekt' in a step; did you mean 'expect'?",
        "quorum.yaml:5:12: nothing before this step gives 'voter' a value",
    ]


def test_includes_are_found_beside_the_file_that_names_them(folder: Folder):
    folder.write("shared/a/outer.yaml", "- include: inner.yaml\n")
    folder.write("shared/a/inner.yaml", SHARED)
    runbook, problems = folder.read("- include: ../shared/a/outer.yaml\n")
    assert problems == []
    assert runbook is not None
    assert runbook.steps[-1].id == "quorum"


def test_the_digest_changes_with_an_included_file(folder: Folder):
    folder.write("shared/quorum.yaml", SHARED)
    before, _ = folder.read("- include: ../shared/quorum.yaml\n")
    folder.write("shared/quorum.yaml", SHARED.replace("voters >= 2", "voters >= 1"))
    after, _ = folder.read("- include: ../shared/quorum.yaml\n")
    assert before is not None and after is not None
    assert before.source == after.source
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("../../outside.yaml", "leads out of the folder of the runbooks, runbooks"),
        ("../link/outside.yaml", "leads out of the folder of the runbooks, runbooks"),
        ("/etc/hostname", "is not a relative path"),
        ("' '", "is not a relative path"),
        ("runbook.yaml", "is already part of this runbook"),
        ("missing.yaml", "'missing.yaml': cannot be read: No such file or directory"),
        ("../shared", "not an ordinary file"),
        ("[a]", "expected the relative path"),
    ],
)
def test_an_include_that_must_not_be_read_is_refused_where_it_stands(
    folder: Folder, include: str, message: str
):
    (folder.root.parent / "outside.yaml").write_text(SHARED)
    (folder.root / "shared").mkdir()
    (folder.root / "link").symlink_to(folder.root.parent)
    (problem,) = folder.problems(f"- include: {include}\n")
    assert problem.startswith("runbook.yaml:25:14: ")
    assert message in problem


def test_an_include_stands_alone(folder: Folder):
    folder.write("shared/quorum.yaml", SHARED)
    (problem,) = folder.problems("- include: ../shared/quorum.yaml\n  when: 'true'\n")
    assert problem == "runbook.yaml:26:5: 'when' cannot stand beside 'include'; an include stands alone"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("steps: []\n", "bad.yaml:1:1: an included file holds a list of steps, and nothing else"),
        ("- [\n", "bad.yaml:2:1: not YAML"),
        ("", "bad.yaml:1:1: an included file holds a list of steps, and nothing else"),
        ("- 1\n", "bad.yaml:1:3: expected a step (a mapping), not the number 1"),
    ],
)
def test_a_bad_included_file_is_told_at_its_own_place(folder: Folder, text: str, problem: str):
    folder.write("shared/bad.yaml", text)
    (told,) = folder.problems("- include: ../shared/bad.yaml\n")
    assert told.startswith(problem)


def test_a_circle_of_includes_ends(folder: Folder):
    folder.write("shared/a.yaml", "- include: b.yaml\n")
    folder.write("shared/b.yaml", "- include: a.yaml\n")
    assert folder.problems("- include: ../shared/a.yaml\n") == [
        "b.yaml:1:12: 'a.yaml' is already part of this runbook; a file is included once"
    ]


def test_a_long_chain_of_includes_ends(folder: Folder):
    for number in range(DEEPEST_INCLUDE + 2):
        folder.write(f"shared/{number}.yaml", f"- include: {number + 1}.yaml\n")
    assert folder.problems("- include: ../shared/0.yaml\n") == [
        f"{DEEPEST_INCLUDE - 1}.yaml:1:12: includes more than {DEEPEST_INCLUDE} deep"
    ]


def test_many_includes_end(folder: Folder):
    for number in range(MOST_INCLUDES + 1):
        folder.write(f"shared/{number}.yaml", "[]\n")
    lines = [f"- include: ../shared/{number}.yaml" for number in range(MOST_INCLUDES + 1)]
    (problem,) = folder.problems("\n".join(lines))
    assert problem.endswith(f"more than {MOST_INCLUDES} files are included")


def test_a_loop_of_links_is_a_problem(folder: Folder):
    (folder.root / "loop").symlink_to(folder.root / "loop")
    (problem,) = folder.problems("- include: ../loop/x.yaml\n")
    assert "cannot be read" in problem


def test_an_id_that_comes_twice_through_an_include_names_the_first(folder: Folder):
    folder.write("shared/quorum.yaml", SHARED.replace("id: quorum", "id: pod"))
    (problem,) = folder.problems("- include: ../shared/quorum.yaml\n")
    assert problem == "quorum.yaml:2:7: step id 'pod' is here twice; the first is in runbook.yaml, line 9"
