import asyncio
from pathlib import Path

from breakglass.rehearsal.effects import Effects
from breakglass.rehearsal.scenario import Scenario
from breakglass.rehearsal.story import Event, Story
from breakglass.rehearsal.world import World
from breakglass.simulator.clock import SteppedClock
from breakglass.simulator.kubernetes.store import ObjectStore
from tests.rehearsal.support import read


class Stage:
    """The rules of a scenario without any server, on a clock that the test moves."""

    def __init__(self, scenario: Scenario) -> None:
        self.clock = SteppedClock()
        self.world = World(scenario.world, self.clock, {"name": "test", "variables": {}})
        self.store = ObjectStore(self.clock, seed=1)
        self.effects = Effects(self.world, {"main": self.store}, {})
        self.story = Story(self.world, scenario.rules, scenario.traps, scenario.recovered, self.effects.apply)
        self.story.begin()

    async def settle(self) -> None:
        """Let what waits for the next turn of the loop happen."""
        for _ in range(5):
            await asyncio.sleep(0)

    def told(self, kind: str) -> list[str]:
        return [each.name for each in self.story.happened if each.kind == kind]


async def test_a_rule_acts_on_the_event_it_names_and_on_no_other(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {resets: []}
            rules:
              - on: ssh pve qm reset {vmid}
                set: {resets: "${{ world.resets + [event.match.vmid] }}"}
            """,
        )
    )
    stage.story.emit(Event(("ssh pve qm stop 203",)))
    stage.story.emit(Event(("ssh pve qm reset 203",)))
    assert stage.world.variables["resets"] == ["203"]


async def test_a_rule_with_a_condition_acts_only_while_it_holds(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {locked: true, runs: 0}
            rules:
              - {on: go, when: "!world.locked", set: {runs: "${{ world.runs + 1 }}"}}
              - {on: unlock, set: {locked: false}}
            """,
        )
    )
    for text in ("go", "unlock", "go"):
        stage.story.emit(Event((text,)))
    assert stage.world.variables["runs"] == 1


async def test_an_effect_comes_after_its_simulated_time_and_sees_the_world_as_it_is_then(
    tmp_path: Path,
) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {a: 1, copy: 0}
            rules:
              - {on: go, after: 60s, set: {copy: "${{ world.a }}"}}
            """,
        )
    )
    stage.story.emit(Event(("go",)))
    stage.world.assign(["a"], 2)
    stage.clock.advance(59)
    assert stage.world.variables["copy"] == 0
    stage.clock.advance(1)
    assert stage.world.variables["copy"] == 2


async def test_time_alone_moves_the_world_again_and_again_while_the_condition_holds(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {used: 0}
            rules:
              - {on: time, every: 10s, when: world.used < 3, set: {used: "${{ world.used + 1 }}"}}
              - {name: once, on: time, after: 25s, say: Half a minute.}
            """,
        )
    )
    stage.clock.advance(20)
    assert stage.world.variables["used"] == 2
    assert stage.told("rule") == []
    stage.clock.advance(100)
    assert stage.world.variables["used"] == 3
    assert stage.told("rule") == ["once"]


async def test_a_rule_on_the_world_acts_when_its_condition_becomes_true_and_not_before_it_was_false_again(
    tmp_path: Path,
) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {live: 3, losses: 0}
            rules:
              - {on: world, when: world.live < 2, set: {losses: "${{ world.losses + 1 }}"}}
              - {on: kill, set: {live: "${{ world.live - 1 }}"}}
              - {on: heal, set: {live: 3}}
            """,
        )
    )
    for text in ("kill", "kill", "kill", "heal", "kill", "kill"):
        stage.story.emit(Event((text,)))
        await stage.settle()
    assert stage.world.variables["losses"] == 2


async def test_a_condition_that_held_from_the_start_sets_nothing_off(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {a: 1}
            rules:
              - {on: world, when: world.a == 1, set: {b: true}}
            """,
        )
    )
    stage.story.emit(Event(("anything",)))
    await stage.settle()
    assert "b" not in stage.world.variables


async def test_a_trap_is_told_once_with_its_words(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {n: 4}
            traps:
              - {name: forced, title: Forced, on: force, say: "Now ${{ world.n }} are bad.", caught: review}
            """,
        )
    )
    stage.story.emit(Event(("force",)))
    stage.story.emit(Event(("force",)))
    assert [(each.kind, each.name, each.say) for each in stage.story.happened] == [
        ("trap", "forced", "Now 4 are bad.")
    ]


async def test_recovery_is_told_when_it_comes_and_again_after_a_relapse(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {ok: false}
            recovered: world.ok
            rules:
              - {on: fix, set: {ok: true}}
              - {on: break, set: {ok: false}}
            """,
        )
    )
    assert not stage.story.recovered()
    for text in ("fix", "fix", "break", "fix"):
        stage.story.emit(Event((text,)))
        await stage.settle()
    assert stage.story.recovered()
    assert len(stage.told("recovered")) == 2


async def test_a_world_that_was_never_broken_tells_no_recovery(tmp_path: Path) -> None:
    stage = Stage(read(tmp_path, "recovered: 'true'\n"))
    stage.story.emit(Event(("anything",)))
    await stage.settle()
    assert stage.told("recovered") == []


async def test_a_rule_changes_creates_and_takes_away_objects(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            kubernetes: {main: {}}
            rules:
              - on: make
                objects:
                  - create:
                      {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: x}, data: {n: "1"}}
                  - create: {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: x}}
              - on: change
                objects:
                  - patch: {kind: ConfigMap, namespace: x, name: a}
                    with: {data: {n: "2", new: "${{ event.text }}"}}
                  - patch: {kind: ConfigMap, namespace: x, name: not-there}
                    with: {data: {n: "2"}}
              - on: clear
                objects:
                  - each: "['a', 'b']"
                    delete: {kind: configmaps, namespace: x, name: "${{ item }}"}
            """,
        )
    )
    stage.story.emit(Event(("make",)))
    stage.story.emit(Event(("change",)))
    first = stage.store.of_kind("ConfigMap")[0]
    assert first["data"] == {"n": "2", "new": "change"}
    stage.story.emit(Event(("clear",)))
    assert stage.store.of_kind("ConfigMap") == []
    assert stage.story.faults == []


async def test_a_wrong_rule_is_told_as_a_fault_and_the_others_go_on(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {list: [1]}
            rules:
              - {name: broken, on: one, set: {list.7: 1}}
              - {name: silly, on: two, when: world.nothing == 1, set: {a: 1}}
              - {name: fine, on: "*", set: {seen: "${{ event.text }}"}}
            """,
        )
    )
    stage.story.emit(Event(("one",)))
    stage.story.emit(Event(("two",)))
    assert len(stage.story.faults) == 2
    assert "broken" in stage.story.faults[0]
    assert "silly" in stage.story.faults[1]
    assert stage.world.variables["seen"] == "two"


async def test_rules_that_set_each_other_off_are_stopped_and_told(tmp_path: Path) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            kubernetes: {main: {}}
            world: {n: 0}
            rules:
              - {on: world, when: world.n % 2 == 0, set: {n: "${{ world.n + 1 }}"}}
              - {on: world, when: world.n % 2 == 1, set: {n: "${{ world.n + 1 }}"}}
              - {on: go, set: {n: 1}}
            """,
        )
    )
    stage.story.emit(Event(("go",)))
    await stage.settle()
    assert any("without end" in fault for fault in stage.story.faults)


async def test_one_rehearsal_leaves_the_scenario_as_it_was(tmp_path: Path) -> None:
    scenario = read(
        tmp_path,
        """\
        world: {vms: {a: {status: running}}}
        rules:
          - {on: "stop {vm}", set: {"vms.${{ event.match.vm }}.status": stopped}}
        """,
    )
    stage = Stage(scenario)
    stage.story.emit(Event(("stop a",)))
    assert stage.world.variables == {"vms": {"a": {"status": "stopped"}}}
    assert scenario.world == {"vms": {"a": {"status": "running"}}}


async def test_a_rule_of_time_with_a_condition_acts_at_the_beginning_only_where_it_holds(
    tmp_path: Path,
) -> None:
    stage = Stage(
        read(
            tmp_path,
            """\
            world: {off: false, marks: []}
            rules:
              - {on: time, when: world.off, set: {marks: "${{ world.marks + ['off'] }}"}}
              - {on: time, when: "!world.off", set: {marks: "${{ world.marks + ['on'] }}"}}
            """,
        )
    )
    assert stage.world.variables["marks"] == ["on"]
