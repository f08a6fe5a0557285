"""Reads: what is captured, expected, chosen, repeated and waited for."""

from pathlib import Path

import pytest

from breakglass.engine import commands as c
from breakglass.errors import CommandRefusedError
from breakglass.journal import events as e
from tests.engine.support import STOP, events_of, fault, ok, refolded, resumed, session_of, walk


async def test_captures_are_there_for_the_steps_that_follow(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - id: pods
          title: List the pods
          kubectl: get pods -n ${{ inputs.namespace }} -o json
          capture: {pod: "result.json.items[0].metadata.name"}
        - id: log
          title: Read its log
          kubectl: logs -n ${{ inputs.namespace }} ${{ pod }}
        """,
        {"kubectl get pods": ok('{"items": [{"metadata": {"name": "web-1"}}]}'), "kubectl logs": ok("fine")},
    )
    state = await walk(engine)
    assert far.commands == ["kubectl get pods -n web -o json", "kubectl logs -n web web-1"]
    assert state.values == {"pod": "web-1"}
    assert state.ended is not None and state.ended.result == "completed"


async def test_an_expectation_that_fails_stops_the_walk_and_names_the_ways_on(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        """
        - id: ask
          title: Ask the app
          http: {get: app}
          capture: {code: result.status}
          expect: [{that: code == 200, else: "It says ${{ code }}."}]
        """,
        {"GET app": ok(status=503)},
    )
    asked: list[e.Asked] = []

    def look(question: e.Asked) -> c.Command:
        asked.append(question)
        return STOP

    state = await walk(engine, look)
    assert asked[0].question == "decide"
    assert asked[0].text == "It says 503."
    assert set(asked[0].options) == {"retry", "jump", "skip", "stop"}
    assert state.steps["ask"].status == "failed"
    judged = state.steps["ask"].attempts[0].judged
    assert [(each.holds, each.observed) for each in judged] == [(False, {"code": 503})]


async def test_the_first_next_that_applies_is_taken_and_says_so(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - id: ask
          title: Ask the app
          http: {get: app}
          next:
            - {when: result.status == 302, goto: done, say: All is well.}
            - {when: result.status == 400, goto: cause}
            - other
        - {id: other, title: Look elsewhere, http: {get: app, path: /other}}
        - {id: cause, title: Look at the cause, http: {get: app, path: /cause}}
        """,
        {"GET app": ok(status=400)},
    )
    await walk(engine)
    assert far.commands == ["GET app", "GET app/cause"]


async def test_a_step_that_does_not_apply_is_skipped_with_the_reason(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - {id: ask, title: Ask the app, when: inputs.namespace == 'other', http: {get: app}}
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        """,
        {"ssh pve uptime": ok("up")},
    )
    state = await walk(engine)
    assert far.commands == ["ssh pve uptime"]
    assert state.steps["ask"].status == "skipped"
    assert "does not apply" in state.steps["ask"].skip_reason


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_skipped_step_leads_to_the_next_in_the_list_as_if_its_own_next_were_not_there(
    tmp_path: Path, by_hand: bool
) -> None:
    applies = "web" if by_hand else "other"
    engine, far = session_of(
        tmp_path,
        f"""
        - id: ask
          title: Ask the app
          when: inputs.namespace == '{applies}'
          http: {{get: app, path: /ask}}
          expect: ['false']
          next: cause
        - id: host
          title: Ask the host
          when: 'true'
          ssh: {{host: pve, run: [uptime]}}
          next: [{{when: result.exit == 0, goto: done}}]
        - {{id: cause, title: Look at the cause, http: {{get: app, path: /cause}}}}
        """,
        {"ssh pve uptime": ok("up"), "GET app": ok()},
    )
    await walk(engine, c.Skip("known already", "operator"))
    assert far.commands == [*(["GET app/ask"] if by_hand else []), "ssh pve uptime"]


async def test_foreach_runs_once_for_each_element_and_gives_the_results_in_order(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - id: each
          title: Ask each node
          foreach: {in: site.variables.nodes, parallel: 2}
          ssh: {host: node1, run: [echo, "${{ item }}"]}
          capture: {seen: "results.map(r, r.item + '=' + r.text)"}
        """,
        {f"ssh node1 echo node{n}": ok(f"up {n}") for n in (1, 2, 3)},
    )
    state = await walk(engine)
    assert len(far.sent) == 3
    assert state.values["seen"] == ["node1=up 1", "node2=up 2", "node3=up 3"]


async def test_foreach_over_nothing_sends_nothing(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - id: each
          title: Ask each node
          foreach: {in: "site.variables.nodes.filter(n, n == 'none')", parallel: 2}
          ssh: {host: node1, run: [echo, "${{ item }}"]}
          capture: {count: size(results)}
        """,
        {},
    )
    state = await walk(engine)
    assert far.sent == []
    assert state.values["count"] == 0


async def test_a_fault_fails_the_step_with_its_message(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        "- {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}",
        {"ssh pve": fault("refused", "pve (127.0.0.1:22) refused the connection")},
    )
    state = await walk(engine)
    assert state.steps["host"].status == "failed"
    assert state.steps["host"].attempts[0].say == "pve (127.0.0.1:22) refused the connection"


async def test_a_tolerated_fault_is_an_observation(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        """
        - id: host
          title: Does the host hang?
          ssh: {host: pve, run: [uptime]}
          tolerate: [timeout]
          capture: {hangs: result.fault == 'timeout'}
        """,
        {"ssh pve": fault("timeout")},
    )
    state = await walk(engine)
    assert state.values["hangs"] is True
    assert state.steps["host"].status == "ok"


async def test_a_read_is_tried_again_as_often_as_it_says(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        "- {id: host, title: Ask the host, retries: 2, ssh: {host: pve, run: [uptime]}}",
        {"ssh pve": [fault("disconnected"), fault("disconnected"), ok("up")]},
    )
    state = await walk(engine)
    assert len(far.sent) == 3
    assert state.steps["host"].status == "ok"


async def test_a_read_that_keeps_failing_fails_after_its_tries(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        "- {id: host, title: Ask the host, retries: 2, ssh: {host: pve, run: [uptime]}}",
        {"ssh pve": fault("disconnected")},
    )
    state = await walk(engine)
    assert len(far.sent) == 3
    assert state.steps["host"].status == "failed"


WAIT = """
- id: ready
  title: Wait for the pod
  kubectl: get pod web-1 -n web -o json
  wait: {until: "result.json.phase == 'Running'", every: 2s, within: 10s%s}
"""


async def test_a_wait_polls_until_its_condition_holds(tmp_path: Path) -> None:
    pending, running = ok('{"phase": "Pending"}'), ok('{"phase": "Running"}')
    engine, far = session_of(tmp_path, WAIT % "", {"kubectl get": [pending, pending, running]})
    state = await walk(engine)
    assert len(far.sent) == 3
    assert state.steps["ready"].status == "ok"


async def test_a_wait_that_is_over_says_how_long_it_waited(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, WAIT % "", {"kubectl get": ok('{"phase": "Pending"}')})
    state = await walk(engine)
    assert "not OK within 10 s" in state.steps["ready"].attempts[0].say


async def test_a_soak_asks_for_the_signal_to_keep_holding(tmp_path: Path) -> None:
    pending, running = ok('{"phase": "Pending"}'), ok('{"phase": "Running"}')
    engine, _ = session_of(
        tmp_path, WAIT % ", soak: 1m", {"kubectl get": [running, running, running, pending, running]}
    )
    state = await walk(engine)
    assert "then failed again" in state.steps["ready"].attempts[0].say
    polls = [each.event for each in state.timeline if isinstance(each.event, e.VerifyPolled)]
    assert {each.soak for each in polls} == {60.0}
    assert (polls[0].holds, polls[0].held, polls[-1].holds, polls[-1].held) == (True, 0.0, False, 0.0)


async def test_a_capture_that_cannot_be_had_fails_the_step_and_names_it(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        """
        - id: pods
          title: List the pods
          kubectl: get pods -n web -o json
          capture: {pod: "result.json.items[0].metadata.name"}
        """,
        {"kubectl get pods": ok('{"items": []}')},
    )
    state = await walk(engine)
    assert state.steps["pods"].status == "failed"
    assert "result.json.items[0].metadata.name" in state.steps["pods"].attempts[0].say


@pytest.mark.parametrize("text", ["", "null", "not JSON", "[1, 2", '{"items": {}}', "\x00\x1b[31m"])
async def test_an_answer_of_the_wrong_shape_fails_the_step_and_not_the_walk(
    tmp_path: Path, text: str
) -> None:
    engine, _ = session_of(
        tmp_path,
        """
        - id: pods
          title: List the pods
          kubectl: get pods -n web -o json
          capture: {names: "result.json.items.map(p, p.metadata.name)"}
          expect: [size(names) > 0]
        """,
        {"kubectl get pods": ok(text)},
    )
    state = await walk(engine)
    assert state.steps["pods"].status == "failed"
    assert state.ended is not None and state.ended.result == "stopped"


async def test_retry_runs_the_step_again_and_keeps_both_attempts(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        "- {id: ask, title: Ask the app, http: {get: app}, expect: [result.status == 200]}",
        {"GET app": [ok(status=503), ok(status=200)]},
    )
    state = await walk(engine, c.Retry("operator"))
    assert [attempt.state for attempt in state.steps["ask"].attempts] == ["failed", "ok"]


async def test_skip_wants_a_reason_and_goes_on(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - {id: ask, title: Ask the app, http: {get: app}, expect: [result.status == 200]}
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        """,
        {"GET app": ok(status=503), "ssh pve": ok("up")},
    )

    def reasonless(_: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError, match="wants a reason"):
            engine.command(c.Skip("  ", "operator"))
        return c.Skip("known to be down", "operator")

    state = await walk(engine, reasonless)
    assert far.commands[-1] == "ssh pve uptime"
    assert state.steps["ask"].status == "skipped"
    assert state.steps["ask"].skip_reason == "known to be down"


async def test_jump_goes_to_any_step_and_to_no_other(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - {id: ask, title: Ask the app, http: {get: app}, expect: [result.status == 200]}
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        - {id: last, title: Ask the node, ssh: {host: node1, run: [uptime]}}
        """,
        {"GET app": ok(status=503), "ssh node1": ok("up")},
    )

    def jump(_: e.Asked) -> c.Command:
        with pytest.raises(CommandRefusedError, match="no step 'nowhere'"):
            engine.command(c.Jump("nowhere", "", "operator"))
        return c.Jump("last", "the host is known", "operator")

    await walk(engine, jump)
    assert far.commands == ["GET app", "ssh node1 uptime"]


async def test_what_is_folded_is_what_the_journal_holds(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        "- {id: ask, title: Ask the app, http: {get: app}, expect: [result.status == 200]}",
        {"GET app": [ok(status=503), ok(status=200)]},
    )
    state = await walk(engine, c.Retry("operator"))
    engine.writer.journal.close()
    assert refolded(engine) == state


async def test_a_pause_stops_before_the_next_step_and_goes_on_when_told(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - {id: ask, title: Ask the app, http: {get: app}}
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        """,
        {"GET app": ok(status=200), "ssh pve": ok("up")},
    )
    engine.command(c.Pause("operator"))
    seen: list[list[str]] = []

    def go_on(asked: e.Asked) -> c.Command:
        seen.append(list(far.commands))
        assert asked.question == "continue"
        return c.Continue("operator")

    await walk(engine, go_on)
    assert seen == [[]]
    assert far.commands == ["GET app", "ssh pve uptime"]


PHASES = """
- {id: ask, title: Ask the app, phase: Look, http: {get: app}}
- {id: host, title: Ask the host, phase: Look, ssh: {host: pve, run: [uptime]}}
- {id: node, title: Ask the node, phase: Cause, ssh: {host: node1, run: [uptime]}}
"""


async def test_the_walk_stops_at_the_end_of_a_phase(tmp_path: Path) -> None:
    answers = {"GET app": ok(status=200), "ssh": ok("up")}
    engine, far = session_of(tmp_path, PHASES, answers, pace="look")
    counts: list[int] = []

    def go_on(_: e.Asked) -> c.Command:
        counts.append(len(far.sent))
        return c.Continue("operator")

    await walk(engine, go_on)
    assert counts == [2]
    assert len(far.sent) == 3


async def test_a_step_can_end_the_walk_and_say_what_it_means(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - id: ask
          title: Ask the app
          http: {get: app}
          next: [{when: result.status == 302, goto: healthy}, host]
        - {id: healthy, title: The outpost is fine, ends: not-this-incident}
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        """,
        {"GET app": ok(status=302)},
    )
    state = await walk(engine)
    assert state.ended == e.SessionEnded("not-this-incident", "The outpost is fine")
    assert far.commands == ["GET app"]


async def test_the_record_of_a_read_names_where_it_ran_and_what_it_gave(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        "- {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}",
        {"ssh pve": ok("up 3 days\n")},
    )
    state = await walk(engine)
    (prepared,) = events_of(state, e.ActionPrepared)
    (done,) = events_of(state, e.ActionFinished)
    assert isinstance(prepared, e.ActionPrepared) and isinstance(done, e.ActionFinished)
    assert prepared.where.startswith("host pve") or "pve" in prepared.where
    assert (done.outcome, done.exit, done.head) == ("succeeded", 0, "up 3 days")
    assert (engine.output_folder / done.output).read_text() == "up 3 days\n"


FORK = """
- {id: begin, title: Ask the host, ssh: {host: pve, run: [uptime]}}
- id: ask
  title: Ask the app
  http: {get: app}
  next: [{when: result.status == 302, goto: node, say: The outpost is fine.}, host]
- {id: host, title: Ask the other host, ssh: {host: pve, run: [date]}}
- {id: node, title: Ask the node, ssh: {host: node1, run: [uptime]}}
"""
FORK_ANSWERS = {"GET app": ok(status=302), "ssh": ok("up")}


async def test_the_walk_stops_where_an_answer_has_chosen_the_way(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, FORK, FORK_ANSWERS, pace="look")
    asked: list[tuple[int, str, str]] = []

    def go_on(question: e.Asked) -> c.Command:
        asked.append((len(far.sent), question.text, question.options["continue"]))
        return c.Continue("operator")

    await walk(engine, go_on)
    assert asked == [(2, "this answer chose the way", "continue: Ask the node")]
    assert len(far.sent) == 3


async def test_a_way_that_the_mode_alone_decides_stops_nobody(tmp_path: Path) -> None:
    engine, _ = session_of(
        tmp_path,
        """
        - id: ask
          title: Ask the app
          http: {get: app}
          next: [{when: session.mode == 'dry-run', goto: done}, host]
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        """,
        {"GET app": ok(status=302), "ssh": ok("up")},
        pace="look",
    )
    state = await walk(engine)
    assert not events_of(state, e.Asked)


async def test_the_walk_stops_after_a_command_that_hung_though_that_is_tolerated(tmp_path: Path) -> None:
    engine, far = session_of(
        tmp_path,
        """
        - {id: probe, title: Probe the mount, tolerate: [timeout], ssh: {host: pve, run: [date]}}
        - {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
        """,
        {"ssh pve date": fault("timeout"), "ssh pve uptime": ok("up")},
        pace="look",
    )
    texts: list[str] = []

    def go_on(question: e.Asked) -> c.Command:
        texts.append(f"{len(far.sent)} {question.text}")
        return c.Continue("operator")

    await walk(engine, go_on)
    assert texts == ["1 no answer within the limit"]


async def test_a_session_that_is_resumed_stops_where_there_was_something_to_look_at(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, FORK, FORK_ANSWERS, pace="look")
    await walk(engine, STOP)
    state = await walk(resumed(engine, far, pace="look"), STOP)
    assert [getattr(each, "text", "") for each in events_of(state, e.Asked)] == [
        "this answer chose the way"
    ] * 2
    assert len(far.sent) == 2


async def test_whoever_jumps_into_another_phase_is_not_asked_about_its_end(tmp_path: Path) -> None:
    steps = FORK.replace("id: node,", "id: node, phase: Node,")
    engine, far = session_of(tmp_path, steps, FORK_ANSWERS, pace="look")
    state = await walk(engine, c.Jump("node", "I know", "operator"))
    assert len(events_of(state, e.Asked)) == 1
    assert far.commands[-1] == "ssh node1 uptime"


SUGGESTS = """
- id: ask
  title: Ask the app
  http: {get: app}
  expect: [{that: result.status == 200, else: It is down., suggest: node}]
- {id: host, title: Ask the host, ssh: {host: pve, run: [uptime]}}
- {id: node, title: Ask the node, ssh: {host: node1, run: [uptime]}}
"""


async def test_a_failed_expectation_offers_the_step_that_it_suggests(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, SUGGESTS, {"GET app": ok(status=503), "ssh": ok("up")})
    seen: list[e.Asked] = []

    def take(asked: e.Asked) -> c.Command:
        seen.append(asked)
        return c.Jump(asked.suggests, c.suggested_words(asked), "operator")

    state = await walk(engine, take)
    assert next(iter(seen[0].options.items())) == ("suggested", "go to: Ask the node")
    assert far.commands == ["GET app", "ssh node1 uptime"]
    (decided,) = events_of(state, e.Decided)
    assert decided == e.Decided("ask", "jump", "operator", "as the runbook suggests: It is down.", "node")


async def test_a_wait_that_did_not_hold_offers_the_step_that_it_suggests(tmp_path: Path) -> None:
    steps = SUGGESTS.replace(
        "expect: [{that: result.status == 200, else: It is down., suggest: node}]",
        "wait: {until: result.status == 200, within: 2s, suggest: host}",
    )
    engine, _ = session_of(tmp_path, steps, {"GET app": ok(status=503), "ssh": ok("up")})
    state = await walk(engine, STOP)
    (asked,) = events_of(state, e.Asked)
    assert isinstance(asked, e.Asked) and asked.suggests == "host"
