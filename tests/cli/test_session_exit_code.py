"""Each way in which a session ends has its exit code, so that what called it can decide."""

from pathlib import Path

import pytest

from breakglass.cli.session_exit_code import exit_code
from breakglass.engine import commands as c
from breakglass.exit_codes import ExitCode
from tests.engine.support import Answer, fault, ok, session_of, walk

LOOK = "- {id: look, title: Look, ssh: {host: pve, run: [uptime]}}\n"
CHOOSE = "- {id: now, title: What now?, choose: {a: {say: The first, goto: done}}}\n"
EXPECTS = """
- id: look
  title: Look
  ssh: {host: pve, run: [uptime]}
  expect: [{that: "result.text == 'x'", else: No.}]
"""


async def ended_with(folder: Path, answer: Answer, steps: str = LOOK) -> ExitCode:
    engine, _ = session_of(folder, steps, {"ssh": answer})
    state = await walk(engine, c.Stop("as the test says", "operator"))
    return exit_code(state, None)


@pytest.mark.parametrize("kind", ["forbidden", "authentication", "host-key"])
async def test_what_is_not_allowed_ends_with_4(tmp_path: Path, kind: str) -> None:
    assert await ended_with(tmp_path, fault(kind)) == 4


@pytest.mark.parametrize(
    "kind", ["timeout", "refused", "unreachable", "dns", "tls", "disconnected", "server-error"]
)
async def test_what_cannot_be_reached_ends_with_3(tmp_path: Path, kind: str) -> None:
    assert await ended_with(tmp_path, fault(kind)) == 3


@pytest.mark.parametrize("kind", ["exit", "not-found", "conflict", "rejected", "malformed", "configuration"])
async def test_any_other_failure_ends_with_1(tmp_path: Path, kind: str) -> None:
    assert await ended_with(tmp_path, fault(kind)) == 1


async def test_an_expectation_that_does_not_hold_ends_with_1(tmp_path: Path) -> None:
    assert await ended_with(tmp_path, ok("y"), EXPECTS) == 1


async def test_a_walk_to_its_end_ends_with_0_unless_the_world_is_not_recovered(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, LOOK, {"ssh": ok("up")})
    state = await walk(engine)
    assert (exit_code(state, None), exit_code(state, True), exit_code(state, False)) == (0, 0, 1)


async def test_a_walk_that_has_not_ended_and_one_that_was_stopped_end_with_5(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, CHOOSE, {})
    assert exit_code(engine.state, None) == 5
    assert exit_code(await walk(engine), None) == 5


def test_the_codes_are_those_that_are_documented() -> None:
    assert {each.name: each.value for each in ExitCode} == {
        "DONE": 0,
        "NOT_RECOVERED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "PERMISSION": 4,
        "STOPPED": 5,
        "UNKNOWN": 6,
        "INTERRUPTED": 130,
    }
