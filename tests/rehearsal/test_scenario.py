import json
from pathlib import Path

import pytest

from breakglass.rehearsal.load import load_scenario, scenario_schema
from breakglass.rehearsal.traps import AnswerMove, KubectlMove, WorldMove
from breakglass.yamlio.position import InvalidFileError
from tests.rehearsal.support import HEAD, read

EVERYTHING = Path(__file__).parent / "everything.yaml"
SHIPPED = sorted((Path(__file__).parents[2] / "runbooks").glob("*/scenarios/*.yaml"))


def problems_of(folder: Path, body: str) -> list[str]:
    with pytest.raises(InvalidFileError) as caught:
        read(folder, body)
    return [str(each).removeprefix(f"{folder}/") for each in caught.value.problems]


def test_every_shipped_scenario_loads() -> None:
    assert SHIPPED
    for path in SHIPPED:
        scenario = load_scenario(path)
        assert scenario.name == path.stem, "the file is called as the scenario"
        assert scenario.runbook == path.parent.parent.name


def test_a_scenario_with_every_key_loads() -> None:
    scenario = load_scenario(EVERYTHING)
    rule, unnamed = scenario.rules
    assert (rule.name, rule.once) == ("r1", True)
    assert unnamed.name == f"rule on line {unnamed.position.line}"
    assert scenario.traps[0].caught == "guard"
    assert len(scenario.traps[0].take) == 10
    first, _, stuck, lost = scenario.hosts["pve"].commands
    assert first.stdin and first.effect.say is not None and len(first.effect.objects) == 3
    assert (first.reply.then, stuck.reply.then, lost.reply.then) == ("exit", "stuck", "close")
    registry = scenario.endpoints["hub"].registry
    assert registry is not None and registry.images[0].seed == "s"


def test_a_trap_acts_once_and_a_rule_each_time_unless_told_otherwise(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        """\
        rules: [{on: world}]
        traps: [{name: a, title: t, on: world, caught: review}]
        """,
    )
    assert not scenario.rules[0].once
    assert scenario.traps[0].once


def test_all_problems_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """\
        spede: 3
        world: {a: 1}
        hosts:
          pve:
            commands:
              - match: qm list
                reply: {exti: 1}
              - {match: ls, when: wrold.a == 1}
        rules:
          - {on: time, after: soon}
        """,
    )
    assert [each.split(": ", 1)[0] for each in found] == [
        "test.yaml:5:1",
        "test.yaml:11:17",
        "test.yaml:12:32",
        "test.yaml:14:23",
    ]
    assert "did you mean 'speed'" in found[0]
    assert "did you mean 'exit'" in found[1]
    assert "did you mean 'world'" in found[2]
    assert "duration" in found[3]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("scenario: x\n")
    with pytest.raises(InvalidFileError) as caught:
        load_scenario(path)
    needed = " ".join(str(each) for each in caught.value.problems)
    for key in ("title", "summary", "runbook", "recovered"):
        assert key in needed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("endpoints: {ci: {url: 'https://ci.lab.example', bearer: token}}", "secret 'token'"),
        ("endpoints: {ci: {url: 'ftp://ci.lab.example'}}", "http or https"),
        ("rules: [{on: time, registry: [{endpoint: ci, collect: {}}]}]", "not a registry"),
        ("rules: [{on: time, objects: [{delete: {kind: Pod, name: x}}]}]", "name the cluster"),
        ("rules: [{name: a, on: time}, {name: a, on: world}]", "two rules"),
        ("traps: [{name: a, title: t, on: time, caught: maybe}]", "maybe"),
        ("traps: [{name: a, title: t, on: time, caught: guard, take: [{at: x}]}]", "needs one of"),
        ("walk: {on_failure: {x: explode}}", "skip|retry|stop"),
        ("hosts: {pve: {commands: [{match: {regex: '('}}]}}", "pattern"),
        ("traps: [{title: t, on: time, caught: guard}]", "a trap needs 'name'"),
        (
            "traps: [{name: a, title: t, on: time, caught: guard, take: [{kubectl: {run: 'get \"x'}}]}]",
            "cannot be split",
        ),
        (
            "endpoints: {r: {url: 'http://r.lab', registry: {images: [{repository: r, tags: [[]]}]}}}",
            "expected a tag",
        ),
        ("site: {secrets: {../token: x}}", "a name of letters"),
        ("world: {a: 1}\nbase: ../other.yaml", "same folder"),
        ("base: nowhere.yaml", "cannot be read"),
    ],
)
def test_a_scenario_that_cannot_work_is_refused(tmp_path: Path, body: str, message: str) -> None:
    assert any(message in each for each in problems_of(tmp_path, body + "\n"))


def test_a_scenario_differs_from_its_base_in_what_it_says(tmp_path: Path) -> None:
    read(
        tmp_path,
        """\
        world: {a: 1, b: {c: 2, d: 3}}
        rules: [{on: time}]
        recorded: true
        """,
        "base.yaml",
    )
    scenario = read(
        tmp_path,
        """\
        base: base.yaml
        world: {b: {c: 9}}
        recorded: false
        """,
        "other.yaml",
    )
    assert scenario.world == {"a": 1, "b": {"c": 9, "d": 3}}
    assert len(scenario.rules) == 1
    assert not scenario.recorded
    assert scenario.path == tmp_path / "other.yaml"


def test_scenarios_based_on_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: b.yaml\n" + HEAD)
    (tmp_path / "b.yaml").write_text("base: a.yaml\n" + HEAD)
    with pytest.raises(InvalidFileError, match="each based on another"):
        load_scenario(tmp_path / "a.yaml")


def test_moves_are_read_with_the_step_they_belong_to(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        """\
        traps:
          - name: a
            title: t
            on: time
            caught: review
            take:
              - {kubectl: "delete pod x --force --grace-period=0", at: purge}
              - {answer: {size: 0}}
              - {world: {set: {a: 2}}, at: purge}
        """,
    )
    moves = scenario.traps[0].take
    assert moves[0].at == "purge"
    assert moves[0].move == KubectlMove(("delete", "pod", "x", "--force", "--grace-period=0"))
    assert moves[1].move == AnswerMove("size", 0)
    assert isinstance(moves[2].move, WorldMove)


def test_the_schema_names_every_part() -> None:
    text = json.dumps(scenario_schema())
    for key in ("kubernetes", "hosts", "endpoints", "traps", "recovered", "walk"):
        assert f'"{key}"' in text


def test_the_committed_schema_is_current() -> None:
    committed = Path(__file__).parents[2] / "runbooks" / "scenario.schema.json"
    assert json.loads(committed.read_text()) == scenario_schema(), "run `make schema`"
