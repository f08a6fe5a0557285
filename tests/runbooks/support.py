"""The scenarios of the runbooks that ship, walked as `breakglass test` walks them, with what arrived at the
simulated servers judged as well."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from breakglass.journal import events as e
from breakglass.rehearsal.load import load_scenario
from breakglass.rehearsal.traps import Trap
from breakglass.runbook.load import load_runbook
from breakglass.testing import walks
from breakglass.testing.walks import FAST, Walked
from tests.support.arrived import arrivals

RUNBOOKS = Path(__file__).parents[2] / "runbooks"

walks.preload()


@dataclass(frozen=True, slots=True)
class Watched(Walked):
    """A walk whose requests were judged as they arrived."""

    changes: tuple[str, ...]
    """Every request that arrived and was neither a read nor a server-side dry run."""


def scenario_paths(runbook: str) -> list[Path]:
    """Every scenario that ships with a runbook."""
    return sorted((RUNBOOKS / runbook / "scenarios").glob("*.yaml"))


def scenario_path(runbook: str, scenario: str | Path) -> Path:
    """One that ships with the runbook, by its name, or any, by its file."""
    shipped = RUNBOOKS / runbook / "scenarios"
    return scenario if isinstance(scenario, Path) else shipped / f"{scenario}.yaml"


def runbook_path(runbook: str) -> Path:
    return RUNBOOKS / runbook / "runbook.yaml"


def traps_of(runbook: str) -> Iterator[tuple[str, str]]:
    """Every trap of every scenario, as the names of both."""
    for path in scenario_paths(runbook):
        for trap in load_scenario(path).traps:
            yield path.stem, trap.name


async def walk_scenario(
    runbook: str,
    scenario: str | Path,
    folder: Path,
    *,
    trap: str | None = None,
    mode: e.Mode = "rehearsal",
    speed: float = FAST,
) -> Watched:
    """Walk a scenario as `breakglass.testing.walks.walk_scenario` does."""
    path, file = scenario_path(runbook, scenario), runbook_path(runbook)
    with arrivals() as arrived:
        walked = await walks.walk_scenario(file, path, folder, trap=trap, mode=mode, speed=speed)
    changes = tuple(arrived.changes(load_scenario(path).hosts, load_runbook(file)))
    return Watched(**{each.name: getattr(walked, each.name) for each in fields(walked)}, changes=changes)


def check_right_walk(walked: Walked) -> None:
    """The walk came to what the scenario expects, met no trap, and left the world as it should be."""
    wrong = walks.wrong_in_right_walk(walked)
    assert not wrong, wrong


def check_trap(walked: Walked, trap: Trap) -> None:
    """A trap that was taken on purpose was refused by the step named, or is in the review with its lesson."""
    wrong = walks.wrong_in_trap(walked, trap)
    assert not wrong, wrong


def check_dry_run(walked: Watched) -> None:
    """A dry run sent nothing but reads and server-side dry runs, and left the world exactly as it was."""
    assert walked.changes == ()
    wrong = walks.wrong_in_dry_run(walked)
    assert not wrong, wrong
