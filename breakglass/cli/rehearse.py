"""Walk a runbook against a simulated incident on this machine. Everything can be tried, the mistakes
included.

examples:
  breakglass rehearse outpost-shm-purge                   its recorded incident, in the cockpit
  breakglass rehearse outpost-shm-purge healthy-outpost   another scenario
  breakglass rehearse outpost-shm-purge --auto            headless; exits 0 if it ends as expected
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from breakglass.cli.terminal_input import on_a_terminal
from breakglass.cli.walk_command import add_walk_arguments, given_inputs, walk_with
from breakglass.engine.autopilot import Script
from breakglass.engine.session import Request, Session
from breakglass.runbook.library import find_runbook, find_scenario

if TYPE_CHECKING:
    from breakglass.rehearsal.scenario import Walk

AUTOMATIC_SPEED = 20.0
"""How much faster than life a headless rehearsal runs, unless it or its scenario is told."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("runbook", help="a runbook's name or file")
    parser.add_argument("scenario", nargs="?", help="a scenario's name or file; else the recorded incident")
    parser.add_argument("--auto", action="store_true", help="walk it headless, as the scenario says")
    parser.add_argument("--dry-run", action="store_true", help="rehearse the dry run; nothing changes")
    parser.add_argument("--speed", type=float, help="how much faster than life the simulated time runs")
    add_walk_arguments(parser)


def run(arguments: Namespace) -> int:
    found = find_runbook(arguments.runbook)
    headless = arguments.auto or not (on_a_terminal() or arguments.plain)
    if headless and not arguments.auto:
        print("no terminal: walking headless, as with --auto", file=sys.stderr)
    scenario = find_scenario(found, arguments.scenario)
    inputs = given_inputs(arguments)
    right = walk_of(scenario, found.path) if headless else None
    request = Request(
        mode="dry-run" if arguments.dry_run else "rehearsal",
        runbook=found.path,
        scenario=scenario,
        inputs={**inputs_of(right), **inputs} if right is not None else inputs,
        speed=arguments.speed or (right.speed or AUTOMATIC_SPEED if right is not None else None),
        pace="never" if headless else "look",
    )
    return walk_with(request, arguments, script_of, headless=headless)


def walk_of(scenario: Path, runbook: Path) -> "Walk":
    """The scenario's own walk. Raises InvalidFileError where it names what the runbook does not have."""
    from breakglass.rehearsal.load import load_scenario
    from breakglass.rehearsal.names import named_well
    from breakglass.runbook.load import load_runbook

    return named_well(load_scenario(scenario), load_runbook(runbook)).walk


def inputs_of(right: "Walk") -> dict[str, str]:
    """The inputs of a walk, as they would be typed."""
    return {name: str(value) for name, value in right.inputs.items()}


def script_of(session: Session) -> Script:
    """The scenario's own walk."""
    assert session.rehearsal is not None
    walk = session.rehearsal.scenario.walk
    return Script(choose=walk.choose, ask=walk.ask, manual=walk.manual, on_failure=walk.on_failure)
