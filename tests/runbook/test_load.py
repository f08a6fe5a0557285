import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.policy.risk import Assessment, Risk
from breakglass.runbook.actions import (
    AskAction,
    ChooseAction,
    HttpAction,
    KubectlAction,
    ManualAction,
    ProbeAction,
    SshAction,
)
from breakglass.runbook.expression import Expression
from breakglass.runbook.load import load_runbook
from breakglass.runbook.model import Runbook, Uses
from breakglass.runbook.risk import judged
from breakglass.runbook.steps import Confirmation, Step, UndoAdvice
from breakglass.runbook.template import Template
from breakglass.yamlio.position import InvalidFileError
from tests.runbook.format_support import (
    HEAD,
    PATH,
    expect_at_marks,
    good,
    read,
    read_but_for_meanings,
    with_steps,
)

EVERYTHING = (Path(__file__).parent / "everything.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def everything() -> Runbook:
    return good(EVERYTHING)


def source(part: Template | Expression | None) -> str:
    assert part is not None
    return part.source


def test_the_metadata_is_read(everything: Runbook):
    assert (everything.name, everything.title, everything.severity) == (
        "everything",
        "Everything at once",
        "sev2",
    )
    assert (everything.owner, everything.alerts, everything.symptoms) == ("platform", ("AppDown",), ("503",))
    assert everything.preflight == ("Is the application needed to reach it?",)
    assert everything.affected == ("sign-in",)
    assert everything.path == PATH
    assert everything.uses == Uses(
        ("main", "other"),
        ("pve", "node1"),
        ("app", "api"),
        ("token",),
        ("domain",),
        ("vault", "jq", "my-check"),
    )


def test_the_source_and_its_digest_are_kept(everything: Runbook):
    assert everything.source == EVERYTHING
    assert everything.digest == hashlib.sha256(EVERYTHING.encode()).hexdigest()


def test_inputs_have_types_defaults_patterns_and_choices(everything: Runbook):
    inputs = {each.name: each for each in everything.inputs}
    assert (inputs["namespace"].default, inputs["namespace"].pattern) == ("web", "[a-z-]+")
    assert (inputs["count"].type, inputs["count"].default) == ("integer", 3)
    assert (inputs["ratio"].type, inputs["ratio"].default) == ("number", 0.5)
    assert (inputs["force"].type, inputs["force"].default) == ("boolean", False)
    assert (inputs["mode"].type, inputs["mode"].choices) == ("string", ("fast", "slow"))
    assert (inputs["ticket"].has_default, inputs["mode"].has_default) == (False, True)


def test_triage_verdicts_keep_their_conditions(everything: Runbook):
    (check,) = everything.triage
    assert check.step == "app"
    assert {name: each.that.source for name, each in check.verdicts.items()} == {
        "confirmed": "result.status == 503",
        "suspect": "result.status >= 500",
        "ok": "code == 200",
    }


def test_an_http_action_is_read(everything: Runbook):
    action = everything.step("app").action
    assert isinstance(action, HttpAction)
    assert (action.method, action.endpoint, action.follow, action.anonymous) == ("GET", "app", True, True)
    assert source(action.path) == "/x/${{ inputs.namespace }}"
    assert {name: each.source for name, each in action.query.items()} == {
        "a": "1",
        "b": "${{ inputs.count }}",
    }
    assert action.headers["Authorization"].source == "Bearer ${{ secrets.token }}"
    post = everything.step("post").action
    assert isinstance(post, HttpAction) and isinstance(post.json, dict)
    assert post.method == "POST"
    assert post.json["b"] == {"c": None, "d": True}
    items = post.json["a"]
    assert isinstance(items, list) and isinstance(items[1], Template)
    assert (items[0], items[1].source) == (1, "${{ inputs.count }}")


def test_kubectl_is_split_into_words_before_anything_is_put_in(everything: Runbook):
    action = everything.step("each").action
    assert isinstance(action, KubectlAction)
    assert [word.source for word in action.words] == [
        *("exec", "-n", "${{ inputs.namespace }}", "${{ item.metadata.name }}", "--", "df", "-k", "/dev/shm")
    ]
    assert (action.cluster, action.driver, source(action.stdin)) == ("other", "binary", "x")


def test_ssh_takes_words_or_a_line_for_the_shell(everything: Runbook):
    check = everything.step("check").action
    assert isinstance(check, SshAction)
    assert ([word.source for word in check.words], check.shell, check.sudo) == (
        ["my-tool", "--json", "${{ pod }}"],
        False,
        True,
    )
    preview = everything.step("purge").preview
    assert isinstance(preview, SshAction)
    assert ([word.source for word in preview.words], preview.shell) == (
        ["cat /proc/mounts | grep ${{ uid }}"],
        True,
    )


def test_a_probe_has_arguments(everything: Runbook):
    action = everything.step("probed").action
    assert isinstance(action, ProbeAction)
    assert action.name == "registry-integrity"
    tags = action.arguments["tags"]
    assert isinstance(tags, list) and isinstance(tags[0], Template)
    assert (tags[0].source, tags[1:]) == ("${{ inputs.mode }}", [1, True, None])


def test_what_a_person_answers_is_read(everything: Runbook):
    ask, choose, manual = (everything.step(name).action for name in ("ticket", "way", "by-hand"))
    assert isinstance(ask, AskAction)
    assert (ask.prompt.source, ask.type, ask.pattern, ask.secret) == (
        "Ticket of ${{ code }}?",
        "string",
        "[A-Z]+-[0-9]+",
        True,
    )
    assert isinstance(choose, ChooseAction)
    assert [(way.name, way.say.source, way.goto) for way in choose.options] == [
        ("delete", "Delete ${{ pod }}", "purge"),
        ("wait", "Wait", None),
    ]
    assert source(choose.options[0].when) == "size(full) > 0"
    assert isinstance(manual, ManualAction)
    assert manual.instructions.source == "Is it green on ${{ pod }}?"


def test_what_a_read_expects_and_where_it_leads(everything: Runbook):
    app = everything.step("app")
    assert (app.timeout, app.retries, app.tolerate, app.phase) == (0.5, 2, ("timeout", "tls"), "look")
    assert {name: each.source for name, each in app.capture.items()} == {
        "code": "result.status",
        "twice": "code * 2",
    }
    assert [(each.that.source, each.otherwise and each.otherwise.source) for each in app.expect] == [
        ("code in [200, 503]", None),
        ("twice > 1", "Got ${{ code }}."),
    ]
    assert [(each.when and each.when.source, each.goto) for each in app.next] == [
        ("code == 200", "done"),
        ("code == 503", "pods"),
        (None, "ticket"),
    ]
    assert source(everything.step("check").when) == "inputs.force || session.mode == 'live'"
    assert [each.goto for each in everything.step("restart").next] == ["end"]


def test_waiting_and_lists_are_read(everything: Runbook):
    wait = everything.step("pods").wait
    assert wait is not None
    assert (wait.until.source, wait.every, wait.within) == ("size(result.json.items) > 0", 1.0, 60.0)
    each = everything.step("each").foreach
    assert each is not None
    assert (each.items.source, each.parallel) == ("pods", 4)
    (expectation,) = everything.step("pods").expect
    assert expectation.that.source == "size(pods) > 0"


def test_a_change_keeps_all_that_makes_it_safe(everything: Runbook):
    purge = everything.step("purge")
    assert purge.assessed.declared is Risk.DESTRUCTIVE
    assert purge.pin is not None
    assert (source(purge.pin.uid), source(purge.pin.resource_version)) == ("${{ uid }}", "1")
    assert purge.needs == ("check",)
    (guard,) = purge.guards
    assert (guard.that.source, guard.otherwise.source) == ("size(pods) > 1", "Only ${{ size(pods) }} left.")
    assert purge.confirm is not None
    assert source(purge.confirm.type) == "${{ pod }}"
    assert (source(purge.impact), source(purge.unknown)) == ("All is lost.", "Look at ${{ uid }}.")
    assert purge.undo is not None
    assert (purge.undo.say.source, purge.undo.step) == ("It comes back by itself.", "restart")
    assert (purge.approve, purge.assume, purge.redact) == (2, {"after": 200}, True)
    assert (source(purge.followup), purge.hint) == ("Write it down.", "Think.")
    verify = purge.verify
    assert verify is not None and isinstance(verify.action, HttpAction)
    assert (verify.every, verify.within, verify.soak) == (2.0, 60.0, 300.0)
    assert {name: each.source for name, each in verify.capture.items()} == {"after": "result.status"}


def test_one_key_confirms_a_change_and_undo_may_be_text(everything: Runbook):
    post = everything.step("post")
    assert post.confirm == Confirmation(None)
    assert isinstance(post.undo, UndoAdvice)
    assert (post.undo.say.source, post.undo.step) == ("Unsilence it.", None)
    assert everything.step("end").ends == "recovered"
    check = everything.step("check")
    assert (check.assessed.declared, check.assessed.because) == (Risk.READ, "my-tool only reads.")


def test_what_is_left_out_has_its_default():
    step = good(HEAD).steps[1]
    assert step.action is not None
    assert step == replace(
        Step(id="host", title="Ask the host", position=step.position, action=step.action),
        expect=step.expect,
        assessed=Assessment(judged(step.action)),
    )


def test_expressions_know_their_place_in_the_file():
    runbook = good(
        with_steps(
            """\
            - id: more
              title: Look again
              kubectl: get pods -n ${{ inputs.namespace }}
              expect:
                - {that: 'result.exit == 0', else: "It is ${{ result.exit }}."}
            """
        )
    )
    step = runbook.step("more")
    lines = runbook.source.splitlines()
    assert isinstance(step.action, KubectlAction)
    word = step.action.words[3].parts[0]
    assert isinstance(word, Expression)
    that = step.expect[0].that
    otherwise = step.expect[0].otherwise
    assert otherwise is not None and isinstance(otherwise.parts[1], Expression)
    for expression in (word, that, otherwise.parts[1]):
        line = lines[expression.position.line - 1]
        assert line[expression.position.column - 1 :].startswith(expression.source)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("§", ["expected a runbook (a mapping), not nothing"]),
        ("§[1]", ["expected a runbook (a mapping), not a list"]),
        (
            "§runbook: §Upper Case\ntitle: §1\nseverity: §high\nsteps: §[]",
            ["a runbook needs 'summary'", "a name in lower case", "quote it", "not known here", "is empty"],
        ),
        (HEAD + "§onwer: me\n", ["unknown key 'onwer' in a runbook; did you mean 'owner'?"]),
        (HEAD.replace("hosts:", "§host:"), ["unknown key 'host' in `uses`; did you mean 'hosts'?"]),
        (HEAD.replace("[main]", "§main"), ["expected a list of names"]),
        (HEAD.replace("{default: web}", "§web"), ["expected an input (a mapping)"]),
        (HEAD.replace("{default: web}", "{default: §1}"), ["the default 1 is not of type string"]),
        (
            HEAD.replace(
                "{default: web}", "{default: web, pattern: '[a-z]+'}\n  n: {type: integer, default: §'1'}"
            ),
            ['the default "1" is not of type integer'],
        ),
        (
            HEAD.replace("{default: web}", "{default: §web, pattern: '[0-9]+'}"),
            ["does not match the pattern"],
        ),
        (HEAD.replace("{default: web}", "{default: §web, choices: [a, b]}"), ["not one of the choices"]),
        (HEAD.replace("{default: web}", "{choices: §[a, 1]}"), ["1 is not of type string"]),
        (HEAD.replace("{default: web}", "{pattern: §'['}"), ["not a regular expression"]),
        (HEAD.replace("{default: web}", "{pattern: §'[a--b]'}"), ["not a regular expression"]),
        (HEAD.replace("{default: web}", "{type: §strng}"), ["mean 'string'?"]),
        (HEAD.replace("{default: web}", "{default: web}\n  §in: {}"), ["a word of CEL"]),
        (HEAD.replace("{default: web}", "{default: web}\n  §namespace: {}"), ["here twice"]),
        (HEAD.replace("{default: web}", "{default: web}\n  §a-b: {}"), ["is not a name"]),
        (HEAD + "triage: [{use: app, verdict: §{}}]\n", ["a verdict needs"]),
        (HEAD + "triage: [§{use: app}]\n", ["needs 'verdict'"]),
        (HEAD + "triage: [{use: app, verdict: {§okay: 'true'}}]\n", ["did you mean 'ok'?"]),
    ],
)
def test_every_fault_at_the_top_of_a_file_is_told_at_its_place(text: str, messages: list[str]):
    expect_at_marks(text, *messages)


@pytest.mark.parametrize(
    ("step", "messages"),
    [
        ("§expekt: [result.exit == 0]\nkubectl: get pods", ["did you mean 'expect'?"]),
        ("§zzz: 1", ["unknown key 'zzz' in a step; known: approve, ask"]),
        ("kubectl: get pods\n§ssh: {host: pve, run: [uptime]}", ["one of kubectl or ssh, not several"]),
        ("kubectl: §{cluster: main}", ["a kubectl action needs 'run'"]),
        ("kubectl: get pods §| grep x", ["'|' is for a shell"]),
        ("kubectl: get 'pod§s", ["the quote ' is not closed"]),
        ("kubectl: get ${{ pod }} §${{ x", ["not closed with }}"]),
        ("kubectl: get §${{ }}", ["holds no expression"]),
        ("kubectl:§", ["expected a kubectl command line"]),
        ("kubectl: {run: get pods, driver: §fast}", ["not known here"]),
        ("ssh: §uptime", ["expected an ssh action (a mapping)"]),
        ("ssh: {host: pve, run: §[]}", ["and this one is empty"]),
        ("ssh: {host: pve, run: [echo, §{}]}", ["expected text, not a mapping"]),
        ("http: §{path: /}", ["needs one of get, head, options, post"]),
        ("http: {get: app, §put: app}", ["one of get or put"]),
        ("http: {get: §'${{ x }}'}", ["a name of the site"]),
        ("http: {get: app, body: x, json: §{}}", ["`body` or `json`, not both"]),
        ("http: {get: app, follow: §yes}", ["expected true or false"]),
        ("choose: §{}", ["offers nothing"]),
        ("choose: {a: §{goto: pod}}", ["a way needs 'say'"]),
        ("ask: {prompt: How many?, type: integer, pattern: §x}", ["a pattern is for text"]),
        ("ask: {prompt: Which?, pattern: §'(a'}", ["not a regular expression"]),
        ("timeout: §10 s\nkubectl: get pods", ["expected a duration"]),
        ("timeout: §0\nkubectl: get pods", ["at least 50ms"]),
        ("retries: §-1\nkubectl: get pods", ["a whole number from 0 to 10"]),
        ("tolerate: [§time-out]\nkubectl: get pods", ["did you mean 'timeout'?"]),
        ("wait: §§{every: 1s}\nkubectl: get pods", ["needs 'until'", "needs 'within'"]),
        ("foreach: {in: '[1]', parallel: §0}\nkubectl: get pods", ["a whole number from 1 to 64"]),
        ("when: §${{ status == 1 }}", ["without ${{ }}"]),
        ("capture: {§result: status}\nkubectl: get pods", ["a name that the program gives"]),
        ("capture: {§for: status}\nkubectl: get pods", ["a word of CEL"]),
        ("capture: {§a-b: status}\nkubectl: get pods", ["letters, digits and _"]),
        ("expect: [{that: status == 1, §els: x}]", ["did you mean 'else'?"]),
        ("next: [{when: status == 1, §got: pod}]", ["did you mean 'goto'?"]),
        ("next: [§{when: status == 1}]", ["needs 'goto'"]),
        ("ends: §recover", ["did you mean 'recovered'?"]),
        ("redact: §1", ["expected true or false"]),
    ],
)
def test_every_fault_in_a_step_is_told_at_its_place(step: str, messages: list[str]):
    lines = ["- id: x", "  title: x", *(f"  {line}" for line in step.splitlines())]
    expect_at_marks(with_steps("\n".join(lines)), *messages)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("§title: x", "a step needs 'id'"),
        ("§id: x", "a step needs 'title'"),
        ("id: §X\n  title: x", "a step's id in lower case"),
        ("id: §done\n  title: x", "'done' is where a walk ends"),
        ("id: x\n  title: §''", "expected text"),
    ],
)
def test_a_step_has_an_id_and_a_title(step: str, message: str):
    expect_at_marks(with_steps(f"- {step}\n"), message)


def test_a_misspelt_key_is_still_read_for_what_is_wrong_inside():
    expect_at_marks(
        with_steps(
            """\
            - id: x
              title: Look again
              kubectl: get pods
              §expekt: [{that: status == 1, §esle: x}]
            """
        ),
        "did you mean 'expect'?",
        "did you mean 'else'?",
    )


def test_what_depends_on_an_unreadable_part_is_not_judged():
    expect_at_marks(
        with_steps(
            """\
            - id: first
              title: Look again
              kubectl: get pods
              §captured: {name: result.text}
            - id: second
              title: Delete it
              kubectl: delete pod ${{ name }} -n web
              confirm: {type: web-0}
              impact: It is gone.
              verify: §{kubectl: get pods, until: 'true'}
            """
        ),
        "did you mean 'capture'?",
        "`verify` needs 'within'",
    )


def test_problems_of_every_stage_are_told_together():
    text = with_steps(
        """\
        - id: a
          title: Look at it
          §id: b
          kubectl: get pods §> out
        - id: c
          title: Look at it
          §wen: status == 1
          when: §stauts == 1
        """
    )
    expect_at_marks(text, "here twice", "for a shell", "did you mean 'when'?", "did you mean 'status'?")


def test_a_runbook_with_warnings_alone_is_given(tmp_path: Path):
    path = tmp_path / "runbook.yaml"
    path.write_text(with_steps("- {id: a, title: Check and restart it, manual: Do it.}\n"))
    runbook, problems = read_but_for_meanings(path.read_text(), path)
    assert runbook is not None
    assert [problem.warning for problem in problems] == [True]
    assert load_runbook(path) == runbook


def test_loading_a_bad_file_raises_every_problem(tmp_path: Path):
    path = tmp_path / "runbook.yaml"
    path.write_text("runbook: x\ntitel: y\n")
    with pytest.raises(InvalidFileError) as caught:
        load_runbook(path)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{path}:1:1: a runbook needs 'severity'",
        f"{path}:1:1: a runbook needs 'steps'",
        f"{path}:1:1: a runbook needs 'summary'",
        f"{path}:2:1: unknown key 'titel' in a runbook; did you mean 'title'?",
    ]


def test_a_missing_file_is_a_problem_and_not_a_traceback(tmp_path: Path):
    with pytest.raises(InvalidFileError, match="cannot be read: No such file"):
        load_runbook(tmp_path / "runbook.yaml")


def test_text_that_is_not_yaml_has_one_problem_with_its_place():
    runbook, problems = read("runbook: [\n")
    assert runbook is None
    assert [str(problem) for problem in problems] == [
        f"{PATH}:2:1: not YAML: did not find expected node content, while parsing a flow node"
    ]
