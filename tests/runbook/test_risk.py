"""What the actions of a step count as, in a runbook by itself and on a site."""

from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.policy.risk import Assessment, Risk
from breakglass.policy.site_rules import SiteRules
from breakglass.runbook.actions import KubectlAction, SshAction
from breakglass.runbook.assessed import assessed_on, vouched_words
from breakglass.runbook.expression import Expression
from breakglass.runbook.risk import judged
from breakglass.runbook.steps import Step, Verification
from breakglass.runbook.template import parse_template, split_words
from breakglass.yamlio.position import Position
from tests.runbook.format_support import good, with_steps

PLACE = Position(Path("runbook.yaml"), 1, 1)
DOOR = SiteRules(forced=frozenset({"door"}))


def ssh(line: str, host: str = "pve", *, shell: bool = True) -> SshAction:
    words = (parse_template(line, PLACE),) if shell else split_words(line, PLACE)
    return SshAction(parse_template(host, PLACE), words, shell, PLACE)


def step_of(action: SshAction | KubectlAction, declared: Risk | None = None, because: str = "") -> Step:
    return Step("s", "t", PLACE, action=action, assessed=Assessment(judged(action), declared, because))


def on_site(step: Step, says: SiteRules) -> Step:
    return assessed_on(replace(good(with_steps("")), steps=(step,)), says).steps[0]


def test_an_interpolated_command_counts_as_a_change() -> None:
    assert step_of(ssh("${{ command }} --help")).risk is Risk.CHANGE


def test_a_label_raises_risk() -> None:
    assert step_of(ssh("ls"), Risk.DESTRUCTIVE).risk is Risk.DESTRUCTIVE


def test_a_label_lowers_an_ssh_command_only_with_a_reason() -> None:
    assert step_of(ssh("unheard-of"), Risk.READ).risk is Risk.CHANGE
    assert step_of(ssh("unheard-of"), Risk.READ, "it only prints").risk is Risk.READ


def test_a_kubectl_verb_is_never_lowered() -> None:
    action = KubectlAction(split_words("delete pod x", PLACE), PLACE)
    assert step_of(action, Risk.READ, "I say so").risk is Risk.DESTRUCTIVE


@pytest.mark.parametrize("line", ["rm -f /tmp/x", "my-tool; rm -f /tmp/x"])
def test_what_is_known_to_destroy_is_never_lowered(line: str) -> None:
    assert step_of(ssh(line), Risk.READ, "It is fine.").risk is Risk.DESTRUCTIVE


@pytest.mark.parametrize(
    ("verb", "risk"),
    [("status", Risk.READ), ("stop", Risk.DESTRUCTIVE), ("start", Risk.CHANGE), ("explode", Risk.CHANGE)],
)
def test_a_bare_verb_has_its_risk_where_the_host_takes_nothing_else(verb: str, risk: Risk) -> None:
    assert on_site(step_of(ssh(verb, "door", shell=False)), DOOR).risk is risk


def test_a_host_that_only_a_value_names_is_taken_for_any_other() -> None:
    assert on_site(step_of(ssh("stop", "${{ inputs.host }}", shell=False)), DOOR).risk is Risk.CHANGE


def test_a_site_makes_no_read_of_a_step_that_its_author_verifies_as_a_change() -> None:
    verify = Verification(action=ssh("uptime"), until=Expression("true", PLACE), within=1.0)
    step = step_of(ssh("status", "door", shell=False))
    assert on_site(step, DOOR).risk is Risk.READ
    assert on_site(replace(step, verify=verify), DOOR).risk is Risk.CHANGE


def test_the_verification_is_assessed_with_the_step() -> None:
    runbook = good(
        with_steps(
            """\
            - id: change
              title: Restart it
              kubectl: rollout restart deployment/web -n web
              verify:
                ssh: {host: pve, run: [unheard-of]}
                risk: read
                because: It only prints.
                until: result.exit == 0
                within: 1m
            """
        )
    )
    step = runbook.step("change")
    assert step.verify is not None
    assert step.verify.assessed.risk is Risk.READ
    assert vouched_words(step) == ["verify is a READ (by the author's word: It only prints.)"]
    assert vouched_words(step_of(ssh("unheard-of"), Risk.READ, "It prints.")) == [
        "READ (by the author's word: It prints.)"
    ]
    assert vouched_words(step_of(ssh("ls"))) == []


@pytest.mark.parametrize("line", ["openssl s_client -connect h:443", "sudo openssl s_client -connect h:443"])
@pytest.mark.parametrize("shell", [True, False])
def test_what_a_step_gives_to_a_command_that_sends_it_is_no_read(line: str, shell: bool) -> None:
    action = ssh(line, shell=shell)
    assert judged(action).risk is Risk.READ
    assert judged(replace(action, stdin=parse_template("QUIT", PLACE))).risk is Risk.CHANGE


def test_what_a_step_gives_to_a_command_in_a_pod_that_sends_it_is_no_read() -> None:
    words = split_words("exec -i p -- openssl s_client -connect h:443", PLACE)
    assert judged(KubectlAction(words, PLACE, stdin=parse_template("QUIT", PLACE))).risk is Risk.CHANGE
    assert judged(KubectlAction(words, PLACE)).risk is Risk.READ
