"""Where a value cannot be one value and nothing else, lint says so at its place."""

import pytest

from tests.runbook.format_support import expect_at_marks, good, place, read, unmarked, with_steps

CHANGE = """\
- id: change
  title: Change it
  {action}
  impact: It changes.
  confirm: {{type: "app@lab"}}
  verify: {{http: {{get: app}}, until: result.status == 200, within: 1m}}
"""


def change(action: str) -> str:
    return with_steps(CHANGE.format(action=action))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("http: {post: app, body: 'x ${{ §pod }}'}", "how a value must be written in this body is not known"),
        ('http: {post: app, body: \'{"a": "x", "${{ §pod }}": 1}\'}', "cannot name a field"),
        ("http: {post: app, body: '{\"a\": ${{ §pod }} }, 3'}", "this is not JSON"),
    ],
)
def test_a_value_that_could_be_more_than_one_value_is_refused(action: str, message: str) -> None:
    expect_at_marks(change(action), message)


@pytest.mark.parametrize(
    "action",
    [
        'http: {post: app, body: \'{"a": "${{ pod }}", "n": ${{ status }}}\'}',
        "http: {post: app, body: 'a=${{ pod }}&b=${{ status }}'}",
        "http: {post: app, body: '${{ pod }}'}",
        'kubectl: >-\n    patch pod web -p \'{"metadata": {"labels": {"a": "${{ pod }}"}}}\'',
        "kubectl: >-\n    patch pod web -p ${{ {'metadata': {'labels': {'a': pod}}} }}",
    ],
)
def test_a_value_that_stays_one_value_is_fine(action: str) -> None:
    good(change(action))


def test_optional_names_an_expression_of_the_commands() -> None:
    good(change("ssh: {host: pve, run: [rm, '/srv/${{ pod }}']}\n  optional: [pod]"))
    expect_at_marks(
        change("ssh: {host: pve, run: [rm, '/srv/${{ pod }}']}\n  optional: §[uid]"),
        "`optional` names 'uid', and no command of the step holds it",
    )


def test_a_value_in_a_patch_names_no_field() -> None:
    _, problems = read(change('kubectl: >-\n    patch pod web -p \'{"a": {"${{ pod }}": 1}}\''))
    assert [each.message for each in problems] == [
        "a value cannot name a field; a value must be one JSON value"
    ]


def read_step(ssh: str) -> str:
    """A read on a host that is vouched for, so that only its values can be wrong."""
    return with_steps(
        f"- id: look\n  title: Look\n  ssh: {{host: pve, {ssh}}}\n  risk: read\n  because: It looks.\n"
    )


@pytest.mark.parametrize(
    "run",
    [
        '[bash, -eo, pipefail, -c, "ls -d ${{ §pod }} | head"]',
        '[awk, "/${{ §pod }}/ {print}", /etc/hostname]',
        '[env, -S, "ls ${{ §pod }}"]',
        '[timeout, "5", bash, -eo, pipefail, -c, "ls ${{ §pod }}"]',
        "\"sh -c 'ls -d '${{ §pod }}\"",
        '"eval ls ${{ §pod }}"',
        "\"trap 'ls '${{ §pod }} EXIT\"",
        "\"find . -maxdepth 0 -exec sh -c 'ls '${{ §pod }} \\\\;\"",
        "\"echo a | sed -n '/'${{ §pod }}'/p'\"",
        "\"echo a | xargs -I{} sh -c 'echo {} '${{ §pod }}\"",
        '"git -c core.pager=${{ §pod }} -p log"',
        "\"x=${{ §pod }}; eval 'ls'\"",
        '"echo ${{ §pod }} | sh"',
    ],
)
def test_a_value_that_a_program_would_read_as_code_is_refused_at_its_place(run: str) -> None:
    clean, places = unmarked(read_step(f"run: {run}"))
    _, problems = read(clean)
    assert [place(each) for each in problems if not each.warning][:1] == places, problems


@pytest.mark.parametrize(
    ("ssh", "message"),
    [
        ('run: [bash, -s], stdin: "ls ${{ pod }}"', "bash reads its standard input as a program"),
        ("run: 'cat | sh', stdin: \"ls ${{ pod }}\"", "sh reads its standard input as a program"),
        ('run: [qm, monitor, "1"], stdin: "info ${{ pod }}"', "qm monitor reads its standard input"),
        ('run: [mytool], stdin: "x ${{ pod }}"', "mytool is not known"),
    ],
)
def test_a_value_in_a_programs_text_on_standard_input_is_refused(ssh: str, message: str) -> None:
    _, problems = read(read_step(ssh))
    assert any(message in each.message for each in problems), problems


@pytest.mark.parametrize(
    "ssh", ['run: [mytool, x], stdin: "${{ pod }}"', """run: [mytool], stdin: '{"a": "${{ pod }}"}'"""]
)
def test_a_value_as_the_data_on_standard_input_is_fine(ssh: str) -> None:
    good(read_step(ssh))


def test_a_value_in_a_pods_shell_is_refused_and_as_its_argument_fine() -> None:
    action = "kubectl: exec -i web-0 -- bash -eo pipefail -c {}\n  risk: read\n  because: It looks."
    step = "- id: look\n  title: Look\n  " + action
    _, problems = read(with_steps(step.format('"ls ${{ pod }}"') + "\n"))
    assert any("bash would read a value as a program" in each.message for each in problems), problems
    step = step.partition("\n  risk")[0]
    good(with_steps(step.format("""'ls "$1"' bash ${{ pod }}""") + "\n"))
