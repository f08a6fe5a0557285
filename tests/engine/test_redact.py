"""`redact: true`: what such a step says is neither kept nor shown, whatever it is sent for."""

from pathlib import Path

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.triage import triage
from breakglass.journal import events as e
from breakglass.runbook.load import load_runbook
from breakglass.transport.base import HttpRequest, KubectlRequest, ProbeRequest, SshRequest
from tests.engine.support import SITE, FarSide, confirm, ok, session_of, walk, write_runbook

TOLD = "hunter2-of-the-door"
WORDS = f"the word is {TOLD}\n"
SAYS = ok(WORDS)

READ = "- {id: look, title: Look, ssh: {host: pve, run: [cat, /etc/door]}, redact: true}\n"
LIST = """
- id: look
  title: Look
  ssh: {host: pve, run: [cat, "${{ item }}"]}
  foreach: {in: "['/etc/a', '/etc/b']"}
  redact: true
"""
CHANGE = """
- id: turn
  title: Turn it
  ssh: {host: pve, run: [rotate-door]}
  risk: change
  impact: The door has another word.
  unknown: Look at the door.
  redact: true
  verify: {ssh: {host: node1, run: [uptime]}, until: result.exit == 0, every: 1s, within: 3s}
"""
NEEDED = """
- id: look
  title: Look
  ssh: {host: pve, run: [cat, /etc/door]}
  redact: true
  expect: [{that: result.exit == 0, else: It is shut.}]
- id: turn
  title: Turn it
  ssh: {host: pve, run: [rotate-door]}
  risk: change
  needs: [look]
  impact: The door has another word.
  unknown: Look at the door.
  verify: {ssh: {host: node1, run: [uptime]}, until: result.exit == 0, every: 1s, within: 3s}
"""
VERIFIED = CHANGE.replace("{host: node1, run: [uptime]}", "{host: pve, run: [cat, /etc/door]}")


def kept_in(folder: Path) -> str:
    """All that is on the disk of a session."""
    files = (each for each in folder.rglob("*") if each.is_file() and each.name != "runbook.yaml")
    return "".join(each.read_text() for each in files)


async def walked(folder: Path, steps: str, says: FarSide | None = None) -> tuple[list[str], str]:
    """What was sent, and all that was kept and told of it."""
    far = says or FarSide({"ssh": SAYS, "ssh node1 uptime": ok("up")})
    engine, _ = session_of(folder, steps, far)
    state = await walk(engine, confirm, confirm)
    assert state.ended == e.SessionEnded("completed"), state.ended
    told = kept_in(folder) + repr([each.event for each in state.timeline])
    return far.commands, told


async def test_the_output_of_a_read_is_not_kept_and_its_size_is(tmp_path: Path) -> None:
    sent, told = await walked(tmp_path, READ)
    assert sent == ["ssh pve cat /etc/door"]
    assert TOLD not in told
    assert f"[{len(WORDS)} bytes of secret output, neither shown nor stored]" in told


async def test_without_it_the_output_is_kept(tmp_path: Path) -> None:
    _, told = await walked(tmp_path, READ.replace(", redact: true", ""))
    assert TOLD in told


async def test_the_output_of_each_of_a_list_is_not_kept(tmp_path: Path) -> None:
    sent, told = await walked(tmp_path, LIST)
    assert len(sent) == 2
    assert TOLD not in told


async def test_the_output_of_a_change_is_not_kept(tmp_path: Path) -> None:
    sent, told = await walked(tmp_path, CHANGE)
    assert sent == ["ssh pve rotate-door", "ssh node1 uptime"]
    assert TOLD not in told


async def test_the_output_of_a_verification_is_not_kept(tmp_path: Path) -> None:
    sent, told = await walked(tmp_path, VERIFIED)
    assert sent == ["ssh pve rotate-door", "ssh pve cat /etc/door"]
    assert TOLD not in told


async def test_the_output_of_a_need_that_is_read_again_is_not_kept(tmp_path: Path) -> None:
    says = FarSide({"ssh pve cat": SAYS, "ssh pve rotate-door": ok("turned"), "ssh node1": ok("up")})
    sent, told = await walked(tmp_path, NEEDED, says)
    assert sent.count("ssh pve cat /etc/door") > 1
    assert TOLD not in told
    assert "turned" in told, "the change itself says what it says"


async def test_no_condition_sees_the_output(tmp_path: Path) -> None:
    expects = """redact: true, expect: [{that: "result.text == ''", else: "It said ${{ result.text }}"}]}"""
    _, told = await walked(tmp_path, READ.replace("redact: true}", expects))
    assert TOLD not in told


async def test_triage_keeps_no_output_either(tmp_path: Path) -> None:
    checks = """
triage:
  - use: look
    verdict: {confirmed: "result.text.contains('word')", ok: "result.exit == 0"}
"""
    far = FarSide({"ssh": SAYS})
    kinds = (KubectlRequest, SshRequest, HttpRequest, ProbeRequest)
    gateway = Gateway(SITE, tmp_path / "output", Clock(), Prompts(), dict.fromkeys(kinds, far))
    (row,) = await triage(gateway, {"one": load_runbook(write_runbook(tmp_path, READ, checks))})
    assert far.commands == ["ssh pve cat /etc/door"]
    assert row.verdict == "ok", "the text of a secret output is empty to a condition"
    assert TOLD not in kept_in(tmp_path) + repr(row)
