"""What is on record of a change, from what was prepared to what came of it, and what was sent for it."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.engine import prompts
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.walk import Engine
from breakglass.journal import events as e
from breakglass.journal.state import State
from breakglass.journal.store import FILE_NAME, JournalUnwritableError, open_journal, read
from breakglass.transport.base import Delivery
from tests.engine.support import Answer, FarSide, confirm, fault, ok, refolded, resumed, session_of, walk
from tests.engine.test_change_words import CHANGE
from tests.engine.test_changes import (
    ANSWERS,
    APPLIED,
    APPLY,
    DELETE,
    DIFFERS,
    EACH,
    OTHER,
    PURGE,
    THREE,
)
from tests.engine.test_dry_run import ANSWERS as DRY_ANSWERS
from tests.engine.test_dry_run import STEPS as DRY_STEPS
from tests.engine.test_prompts import writer
from tests.engine.test_unknown_changes import GIVE_UP, LOOK, STILL, Interrupted

HOW_FULL = "kubectl exec -n web web-1 -- df -k /dev/shm"
OBJECT = "kubectl get pod web-1 -o json -n web"


def of_step(state: State, step: str) -> list[e.Event]:
    """What happened at a step, without what only its output says."""
    found = [each.event for each in state.timeline if getattr(each.event, "step", "") == step]
    return [
        replace(each, output="", head="") if isinstance(each, e.ActionFinished) else each for each in found
    ]


SCALE = "kubectl scale deployment/web --replicas=2"
OF_THE_DEPLOYMENT = "kubectl get deployment web -o json"


async def asked_about(engine: Engine) -> e.Asked:
    """The question for the word of a change; nothing is sent."""
    asked: list[e.Asked] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question)
        return c.Stop("seen", "operator")

    await walk(engine, look)
    return asked[0]


def need(which: str, that: str, value: object, message: str = "", now: object = None) -> e.NeedRead:
    name = "uid" if which == "uid" else "used"
    seen = {name: value if now is None else now}
    return e.NeedRead("purge", 1, which, that, not message, seen, {name: value}, message)  # type: ignore[arg-type]


async def test_a_change_is_on_record_whole(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, ANSWERS)
    state = await walk(engine, confirm)
    assert far.commands == [
        *("kubectl get pod web-1 -n web -o json", HOW_FULL, HOW_FULL, OBJECT, f"{DELETE} (dry run)"),
        *(HOW_FULL, DELETE, LOOK),
    ]
    full = need("full", "used >= 95", 100)
    assert of_step(state, "purge") == [
        e.StepStarted("purge", 1),
        e.ActionPrepared("purge", 1, "kubectl", DELETE, "cluster main", "destructive", 30.0, 0, 1),
        full,
        need("uid", "uid is the one diagnosed", "u-1"),
        e.Asked(
            "purge",
            1,
            "confirm",
            text="Delete the pod",
            command=DELETE,
            where="cluster main",
            on="pod   web-1   uid u-1   namespace web   node n1",
            risk="destructive",
            impact="Logins are lost.",
            undo="NONE",
            server_says="dry run accepted",
            then="verify: size(result.json.items) == 0, within 10 s. If not: stop and call",
            typed="web-1",
            approvals=1,
        ),
        e.Confirmed("purge", 1, "operator", "web-1"),
        full,
        e.ActionIntended("purge", 1, DELETE, "cluster main", "destructive", 0),
        e.ActionFinished("purge", 1, "succeeded", 0.1, 0, exit=0, output_bytes=7, output_lines=1),
        e.VerifyPolled("purge", 1, LOOK, True, 0.0, 10.0, {"size(result.json.items)": 0}),
        e.StepFinished("purge", 1, "ok", "sent and verified", "done"),
    ]


async def test_an_object_that_was_replaced_is_on_record_with_both_uids(tmp_path: Path) -> None:
    looks = [ANSWERS["kubectl get pod "], ok(OTHER)]
    engine, far = session_of(tmp_path, PURGE, {**ANSWERS, "kubectl get pod ": looks})
    state = await walk(engine)
    why = "web-1 was replaced: its uid was u-1 and is now u-2"
    assert of_step(state, "purge")[3:] == [
        need("uid", "uid is the one diagnosed", "u-1", why, "u-2"),
        e.StepFinished("purge", 1, "failed", f"refused, nothing sent: {why}"),
        *of_step(state, "purge")[5:],
    ]
    assert far.commands[-1] == OBJECT


async def test_an_object_that_is_not_there_is_said_and_refuses_nothing_by_itself(tmp_path: Path) -> None:
    asked: list[str] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question.on)
        return c.Stop("enough", "operator")

    away = fault("not-found", "pods web-1 not found")
    looks = [ANSWERS["kubectl get pod "], away]
    engine, _ = session_of(tmp_path, PURGE, {**ANSWERS, "kubectl get pod ": looks})
    await walk(engine, look)
    assert asked == ["pod web-1: pods web-1 not found"]


async def test_each_of_a_list_is_on_record_with_its_place(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, EACH, {"kubectl get pods": [ok(THREE), ok('{"items": []}')]
    , "kubectl delete": ok("deleted")})  # fmt: skip
    state = await walk(engine, confirm)
    lines = [f"kubectl delete pod {name} -n web" for name in "abc"]
    assert far.commands == [LOOK, *(f"{line} (dry run)" for line in lines), *lines, LOOK]
    events = of_step(state, "each")
    assert events[1:4] == [
        e.ActionPrepared("each", 1, "kubectl", line, "cluster main", "destructive", 30.0, place, 3)
        for place, line in enumerate(lines)
    ]
    asked = events[4]
    assert isinstance(asked, e.Asked)
    assert asked.each == [{"command": line, "where": "cluster main"} for line in lines]
    assert (asked.command, asked.where, asked.on) == ("\n".join(lines), "cluster main", "")
    assert asked.server_says == "dry run accepted"
    sent = [each for each in events if isinstance(each, e.ActionIntended | e.ActionFinished)]
    assert sent == [
        each
        for place, line in enumerate(lines)
        for each in (
            e.ActionIntended("each", 1, line, "cluster main", "destructive", place),
            e.ActionFinished("each", 1, "succeeded", 0.1, place, exit=0, output_bytes=7, output_lines=1),
        )
    ]


LOST = fault("disconnected", "cut", Delivery.UNKNOWN)
OF_A_LIST: list[tuple[Answer, str, str]] = [
    (fault("forbidden", "no"), "failed", "refused by the far side; sent before it: 1: no"),
    (fault("refused", "no way", Delivery.NOT_SENT), "failed", "not sent; sent before it: 1: no way"),
    (LOST, "unknown", "may have happened: cut; "),
]


@pytest.mark.parametrize(("second", "state", "say"), OF_A_LIST)
async def test_of_a_list_it_is_said_what_was_sent_before_the_one_that_failed(
    tmp_path: Path, second: Answer, state: str, say: str
) -> None:
    answers = {
        "kubectl get pods": ok(THREE),
        "kubectl delete": ok("deleted"),
        "kubectl delete pod b -n web": second,
        "kubectl delete pod b -n web (dry run)": ok(),
    }
    engine, far = session_of(tmp_path, EACH, answers)
    last = (await walk(engine, confirm)).steps["each"].last
    assert last is not None
    assert (last.state, last.say.startswith(say)) == (state, True), last.say
    assert "kubectl delete pod c -n web" not in far.commands


@pytest.mark.parametrize(
    ("answer", "say"),
    [
        (fault("forbidden", "no"), "refused by the far side, nothing changed: no"),
        (fault("refused", "no way", Delivery.NOT_SENT), "not sent: no way"),
    ],
)
async def test_a_change_that_was_refused_changed_nothing(tmp_path: Path, answer: Answer, say: str) -> None:
    engine, far = session_of(tmp_path, CHANGE_AND_LOOK, {"POST app": answer})
    last = (await walk(engine, confirm)).steps["restart"].last
    assert last is not None and (last.state, last.say) == ("failed", say)
    assert far.commands == ["POST app"]


CHANGE_AND_LOOK = (
    CHANGE + "  confirm: key\n  verify: {http: {get: app}, until: result.status == 200, within: 3s}\n"
)


async def test_a_refusal_that_the_step_tolerates_is_judged_by_its_verification(tmp_path: Path) -> None:
    steps = CHANGE_AND_LOOK + "  tolerate: [forbidden]\n"
    engine, far = session_of(
        tmp_path, steps, {"POST app": fault("forbidden", "no"), "GET app": ok(status=200)}
    )
    last = (await walk(engine, confirm)).steps["restart"].last
    assert last is not None and (last.state, last.say) == ("ok", "sent and verified")
    assert far.commands == ["POST app", "GET app"]


async def test_what_is_verified_later_and_cannot_be_captured_is_done_and_has_failed(tmp_path: Path) -> None:
    steps = PURGE.rstrip() + "\n    capture: {left: result.json.none_such}\n"
    far = Interrupted({**ANSWERS, LOOK: [STILL, ANSWERS["kubectl get pods"]]}, at=1)
    engine, _ = session_of(tmp_path, steps, far)
    far.happens = lambda: engine.command(GIVE_UP)
    state = await walk(engine, confirm, c.Retry("operator"))
    last = state.steps["purge"].last
    assert last is not None and last.state == "failed"
    assert last.say.startswith("done and verified, but: ")
    assert far.commands.count(DELETE) == 1


async def test_a_dry_run_says_each_thing_that_it_found(tmp_path: Path) -> None:
    answers = {**DRY_ANSWERS, "kubectl exec": [ok(PERCENT % 100), ok(PERCENT % 3)]}
    engine, _ = session_of(tmp_path, DRY_STEPS, answers, mode="dry-run")
    state = await walk(engine)
    said = {name: view.last.say for name, view in state.steps.items() if view.last and view.last.say}
    assert said["purge"].startswith("would be refused: full no longer holds")
    assert said["purge"].endswith("; dry run accepted")
    assert said["reset"] == "not sent: qm reset 201; preview: read"
    assert said["silence"].startswith("not sent: POST http://127.0.0.1:1/silences")


PERCENT = "Filesystem 1K-blocks Used Available Use%% Mounted on\nshm 65536 1 1 %d%% /dev/shm\n"


async def test_a_dry_run_whose_assumption_cannot_be_made_has_failed(tmp_path: Path) -> None:
    steps = DRY_STEPS.replace("${{ used - used }}", "${{ used / 0 }}")
    engine, _ = session_of(tmp_path, steps, DRY_ANSWERS, mode="dry-run")
    last = (await walk(engine)).steps["purge"].last
    assert last is not None and last.state == "failed" and last.say.startswith("assume: ")


async def test_a_record_that_cannot_be_kept_sends_nothing_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, CHANGE_AND_LOOK, {})

    async def full() -> None:
        raise JournalUnwritableError("the disk is full")

    monkeypatch.setattr(engine.writer, "on_disk", full)
    state = await walk(engine, confirm)
    assert far.commands == []
    finished = [each for each in of_step(state, "restart") if isinstance(each, e.ActionFinished)]
    assert finished == [e.ActionFinished("restart", 1, "not-sent", 0.0, 0, message="the disk is full")]
    last = state.steps["restart"].last
    assert last is not None and last.say == "not sent: the disk is full"


async def test_a_disk_that_does_not_answer_is_said_for_as_long_as_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(prompts.time, "monotonic", lambda: now)
    async with writer(tmp_path) as made:
        assert made.fault == ""
        said: list[str] = []
        append = made.journal.append

        def slow(event: e.Event) -> object:
            nonlocal now
            said.append(made.fault)
            now += prompts.SLOW_DISK
            said.append(made.fault)
            return append(event)

        monkeypatch.setattr(made.journal, "append", slow)
        await made.record(e.NoteAdded("a", "one", "operator"))
        assert said == ["", f"its disk has not answered for {prompts.SLOW_DISK:.0f} s"]
        assert made.fault == ""


async def test_the_record_alone_gives_the_state_that_was_shown(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, PURGE, FarSide(ANSWERS))
    state = await walk(engine, confirm)
    assert refolded(engine).steps == state.steps
    again = resumed(engine, far)
    assert again.state.steps["purge"].status == "ok"
    await again.close()


async def test_what_nothing_verifies_is_asked_about_again_and_says_so(tmp_path: Path) -> None:
    steps = CHANGE + "  confirm: key\n  risk: probe\n  because: It only looks.\n"
    engine, far = session_of(tmp_path, steps, {"POST app": [LOST, ok()]})
    asked: list[e.Asked] = []

    def again(question: e.Asked) -> c.Command:
        asked.append(question)
        return confirm(question)

    state = await walk(engine, confirm, c.Retry("operator"), again)
    assert far.commands == ["POST app", "POST app"]
    assert [each.earlier for each in asked] == [
        "attempt 1 was sent and may have happened; nothing verifies it"
    ]
    assert state.steps["restart"].status == "ok"


async def test_a_dry_run_that_assumes_nothing_captures_nothing(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, DRY_STEPS, DRY_ANSWERS, mode="dry-run")
    state = await walk(engine)
    captured = {name for name in state.steps if any(isinstance(x, e.Captured) for x in of_step(state, name))}
    assert captured == {"full", "purge"}


async def test_what_is_on_its_way_to_the_record_is_there_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = JournalWriter(open_journal(tmp_path, create=True))
    append, may_go, begun = made.journal.append, threading.Event(), threading.Event()

    def slow(event: e.Event) -> object:
        begun.set()
        assert may_go.wait(30)
        return append(event)

    monkeypatch.setattr(made.journal, "append", slow)
    made.record_soon(e.NoteAdded("a", "one", "operator"))
    last = made.record_soon(e.NoteAdded("a", "two", "operator"))
    closing = asyncio.ensure_future(made.close())
    while not begun.is_set():
        await asyncio.sleep(0)
    may_go.set()
    await closing
    assert last.done()
    open_journal(tmp_path).close()  # nobody holds it any more
    noted = [each.event for each in read(tmp_path / FILE_NAME).records]
    assert noted[-2:] == [e.NoteAdded("a", "one", "operator"), e.NoteAdded("a", "two", "operator")]


@pytest.mark.parametrize(
    ("driver", "says"),
    [("native", f"dry run accepted. What would differ:\n{DIFFERS.strip()}"), ("binary", "dry run accepted")],
)
async def test_only_where_the_driver_says_what_would_differ_that_is_shown(
    tmp_path: Path, driver: str, says: str
) -> None:
    answers = {f"{APPLY} (dry run)": ok(DIFFERS), APPLY: ok("done"), "kubectl get": ok("{}")}
    steps = APPLIED.replace("    manifest:", f"    driver: {driver}\n    manifest:")
    engine, _ = session_of(tmp_path, steps, answers)
    asked = await asked_about(engine)
    assert asked.server_says == says


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ("delete pods -l app=web -n web", ["kubectl delete pods -l app=web -n web (dry run)"]),
        ("exec web-1 -n web -- touch /tmp/x", ["kubectl get pods web-1 -o json -n web"]),
        ("scale deployment/web --replicas=2", [OF_THE_DEPLOYMENT, f"{SCALE} (dry run)"]),
    ],
)
async def test_before_the_question_the_one_object_is_looked_at_and_the_server_asked(
    tmp_path: Path, line: str, sent: list[str]
) -> None:
    steps = (
        f"- id: change\n  title: Change it\n  kubectl: {line}\n"
        "  impact: It changes.\n  confirm: {type: web@test}\n"
        "  verify: {kubectl: get pods -n web -o json, until: 'true', within: 2s}\n"
    )
    engine, far = session_of(tmp_path, steps, {"kubectl": ok('{"kind": "Thing", "metadata": {}}')})
    asked = await asked_about(engine)
    assert far.commands == sent
    assert asked.on == ("" if "-l" in line else "thing      uid ")
    assert asked.server_says == ("" if "exec" in line else "dry run accepted")
