"""The state is a fold: whole or event by event it comes to the same, and no earlier state changes."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakglass.journal import events as e
from breakglass.journal.state import EMPTY, Attempt, Recorded, State, StepView, Trail, apply, fold
from breakglass.values import Json

BEGAN = datetime(2026, 4, 18, 3, 11, tzinfo=UTC)
FEW_WORDS = st.sampled_from(["", "one", "two"])
BY_TYPE: dict[object, st.SearchStrategy[object]] = {
    str: FEW_WORDS,
    e.Question: st.sampled_from(get_args(e.Question)),
    e.StepState: st.sampled_from(get_args(e.StepState)),
    float: st.floats(0.0, 9.0),
    int: st.integers(0, 3),
    Json: FEW_WORDS,
    dict[str, Json]: st.dictionaries(FEW_WORDS, FEW_WORDS, max_size=2),
}


def some(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Events of a kind: a few steps and attempts, so that they meet each other."""
    given = {name: BY_TYPE[type_] for name, type_ in kind.__annotations__.items() if type_ in BY_TYPE}
    return st.builds(kind, **given)


EVENTS = st.lists(st.one_of([some(kind) for kind in get_args(e.Event)]), max_size=40)


def recorded(events: Sequence[e.Event]) -> list[Recorded]:
    return [
        Recorded(number, BEGAN + timedelta(seconds=number), float(number), event)
        for number, event in enumerate(events, start=1)
    ]


@settings(max_examples=300)
@given(EVENTS)
def test_all_at_once_and_one_after_the_other_come_to_the_same(events: list[e.Event]) -> None:
    records = recorded(events)
    assert fold(records) == reduce(apply, records, EMPTY)


@settings(max_examples=300)
@given(EVENTS, st.data())
def test_an_event_leaves_the_state_before_it_as_it_was(events: list[e.Event], data: st.DataObject) -> None:
    records = recorded(events)
    count = data.draw(st.integers(0, len(records)))
    before = fold(records[:count])
    kept = deepcopy(before)
    reduce(apply, records[count:], before)
    assert before == kept


def test_steps_are_in_the_order_in_which_they_were_first_reached() -> None:
    walk = recorded([e.StepStarted(step, 1) for step in ("b", "a", "b", "c")])
    assert list(fold(walk).steps) == ["b", "a", "c"]


# ---------------------------------------------------------------- what each event leads to
STARTED = e.SessionStarted(
    session="s-1",
    runbook="book",
    title="A title",
    severity="sev2",
    runbook_path="/book",
    runbook_digest="d1",
    site="lab",
    site_path="/lab",
    production=False,
    mode="dry-run",
    operator="ann",
    inputs={"a": 1},
    version="1",
    host="h",
    pid=7,
    scenario="full",
    site_digest="d2",
)


def intended(step: str = "purge", attempt: int = 1, item: int = 0) -> e.ActionIntended:
    return e.ActionIntended(step, attempt, "delete", "main", "destructive", item)


def finished(
    outcome: e.Outcome, fault: str = "", step: str = "purge", attempt: int = 1, item: int = 0
) -> e.ActionFinished:
    return e.ActionFinished(step, attempt, outcome, 0.5, item=item, fault=fault)


def polled(holds: bool, attempt: int = 1) -> e.VerifyPolled:
    return e.VerifyPolled("purge", attempt, "get", holds, 1.0, 9.0)


def state_of(*events: e.Event) -> State:
    return fold(recorded(events))


def purged(*events: e.Event) -> StepView:
    """The step after these events."""
    return state_of(*events).steps["purge"]


def test_a_session_is_what_it_began_as() -> None:
    state = state_of(STARTED)
    assert (state.session, state.runbook, state.title, state.site) == ("s-1", "book", "A title", "lab")
    assert (state.production, state.mode, state.operator, state.scenario) == (False, "dry-run", "ann", "full")
    assert (state.runbook_digest, state.site_digest, state.inputs) == ("d1", "d2", {"a": 1})
    assert state.started == state.last == recorded([STARTED])[0]
    assert list(state.timeline) == recorded([STARTED])
    assert fold([]) == EMPTY and EMPTY.last is None and EMPTY.started is None


def test_what_nobody_said_counts_as_the_more_dangerous() -> None:
    assert EMPTY.production and EMPTY.mode == "live"
    assert EMPTY.waiting is None and EMPTY.ended is None and not EMPTY.paused
    assert (EMPTY.session, EMPTY.current, EMPTY.following, EMPTY.operator) == ("", "", "", "")
    assert (EMPTY.approvals, EMPTY.notes, EMPTY.happened, EMPTY.hints, EMPTY.refusals) == ((), (), (), (), 0)
    assert StepView("a").last is None and StepView("a").unsettled is None
    attempt = Attempt(1, BEGAN)
    assert not attempt.may_have_acted and attempt.open_intents == () and attempt.state is None
    assert (attempt.polls, attempt.last_poll, attempt.judged_at, attempt.ended) == (0, None, None, None)
    assert (attempt.began, attempt.seconds, attempt.say, attempt.captured) == (0.0, 0.0, "", {})


def test_what_happens_in_an_attempt_is_kept_in_it() -> None:
    prepared = e.ActionPrepared("purge", 1, "kubectl", "delete", "main", "destructive", 9.0)
    need = e.NeedRead("purge", 1, "shm", "used > 1", True, {"used": 2})
    refused = e.NeedRead("purge", 1, "shm", "used > 1", False, {"used": 0})
    confirmed = e.Confirmed("purge", 1, "ann", "web")
    judged = e.Judged("purge", 1, "a", True, {})
    events: list[e.Event] = [e.StepStarted("other", 1), e.StepStarted("purge", 1), prepared, need, refused]
    events += [confirmed, intended(), finished("succeeded"), polled(False), polled(True)]
    events += [e.Captured("purge", 1, {"a": 1}), e.Captured("purge", 1, {"b": 2}), judged, judged]
    events += [e.StepFinished("purge", 1, "ok", "Done.", "other")]
    state = state_of(*events)
    attempt = state.steps["purge"].last
    assert attempt is not None
    assert (attempt.number, attempt.started, attempt.began) == (1, BEGAN + timedelta(seconds=2), 2.0)
    assert attempt.prepared == (prepared,)
    assert attempt.needs == ((BEGAN + timedelta(seconds=4), need), (BEGAN + timedelta(seconds=5), refused))
    assert (attempt.confirmed, attempt.intended) == ((confirmed,), (intended(),))
    assert attempt.finished == (finished("succeeded"),)
    assert (attempt.polls, attempt.last_poll) == (2, polled(True))
    assert attempt.captured == {"a": 1, "b": 2} and state.values == {"a": 1, "b": 2}
    assert attempt.judged == (judged, judged) and attempt.judged_at == BEGAN + timedelta(seconds=14)
    assert (attempt.state, attempt.say) == ("ok", "Done.")
    assert (attempt.ended, attempt.seconds) == (BEGAN + timedelta(seconds=15), 13.0)
    assert (state.refusals, state.current, state.following) == (1, "purge", "other")
    assert state.steps["other"] == StepView(
        "other", (Attempt(1, BEGAN + timedelta(seconds=1), 1.0),), "running"
    )


def test_nothing_is_known_of_a_step_that_was_not_begun() -> None:
    strange: list[e.Event] = [
        polled(True),
        intended(),
        finished("unknown"),
        e.Judged("purge", 1, "a", True, {}),
    ]
    strange += [e.ActionPrepared("purge", 1, "kubectl", "delete", "main", "change", 9.0)]
    strange += [e.NeedRead("purge", 1, "shm", "a", True, {}), e.Confirmed("purge", 1, "ann", "web")]
    strange += [e.Decided("purge", "skip", "ann"), e.Answered("purge", 1, 1, "ann")]
    assert state_of(*strange).steps == {}
    assert state_of(e.Captured("purge", 1, {"a": 1})).values == {"a": 1}
    assert state_of(e.StepFinished("purge", 1, "failed")).steps["purge"].status == "failed"
    assert StepView("purge").status == "pending"
    assert (EMPTY.current, EMPTY.following, EMPTY.waiting, EMPTY.ended) == ("", "", None, None)


@pytest.mark.parametrize("state", get_args(e.StepState))
def test_only_of_a_step_that_was_skipped_a_reason_is_kept(state: e.StepState) -> None:
    view = state_of(e.StepStarted("purge", 1), e.StepFinished("purge", 1, state, "why")).steps["purge"]
    assert view.skip_reason == ("why" if state == "skipped" else "")
    later = state_of(e.StepFinished("purge", 0, "skipped", "why"), e.StepStarted("purge", 1))
    assert later.steps["purge"].skip_reason == ""
    assert (later.current, later.following) == ("purge", "")


def asked(question: e.Question = "confirm", approvals: int = 1) -> e.Asked:
    return e.Asked("purge", 1, question, approvals=approvals)


@pytest.mark.parametrize(
    ("question", "status"),
    [
        *[("confirm", "waiting"), ("answer", "waiting"), ("choose", "waiting"), ("acknowledge", "waiting")],
        *[("decide", "running"), ("continue", "running"), ("accept", "running")],
    ],
)
def test_a_step_waits_for_what_is_asked_within_it(question: e.Question, status: str) -> None:
    state = state_of(e.StepStarted("purge", 1), asked(question))
    assert state.waiting == asked(question)
    assert state.steps["purge"].status == status


def test_a_question_for_two_stays_open_until_both_have_answered() -> None:
    ann, bob = (e.Confirmed("purge", 1, by, "web") for by in ("ann", "bob"))
    begun = (e.StepStarted("purge", 1), asked(approvals=2))
    one = state_of(*begun, ann)
    assert (one.waiting, one.approvals, one.steps["purge"].status) == (begun[1], ("ann",), "waiting")
    both = state_of(*begun, ann, bob)
    assert (both.waiting, both.approvals, both.steps["purge"].status) == (None, ("ann", "bob"), "running")
    again = state_of(*begun, ann, asked(approvals=2))
    assert again.approvals == (), "a word holds for the question that it was given to"


@pytest.mark.parametrize(
    ("event", "waiting", "approvals"),
    [
        (e.Declined("purge", 1, "ann"), None, ()),
        (e.SessionEnded("stopped"), None, ()),
        (e.StepFinished("purge", 1, "cancelled"), None, ()),
        (e.StepStarted("purge", 2), None, ()),
        (e.SessionResumed("ann", "h", 1, 0), None, ()),
        (e.Answered("purge", 1, 1, "ann"), None, ("ann",)),
        (e.Decided("purge", "continue", "ann"), None, ("ann",)),
        (e.Accepted("ann", "w", "d3", "d4", "lab2", True), None, ("ann",)),
        (e.NoteAdded("purge", "t", "ann"), asked(approvals=2), ("ann",)),
    ],
)
def test_a_question_ends_with_what_answers_it(
    event: e.Event, waiting: e.Asked | None, approvals: tuple[str, ...]
) -> None:
    word = e.Confirmed("purge", 1, "ann", "web")
    state = state_of(e.StepStarted("purge", 1), asked(approvals=2), word, event)
    assert (state.waiting, state.approvals) == (waiting, approvals)


def test_an_answer_lets_its_step_go_on() -> None:
    assert purged(e.StepStarted("purge", 1), asked("answer"), e.Answered("purge", 1, 1, "ann")).status == (
        "running"
    )


def test_a_word_that_nobody_asked_for_ends_no_question_and_is_kept() -> None:
    state = state_of(e.StepStarted("purge", 1), e.Confirmed("purge", 1, "ann", "web"))
    assert (state.waiting, state.approvals, state.steps["purge"].status) == (None, ("ann",), "running")


def test_a_decision_says_how_the_walk_goes_on() -> None:
    begun = (e.StepStarted("purge", 1), e.StepFinished("purge", 1, "failed", goto="after"))
    skipped = state_of(*begun, e.Decided("purge", "skip", "ann", "why"))
    view = skipped.steps["purge"]
    assert (view.status, view.skip_reason, view.settled) == ("skipped", "why", 1)
    assert (skipped.following, skipped.paused) == ("after", False)
    jumped = state_of(*begun, e.Decided("purge", "jump", "ann", "why", "there"))
    assert (jumped.following, jumped.steps["purge"].status) == ("there", "failed")
    assert jumped.steps["purge"].settled == 0
    paused = state_of(*begun, e.Decided("purge", "pause", "ann"))
    assert paused.paused
    assert not state_of(
        *begun, e.Decided("purge", "pause", "ann"), e.Decided("purge", "continue", "a")
    ).paused


def test_a_step_that_is_begun_again_is_no_longer_left_out() -> None:
    skipped = (e.StepStarted("purge", 1), e.StepFinished("purge", 1, "skipped", "why", "after"))
    assert (purged(*skipped).status, purged(*skipped).skip_reason) == ("skipped", "why")
    again = state_of(*skipped, e.StepStarted("purge", 2))
    assert (again.steps["purge"].status, again.steps["purge"].skip_reason) == ("running", "")
    assert [each.number for each in again.steps["purge"].attempts] == [1, 2]
    assert (again.current, again.following) == ("purge", "")
    assert purged(e.StepStarted("purge", 1), e.StepFinished("purge", 1, "ok", "fine")).skip_reason == ""


def test_the_rest_is_kept_as_it_came() -> None:
    note, hint = e.NoteAdded("purge", "t", "ann"), e.HintShown("purge", "t")
    happened = e.Happened("trap", "n", "s")
    state = state_of(STARTED, note, note, hint, hint, happened, happened, e.HandedOver("ann", "bob"))
    assert [each.event for each in state.notes] == [note, note]
    assert state.hints == (hint, hint)
    assert [each.event for each in state.happened] == [happened, happened]
    assert state.operator == "bob"
    ended = state_of(STARTED, e.StepFinished("a", 1, "ok", goto="b"), e.SessionEnded("recovered"))
    assert (ended.ended, ended.following) == (e.SessionEnded("recovered"), "")
    accepted = state_of(STARTED, e.Accepted("ann", "w", "d3", "d4", "lab2", True))
    assert (accepted.runbook_digest, accepted.site_digest) == ("d3", "d4")
    assert (accepted.site, accepted.production) == ("lab2", True)


def test_steps_are_counted_by_how_they_ended() -> None:
    states: list[e.StepState] = ["failed", "failed", "failed", "unknown", "unknown", "ok"]
    state = state_of(*(e.StepFinished(f"s{at}", 1, each) for at, each in enumerate(states)))
    assert (state.failed, state.unknown) == (3, 2)


# ---------------------------------------------------------------- what may have come about
@pytest.mark.parametrize(
    ("outcome", "fault", "acted"),
    [
        ("succeeded", "", True),
        ("unknown", "", True),
        ("failed", "", True),
        ("failed", "timeout", True),
        ("failed", "exit", True),
        ("not-sent", "", False),
        ("not-sent", "timeout", False),
        *[("failed", fault, False) for fault in ("forbidden", "not-found", "conflict", "rejected")],
        ("failed", "authentication", False),
        ("unknown", "forbidden", True),
        ("succeeded", "conflict", True),
    ],
)
def test_a_change_may_have_come_about_unless_the_far_side_said_that_it_did_nothing(
    outcome: e.Outcome, fault: str, acted: bool
) -> None:
    last = purged(e.StepStarted("purge", 1), intended(), finished(outcome, fault)).last
    assert last is not None and last.may_have_acted is acted and last.open_intents == ()


def test_of_a_list_one_that_may_have_come_about_is_enough() -> None:
    begun = (e.StepStarted("purge", 1), intended(item=1), intended(item=2))
    none = purged(*begun, finished("not-sent", item=1), finished("failed", "conflict", item=2)).last
    one = purged(*begun, finished("not-sent", item=1)).last
    assert none is not None and not none.may_have_acted and none.open_intents == ()
    assert one is not None and one.may_have_acted and one.open_intents == (intended(item=2),)


def ended(state: e.StepState, attempt: int, *between: e.Event) -> tuple[e.Event, ...]:
    return (e.StepStarted("purge", attempt), *between, e.StepFinished("purge", attempt, state))


@pytest.mark.parametrize("state", ["failed", "cancelled"])
@pytest.mark.parametrize("before", ["unknown", "failed"])
def test_an_attempt_that_sent_nothing_leaves_what_was_unknown(
    state: e.StepState, before: e.StepState
) -> None:
    first = ended(before, 1, intended(attempt=1))
    assert purged(*first, *ended(state, 2)).status == before
    assert purged(*first, *ended(state, 2, intended(attempt=2))).status == state
    assert purged(*ended(before, 1), *ended(state, 2)).status == state
    assert purged(e.StepStarted("purge", 1), intended(), *ended(state, 2)).status == "unknown"
    view = purged(*first, *ended(state, 2))
    assert view.unsettled is not None and view.unsettled.number == 1 and view.settled == 0


@pytest.mark.parametrize("state", ["ok", "skipped", "shown", "nothing-to-do", "unknown"])
def test_any_other_end_is_what_it_says(state: e.StepState) -> None:
    view = purged(*ended("unknown", 1, intended()), *ended(state, 2))
    assert view.status == state
    assert view.settled == (2 if state == "ok" else 0)
    assert (view.unsettled is None) is (state == "ok")


def test_what_a_later_attempt_verified_was_done() -> None:
    unsure = ended("unknown", 1, intended())
    seen = (*unsure, *ended("ok", 2, polled(True, 2)))
    first, second = purged(*seen).attempts
    assert purged(*seen).verified_by(first) == second
    assert purged(*seen).verified_by(second) is None, "it sent nothing"
    for not_seen in (ended("ok", 2), ended("ok", 2, polled(False, 2)), ended("failed", 2, polled(True, 2))):
        view = purged(*unsure, *not_seen)
        assert view.verified_by(view.attempts[0]) is None
    itself = purged(*ended("ok", 1, intended(), polled(True)))
    assert itself.verified_by(itself.attempts[0]) == itself.attempts[0]
    before = purged(*ended("ok", 1, polled(True)), *ended("unknown", 2, intended(attempt=2)))
    assert before.verified_by(before.attempts[1]) is None, "an earlier one shows nothing"


RESUMED = e.SessionResumed("bob", "h", 2, 0)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((e.StepStarted("purge", 1),), "pending"),
        ((e.StepStarted("purge", 1), asked()), "pending"),
        ((e.StepStarted("purge", 1), intended()), "unknown"),
        ((e.StepStarted("purge", 1), intended(), asked()), "unknown"),
        ((e.StepStarted("purge", 1), intended(), finished("succeeded")), "unknown"),
        ((*ended("unknown", 1, intended()), e.StepStarted("purge", 2)), "unknown"),
        ((*ended("failed", 1, intended()), e.StepStarted("purge", 2)), "pending"),
        ((*ended("failed", 1, intended()), e.StepStarted("purge", 2), intended(attempt=2)), "unknown"),
        ((*ended("ok", 1, intended()), e.StepStarted("purge", 2)), "pending"),
        (ended("ok", 1, intended()), "ok"),
        (ended("failed", 1), "failed"),
        (ended("unknown", 1, intended()), "unknown"),
    ],
)
def test_on_resuming_a_step_that_was_cut_short_is_unknown_if_a_change_may_have_been_sent(
    events: tuple[e.Event, ...], status: str
) -> None:
    state = state_of(STARTED, *events, e.SessionEnded("stopped"), RESUMED)
    assert state.steps["purge"].status == status
    assert (state.operator, state.ended, state.waiting, state.approvals) == ("bob", None, None, ())


def test_a_session_that_was_paused_goes_on_when_it_is_resumed() -> None:
    paused = e.Decided("purge", "pause", "ann")
    assert state_of(STARTED, paused).paused and not state_of(STARTED, paused, RESUMED).paused
    assert state_of(STARTED, e.StepStarted("purge", 1), asked(), RESUMED).waiting is None


# ---------------------------------------------------------------- the trail
def test_a_trail_is_a_sequence_that_its_successors_leave_alone() -> None:
    first, second, third = recorded([e.HintShown("a", text) for text in ("x", "y", "z")])
    one = Trail().plus(first)
    two, other = one.plus(second), one.plus(third)
    assert (list(one), list(two), list(other)) == ([first], [first, second], [first, third])
    assert (len(one), len(two), two[0], two[1], two[-1], two[-2]) == (1, 2, first, second, second, first)
    assert two[:1] == [first] and two[::-1] == [second, first] and one[0:5] == [first]
    for beyond in (1, -2):
        with pytest.raises(IndexError):
            one[beyond]
    assert one == Trail([first, second], 1) and one != two and two != other and one != [first]
    assert hash(one) == hash(Trail([first], 1))


def test_what_an_attempt_comes_to_leaves_the_state_of_before_as_it_was() -> None:
    before = state_of(e.StepStarted("purge", 1), intended(), polled(False))
    kept = deepcopy(before)
    after = reduce(apply, recorded([polled(True), finished("succeeded")]), before)
    assert before == kept and after.steps["purge"] != before.steps["purge"]
