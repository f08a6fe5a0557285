"""What a change is held to: its pin, its host's one verb, its time; and what is known of it after a fault."""

from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine.change import outcome_of
from breakglass.engine.gateway import Response
from breakglass.engine.prepare import PreparationError, prepare
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.runbook.actions import SshAction
from breakglass.runbook.load import load_runbook
from breakglass.transport.base import Delivery, Fault, KubectlRequest, Result, SshRequest
from tests.engine.support import SITE, confirm, events_of, ok, session_of, walk, write_runbook
from tests.engine.test_changes import ANSWERS, DELETE, POD, PURGE


# ---------------------------------------------------------------- pins
def refusal_of(state: State) -> str:
    (asked,) = [each for each in events_of(state, e.Asked) if isinstance(each, e.Asked)]
    assert asked.question == "decide"
    return asked.text


@pytest.mark.parametrize("pin", ["uid", "resource-version"])
async def test_a_pin_without_a_value_sends_nothing(tmp_path: Path, pin: str) -> None:
    steps = PURGE.replace('pin: {uid: "${{ uid }}"}', f'pin: {{{pin}: "${{{{ uid }}}}"}}')
    answers = {**ANSWERS, "kubectl get pod ": ok(POD.replace("u-1", ""))}
    engine, far = session_of(tmp_path, steps, answers)
    state = await walk(engine)
    assert "nothing would be pinned" in refusal_of(state)
    assert DELETE not in far.commands
    assert not events_of(state, e.ActionIntended)


@pytest.mark.parametrize("other", ["uid", "resource-version"])
async def test_one_pin_does_not_stand_for_an_empty_one(tmp_path: Path, other: str) -> None:
    both = {"uid": "u-1", "resource-version": "7", other: ""}
    pins = ", ".join(f'{name}: "${{{{ {value!r} }}}}"' for name, value in both.items())
    engine, far = session_of(tmp_path, PURGE.replace('uid: "${{ uid }}"', pins), ANSWERS)
    state = await walk(engine)
    assert "nothing would be pinned" in refusal_of(state)
    assert DELETE not in far.commands


async def test_a_pin_goes_with_the_request(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, confirm)
    (sent,) = [
        each
        for each in far.sent
        if isinstance(each, KubectlRequest) and each.command.argv[0] == "delete" and not each.dry_run
    ]
    assert sent.uid == "u-1"


# ---------------------------------------------------------------- what is known after a fault
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        *((kind, "unknown") for kind in ("server-error", "disconnected", "malformed")),
        *((kind, "failed") for kind in ("forbidden", "not-found", "conflict", "rejected", "exit")),
        ("timeout", "succeeded"),
    ],
)
def test_a_change_that_was_answered_with_a_fault(tmp_path: Path, kind: str, outcome: str) -> None:
    step = load_runbook(write_runbook(tmp_path, PURGE)).step("purge")
    result = Result(Delivery.ANSWERED, 0.1, fault=Fault(kind, kind))  # type: ignore[arg-type]
    assert outcome_of(Response(result, {}, {}, None, ""), step) == outcome
    for delivery, known in ((Delivery.NOT_SENT, "not-sent"), (Delivery.UNKNOWN, "unknown")):
        assert outcome_of(Response(replace(result, delivery=delivery), {}, {}, None, ""), step) == known


@pytest.mark.parametrize("kind", ["server-error", "disconnected", "malformed"])
async def test_a_change_that_may_have_happened_is_unknown_and_its_words_lead(
    tmp_path: Path, kind: str
) -> None:
    told = Result(Delivery.ANSWERED, 0.1, fault=Fault(kind, kind))  # type: ignore[arg-type]
    blind = Result(Delivery.NOT_SENT, 0.1, fault=Fault("unreachable", "gone"))
    answers = {**ANSWERS, "kubectl delete": [ok("dry"), told], "kubectl get pods": blind}
    engine, _ = session_of(tmp_path, PURGE, answers)
    state = await walk(engine, confirm, c.Stop("as the test says", "operator"))
    assert state.steps["purge"].status == "unknown"
    assert state.unknown


# ---------------------------------------------------------------- hosts of one verb
DOOR = replace(SITE, hosts={**SITE.hosts, "pve": replace(SITE.hosts["pve"], forced_command=True)})


def ssh_action(folder: Path, more: str) -> SshAction:
    steps = f"- {{id: turn, title: Turn, ssh: {{host: pve, {more}}}}}\n"
    action = load_runbook(write_runbook(folder, steps)).steps[0].action
    assert isinstance(action, SshAction)
    return action


@pytest.mark.parametrize(
    "more",
    ["run: [uptime, -p]", 'run: "uptime | cat"', "run: [uptime], sudo: true", 'run: "uptime", sudo: true'],
)
def test_more_than_a_verb_is_not_prepared_for_a_host_that_takes_one(tmp_path: Path, more: str) -> None:
    with pytest.raises(PreparationError, match="one bare verb"):
        prepare(ssh_action(tmp_path, more), DOOR, {}, timeout=5.0)


def test_a_verb_is_prepared_for_it_and_more_for_any_other(tmp_path: Path) -> None:
    request = prepare(ssh_action(tmp_path, "run: [uptime]"), DOOR, {}, timeout=5.0).request
    assert isinstance(request, SshRequest) and request.argv == ("uptime",)
    request = prepare(ssh_action(tmp_path, "run: [uptime, -p]"), SITE, {}, timeout=5.0).request
    assert isinstance(request, SshRequest) and request.argv == ("uptime", "-p")


# ---------------------------------------------------------------- time
WAITS = """
- id: purge
  title: Delete the pod
  kubectl: delete pod web-1 -n web --grace-period=30
  timeout: 40s
  impact: Logins are lost.
  confirm: {type: web-1@test}
  unknown: Look.
  verify: {kubectl: get pods -n web -o json, until: size(result.json.items) == 0, every: 2s, within: 10s}
"""


async def test_each_request_has_its_steps_time_and_a_look_no_more_than_the_verification(
    tmp_path: Path,
) -> None:
    engine, far = session_of(tmp_path, WAITS, ANSWERS)
    state = await walk(engine, confirm)
    assert state.ended == e.SessionEnded("completed")
    limits = {each.command.argv[:2]: each.timeout for each in far.sent if isinstance(each, KubectlRequest)}
    assert limits["delete", "pod"] == 40.0
    assert limits["get", "pods"] == 10.0
