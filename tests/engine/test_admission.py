"""What runs without a question is a read: by its words, with its values, whoever wrote the runbook."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine.admission import require_planned_risk, require_read
from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Gateway, Prompts
from breakglass.engine.triage import triage
from breakglass.errors import PreparationError
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.policy.risk import NOT_ASSESSED, Assessment, Judgement, Knowledge, Risk
from breakglass.policy.site_rules import ReadPattern
from breakglass.runbook.actions import SshAction
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import split_words
from breakglass.transport.base import SshRequest
from breakglass.values import Json
from tests.engine.support import (
    SITE,
    FarSide,
    confirm,
    events_of,
    ok,
    session_of,
    walk,
    write_runbook,
)

VALUE = """\
- id: name
  title: Which command?
  ssh: {host: pve, run: [cat, /name]}
  capture: {command: result.text.trim()}
"""
LOWERED = """\
- id: look
  title: Look
  ssh: {host: pve, run: [systemctl, "${{ command }}", /tmp/x]}
  risk: read
  because: It only looks.
"""
WAITED = LOWERED + "  wait: {until: result.exit == 0, within: 1s}\n"
EACH = LOWERED.replace("${{ command }}", "${{ item }}") + "  foreach: '[command]'\n"
VERIFIED = """\
- id: change
  title: Restart it
  kubectl: rollout restart deployment/web -n web
  verify:
    ssh: {host: pve, run: [systemctl, "${{ command }}", /tmp/x]}
    risk: read
    because: It only looks.
    until: result.exit == 0
    within: 1s
"""
NEEDED = (
    LOWERED.replace("- id: look", "- id: look\n  when: command == 'other'")
    + "  expect: [result.exit == 0]\n"
    + """\
- id: change
  title: Restart it
  kubectl: rollout restart deployment/web -n web
  needs: [look]
  verify: {kubectl: rollout status deployment/web -n web, until: result.exit == 0, within: 1m}
"""
)
ANSWERS = {"ssh pve": ok("x"), "kubectl": ok("x")}


def answers(command: str) -> FarSide:
    return FarSide({**ANSWERS, "ssh pve cat /name": ok(command)})


def sent(far: FarSide) -> list[str]:
    return [command for command in far.commands if "/tmp/x" in command]


@pytest.mark.parametrize("steps", [LOWERED, WAITED, EACH])
async def test_a_value_does_not_make_a_read_into_what_is_known_to_change(tmp_path: Path, steps: str) -> None:
    engine, far = session_of(tmp_path, VALUE + steps, answers("stop"))
    state = await walk(engine)
    assert sent(far) == []
    assert state.steps["look"].status == "failed"
    assert "not a read" in said(state, "look")


@pytest.mark.parametrize("steps", [LOWERED, WAITED, EACH])
async def test_what_was_lowered_runs_and_the_record_says_by_whose_word(tmp_path: Path, steps: str) -> None:
    engine, far = session_of(tmp_path, VALUE + steps, answers("peek"), mode="dry-run")
    state = await walk(engine)
    assert sent(far) == ["ssh pve systemctl peek /tmp/x"]
    kind = e.VerifyPolled if steps is WAITED else e.ActionPrepared
    *_, last = events_of(state, kind)
    assert isinstance(last, e.VerifyPolled | e.ActionPrepared)
    assert last.because == "by the author's word: It only looks."


@pytest.mark.parametrize(("command", "times"), [("peek", 2), ("stop", 0)])
async def test_a_need_is_read_again_only_where_it_is_a_read(tmp_path: Path, command: str, times: int) -> None:
    engine, far = session_of(tmp_path, VALUE + NEEDED, answers(command))
    state = await walk(engine, *[confirm][:times])
    assert len(sent(far)) == times
    assert state.steps["change"].status == ("ok" if times else "failed")
    *_, need = events_of(state, e.NeedRead)
    assert isinstance(need, e.NeedRead)
    if times:
        assert need.because == "by the author's word: It only looks."
    else:
        assert "not a read" in need.message


@pytest.mark.parametrize(("command", "looks"), [("peek", 1), ("stop", 0)])
async def test_a_verification_looks_only_where_it_is_a_read(tmp_path: Path, command: str, looks: int) -> None:
    engine, far = session_of(tmp_path, VALUE + VERIFIED, answers(command))
    state = await walk(engine, confirm)
    assert len(sent(far)) == looks
    assert state.steps["change"].status == ("ok" if looks else "unknown")
    *_, poll = events_of(state, e.VerifyPolled)
    assert isinstance(poll, e.VerifyPolled)
    assert poll.because == ("by the author's word: It only looks." if looks else "")


async def test_the_question_says_by_whose_word_the_verification_reads(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, VALUE + VERIFIED, answers("peek"))
    state = await walk(engine, confirm)
    (asked,) = [
        each for each in events_of(state, e.Asked) if isinstance(each, e.Asked) and each.question == "confirm"
    ]
    assert "by the author's word: It only looks." in asked.then


PLAIN = """\
- id: look
  title: Look
  ssh: {host: pve, run: [ls, /tmp/x]}
  expect: [result.exit == 0]
- id: change
  title: Restart it
  kubectl: rollout restart deployment/web -n web
  needs: [look]
  preview: {ssh: {host: pve, run: [ls, /tmp/x]}}
  verify: {ssh: {host: pve, run: [ls, /tmp/x]}, until: result.exit == 0, within: 1s}
"""
READS = Judgement(Risk.READ, Knowledge.READS, "ls: reads")


def destroying(step: Step) -> Step:
    assert isinstance(step.action, SshAction)
    words = split_words("rm -rf /tmp/x", step.position)
    return replace(step, action=replace(step.action, words=words), assessed=Assessment(READS))


def destroys_in_step(runbook: Runbook) -> Runbook:
    return replace(runbook, steps=(destroying(runbook.steps[0]), *runbook.steps[1:]))


def destroys_in_verify(runbook: Runbook) -> Runbook:
    look, change = runbook.steps
    assert change.verify is not None
    verify = replace(change.verify, action=destroying(look).action, assessed=Assessment(READS))
    return replace(runbook, steps=(look, replace(change, verify=verify)))


def destroys_in_preview(runbook: Runbook) -> Runbook:
    look, change = runbook.steps
    return replace(runbook, steps=(look, replace(change, preview=destroying(look).action)))


@pytest.mark.parametrize("change", [destroys_in_step, destroys_in_verify, destroys_in_preview])
@pytest.mark.parametrize("mode", ["live", "dry-run"])
async def test_a_runbook_that_nobody_has_checked_destroys_nothing_unasked(
    tmp_path: Path, change: Callable[[Runbook], Runbook], mode: e.Mode
) -> None:
    runbook = change(load_runbook(write_runbook(tmp_path, PLAIN)))
    engine, far = session_of(tmp_path, runbook, ANSWERS, mode=mode)
    await walk(engine)
    assert [each for each in far.commands if "rm" in each] == []


async def test_a_change_is_not_sent_where_its_verification_would_change_something(tmp_path: Path) -> None:
    runbook = destroys_in_verify(load_runbook(write_runbook(tmp_path, PLAIN)))
    engine, far = session_of(tmp_path, runbook, ANSWERS)
    state = await walk(engine)
    assert [each for each in far.commands if "restart" in each] == []
    assert "verify" in said(state, "change")


async def test_what_nobody_has_assessed_is_asked_about(tmp_path: Path) -> None:
    runbook = load_runbook(write_runbook(tmp_path, PLAIN))
    unseen = tuple(replace(step, assessed=NOT_ASSESSED) for step in runbook.steps)
    engine, _ = session_of(tmp_path, replace(runbook, steps=unseen), ANSWERS)
    assert [step.risk for step in engine.runbook.steps] == [Risk.READ, Risk.CHANGE]


CHANGED = """\
- id: change
  title: Act
  ssh: {host: pve, run: [systemctl, "${{ command }}", /tmp/x]}
  confirm: key
  verify: {ssh: {host: pve, run: [uptime]}, until: result.exit == 0, within: 1s}
"""


@pytest.mark.parametrize("mode", ["live", "dry-run"])
async def test_a_change_that_its_values_make_worse_is_refused_before_anybody_is_asked(
    tmp_path: Path, mode: e.Mode
) -> None:
    engine, far = session_of(tmp_path, VALUE + CHANGED, answers("stop"), mode=mode)
    state = await walk(engine)
    assert sent(far) == []
    assert "destructive" in said(state, "change")
    assert "risk: destructive" in said(state, "change")


async def test_a_change_that_was_planned_as_what_it_is_goes_on(tmp_path: Path) -> None:
    steps = CHANGED.replace(
        "confirm: key", "risk: destructive\n  impact: It is gone.\n  confirm: {type: box1}"
    )
    engine, far = session_of(tmp_path, VALUE + steps, answers("stop"))
    await walk(engine, confirm)
    assert sent(far) == ["ssh pve systemctl stop /tmp/x"]


DOOR = replace(SITE, hosts={**SITE.hosts, "pve": replace(SITE.hosts["pve"], forced_command=True)})
VERB = "- {id: look, title: Look, ssh: {host: pve, run: [VERB]}, risk: read, because: It only looks.}\n"


async def test_a_verb_of_a_forced_command_reads_there_on_nobody_s_word(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, VERB.replace("VERB", "status"), ANSWERS, site=DOOR)
    state = await walk(engine)
    assert far.commands == ["ssh pve status"]
    (prepared,) = events_of(state, e.ActionPrepared)
    assert isinstance(prepared, e.ActionPrepared)
    assert prepared.because == ""


async def test_a_verb_of_a_forced_command_that_stops_is_never_a_read(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, VERB.replace("VERB", "stop"), ANSWERS, site=DOOR)
    await walk(engine)
    assert far.commands == []
    assert engine.runbook.steps[0].risk is Risk.DESTRUCTIVE


async def test_a_program_named_as_such_a_verb_is_read_elsewhere_by_the_author_s_word(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, VERB.replace("VERB", "status"), ANSWERS)
    state = await walk(engine)
    (prepared,) = events_of(state, e.ActionPrepared)
    assert isinstance(prepared, e.ActionPrepared)
    assert prepared.because == "by the author's word: It only looks."


PEEK = "- {id: look, title: Look, ssh: {host: pve, run: [peek, /tmp/x]}, risk: read}\n"
OWN = replace(SITE, reads=(ReadPattern(("peek", "*")),))


async def test_a_command_that_only_its_author_means_as_a_read_is_asked_about(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PEEK, ANSWERS)
    state = await walk(engine)
    assert sent(far) == []
    assert [each.question for each in events_of(state, e.Asked) if isinstance(each, e.Asked)] == ["confirm"]


@pytest.mark.parametrize("mode", ["live", "dry-run"])
async def test_a_site_that_knows_it_as_a_read_runs_it_unasked_and_that_is_on_record(
    tmp_path: Path, mode: e.Mode
) -> None:
    engine, far = session_of(tmp_path, PEEK, ANSWERS, site=OWN, mode=mode)
    state = await walk(engine)
    assert sent(far) == ["ssh pve peek /tmp/x"]
    (prepared,) = events_of(state, e.ActionPrepared)
    assert isinstance(prepared, e.ActionPrepared)
    assert (prepared.risk, prepared.because) == ("read", "by this site's word: peek *")


async def test_a_word_that_holds_a_value_fits_no_word_that_the_site_wrote_out(tmp_path: Path) -> None:
    steps = VALUE + PEEK.replace("/tmp/x", '"/tmp/x", "a${{ command }}"')
    site = replace(SITE, reads=(ReadPattern(("peek", "/tmp/x", "ab")),))
    engine, far = session_of(tmp_path, steps, answers("b"), site=site)
    await walk(engine)
    assert sent(far) == []


async def test_a_site_s_reads_make_no_read_of_a_step_that_is_verified_as_a_change(tmp_path: Path) -> None:
    steps = CHANGED.replace('systemctl, "${{ command }}"', "peek")
    engine, far = session_of(tmp_path, steps, ANSWERS, site=OWN)
    await walk(engine)
    assert sent(far) == []


async def test_a_verification_by_the_site_s_word_needs_that_site(tmp_path: Path) -> None:
    verify = VERIFIED.replace("    because: It only looks.\n", "").replace(
        'systemctl, "${{ command }}"', "peek"
    )
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    engine, far = session_of(tmp_path / "own", verify, ANSWERS, site=OWN)
    state = await walk(engine, confirm)
    assert len(sent(far)) == 1
    assert state.steps["change"].status == "ok"
    engine, far = session_of(tmp_path / "other", verify, ANSWERS)
    state = await walk(engine)
    assert far.commands == []
    assert "its `verify` is not a read" in said(state, "change")


async def test_triage_runs_what_the_site_knows_and_nothing_by_the_author_s_word(tmp_path: Path) -> None:
    checks = "triage: [{use: look, verdict: {ok: result.exit == 0}}]\n"
    steps = PEEK.replace("risk: read", "risk: read, because: It only looks.")
    runbook = load_runbook(write_runbook(tmp_path, steps, checks))
    for site, verdict in ((SITE, "unknown"), (OWN, "ok")):
        far = FarSide(ANSWERS)
        gateway = Gateway(site, tmp_path / "output", Clock(), Prompts(), {SshRequest: far})
        (row,) = await triage(gateway, {"look": runbook})
        assert row.verdict == verdict
        assert bool(sent(far)) == (verdict == "ok")


async def test_triage_sends_nothing_that_its_values_make_a_change(tmp_path: Path) -> None:
    checks = "triage: [{use: look, verdict: {ok: result.exit == 0}}]\n"
    steps = PEEK.replace("[peek, /tmp/x]", '[peek, "${{ site.variables.nodes[0] }}"]')
    runbook = load_runbook(write_runbook(tmp_path, steps, checks))
    for nodes, count in ((["node1"], 1), (["-rf"], 0)):
        far = FarSide(ANSWERS)
        site = replace(OWN, variables={"nodes": list[Json](nodes)})
        gateway = Gateway(site, tmp_path / "output", Clock(), Prompts(), {SshRequest: far})
        await triage(gateway, {"look": runbook})
        assert len(far.commands) == count


def said(state: State, step: str) -> str:
    last = state.steps[step].last
    return last.say if last is not None else ""


def known(risk: Risk, why: str = "it does that") -> Judgement:
    return Judgement(risk, Knowledge.READS if risk is Risk.READ else Knowledge.CHANGES, why)


@pytest.mark.parametrize("sent", list(Risk))
@pytest.mark.parametrize("shown", list(Risk))
@pytest.mark.parametrize("planned", list(Risk))
def test_no_more_is_sent_than_was_planned_whether_it_shows_or_not(
    planned: Risk, shown: Risk, sent: Risk
) -> None:
    more = shown if shown > planned else sent if sent > planned else None
    plan = Assessment(known(planned))
    with pytest.raises(PreparationError) if more is not None else nullcontext() as refused:
        require_planned_risk(plan, known(shown, "shown"), known(sent, "a secret"))
    if more is not None:
        why = ": shown" if more is shown and shown > planned else ""
        assert str(refused.value) == (  # type: ignore[union-attr]
            f"with its values this is {more.word}, and the step is planned as {planned.word}{why}; "
            f"say `risk: {more.word}` in the step"
        )


@pytest.mark.parametrize("sent", list(Risk))
@pytest.mark.parametrize("shown", list(Risk))
def test_unasked_only_a_read_is_sent_and_a_secret_is_not_told(shown: Risk, sent: Risk) -> None:
    is_read = shown is sent is Risk.READ
    plan = Assessment(known(Risk.READ))
    with nullcontext() if is_read else pytest.raises(PreparationError) as refused:
        found = require_read(plan, known(shown, "shown"), known(sent, "a secret"))
        assert found == replace(plan, judgement=known(shown, "shown"))
    if not is_read:
        said = str(refused.value)  # type: ignore[union-attr]
        assert "nobody was asked" in said and "a secret" not in said
        assert said.endswith(": shown") is (shown is not Risk.READ)
