"""Changes: read again, asked, on disk, sent once, verified; and what is said where it is not known."""

import asyncio
import json
import os
from pathlib import Path

import pytest
import yaml

from breakglass.engine import commands as c
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from breakglass.journal.store import FILE_NAME, read
from breakglass.policy.kubectl.operations import Target
from breakglass.transport.base import Delivery, Fault, KubectlRequest, Request, Result, Sink
from tests.engine.support import Answer, FarSide, confirm, events_of, fault, ok, resumed, session_of, walk

POD = """\
{"kind": "Pod", "metadata": {"name": "web-1", "uid": "u-1", "namespace": "web"}, "spec": {"nodeName": "n1"}}
"""
OTHER = POD.replace("u-1", "u-2")
GONE = '{"items": []}'

PURGE = """
- id: pod
  title: Find the pod
  kubectl: get pod web-1 -n web -o json
  capture: {pod: result.json.metadata.name, uid: result.json.metadata.uid}
- id: full
  title: Is it full?
  kubectl: exec -n web web-1 -- df -k /dev/shm
  capture: {used: "result.text.df()[0].use_percent"}
  expect: [{that: used >= 95, else: "Only ${{ used }} %."}]
- id: purge
  title: Delete the pod
  kubectl: delete pod ${{ pod }} -n web --grace-period=30
  pin: {uid: "${{ uid }}"}
  needs: [full]
  impact: Logins are lost.
  confirm: {type: "${{ pod }}"}
  unknown: Look whether ${{ pod }} still has uid ${{ uid }}.
  verify:
    kubectl: get pods -n web -o json
    until: size(result.json.items) == 0
    every: 2s
    within: 10s
"""


def df(percent: int) -> str:
    return f"Filesystem 1K-blocks Used Available Use% Mounted on\nshm 65536 1 1 {percent}% /dev/shm\n"


ANSWERS = {
    "kubectl get pod ": ok(POD),
    "kubectl exec": ok(df(100)),
    "kubectl delete": ok("deleted"),
    "kubectl get pods": ok(GONE),
}
DELETE = "kubectl delete pod web-1 -n web --grace-period=30"


async def test_a_confirmed_change_is_sent_once_and_is_done_when_its_verification_says_so(
    tmp_path: Path,
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    state = await walk(engine, confirm)
    assert far.commands.count(DELETE) == 1
    assert state.steps["purge"].status == "ok"
    assert state.ended == e.SessionEnded("completed")


async def test_the_question_shows_all_that_a_tired_person_must_see(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)
    asked: list[e.Asked] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question)
        return c.Decline("operator")

    await walk(engine, look)
    question = asked[0]
    assert question.command == DELETE
    assert "uid u-1" in question.on and "node n1" in question.on
    assert question.impact == "Logins are lost."
    assert question.typed == "web-1"
    assert question.server_says == "dry run accepted"
    assert question.risk == "destructive"
    assert ", within 10 s" in question.then


async def test_nothing_is_sent_when_the_operator_goes_back(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    state = await walk(engine, c.Decline("operator"))
    assert DELETE not in far.commands
    assert state.steps["purge"].status == state.steps["purge"].attempts[0].state == "cancelled"
    assert state.steps["purge"].attempts[0].say == "Cancelled. Nothing sent."
    assert state.failed == 0


@pytest.mark.parametrize(
    "typed", ["", "web-", "web-1 ", " web-1", "WEB-1", "wеb-1", "web-11", "Y", "web-1\n"]
)
async def test_only_the_exact_text_confirms(tmp_path: Path, typed: str) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)

    def wrong(_: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError, match="Nothing sent"):
            engine.command(c.Confirm(typed, "operator"))
        return c.Decline("operator")

    await walk(engine, wrong)
    assert DELETE not in far.commands


async def test_the_intent_is_on_disk_before_the_request_is_sent(tmp_path: Path) -> None:
    written: list[list[str]] = []
    path = tmp_path / "session" / FILE_NAME

    class Looking(FarSide):
        def _answer(self, command: str) -> Answer:
            if command == DELETE:
                written.append([each.event.type for each in read(path).records])
            return super()._answer(command)

    engine, _ = session_of(tmp_path, PURGE, Looking(ANSWERS))
    await walk(engine, confirm)
    assert written[0][-2:] == ["need.read", "action.intended"] or written[0][-1] == "action.intended"
    assert "confirmed" in written[0]


async def test_a_need_is_read_again_and_refuses_with_then_and_now(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, {**ANSWERS, "kubectl exec": [ok(df(100)), ok(df(3))]})
    state = await walk(engine)
    (refused,) = (n for n in events_of(state, e.NeedRead) if isinstance(n, e.NeedRead) and not n.holds)
    assert (refused.before, refused.observed) == ({"used": 100}, {"used": 3})
    assert "full no longer holds: Only 3 %." in state.steps["purge"].attempts[0].say
    assert DELETE not in far.commands
    assert state.refusals == 1


async def test_a_need_that_stops_holding_while_the_operator_types_refuses(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path, PURGE, {**ANSWERS, "kubectl exec": [ok(df(100)), ok(df(100)), ok(df(3))]}
    )
    state = await walk(engine, confirm)
    assert "refused after the confirmation" in state.steps["purge"].attempts[0].say
    assert DELETE not in far.commands


async def test_a_need_that_cannot_be_read_again_refuses(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path, PURGE, {**ANSWERS, "kubectl exec": [ok(df(100)), fault("timeout", "no answer in 10 s")]}
    )
    state = await walk(engine)
    assert "full could not be read again: no answer in 10 s" in state.steps["purge"].attempts[0].say
    assert DELETE not in far.commands


async def test_an_object_that_was_replaced_is_not_touched(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, {**ANSWERS, "kubectl get pod ": [ok(POD), ok(OTHER)]})
    state = await walk(engine)
    assert "was replaced: its uid was u-1 and is now u-2" in state.steps["purge"].attempts[0].say
    assert DELETE not in far.commands


async def test_the_request_carries_the_uid_that_was_diagnosed(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    await walk(engine, confirm)
    sent = next(request for request, line in zip(far.sent, far.commands, strict=True) if line == DELETE)
    assert getattr(sent, "uid", None) == "u-1"


async def test_a_precondition_that_the_server_finds_broken_is_a_refusal(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, {**ANSWERS, DELETE: fault("conflict", "the uid is another")})
    state = await walk(engine, confirm)
    assert "refused by the far side, nothing changed" in state.steps["purge"].attempts[0].say
    assert state.unknown == 0


async def test_a_lost_answer_is_unknown_and_says_what_to_look_at(tmp_path: Path) -> None:
    lost = fault("disconnected", "the connection was lost", Delivery.UNKNOWN)
    engine, far = session_of(
        tmp_path, PURGE, {**ANSWERS, DELETE: lost, "kubectl get pods": ok('{"items": [1]}')}
    )
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "unknown"
    say = state.steps["purge"].attempts[0].say
    assert say.startswith("may have happened")
    assert "Look whether web-1 still has uid u-1." in say
    assert far.commands.count(DELETE) == 1


PROBE = """
- id: mount
  title: Mount once
  ssh: {host: node1, run: [mount, -t, nfs, "server:/srv", /tmp/probe]}
  tolerate: [timeout]
  capture: {hangs: result.fault == 'timeout'}
  unknown: Look for the mount among the processes.
"""


@pytest.mark.parametrize(("kind", "status"), [("timeout", "ok"), ("disconnected", "unknown")])
async def test_the_silence_of_a_probe_is_a_finding_where_the_step_tolerates_it(
    tmp_path: Path, kind: str, status: str
) -> None:
    silent = fault(kind, "nothing came back", Delivery.UNKNOWN)
    engine, far = session_of(tmp_path, PROBE, {"ssh node1 mount": silent})
    state = await walk(engine, confirm)
    assert state.steps["mount"].status == status
    assert state.values.get("hangs", False) == (status == "ok")
    assert len(far.commands) == 1


async def test_a_lost_answer_is_settled_by_the_verification(tmp_path: Path) -> None:
    lost = fault("disconnected", "the connection was lost", Delivery.UNKNOWN)
    engine, _ = session_of(tmp_path, PURGE, {**ANSWERS, DELETE: lost})
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "ok"
    assert "verification shows that it was done" in state.steps["purge"].attempts[0].say


async def test_a_request_that_never_left_is_not_sent(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path, PURGE, {**ANSWERS, DELETE: fault("refused", "connection refused", Delivery.NOT_SENT)}
    )
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "failed"
    assert "not sent: connection refused" in state.steps["purge"].attempts[0].say


async def test_success_without_its_signal_is_a_failure(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, {**ANSWERS, "kubectl get pods": ok('{"items": [1]}')})
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "failed"
    assert "sent; verification: not OK within 10 s" in state.steps["purge"].attempts[0].say


async def test_retrying_an_unknown_change_looks_first_and_sends_nothing_where_it_was_done(
    tmp_path: Path,
) -> None:
    lost = fault("disconnected", "lost", Delivery.UNKNOWN)
    still, gone = ok('{"items": [1]}'), ok(GONE)
    engine, far = session_of(
        tmp_path, PURGE, {**ANSWERS, DELETE: lost, "kubectl get pods": [*[still] * 6, gone]}
    )
    state = await walk(engine, confirm, c.Retry("operator"))
    assert far.commands.count(DELETE) == 1
    assert state.steps["purge"].status == "ok"
    assert "nothing was sent again" in state.steps["purge"].attempts[-1].say


async def test_retrying_an_unknown_change_that_was_not_done_asks_again(tmp_path: Path) -> None:
    lost = fault("disconnected", "lost", Delivery.UNKNOWN)
    engine, far = session_of(
        tmp_path,
        PURGE,
        {
            **ANSWERS,
            DELETE: [lost, ok("deleted")],
            "kubectl get pods": [*[ok('{"items": [1]}')] * 7, ok(GONE)],
        },
    )
    state = await walk(engine, confirm, c.Retry("operator"), confirm)
    assert far.commands.count(DELETE) == 2
    assert len(events_of(state, e.Confirmed)) == 2


async def test_without_a_record_of_the_intent_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)

    def full(asked: e.Asked) -> c.Command:
        monkeypatch.setattr(engine.writer.journal, "_descriptor", os.open("/dev/full", os.O_RDWR))
        return confirm(asked)

    state = await walk(engine, full)
    assert DELETE not in far.commands
    assert "cannot be written (No space left on device)" in state.steps["purge"].attempts[0].say
    assert engine.journal_fault == "No space left on device"


APPROVED = PURGE + "  approve: 2\n"


async def test_two_people_must_agree_and_one_cannot_be_both(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, APPROVED, ANSWERS)

    def second(asked: e.Asked) -> c.Command:
        assert DELETE not in far.commands
        with pytest.raises(CommandRefusedError, match="a second person must"):
            engine.command(c.Confirm(asked.typed, "operator"))
        return c.Confirm(asked.typed, "somebody else")

    state = await walk(engine, confirm, second)
    assert far.commands.count(DELETE) == 1
    assert [x.by for x in events_of(state, e.Confirmed) if isinstance(x, e.Confirmed)] == [
        "operator",
        "somebody else",
    ]


GUARDED = """
- id: pods
  title: Count the pods
  kubectl: get pods -n web -o json
  capture: {count: size(result.json.items)}
  expect: [count >= 1]
- id: scale
  title: Scale it down
  kubectl: scale deployment/web -n web --replicas=1
  needs: [pods]
  guards: [{that: count >= 2, else: "Only ${{ count }} left."}]
  confirm: key
  undo: {say: Scale it up again., step: up}
  verify: {kubectl: get deployment web -n web -o json, until: result.json.spec.replicas == 1, within: 4s}
- id: up
  title: Scale it up
  kubectl: scale deployment/web -n web --replicas=2
  confirm: key
  verify: {kubectl: get deployment web -n web -o json, until: result.json.spec.replicas == 2, within: 4s}
"""


async def test_a_guard_refuses_with_its_own_words(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path, GUARDED, {"kubectl get pods": [ok('{"items": [1, 2]}'), ok('{"items": [1]}')]}
    )
    state = await walk(engine)
    assert "refused, nothing sent: Only 1 left." in state.steps["scale"].attempts[0].say
    assert not any("scale" in line for line in far.commands)


LISTED = GUARDED.replace(
    "- id: scale\n",
    """- id: answers
  title: Ask each of them
  foreach: {in: "['a', 'b']", parallel: 2}
  kubectl: exec -n web ${{ item }} -- true
  tolerate: [exit]
  capture: {answering: "results.filter(r, r.exit == 0).map(r, r.item)"}
  expect: [{that: size(answering) == 2, else: "Only ${{ answering.join(', ') }} answers."}]
- id: scale
""",
    1,
).replace("needs: [pods]", "needs: [pods, answers]")


async def test_a_need_over_a_list_is_read_again_for_each_of_it(tmp_path: Path) -> None:
    answers = {
        "kubectl get pods": ok('{"items": [1, 2]}'),
        "kubectl exec": [ok(""), ok(""), ok(""), fault("exit", "it hangs")],
    }
    engine, far = session_of(tmp_path, LISTED, answers)
    state = await walk(engine)
    assert "Only a answers." in state.steps["scale"].attempts[0].say
    assert len([line for line in far.commands if "exec" in line]) == 4
    assert not any("scale" in line for line in far.commands)


async def test_a_change_of_one_key_takes_that_key_and_no_other(tmp_path: Path) -> None:
    answers = {
        "kubectl get pods": ok('{"items": [1, 2]}'),
        "kubectl get deployment": ok('{"spec": {"replicas": 1}}'),
        "kubectl scale": ok("scaled"),
    }
    engine, far = session_of(tmp_path, GUARDED, answers)

    def key(asked: e.Asked) -> c.Command:
        assert asked.typed == ""
        for other in ("y", "", "yes", "\n"):
            with pytest.raises(CommandRefusedError):
                engine.command(c.Confirm(other, "operator"))
        return c.Confirm("Y", "operator")

    state = await walk(engine, key)
    assert far.commands.count("kubectl scale deployment/web -n web --replicas=1") == 1
    assert state.steps["scale"].status == "ok"


async def test_the_way_back_is_offered_after_a_change_that_was_sent_and_failed(tmp_path: Path) -> None:
    answers = {
        "kubectl get pods": ok('{"items": [1, 2]}'),
        "kubectl get deployment": ok('{"spec": {"replicas": 2}}'),
        "kubectl scale": ok("scaled"),
    }
    engine, far = session_of(tmp_path, GUARDED, answers)

    def back(asked: e.Asked) -> c.Command:
        assert asked.options["undo"] == "put it back: Scale it up again."
        return c.Undo("operator")

    state = await walk(engine, confirm, back, confirm)
    assert far.commands.count("kubectl scale deployment/web -n web --replicas=2") == 1
    assert state.steps["up"].status == "ok"


async def test_a_change_that_came_about_can_be_put_back_at_the_next_stop_with_a_word_of_its_own(
    tmp_path: Path,
) -> None:
    answers = {
        "kubectl get pods": ok('{"items": [1, 2]}'),
        "kubectl get deployment": ok('{"spec": {"replicas": 1}}'),
        "kubectl scale": ok("scaled"),
    }
    later = "- {id: later, title: Look again, phase: Later, kubectl: get pods -n web -o json}\n- id: up\n"
    engine, far = session_of(tmp_path, GUARDED.replace("- id: up\n", later), answers, pace="look")

    def back(asked: e.Asked) -> c.Command:
        assert (asked.question, asked.options["undo"]) == ("continue", "put it back: Scale it up again.")
        return c.Undo("operator")

    def decline(asked: e.Asked) -> c.Command:
        assert (asked.question, asked.step) == ("confirm", "up")
        return c.Decline("operator")

    await walk(engine, confirm, back, decline)
    assert "kubectl scale deployment/web -n web --replicas=2" not in far.commands


EACH = """
- id: pods
  title: List them
  kubectl: get pods -n web -o json
  capture: {names: "result.json.items.map(p, p.metadata.name)"}
- id: each
  title: Delete each
  foreach: {in: names, parallel: 1}
  kubectl: delete pod ${{ item }} -n web
  impact: They are gone.
  confirm: {type: all-of-web}
  verify: {kubectl: get pods -n web -o json, until: size(result.json.items) == 0, within: 4s}
"""
THREE = '{"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, {"metadata": {"name": "c"}}]}'


async def test_a_change_over_a_list_stops_at_the_first_that_is_not_known_to_be_done(tmp_path: Path) -> None:
    answers = {
        "kubectl get pods": ok(THREE),
        "kubectl delete pod a": ok("deleted"),
        "kubectl delete pod b": fault("disconnected", "lost", Delivery.UNKNOWN),
        "kubectl delete pod": ok("", exit_status=0),
    }
    engine, far = session_of(tmp_path, EACH, answers)
    state = await walk(engine, confirm)
    sent = [line for line in far.commands if "delete" in line and "dry run" not in line]
    assert sent == ["kubectl delete pod a -n web", "kubectl delete pod b -n web"]
    assert state.steps["each"].status == "unknown"


async def test_one_word_covers_the_whole_list_that_was_shown(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, EACH, {"kubectl get pods": ok(THREE), "kubectl delete": ok("deleted")})
    shown: list[str] = []

    def look(asked: e.Asked) -> c.Command:
        shown.extend(asked.command.splitlines())
        return c.Decline("operator")

    await walk(engine, look)
    assert shown == [f"kubectl delete pod {name} -n web" for name in "abc"]


async def test_a_change_is_not_cancelled_by_a_key(tmp_path: Path) -> None:
    pressed = asyncio.Event()

    class Waiting(FarSide):
        async def send(self, request: Request, sink: Sink) -> Result:
            result = await super().send(request, sink)
            if self.commands[-1] == DELETE:
                await pressed.wait()
            return result

    engine, _ = session_of(tmp_path, PURGE, Waiting(ANSWERS))
    refused: list[str] = []

    def told(recorded: object, _: object) -> None:
        if isinstance(getattr(recorded, "event", None), e.ActionIntended):
            asyncio.get_running_loop().call_soon(press)

    def press() -> None:
        try:
            engine.command(c.CancelRead("operator"))
        except CommandRefusedError as error:
            refused.append(str(error))
        pressed.set()

    engine.subscribe(told)
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "ok"
    assert refused == ["a change is under way and is not cancelled; waiting for its result"]


async def test_a_walk_that_is_cancelled_waits_for_the_outcome_of_its_change(tmp_path: Path) -> None:
    release, arrived = asyncio.Event(), asyncio.Event()

    class Holding(FarSide):
        async def send(self, request: Request, sink: Sink) -> Result:
            result = await super().send(request, sink)
            if self.commands[-1] == DELETE:
                arrived.set()
                await release.wait()
            return result

    engine, far = session_of(tmp_path, PURGE, Holding(ANSWERS))
    walking = asyncio.ensure_future(walk(engine, confirm))
    await arrived.wait()
    walking.cancel()
    await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await walking
    (last,) = engine.state.steps["purge"].attempts[-1].finished
    assert last.outcome == "succeeded"
    assert far.commands.count(DELETE) == 1


async def test_a_session_that_died_in_the_middle_of_a_change_comes_back_as_unknown(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    class Dead(FarSide):
        async def send(self, request: Request, sink: Sink) -> Result:
            result = await super().send(request, sink)
            if self.commands[-1] == DELETE:
                arrived.set()
                await asyncio.Event().wait()
            return result

    engine, far = session_of(tmp_path, PURGE, Dead(ANSWERS))
    walking = asyncio.ensure_future(walk(engine, confirm))
    await arrived.wait()
    again = resumed(engine, FarSide(ANSWERS))
    walking.cancel()
    asked: list[e.Asked] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question)
        return c.Stop("seen", "operator")

    state = await walk(again, look)
    assert state.steps["purge"].status == "unknown"
    assert asked[0].question == "decide"
    assert "it may have happened" in asked[0].text and "still has uid u-1" in asked[0].text
    assert far.commands.count(DELETE) == 1


async def test_a_session_that_died_while_verifying_looks_before_it_asks_again(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, PURGE, ANSWERS)
    cut = asyncio.Event()

    def told(recorded: object, _: object) -> None:
        event = getattr(recorded, "event", None)
        if isinstance(event, e.ActionFinished) and event.step == "purge":
            cut.set()
            raise asyncio.CancelledError

    engine.subscribe(told)
    with pytest.raises(asyncio.CancelledError):
        await walk(engine, confirm)
    far = FarSide(ANSWERS)
    again = resumed(engine, far)
    assert again.state.steps["purge"].status == "unknown"
    state = await walk(again, c.Retry("operator"))
    assert DELETE not in far.commands
    assert state.steps["purge"].status == "ok"


async def test_a_refused_dry_run_of_the_server_is_shown_before_anything_is_typed(tmp_path: Path) -> None:
    refusal = Result(Delivery.ANSWERED, 0.1, fault=Fault("forbidden", "oncall may not delete pods in web"))
    engine, _ = session_of(tmp_path, PURGE, {**ANSWERS, f"{DELETE} (dry run)": refusal})
    said: list[str] = []

    def look(asked: e.Asked) -> c.Command:
        said.append(asked.server_says)
        return c.Decline("operator")

    await walk(engine, look)
    assert said == ["dry run refused: oncall may not delete pods in web"]


LOOP = f"""{PURGE}  next:
    - goto: full
"""


async def test_a_dry_run_ends_where_a_change_that_was_only_shown_would_lead_round_again(
    tmp_path: Path,
) -> None:
    engine, far = session_of(tmp_path, LOOP, ANSWERS, mode="dry-run")
    async with asyncio.timeout(60):
        state = await walk(engine)
    assert DELETE not in far.commands
    assert len(state.steps["purge"].attempts) == 2
    assert state.ended is not None
    assert (state.ended.result, state.ended.reason.startswith("a dry run")) == ("completed", True)


async def test_a_dry_run_shows_a_change_again_whom_a_person_sends_back_to_it(tmp_path: Path) -> None:
    after = "- {id: look, title: Look, manual: Look at it.}\n"
    engine, _ = session_of(tmp_path, PURGE + after, ANSWERS, mode="dry-run")
    back = c.Jump("purge", "once more", "operator")
    state = await walk(engine, back, back, c.Answer(True, "operator", "seen"))
    assert len(state.steps["purge"].attempts) == 3
    assert state.ended == e.SessionEnded("completed")


APPLIED = """
- id: page
  title: Turn the page on
  kubectl:
    run: apply --server-side -f -
    manifest:
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: page, namespace: web}
      data: {on: "${{ inputs.namespace }}", also: "${{ 'a: b, c: d' }}"}
  impact: Visitors see it.
  confirm: key
  undo: NONE
  verify: {kubectl: get cm page -n web -o json, until: result.exit == 0, within: 10s}
"""
APPLY = "kubectl apply --server-side -f -"
DIFFERS = "configmap/page serverside-applied (server dry run)\n-  on: no\n+  on: web\n"


async def test_a_manifest_is_shown_as_it_is_sent_with_what_would_differ(tmp_path: Path) -> None:
    answers = {f"{APPLY} (dry run)": ok(DIFFERS), APPLY: ok("done"), "kubectl get": ok("{}")}
    engine, far = session_of(tmp_path, APPLIED, answers)
    asked: list[e.Asked] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question)
        return confirm(question)

    state = await walk(engine, look)
    assert state.steps["page"].status == "ok"
    assert asked[0].server_says == f"dry run accepted. What would differ:\n{DIFFERS.strip()}"
    sent = [each for each in far.sent if isinstance(each, KubectlRequest) and each.changing]
    assert [each.dry_run for each in sent] == [True, False]
    shown = yaml.safe_load(asked[0].command.removeprefix(APPLY))
    # A value is one value, whatever stands in it.
    assert shown["data"] == {"on": "web", "also": "a: b, c: d"}
    assert [json.loads(each.stdin or b"") for each in sent] == [shown, shown]
    assert sent[0].command.target == Target("configmap", "page", "web")


async def test_a_manifest_that_comes_to_none_with_its_values_is_not_sent(tmp_path: Path) -> None:
    steps = APPLIED.replace("name: page", "name: \"${{ '' }}\"", 1)
    engine, far = session_of(tmp_path, steps, {"kubectl": ok("{}")})
    state = await walk(engine, c.Stop("seen", "operator"))
    assert far.sent == []
    assert "has no metadata.name" in (state.steps["page"].attempts[-1].say or "")
