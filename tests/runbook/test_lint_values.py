"""Where a value cannot be one value and nothing else, lint says so at its place."""

import pytest

from tests.runbook.format_support import expect_at_marks, good, read, with_steps

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
