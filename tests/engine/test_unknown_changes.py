"""A change whose verification was cut short or could not see is unknown, and is verified before anything is
sent again: on retry, on a jump to it, and after the program was killed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from breakglass.cli.session_exit_code import exit_code
from breakglass.engine import commands as c
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.report.markdown import markdown
from breakglass.report.postmortem import post_mortem
from breakglass.report.review import review
from breakglass.transport.base import Delivery, Fault, Request, Result, Sink
from tests.engine.support import (
    Answer,
    FarSide,
    confirm,
    events_of,
    fault,
    ok,
    resumed,
    session_of,
    walk,
)
from tests.engine.test_changes import ANSWERS, DELETE, EACH, GONE, PURGE, THREE

LOOK = "kubectl get pods -n web -o json"
STILL, DONE = ok('{"items": [1]}'), ok(GONE)
RETRY = c.Retry("operator")
GIVE_UP = c.CancelRead("operator")
END = c.Stop("the program was told to end (SIGTERM)", "operator")


@dataclass
class Interrupted(FarSide):
    """A far side at which a look of the verification hangs, and something happens meanwhile."""

    at: int = 1
    happens: Callable[[], object] = lambda: None
    looks: int = 0

    async def send(self, request: Request, sink: Sink) -> Result:
        result = await super().send(request, sink)
        if self.commands[-1] == LOOK:
            self.looks += 1
            if self.looks == self.at:
                asyncio.get_running_loop().call_soon(self.happens)
                await asyncio.Event().wait()
        return result


async def cut_short(folder: Path, command: c.Command) -> State:
    """A walk whose verification is interrupted by a command in the middle of its second look."""
    far = Interrupted({**ANSWERS, LOOK: STILL}, at=2)
    engine, _ = session_of(folder, PURGE, far)
    far.happens = lambda: engine.command(command)
    return await walk(engine, confirm)


def sent(far: FarSide) -> int:
    return far.commands.count(DELETE)


def after_it_was_cut_short(folder: Path, *looks: Answer) -> tuple[Engine, Interrupted]:
    """A session in which `x` gave up the first verification at once; later looks see these."""
    far = Interrupted({**ANSWERS, LOOK: [STILL, *looks]}, at=1)
    engine, _ = session_of(folder, PURGE, far)
    far.happens = lambda: engine.command(GIVE_UP)
    return engine, far


async def test_giving_up_the_verification_leaves_the_change_unknown(tmp_path: Path) -> None:
    state = await cut_short(tmp_path, GIVE_UP)
    assert state.steps["purge"].status == "unknown"
    say = state.steps["purge"].attempts[0].say
    assert say.startswith("may have happened: sent; not verified: the wait was cancelled")
    assert "Look whether web-1 still has uid u-1." in say


async def test_a_walk_that_is_told_to_end_while_it_verifies_leaves_the_change_unknown(tmp_path: Path) -> None:
    state = await cut_short(tmp_path, END)
    assert state.steps["purge"].status == "unknown"
    assert state.ended == e.SessionEnded("stopped", END.reason)
    assert exit_code(state, None) is ExitCode.UNKNOWN


@pytest.mark.parametrize("command", [GIVE_UP, END], ids=["x", "SIGTERM"])
async def test_the_pause_between_two_looks_is_cut_short_as_a_look_is(
    tmp_path: Path, command: c.Command
) -> None:
    far = FarSide({**ANSWERS, LOOK: STILL})
    engine, _ = session_of(tmp_path, PURGE, far)

    class Standing:
        """A clock whose pauses never end."""

        async def sleep(self, seconds: float) -> None:
            asyncio.get_running_loop().call_soon(engine.command, command)
            await asyncio.Event().wait()

    clock = engine._reader._clock  # pyright: ignore[reportPrivateUsage]
    clock.sleep = Standing().sleep  # type: ignore[method-assign]
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "unknown"
    assert far.commands.count(LOOK) == 1


async def test_trying_again_verifies_first_and_sends_nothing_where_it_was_done(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path, DONE)
    state = await walk(engine, confirm, RETRY)
    assert state.steps["purge"].status == "ok"
    assert sent(far) == 1 and len(events_of(state, e.Confirmed)) == 1


async def test_a_verification_that_was_cut_short_has_the_rest_of_its_time_on_trying_again(
    tmp_path: Path,
) -> None:
    engine, far = after_it_was_cut_short(tmp_path, STILL, STILL, STILL, DONE)
    state = await walk(engine, confirm, RETRY)
    assert state.steps["purge"].status == "ok"
    assert sent(far) == 1


async def test_trying_again_asks_a_fresh_word_where_the_verification_shows_that_it_was_not_done(
    tmp_path: Path,
) -> None:
    engine, far = after_it_was_cut_short(tmp_path, *[STILL] * 6, DONE)
    asked: list[e.Asked] = []

    def again(question: e.Asked) -> c.Command:
        assert sent(far) == 1
        asked.append(question)
        return confirm(question)

    state = await walk(engine, confirm, RETRY, again)
    assert asked[0].question == "confirm"
    assert asked[0].earlier == "attempt 1 was sent; its verification shows that it was not done"
    assert sent(far) == 2
    assert state.steps["purge"].status == "ok"


BLIND = ["timeout", "unreachable", "dns", "tls", "authentication", "forbidden", "disconnected", "malformed"]


@pytest.mark.parametrize("kind", [*BLIND, "refused", "server-error", "configuration"])
async def test_a_verification_that_cannot_see_leaves_the_change_unknown(tmp_path: Path, kind: str) -> None:
    far = FarSide({**ANSWERS, LOOK: [STILL, fault(kind, "it could not be read")]})
    engine, _ = session_of(tmp_path, PURGE, far)
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "unknown"
    assert "not verified: not OK within 10 s: it could not be read" in state.steps["purge"].attempts[0].say


@pytest.mark.parametrize("kind", BLIND)
async def test_trying_again_sends_nothing_and_asks_no_word_where_the_verification_cannot_see(
    tmp_path: Path, kind: str
) -> None:
    engine, far = after_it_was_cut_short(tmp_path, fault(kind, "it could not be read"))
    state = await walk(engine, confirm, RETRY)
    assert sent(far) == 1 and len(events_of(state, e.Confirmed)) == 1
    assert state.steps["purge"].status == "unknown"
    say = state.steps["purge"].attempts[1].say
    assert "attempt 1 cannot be verified" in say and "nothing was sent again" in say


async def test_giving_up_the_second_verification_leaves_the_change_unknown_too(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path, STILL)

    def again(_: e.Asked) -> c.Command:
        far.at = 2
        return RETRY

    state = await walk(engine, confirm, again)
    assert state.steps["purge"].status == "unknown"
    assert sent(far) == 1 and len(events_of(state, e.Confirmed)) == 1


MOUNTED = """
- id: unmount
  title: Unmount it
  ssh: {host: node1, run: [umount, /srv]}
  impact: It is gone.
  confirm: {type: /srv-of-node1}
  verify: {ssh: {host: node1, run: [cat, /proc/mounts]}, until: "CONDITION", every: 2s, within: 4s}
"""


@pytest.mark.parametrize(
    ("condition", "answer", "status"),
    [
        ("!result.text.contains('/srv')", fault("timeout", "no answer"), "unknown"),
        ("!result.text.contains('/srv')", fault("exit", "exit status 1"), "ok"),
        ("result.fault == 'timeout'", fault("timeout", "no answer"), "ok"),
        ("result.fault == 'refused'", fault("timeout", "no answer"), "failed"),
        ("result.exit == 0", fault("refused", "nothing listens"), "failed"),
    ],
)
async def test_a_read_that_failed_shows_nothing_unless_the_condition_was_written_for_that(
    tmp_path: Path, condition: str, answer: Result, status: str
) -> None:
    steps = MOUNTED.replace("CONDITION", condition)
    engine, _ = session_of(tmp_path, steps, {"ssh node1 umount": ok(), "ssh node1 cat": answer})
    state = await walk(engine, confirm)
    assert state.steps["unmount"].status == status


@pytest.mark.parametrize(
    ("condition", "status"),
    [("result.status == 401", "ok"), ("result.status == 200", "failed"), ("result.text == ''", "unknown")],
)
async def test_an_http_answer_shows_what_the_condition_says_of_its_status(
    tmp_path: Path, condition: str, status: str
) -> None:
    refused = Result(Delivery.ANSWERED, 0.1, status=401, fault=Fault("authentication", "answers 401"))
    steps = f"""
    - id: restart
      title: Restart it
      http: {{post: app}}
      impact: It restarts.
      confirm: key
      verify: {{http: {{get: app}}, until: "{condition}", every: 2s, within: 4s}}
    """
    engine, _ = session_of(tmp_path, steps, {"POST app": ok(status=200), "GET app": refused})
    state = await walk(engine, confirm)
    assert state.steps["restart"].status == status


async def test_a_fault_that_the_step_tolerates_is_seen(tmp_path: Path) -> None:
    steps = MOUNTED.replace("CONDITION", "result.exit == 0") + "  tolerate: [timeout]\n"
    silent = fault("timeout", "no answer")
    engine, _ = session_of(tmp_path, steps, {"ssh node1 umount": ok(), "ssh node1 cat": silent})
    state = await walk(engine, confirm)
    assert state.steps["unmount"].status == "failed"


async def test_jumping_to_an_unknown_change_verifies_first_as_well(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path, DONE)
    state = await walk(engine, confirm, c.Jump("purge", "again", "operator"))
    assert sent(far) == 1 and state.steps["purge"].status == "ok"


@pytest.mark.parametrize("killed_at", ["decided", "step.started", "verify.polled"])
async def test_killed_on_its_way_to_the_second_verification_it_is_still_unknown_and_verified_first(
    tmp_path: Path, killed_at: str
) -> None:
    engine, _ = after_it_was_cut_short(tmp_path, STILL)
    seen: list[str] = []

    def told(recorded: Recorded, state: State) -> None:
        if any(isinstance(each.event, e.Decided) for each in state.timeline):
            seen.append(recorded.event.type)
            if seen[-1] == killed_at:
                raise asyncio.CancelledError

    engine.subscribe(told)
    with pytest.raises(asyncio.CancelledError):
        await walk(engine, confirm, RETRY)
    far = FarSide({**ANSWERS, LOOK: DONE})
    again = resumed(engine, far)
    assert again.state.steps["purge"].status == "unknown"
    state = await walk(again, RETRY)
    assert sent(far) == 0 and state.steps["purge"].status == "ok"


async def test_resumed_after_it_was_told_to_end_the_verification_comes_first(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path)
    far.happens = lambda: engine.command(END)
    await walk(engine, confirm)
    later = FarSide({**ANSWERS, LOOK: DONE})
    state = await walk(resumed(engine, later), RETRY)
    assert sent(later) == 0 and state.steps["purge"].status == "ok"


async def test_going_back_from_the_second_word_leaves_unknown_what_was_unknown(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path, STILL)
    state = await walk(engine, confirm, RETRY, c.Decline("operator"))
    purge = state.steps["purge"]
    assert sent(far) == 1
    assert [each.state for each in purge.attempts] == ["unknown", "cancelled"]
    assert purge.status == "unknown" and state.unknown == 1


async def test_a_need_that_refuses_the_second_attempt_leaves_unknown_what_was_unknown(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path, STILL)
    needs = [*[ANSWERS["kubectl exec"]] * 3, fault("timeout", "no answer")]
    far.answers = {**far.answers, "kubectl exec": needs}
    state = await walk(engine, confirm, RETRY)
    assert [each.state for each in state.steps["purge"].attempts] == ["unknown", "failed"]
    assert state.steps["purge"].status == "unknown"


async def test_a_person_may_settle_it_by_leaving_the_step_out_with_a_reason(tmp_path: Path) -> None:
    engine, far = after_it_was_cut_short(tmp_path, fault("timeout", "no answer"))
    skip = c.Skip("I looked: the pod is the old one", "operator")
    state = await walk(engine, confirm, skip)
    assert state.steps["purge"].status == "skipped" and state.steps["purge"].unsettled is None
    assert sent(far) == 1


async def test_a_change_that_was_sent_and_not_done_in_its_time_is_verified_before_it_is_sent_again(
    tmp_path: Path,
) -> None:
    far = FarSide({**ANSWERS, LOOK: [*[STILL] * 6, DONE]})
    engine, _ = session_of(tmp_path, PURGE, far)
    state = await walk(engine, confirm, RETRY)
    assert [each.state for each in state.steps["purge"].attempts] == ["failed", "ok"]
    assert sent(far) == 1


async def test_what_the_far_side_refused_needs_no_verification_before_it_is_asked_about_again(
    tmp_path: Path,
) -> None:
    refused = [fault("forbidden", "not allowed"), ok("deleted")]
    far = FarSide({**ANSWERS, LOOK: DONE, f"{DELETE} (dry run)": ok(), DELETE: refused})
    engine, _ = session_of(tmp_path, PURGE, far)
    state = await walk(engine, confirm, RETRY, confirm)
    assert sent(far) == 2
    assert [each.state for each in state.steps["purge"].attempts] == ["failed", "ok"]


async def test_of_a_list_nothing_more_is_sent_once_the_walk_is_told_to_end(tmp_path: Path) -> None:
    class Ending(FarSide):
        async def send(self, request: Request, sink: Sink) -> Result:
            result = await super().send(request, sink)
            if self.commands[-1] == "kubectl delete pod a -n web":
                engine.command(END)
            return result

    far = Ending({"kubectl get pods": ok(THREE), "kubectl delete": ok("deleted")})
    engine, _ = session_of(tmp_path, EACH, far)
    state = await walk(engine, confirm)
    deleted = [line for line in far.commands if "delete" in line and "dry run" not in line]
    assert deleted == ["kubectl delete pod a -n web"]
    assert state.steps["each"].status == "unknown"
    assert "told to end after 1 of 3 were sent" in state.steps["each"].attempts[0].say
    later = FarSide({"kubectl get pods": ok(GONE)})
    state = await walk(resumed(engine, later), RETRY)
    assert state.steps["each"].status == "ok"
    assert not [line for line in later.commands if "delete" in line]


async def test_of_a_list_it_is_said_how_many_were_sent_before_the_disk_refused(tmp_path: Path) -> None:
    far = FarSide({"kubectl get pods": ok(THREE), "kubectl delete": ok("deleted")})
    engine, _ = session_of(tmp_path, EACH, far)

    def told(recorded: Recorded, _: State) -> None:
        if isinstance(recorded.event, e.ActionFinished) and recorded.event.step == "each":
            engine.writer.journal.nowhere = "the disk is full"

    engine.subscribe(told)
    state = await walk(engine, confirm)
    assert "not sent; sent before it: 1" in state.steps["each"].attempts[0].say
    assert state.steps["each"].unsettled is not None


async def test_a_change_under_way_is_not_cancelled_and_its_verification_is(tmp_path: Path) -> None:
    refused: list[str] = []

    class Pressing(FarSide):
        async def send(self, request: Request, sink: Sink) -> Result:
            result = await super().send(request, sink)
            if self.commands[-1] == DELETE:
                try:
                    engine.command(GIVE_UP)
                except CommandRefusedError as error:
                    refused.append(str(error))
            return result

    engine, _ = session_of(tmp_path, PURGE, Pressing(ANSWERS))
    state = await walk(engine, confirm)
    assert len(refused) == 1 and state.steps["purge"].status == "ok"


async def test_what_was_verified_later_is_reported_as_done(tmp_path: Path) -> None:
    engine, _ = after_it_was_cut_short(tmp_path, DONE)
    state = await walk(engine, confirm, RETRY)
    draft = markdown(post_mortem(state, engine.runbook, "0" * 64))
    (line,) = (each for each in draft.splitlines() if each.startswith("- `kubectl delete"))
    assert ": done, as verified in attempt 2" in line
    (failure,) = review(state, engine.runbook).failures
    assert failure.endswith("(attempt 2 verified that it is done)")
    assert state.unknown == state.failed == 0
    assert exit_code(state, None) is ExitCode.DONE


async def test_an_answer_that_was_lost_and_verified_is_reported_as_done(tmp_path: Path) -> None:
    lost = fault("disconnected", "the connection was lost", Delivery.UNKNOWN)
    engine, _ = session_of(tmp_path, PURGE, {**ANSWERS, DELETE: lost})
    draft = markdown(post_mortem(await walk(engine, confirm), engine.runbook, "0" * 64))
    assert "MAY HAVE HAPPENED" not in draft.split("<details>")[0]
    assert "done and verified" in draft


async def test_what_stayed_unknown_is_reported_as_unknown_after_going_back(tmp_path: Path) -> None:
    engine, _ = after_it_was_cut_short(tmp_path, STILL)
    state = await walk(engine, confirm, RETRY, c.Decline("operator"))
    draft = markdown(post_mortem(state, engine.runbook, "0" * 64))
    (line,) = (each for each in draft.splitlines() if each.startswith("- `kubectl delete"))
    assert line.endswith("step unknown")
    assert exit_code(state, None) is ExitCode.UNKNOWN
