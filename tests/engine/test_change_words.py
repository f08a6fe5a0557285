"""What a change is said to do and to have done: the words beside a question, and what an answer means."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from breakglass.engine.change import (
    ChangeOutcome,
    described,
    earlier_words,
    is_finding,
    not_sent,
    nothing_to_do,
    outcome_of,
    rendered_pin,
    seen_of,
    then_words,
)
from breakglass.engine.gateway import Response
from breakglass.engine.prepare import Pinned
from breakglass.engine.scope import alike
from breakglass.journal import events as e
from breakglass.journal.state import Attempt
from breakglass.policy.risk import Risk
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.load import load_runbook
from breakglass.runbook.steps import Step
from breakglass.transport.base import Delivery, Fault, FaultKind, Result
from breakglass.values import Json
from tests.engine.support import write_runbook

CHANGE = """\
- id: restart
  title: Restart
  http: {post: app}
  undo: NONE
  impact: It restarts.
  unknown: Look.
"""
VERIFIED = "  verify: {http: {get: app}, until: result.status == 200, every: 1s, within: 90s%s}\n"


def step_of(folder: Path, text: str) -> Step:
    """The step, which is verified as it must be, or as its text says."""
    verified = text if "verify:" in text else text + VERIFIED % ""
    return load_runbook(write_runbook(folder, verified)).steps[0]


def test_what_follows_a_change_is_said_before_it(tmp_path: Path) -> None:
    def said(step: Step) -> str:
        return then_words(step, alike({"site": {"name": "lab"}}))

    assert said(replace(step_of(tmp_path, CHANGE), verify=None)) == "No automatic check. Verify by hand"
    assert said(step_of(tmp_path, CHANGE)) == (
        "verify: result.status == 200, within 90 s. If not: stop and call"
    )
    assert said(step_of(tmp_path, CHANGE + VERIFIED % ", soak: 30s")) == (
        "verify: result.status == 200, within 90 s, and holds for 30 s. If not: stop and call"
    )
    meant = ', means: "The app of ${{ site.name }} answers (${{ result.status }})"'
    assert said(step_of(tmp_path, CHANGE + VERIFIED % meant)) == (
        "verify: The app of lab answers, within 90 s. If not: stop and call"
    )


def test_what_is_known_of_an_earlier_attempt_is_said(tmp_path: Path) -> None:
    earlier = Attempt(3, datetime.now(UTC))
    verified = step_of(tmp_path, CHANGE)
    bare = replace(verified, verify=None)
    assert earlier_words(bare, None) == earlier_words(verified, None) == ""
    assert earlier_words(bare, earlier) == "attempt 3 was sent and may have happened; nothing verifies it"
    assert earlier_words(verified, earlier) == (
        "attempt 3 was sent; its verification shows that it was not done"
    )


def test_an_object_is_described_with_what_tells_it_from_others() -> None:
    whole: dict[str, Json] = {
        "kind": "Pod",
        "metadata": {
            "name": "web-1",
            "uid": "u-1",
            "namespace": "web",
            "creationTimestamp": "2026-04-18T03:11:00Z",
        },
        "spec": {"nodeName": "k8s-node3"},
    }
    assert described(whole, "pods") == (
        "pod   web-1   uid u-1   namespace web   node k8s-node3   since 2026-04-18T03:11:00Z",
        "u-1",
    )
    assert described({"metadata": {"name": "web-1", "uid": "u-1"}, "spec": None}, "nodes") == (
        "nodes   web-1   uid u-1",
        "u-1",
    )
    assert described({"metadata": "?"}, "nodes") == ("nodes      uid ", "")


def response(kind: FaultKind | None, delivery: Delivery = Delivery.ANSWERED) -> Response:
    found = Fault(kind, "said") if kind is not None else None
    return Response(Result(delivery, 0.1, fault=found), {}, {}, None, "")


MAYBE = {"server-error", "disconnected", "malformed"}


@pytest.mark.parametrize("kind", [None, *get_args(FaultKind)])
def test_an_answer_means_done_or_not_or_that_nobody_knows(tmp_path: Path, kind: FaultKind | None) -> None:
    step = step_of(tmp_path, CHANGE)
    expected = "succeeded" if kind in (None, "timeout") else "unknown" if kind in MAYBE else "failed"
    assert outcome_of(response(kind), step) == expected
    assert outcome_of(response(kind, Delivery.UNKNOWN), step) == "unknown"
    assert outcome_of(response(kind, Delivery.NOT_SENT), step) == "not-sent"
    if kind is not None:
        tolerant = replace(step, tolerate=(kind,))
        assert outcome_of(response(kind), tolerant) == "succeeded"
        assert outcome_of(response(kind, Delivery.UNKNOWN), tolerant) == "unknown"
        assert outcome_of(response(kind, Delivery.NOT_SENT), tolerant) == "not-sent"


def test_only_of_a_probe_a_tolerated_fault_is_a_finding(tmp_path: Path) -> None:
    step = replace(step_of(tmp_path, CHANGE), tolerate=("timeout",))
    probe = replace(step, assessed=replace(step.assessed, declared=Risk.PROBE, because="it only looks"))
    assert not is_finding(step, {"fault": "timeout"})
    assert is_finding(probe, {"fault": "timeout"})
    assert not is_finding(probe, {"fault": "refused"}) and not is_finding(probe, {})


PINNED = """\
- id: purge
  title: Delete
  kubectl: delete pod web-1 -n web
  undo: NONE
  pin: {%s}
  confirm: {type: web-1@test}
  impact: It goes.
  unknown: Look.
"""


@pytest.mark.parametrize(
    ("pin", "pinned"),
    [
        ('uid: "${{ site.name }}"', Pinned("u-1", None)),
        ('resource-version: "${{ site.name }}"', Pinned(None, "u-1")),
        ('uid: "${{ site.name }}", resource-version: "7${{ site.name }}"', Pinned("u-1", "7u-1")),
    ],
)
def test_a_pin_is_what_its_values_say_and_never_empty(tmp_path: Path, pin: str, pinned: Pinned) -> None:
    step = step_of(tmp_path, PINNED % pin)
    assert rendered_pin(step.pin, {"site": {"name": "u-1"}}) == pinned
    with pytest.raises(EvaluationError, match="empty, so nothing would be pinned"):
        rendered_pin(step.pin, {"site": {"name": ""}})


def test_without_a_pin_nothing_is_pinned() -> None:
    assert rendered_pin(None, {}) is None


def test_what_was_not_sent_is_the_end_of_its_own_intent() -> None:
    intent = e.ActionIntended("purge", 2, "delete", "main", "destructive", 3)
    assert not_sent(intent, "why") == e.ActionFinished("purge", 2, "not-sent", 0.0, 3, message="why")


def test_over_an_empty_list_nothing_is_done_and_it_is_said_which(tmp_path: Path) -> None:
    step = step_of(tmp_path, CHANGE + '  foreach: {in: "site.variables.nodes"}\n')
    assert nothing_to_do(step) == ChangeOutcome(
        "nothing-to-do", "site.variables.nodes is empty, so nothing was sent"
    )
    assert seen_of(nothing_to_do(step)).results == ()
    assert seen_of(nothing_to_do(step)).look.value["fault"] == ""
