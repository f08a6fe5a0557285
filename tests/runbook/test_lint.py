from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

import pytest

from breakglass.runbook.lint import lint
from breakglass.runbook.load import read_runbook
from tests.runbook.format_support import (
    HEAD,
    PATH,
    expect_at_marks,
    good,
    read_but_for_meanings,
    unmarked,
    with_steps,
    without_meanings,
)

CHANGE = """\
- id: change
  title: Restart it
  kubectl: rollout restart deployment/web -n web
  verify: {kubectl: rollout status deployment/web -n web, until: result.exit == 0, within: 1m}
"""
"""A change that is as it should be."""

DELETION = """\
- id: delete
  title: Delete the pod
  kubectl: delete pod ${{ pod }} -n web
  impact: It is gone.
  confirm: {type: "${{ pod }}"}
  verify: {kubectl: get pods -n web -o json, until: result.exit == 0, within: 1m}
"""
"""A destructive step that is as it should be."""


def check(steps: str, *messages: str) -> None:
    expect_at_marks(with_steps(steps), *messages)


def with_lines(step: str, *lines: str) -> str:
    return step + "".join(f"  {line}\n" for line in lines)


def without(step: str, key: str) -> str:
    return "".join(line for line in step.splitlines(keepends=True) if not line.startswith(f"  {key}:"))


@pytest.mark.parametrize("step", [CHANGE, DELETION])
def test_a_step_that_is_as_it_should_be_has_no_problem(step: str):
    good(with_steps(step))


def test_the_problems_of_a_runbook_are_those_of_its_file():
    text, _ = unmarked(with_steps("- {id: a, title: Read it, when: nothing == 1}\n"))
    runbook = good(with_steps("- {id: a, title: Read it}\n"))
    assert without_meanings(lint(runbook)) == []
    _, problems = read_but_for_meanings(text, PATH)
    assert [problem.message for problem in problems] == ["nothing before this step gives 'nothing' a value"]


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        (["when: §stat == 200"], ["nothing before this step gives 'stat' a value; did you mean 'status'?"]),
        (["when: status §= = 200"], ["CEL says `==` for '=': status ^= = 200"]),
        (["when: status ==§"], ["the expression ends too early: status ==^"]),
        (["when: §nosuch(status)"], ["there is no function 'nosuch'"]),
        (["when: string(status).§dff() == 1"], ["there is no function 'dff'"]),
        (["when: §result.status == 200"], ["'result' has no value here; only `capture`"]),
        (["when: has(inputs.§namespac)"], ["there is no input 'namespac'; did you mean 'namespace'?"]),
        (["when: site.§nam == 'inputs.x'"], ["site has no 'nam'; did you mean 'name'?"]),
        (["when: session.§mod == 'live'"], ["session has no 'mod'; did you mean 'mode'?"]),
        (["when: '[1].exists(p, p == status) && §p == 1'"], ["gives 'p' a value"]),
        (["manual: 'Look at ${{ §podd }}.'"], ["did you mean 'pod'?"]),
        (["manual: 'Look at ${{ §§secrets.token }}.'"], ["only an action can hold a secret", "uses.secrets"]),
        (["kubectl: 'get pods -l ${{ §item }}'"], ["only the action of a step with `foreach`"]),
        (["kubectl: get pods", "capture: {a: result.§jsn}"], ["result has no 'jsn'; did you mean 'json'?"]),
        (["kubectl: get pods", "capture: {a: result.json, b: §c, c: a}"], ["gives 'c' a value"]),
        (["kubectl: get pods", "capture: {a: §results}"], ["'results' has no value here"]),
        (["kubectl: get pods", "expect: [{that: a == 1, else: x}]", "capture: {a: '1'}"], []),
        (["kubectl: get pods", "expect: [{that: §b == 1, else: '${{ §c }}'}]"], ["'b'", "'c'"]),
        (["kubectl: get pods", "next: [{when: §b, goto: done, say: '${{ §c }}'}]"], ["'b'", "'c'"]),
        (["kubectl: get pods", "wait: {until: §b, within: 1s}"], ["'b'"]),
        (["foreach: §b", "kubectl: 'get pod ${{ item }}'"], ["'b'"]),
        (["choose: {a: {say: '${{ §b }}', when: §c}}"], ["'b'", "'c'"]),
        (["ask: 'What of ${{ §b }}?'"], ["'b'"]),
        (
            ["http: {get: app, path: '/${{ §b }}', query: {a: '${{ §c }}'}, headers: {d: '${{ §d }}'}}"],
            ["'b'", "'c'", "'d'"],
        ),
        (["ssh: {host: pve, run: ['echo', '${{ §b }}'], stdin: '${{ §c }}'}"], ["'b'", "'c'"]),
        (["probe: {run: x, with: {a: [{b: '${{ §b }}'}]}}"], ["'b'"]),
        (["expect: [§result.exit == 0]"], ["'result' has no value here"]),
    ],
)
def test_an_expression_uses_only_what_has_a_value(lines: Sequence[str], messages: Sequence[str]):
    check(with_lines("- id: x\n  title: Look at it\n", *lines), *messages)


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        (["pin: {uid: '${{ §b }}', resource-version: '${{ §c }}'}"], ["'b'", "'c'"]),
        (["guards: [{that: §b == 1, else: '${{ §c }}'}]"], ["'b'", "'c'"]),
        (["unknown: '${{ §b }}'"], ["'b'"]),
        (["undo: 'Put ${{ §b }} back.'"], ["'b'"]),
        (["undo: {say: '${{ §b }}'}"], ["'b'"]),
        (["capture: {a: '1'}", "assume: {a: ['${{ §b }}']}"], ["'b'"]),
        (["preview: {kubectl: 'get pod ${{ §b }}'}"], ["'b'"]),
        (["assume: §{a: 1}"], ["the step captures no 'a'"]),
    ],
)
def test_a_change_uses_only_what_has_a_value(lines: Sequence[str], messages: Sequence[str]):
    check(with_lines(CHANGE, *lines), *messages)


def test_impact_confirmation_and_verification_use_only_what_has_a_value():
    check(
        """\
        - id: delete
          title: Delete the pod
          kubectl: delete pod ${{ pod }} -n web
          impact: "${{ §a }}"
          confirm: {type: "${{ §b }}"}
          verify:
            kubectl: get pod ${{ §c }} -n web
            until: §d && result.exit == 0
            within: 1m
            capture: {e: result.text, f: §g}
          expect: [e == "", f == ""]
        """,
        *("'a'", "'b'", "'c'", "'d'", "'g'"),
    )


def test_a_verification_cannot_see_what_its_step_captures_afterwards():
    check(
        """\
        - id: change
          title: Restart it
          kubectl: rollout restart deployment/web -n web
          capture: {said: result.text}
          verify: {kubectl: get pods, until: §said == "", within: 1m}
        """,
        "nothing before this step gives 'said' a value",
    )


def test_a_name_is_known_after_a_way_that_captures_it():
    good(
        with_steps(
            """\
            - {id: way, title: Which way?, choose: {a: {say: Read, goto: late}, b: {say: Stop, goto: done}}}
            - id: early
              title: Use it
              manual: It is ${{ text }}.
              next: done
            - id: late
              title: Read it
              kubectl: get pods
              capture: {text: result.text}
              next: early
            """
        )
    )


def test_a_name_that_only_a_later_step_captures_is_not_known():
    check(
        """\
        - {id: early, title: Use it, manual: "It is ${{ §text }}."}
        - {id: late, title: Read it, kubectl: get pods, capture: {text: result.text}}
        """,
        "nothing before this step gives 'text' a value",
    )


@pytest.mark.parametrize(
    ("steps", "messages"),
    [
        ("- {id: a, title: x, next: §app2}", ["goto 'app2' leads nowhere; did you mean 'app'?"]),
        ("- {id: a, title: x, next: [{when: 'true', goto: §dune}]}", ["did you mean 'done'?"]),
        ("- {id: a, title: x, choose: {§b: {say: c, goto: hots}}}", ["did you mean 'host'?"]),
        ("- {id: §app, title: x}", ["step id 'app' is here twice; the first is in runbook.yaml, line 20"]),
        ("- {id: a, title: x, ends: recovered, next: §done}", ["`ends` ends the walk"]),
        ("- {id: a, title: x, next: [done, §done]}", ["never taken, since the way to 'done'"]),
        (CHANGE + "  needs: [§hots]", ["there is no step 'hots'; did you mean 'host'?"]),
        (CHANGE + "  needs: [app, §change]", ["cannot need itself"]),
        ("- {id: m, title: x, manual: Look.}\n" + CHANGE + "  needs: [§m]", ["'m' is not a read"]),
        (DELETION + CHANGE + "  needs: [§delete]", ["'delete' is not a read"]),
        ("- {id: r, title: x, kubectl: get pods}\n" + CHANGE + "  needs: [§r]", ["'r' expects nothing"]),
        (CHANGE + "  undo: §{say: x, step: bakc}", ["there is no step 'bakc'"]),
        (CHANGE + "  undo: §{say: x, step: change}", ["cannot undo itself"]),
    ],
)
def test_steps_are_named_as_they_are(steps: str, messages: Sequence[str]):
    check(steps + "\n", *messages)


@pytest.mark.parametrize(
    ("triage", "messages"),
    [
        ("{use: §ap, verdict: {ok: result.status == 200}}", ["there is no step 'ap'; did you mean 'app'?"]),
        ("{use: §m, verdict: {ok: result.note == ''}}", ["'m' is not a read"]),
        ("{use: §w, verdict: {ok: result.exit == 0}}", ["more than one read"]),
        ("{use: §u, verdict: {ok: result.exit == 0}}", ["before anything else, so it cannot use pod"]),
        ("{use: app, verdict: {ok: §pod == '', suspect: result.§stats == 1}}", ["'pod'", "mean 'status'?"]),
        ("{use: app, verdict: {ok: status == 200}}", []),
    ],
)
def test_triage_reads_by_itself(triage: str, messages: Sequence[str]):
    steps = """\
    - {id: m, title: Look, manual: Look.}
    - {id: w, title: Wait, kubectl: get pods, wait: {until: 'true', within: 1s}}
    - {id: u, title: Use, kubectl: "get pod ${{ pod }}"}
    """
    text = with_steps(steps).replace("steps:\n", f"triage:\n  - {triage}\nsteps:\n")
    expect_at_marks(text, *messages)


def test_a_step_that_nothing_leads_to_is_told():
    check(
        """\
        - {id: a, title: x, ends: escalate}
        - {id: §b, title: x}
        - {id: c, title: x, when: status == 1, next: d}
        - {id: d, title: x, choose: {y: {say: y, goto: done}}}
        - {id: §e, title: x}
        """,
        *["nothing leads here"] * 2,
    )


def test_what_a_goto_an_undo_a_need_or_triage_names_is_led_to():
    steps = (
        with_lines(
            CHANGE, "undo: {say: x, step: back}", "needs: [checked]", "next: [{when: 'true', goto: far}]"
        )
        + "- {id: a, title: x, ends: escalate}\n"
        + "- {id: far, title: x, next: done}\n"
        + "- {id: back, title: x, next: done}\n"
        + "- {id: checked, title: x, kubectl: get pods, expect: [result.exit == 0], next: done}\n"
        + "- {id: first, title: x, kubectl: get pods}\n"
    )
    triage = "triage:\n  - {use: first, verdict: {ok: result.exit == 0}}\nsteps:\n"
    good(with_steps(steps).replace("steps:\n", triage))


def test_unreachable_steps_are_not_told_where_a_way_could_not_be_read():
    check("- {id: a, title: x, next: §{}}\n- {id: b, title: x}\n", "a way on needs 'goto'")


def test_a_circle_without_a_person_is_a_warning_where_it_goes_back():
    steps = """\
    - id: again
      title: Look again
      kubectl: get pods
      next:
        - {when: result.exit == 1, goto: §pod}
        - {when: result.exit == 2, goto: §again}
    """
    problems = expect_at_marks(with_steps(steps), *["can repeat for ever"] * 2)
    assert all(problem.warning for problem in problems)


@pytest.mark.parametrize("between", ["manual: Look.", "ask: How many?", "choose: {a: {say: b}}"])
def test_a_circle_with_a_person_in_it_is_fine(between: str):
    good(with_steps(f"- {{id: a, title: x, {between}}}\n- {{id: b, title: y, next: a}}\n"))


def test_a_circle_with_a_confirmed_change_in_it_is_fine():
    good(with_steps(CHANGE + "- {id: b, title: y, next: change}\n"))


@pytest.mark.parametrize(
    ("step", "messages"),
    [
        (with_lines(DELETION, "risk: §read"), ["below what the command does (destructive)"]),
        (with_lines(DELETION, "risk: §change", "because: x"), ["leave `risk` away"]),
        ("- {id: a, title: x, ssh: {host: pve, run: [my-tool]}, risk: §read}", ["say why with `because`"]),
        ("- {id: a, title: x, kubectl: exec p -- my-tool, risk: §read}", ["say why with `because`"]),
        ("- {id: a, title: x, kubectl: get pods, because: §y}", ["nothing is lowered here"]),
        ("- {id: a, title: x, risk: §change}", ["`risk` is for an action"]),
        ("- {id: a, title: x, ask: y, risk: §change}", ["`risk` is for an action"]),
        ("- §{id: a, title: x, manual: y, risk: destructive}", ["a destructive step says what it breaks"]),
    ],
)
def test_a_label_never_hides_what_a_command_does(step: str, messages: Sequence[str]):
    check(step + "\n", *messages)


PEEK = "- {id: a, title: x, ssh: {host: pve, run: [my-tool]}, risk: read"


@pytest.mark.parametrize(
    ("steps", "messages"),
    [
        (f"{PEEK.replace('read', '§read')}}}\n", ["my-tool is not a program that is known to read"]),
        (f"{PEEK.replace('read', '§read')}}}\n", ["a site that names it under `reads`"]),
        (
            "- {id: a, title: x, ssh: {host: pve, run: [ls]}, risk: read, because: §y}\n",
            ["nothing is lowered"],
        ),
    ],
)
def test_what_a_site_may_know_better_is_a_warning(steps: str, messages: Sequence[str]):
    problems = expect_at_marks(with_steps(steps), *messages)
    assert all(problem.warning for problem in problems)


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("[rm, -f, /tmp/x]", "rm"),
        ("[sort, -o, /tmp/x, /tmp/y]", "-o"),
        ("[curl, -X, DELETE, http://x]", "-X"),
    ],
)
def test_no_reason_lowers_what_is_known_to_change(command: str, word: str):
    step = f"- {{id: a, title: x, ssh: {{host: pve, run: {command}}}, risk: §read, because: It is fine.}}\n"
    text, _ = unmarked(with_steps(step))
    _, problems = read_but_for_meanings(text, PATH)
    (said,) = [each for each in problems if "leave `risk` away" in each.message]
    assert word in said.message
    assert not said.warning


def test_the_words_say_why_a_step_is_a_change_and_what_to_do_where_it_is_only_not_known():
    step = "- {id: a, title: x, ssh: {host: pve, run: [RUN]}}\n"
    check(step.replace("- ", "- §").replace("RUN", "my-tool"), "if it only reads, say `risk: read`")
    text, _ = unmarked(with_steps(step.replace("RUN", "touch, x")))
    _, problems = read_but_for_meanings(text, PATH)
    assert any("touch" in each.message and "if it only reads" not in each.message for each in problems)


VERIFY = """\
- id: change
  title: Restart it
  kubectl: rollout restart deployment/web -n web
  verify: {§ssh: {host: pve, run: [RUN]}, until: result.exit == 0, within: 1mMORE}
"""


@pytest.mark.parametrize(
    ("run", "more", "message"),
    [
        ("my-tool", "", "my-tool"),
        ("my-tool", ", risk: read", "`reads`"),
        ("touch, x", ", risk: read, because: It is fine.", "leave `risk` away"),
        ("ls", ", risk: read, because: It is fine.", "nothing is lowered"),
    ],
)
def test_a_verification_only_looks(run: str, more: str, message: str):
    text, _ = unmarked(with_steps(VERIFY.replace("RUN", run).replace("MORE", more)))
    _, problems = read_but_for_meanings(text, PATH)
    (said,) = problems
    assert message in said.message
    assert said.message.startswith("step change: ")
    assert said.position.line == with_steps(VERIFY).split("§")[0].count("\n") + 1


def test_a_verification_is_lowered_with_a_reason():
    good(
        with_steps(
            VERIFY.replace("§", "").replace("RUN", "my-tool").replace("MORE", ", risk: read, because: Looks.")
        )
    )


def test_triage_is_told_that_it_does_not_run_what_is_a_read_by_its_author_s_word():
    text = with_steps(f"{PEEK}, because: It looks.}}\n")
    text = text.replace("steps:\n", "triage: [{use: a, verdict: {ok: result.exit == 0}}]\nsteps:\n")
    _, problems = read_but_for_meanings(text, PATH)
    (said,) = problems
    assert "triage does not run that" in said.message
    assert said.warning


def test_a_need_may_be_a_read_by_its_author_s_word():
    peek = f"{PEEK}, because: It looks., expect: [result.exit == 0]}}\n"
    good(with_steps(peek + with_lines(CHANGE, "needs: [a]")))
    unsafe = peek.replace("my-tool", "touch, x")
    text, _ = unmarked(with_steps(unsafe + with_lines(CHANGE, "needs: [a]")))
    _, problems = read_but_for_meanings(text, PATH)
    assert any("needs: 'a' is not a read" in each.message and "touch" in each.message for each in problems)


def test_a_foreign_command_is_lowered_with_a_reason():
    good(
        with_steps("- {id: a, title: x, ssh: {host: pve, run: [my-tool]}, risk: read, because: It looks.}\n")
    )
    good(with_steps("- {id: a, title: x, kubectl: exec p -- my-tool, risk: read, because: It looks.}\n"))


@pytest.mark.parametrize(
    ("step", "messages"),
    [
        (without(CHANGE, "verify").replace("id:", "§id:"), ["needs `verify`"]),
        (without(DELETION, "verify").replace("id:", "§id:"), ["needs `verify`"]),
        (without(DELETION, "impact").replace("id:", "§id:"), ["says what it breaks"]),
        (without(DELETION, "confirm").replace("id:", "§id:"), ["confirmed by typing"]),
        (without(DELETION, "confirm") + "  confirm: §key\n", ["confirmed by typing"]),
        (without(DELETION, "confirm") + "  confirm: {type: §Yes}\n", ["typed without looking"]),
        (without(DELETION, "confirm") + "  confirm: {type: §web}\n", ["shorter than 4 characters"]),
        (
            without(DELETION, "confirm") + '  confirm: {type: "§ \\u2800\\u3164 "}\n',
            ["the text to type is blank"],
        ),
        (
            "- §§§{id: a, title: x, ssh: {host: pve, run: [reboot]}}\n",
            ["confirmed by typing", "says what it breaks", "needs `verify`"],
        ),
        ("- §{id: a, title: x, http: {post: app}}\n", ["needs `verify`"]),
        (CHANGE + "  retries: §1\n", ["`retries` is for reads"]),
        (CHANGE + "  wait: §{until: 'true', within: 1s}\n", ["`wait` repeats a read"]),
        (CHANGE + "  foreach: '[1]'\n  pin: §{uid: x}\n", ["cannot hold for every element"]),
        ("- {id: a, title: x, kubectl: get pods, pin: §{uid: x}}\n", ["`pin` is for a step that changes"]),
        (
            "- id: a\n  title: x\n  http: {post: app}\n  pin: §{uid: x}\n"
            "  verify: {http: {get: app}, until: 'true', within: 1s}\n",
            ["`pin` is for kubectl"],
        ),
        (
            "- id: a\n  title: x\n  kubectl: exec p -- my-tool\n  pin: §{uid: x}\n"
            "  verify: {http: {get: app}, until: 'true', within: 1s}\n",
            ["kubectl exec cannot be pinned"],
        ),
        (
            CHANGE.replace(
                "kubectl: rollout status deployment/web", "kubectl: §rollout restart deployment/web"
            ),
            ["`verify` only looks, and this is of risk change"],
        ),
        (CHANGE + "  preview: {kubectl: §delete pod x}\n", ["`preview` only looks"]),
        ("- {id: a, title: x, kubectl: get pods, foreach: '[1]', retries: §1}\n", ["do not go together"]),
        ("- {id: a, title: x, manual: y, retries: §1}\n", ["`retries` needs kubectl"]),
        ("- {id: a, title: x, wait: §{until: 'true', within: 1s}}\n", ["`wait` needs kubectl"]),
        ("- {id: a, title: x, ask: y, foreach: §'[1]'}\n", ["`foreach` needs kubectl"]),
    ],
)
def test_what_can_hurt_is_confirmed_verified_and_never_repeated(step: str, messages: Sequence[str]):
    check(step, *messages)


@pytest.mark.parametrize(
    "line",
    [
        *("needs: §[app]", "guards: §[{that: 'true', else: x}]", "confirm: §key", "approve: §2"),
        "verify: §{http: {get: app}, until: 'true', within: 1s}",
        "preview: §{http: {get: app}}",
    ],
)
@pytest.mark.parametrize(
    ("action", "message"),
    [("kubectl: get pods", "only reads"), ("manual: y", "has no effect on what a person")],
)
def test_keys_of_a_change_do_not_stand_where_nothing_would_heed_them(line: str, action: str, message: str):
    check(f"- id: a\n  title: x\n  {action}\n  {line}\n", message)


def test_a_person_who_makes_the_change_may_be_told_about_it():
    good(
        with_steps(
            "- {id: a, title: Press it, manual: Press it., risk: change, impact: a, undo: b, unknown: c}\n"
        )
    )


def test_a_long_text_to_type_is_a_warning():
    step = without(DELETION, "confirm") + "  confirm: {type: §authentik-embedded-outpost}\n"
    (problem,) = expect_at_marks(with_steps(step), "26 characters to type; 20 are enough")
    assert problem.warning


VOUCHED = "\n  risk: read\n  because: It only prints."


@pytest.mark.parametrize(
    ("action", "messages"),
    [
        ("ssh: {host: pve, run: \"echo '${{ §pod }}'\"}", ["pod: a value within single quotes"]),
        (
            "ssh: {host: pve, run: [sh, -c, 'echo ${{ §pod }}']}" + VOUCHED,
            ["would read a value as a program"],
        ),
        ("kubectl: exec p -- /bin/bash -ec echo=${{ §pod }}" + VOUCHED, ["would read a value as a program"]),
    ],
)
def test_no_value_reaches_a_shell_unquoted(action: str, messages: Sequence[str]):
    check(f"- id: a\n  title: x\n  {action}\n", *messages)


def test_a_shell_line_that_cannot_be_read_is_told_where_it_breaks():
    check(
        """\
        - id: a
          title: x
          ssh: {host: pve, run: "echo §'a"}
          verify: {http: {get: app}, until: result.status == 200, within: 1m}
        """,
        "the shell text is not understood",
    )


def test_the_line_begins_after_the_word_kubectl():
    check(CHANGE.replace("kubectl: rollout restart", "kubectl: §kubectl rollout restart"), "leave it out")


def test_the_verb_of_kubectl_stands_as_it_is():
    check(
        CHANGE.replace("kubectl: rollout restart", "kubectl: §${{ pod }} restart"),
        "the verb must stand as it is",
    )


def test_a_value_beside_a_script_is_fine():
    good(with_steps("- {id: a, title: x, ssh: {host: pve, run: [sh, -c, 'cat \"$1\"', sh, '${{ pod }}']}}\n"))
    good(with_steps("- {id: a, title: x, ssh: {host: pve, run: 'cat ${{ pod }} | wc -l'}}\n"))


def test_a_probe_must_exist():
    assert (
        probed("§look-at-registy") == "there is no probe 'look-at-registy'; did you mean 'look-at-registry'?"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{endpoint: app, layer: true}", "takes no argument 'layer'; did you mean 'layers'?"),
        ("{layers: true}", "needs the argument 'endpoint'"),
        ("{endpoint: 1}", "endpoint must be the name of an endpoint"),
        ("{endpoint: app, layers: 1}", "layers must be true or false"),
        ("{endpoint: app, tags: true}", "tags must be a whole number"),
        ("{endpoint: app, repositories: x}", "repositories must be a list of names"),
    ],
)
def test_a_probe_takes_its_own_arguments(arguments: str, message: str):
    assert message in probed(f"§{{run: look-at-registry, with: {arguments}}}")


def test_the_kind_of_a_value_that_is_put_in_is_not_known_yet():
    step = f"- {{id: a, title: x, probe: {{run: look-at-registry, with: {ARGUMENTS}}}}}\n"
    text = with_steps(step)
    runbook, problems = read_but_for_meanings(text, PATH, probes=PROBES)
    assert (runbook is not None, problems) == (True, [])


ARGUMENTS = "{endpoint: '${{ pod }}', tags: '${{ status }}', layers: ~, repositories: [a, '${{ pod }}']}"


@dataclass(frozen=True)
class Argument:
    kind: str
    required: bool = False


@dataclass(frozen=True)
class Probe:
    arguments: Mapping[str, Argument]


PROBES = {
    "look-at-registry": Probe(
        {
            "endpoint": Argument("endpoint", required=True),
            "repositories": Argument("names"),
            "tags": Argument("integer"),
            "layers": Argument("boolean"),
        }
    )
}


def probed(action: str) -> str:
    """What is wrong with a probe action, which must be told at its mark."""
    text, places = unmarked(with_steps(f"- {{id: a, title: x, probe: {action}}}\n"))
    _, (problem,) = read_but_for_meanings(text, PATH, probes=PROBES)
    assert [(problem.position.line, problem.position.column)] == places
    return problem.message


USES = """\
runbook: example
title: An example
summary: Something is wrong.
severity: sev2
uses: {uses}
steps:
{steps}"""


@pytest.mark.parametrize(
    ("uses", "steps", "messages"),
    [
        ("{}", "- {id: a, title: x, kubectl: §get pods}", ["uses.clusters names no cluster"]),
        (
            "{clusters: [a, b]}",
            "- {id: a, title: x, kubectl: {run: get pods, cluster: a}}\n"
            "- {id: b, title: x, kubectl: §get pods}\n"
            "- {id: c, title: x, kubectl: {run: get pods, cluster: b}}",
            ["say which with `cluster`"],
        ),
        (
            "{clusters: [main]}",
            "- {id: a, title: x, kubectl: get pods}\n"
            "- {id: b, title: x, kubectl: §{run: get pods, cluster: mian}}",
            ["'mian' is not among uses.clusters; did you mean 'main'?"],
        ),
        (
            "{}",
            "- {id: a, title: x, ssh: {host: §pve, run: [uptime]}}",
            ["'pve' is not among uses.hosts; there are none"],
        ),
        (
            "{endpoints: [app]}",
            "- {id: a, title: x, http: {get: app}}\n- {id: b, title: x, http: §{get: ap}}",
            ["'ap' is not among uses.endpoints"],
        ),
        (
            "{}",
            "- {id: a, title: x, manual: '${{ §site.variables.zone }}'}",
            ["'zone' is not among uses.variables"],
        ),
        (
            "§§{hosts: [pve], variables: [zone]}",
            "- {id: a, title: x}",
            ["uses.hosts names 'pve', which no step uses", "uses.variables names 'zone'"],
        ),
        (
            "{hosts: [a, b]}",
            "- {id: a, title: x, ask: y, capture: {h: result.answer}}\n"
            "- {id: b, title: x, ssh: {host: '${{ h }}', run: [uptime]}}",
            [],
        ),
        ("{endpoints: [registry]}", "- {id: a, title: x, probe: {run: y, with: {endpoint: registry}}}", []),
        ("{variables: [zone]}", '- {id: a, title: x, when: \'site.variables["zone"] == ""\'}', []),
        ("{variables: [zone]}", "- {id: a, title: x, when: 'size(site.variables) == 0'}", []),
        (
            "{endpoints: [app], secrets: [token]}",
            "- {id: a, title: x, http: {get: app, headers: {A: '${{ secrets.token }}'}}}",
            [],
        ),
        (
            "{endpoints: [app]}",
            "- {id: a, title: x, http: {get: app, headers: {A: '${{ §secrets.token }}'}}}",
            ["'token' is not among uses.secrets"],
        ),
    ],
)
def test_uses_names_what_the_steps_name_and_nothing_else(uses: str, steps: str, messages: Sequence[str]):
    text = USES.replace("{uses}", uses).replace("{steps}", indent(steps, "  ")) + "\n"
    expect_at_marks(text, *messages)


def test_a_long_phase_is_a_warning_at_the_step_that_is_too_much():
    steps = "".join(f"- {{id: a{n}, title: x, phase: look}}\n" for n in range(9))
    good(with_steps(steps))
    problems = expect_at_marks(
        with_steps(steps + "- §{id: b, title: x, phase: look}\n- {id: c, title: x, phase: act}\n"),
        "phase 'look' has 10 steps in a row",
    )
    assert problems[0].warning


def test_steps_without_a_phase_are_counted_too():
    steps = "".join(f"- {{id: a{n}, title: x}}\n" for n in range(6))
    expect_at_marks(with_steps(steps + "- §{id: b, title: x}\n"), "without a `phase`, 10 steps in a row")


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Find the pod and delete it", True),
        ("Stop the job, then restart it", True),
        ("Find the pod and its node", False),
        ("Search and rescue", False),
        ("Commands and control", False),
    ],
)
def test_a_title_with_two_verbs_is_a_warning(title: str, told: bool):
    text = with_steps(f"- {{id: a, title: '{title}'}}\n")
    _, problems = read_but_for_meanings(text, PATH)
    assert [problem.warning for problem in problems] == [True] * told


def test_a_runbook_in_one_file_and_the_same_in_memory_agree(tmp_path: Path):
    text = dedent(with_steps(CHANGE + DELETION))
    runbook = good(text, tmp_path / "runbook.yaml")
    assert without_meanings(lint(runbook)) == []


def test_the_head_of_these_tests_is_good():
    good(HEAD)


WORDS = "add `means`: what has been found when it holds"


def test_a_condition_that_says_nothing_to_people_is_a_warning() -> None:
    text = with_steps(
        """
        - id: wait
          title: Wait for it
          kubectl: get pods -n web -o json
          wait: {until: size(result.json.items) > 0, every: 1s, within: 1m}
          expect:
            - {that: result.exit == 0, means: It answers}
            - that: result.exit < 1
              means: It answers (${{ result.exit }}), for size(result.json.items) > 0
        """
    )
    _, problems = read_runbook(text, PATH)
    said = [problem.message for problem in problems if problem.warning]
    assert [each for each in said if "step wait" in each] == [
        f"step wait: wait says nothing to people; {WORDS}",
        "step wait: expect: `means` is for people: say it in words, not as an expression",
    ]
    assert [each for each in said if WORDS in each][:3] == [
        f"step {step}: expect says nothing to people; {WORDS}" for step in ("pod", "host", "app")
    ]


def test_a_verdict_that_says_nothing_to_people_is_a_warning() -> None:
    verdict = "{confirmed: status == 503, ok: {that: status == 200, means: It answers}}"
    text = f"{HEAD}triage:\n  - use: app\n    verdict: {verdict}\n"
    _, problems = read_runbook(text, PATH)
    assert [each.message for each in problems if "triage" in each.message] == [
        f"triage app: confirmed says nothing to people; {WORDS}"
    ]


def test_one_way_and_one_expectation_need_no_list():
    steps = """\
    - id: again
      title: Look again
      http: {get: app}
      expect: {that: result.status == 200, means: It is up.}
      next: {goto: done, when: result.status == 200}
    """
    expect_at_marks(with_steps(steps))


def test_a_path_begins_with_a_slash():
    expect_at_marks(
        with_steps("- {id: a, title: x, http: {get: app, path: §health}}\n"), "a path begins with /"
    )
    expect_at_marks(with_steps("- {id: a, title: x, http: {get: app, path: '/${{ status }}'}}\n"))
