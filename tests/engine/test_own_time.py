"""Time in a rehearsal and in a dry run: a command's own timeout runs with the clock, and nobody waits for
what was never sent."""

from pathlib import Path

import pytest

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import at_speed
from breakglass.policy.kubectl.changes import Drain
from breakglass.policy.kubectl.parse import understood
from breakglass.transport.base import KubectlRequest
from tests.engine.support import ok, session_of, walk

STEPS = """
- id: off
  title: Turn it off
  ssh: {host: pve, run: [touch, /srv/off]}
  verify: {ssh: {host: pve, run: [uptime]}, until: result.exit == 0, means: It is done., within: 5s}
- id: gone
  title: Wait until it is off
  ssh: {host: pve, run: [uptime]}
  wait: {until: "result.text == 'off'", means: It is off., every: 1s, within: 10m}
"""


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 300.0), (20.0, 15.0)])
def test_the_timeout_of_a_drain_runs_as_fast_as_the_walk(speed: float, seconds: float) -> None:
    request = KubectlRequest("main", understood(("drain", "n1", "--timeout=5m")), 600.0)
    sent = at_speed(request, Clock(speed))
    assert isinstance(sent, KubectlRequest) and isinstance(sent.command.operation, Drain)
    assert sent.command.operation.timeout == seconds


async def test_a_dry_run_looks_once_at_what_a_change_that_was_not_sent_would_bring_about(
    tmp_path: Path,
) -> None:
    engine, far = session_of(tmp_path, STEPS, {"ssh": ok("on")}, mode="dry-run")
    state = await walk(engine)
    assert far.commands == ["ssh pve uptime"]
    last = state.steps["gone"].last
    assert last is not None and "a dry run does not wait for it" in last.say
