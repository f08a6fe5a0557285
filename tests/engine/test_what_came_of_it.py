"""What a change is said to have come to, from its answer and from its verification."""

import os
from pathlib import Path

import pytest

from breakglass.engine.confirmation import text_to_type
from breakglass.engine.scope import Scopes
from breakglass.engine.signature import check_signature, signers_problem
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.runbook.load import load_runbook
from breakglass.transport.base import Delivery
from tests.engine.support import Answer, confirm, events_of, fault, ok, session_of, walk, write_runbook

STEPS = """
- id: remove
  title: Remove it
  ssh: {host: pve, run: [rm, -f, /tmp/victim]}
  confirm: {type: pve@test}
  impact: It is gone.
  unknown: Look.
  verify: {ssh: {host: pve, run: [ls, /tmp/victim]}, until: result.exit == 2, every: 1s, within: 3s}
"""
GONE, THERE = ok("", exit_status=2), ok("", exit_status=0)
EXIT = fault("exit", "exit status 1")
LOST = fault("disconnected", "cut", Delivery.UNKNOWN)
BLIND = fault("unreachable", "no route")


@pytest.mark.parametrize(
    ("sent", "seen", "state", "say"),
    [
        (ok(), GONE, "ok", "sent and verified"),
        (EXIT, GONE, "ok", "reported exit status 1, but verification shows that it was done"),
        (LOST, GONE, "ok", "the answer was lost, but verification shows that it was done"),
        (ok(), THERE, "failed", "sent; verification: "),
        (EXIT, THERE, "failed", "reported exit status 1; verification: "),
        (LOST, THERE, "unknown", "may have happened: cut; "),
        (ok(), BLIND, "unknown", "may have happened: sent; not verified: "),
        (EXIT, BLIND, "unknown", "may have happened: reported exit status 1; not verified: "),
        (LOST, BLIND, "unknown", "may have happened: cut; "),
    ],
)
async def test_what_came_of_a_change_is_said_with_what_shows_it(
    tmp_path: Path, sent: Answer, seen: Answer, state: str, say: str
) -> None:
    engine, _ = session_of(tmp_path, STEPS, {"ssh pve rm": sent, "ssh pve ls": seen})
    found = await walk(engine, confirm)
    (asked,) = [each for each in events_of(found, e.Asked) if isinstance(each, e.Asked) and each.typed]
    assert (asked.text, asked.typed, asked.impact) == ("Remove it", "pve@test", "It is gone.")
    last = found.steps["remove"].last
    assert last is not None
    assert last.state == state and last.say.startswith(say), last.say
    assert last.say.endswith("Look.") is (state == "unknown")


async def test_a_change_whose_captures_fail_is_done_and_has_failed(tmp_path: Path) -> None:
    steps = STEPS.replace("within: 3s}", "within: 3s, capture: {name: result.json.name}}")
    engine, _ = session_of(tmp_path, steps, {"ssh pve rm": ok(), "ssh pve ls": GONE})
    last = (await walk(engine, confirm)).steps["remove"].last
    assert last is not None and last.state == "failed"
    assert last.say.startswith("done and verified, but: ")


PROBE = """
- id: look
  title: Look
  ssh: {host: pve, run: [mytool, look]}
  risk: probe
  because: It looks, and may leave a mount that hangs.
  impact: A mount may hang.
  unknown: Look.
"""


@pytest.mark.parametrize(
    ("sent", "state"), [(ok(), "ok"), (EXIT, "failed"), (LOST, "unknown"), (fault("timeout"), "ok")]
)
async def test_what_nothing_verifies_came_to_what_its_answer_says(
    tmp_path: Path, sent: Answer, state: str
) -> None:
    engine, _ = session_of(tmp_path, PROBE, {"ssh pve mytool": sent})
    last = (await walk(engine, confirm)).steps["look"].last
    assert last is not None and last.state == state, last


def typed(folder: Path, text: str, count: int | None) -> str:
    runbook = load_runbook(write_runbook(folder, STEPS.replace("pve@test", text)))
    return text_to_type(runbook.steps[0], Scopes({}, {}), "lab", count)


@pytest.mark.parametrize(
    ("text", "count", "wanted"),
    [
        ("pve@test", None, "pve@test"),
        ("pve@test", 3, "3 on pve@test"),
        ("3 on pve@test", 3, "3 on pve@test"),
        ("3 on pve@test", 4, "4 on 3 on pve@test"),
        ("pve@test", 1, "1 on pve@test"),
    ],
)
def test_a_text_for_a_list_begins_with_its_number_once(
    tmp_path: Path, text: str, count: int | None, wanted: str
) -> None:
    assert typed(tmp_path, text, count) == wanted


def test_signers_are_ones_own_or_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signers = tmp_path / "signers"
    signers.write_text("")
    signers.chmod(0o644)
    owner = signers.stat().st_uid
    assert signers_problem(signers) == ""
    monkeypatch.setattr(os, "getuid", lambda: owner + 7)
    said = f"belong to another user: chown {owner + 7} {signers}"
    assert signers_problem(signers) == ("" if owner == 0 else f"the site's signers, {signers}, {said}")
    if owner == 0:  # only root may give a file away
        os.chown(signers, 7, 7)
        assert "belong to another user" not in signers_problem(signers)
        monkeypatch.setattr(os, "getuid", lambda: 8)
        assert signers_problem(signers).endswith(f"belong to another user: chown 8 {signers}")


async def test_with_signers_that_others_may_write_no_signature_counts(tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text("")
    signers.chmod(0o666)
    pasted = "-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n"
    with pytest.raises(CommandRefusedError, match="others may write the site's signers"):
        await check_signature(signers, "text", pasted, ())
