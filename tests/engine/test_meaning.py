"""What a condition means is said in the runbook's words, with what was seen, and never with a secret."""

from dataclasses import replace
from pathlib import Path

import pytest

from breakglass.engine.scope import Scopes
from breakglass.engine.triage import judged
from breakglass.journal import events as e
from breakglass.runbook.load import load_runbook
from breakglass.site.model import EnvironmentSecret
from breakglass.site.redaction import MARK
from breakglass.values import Scope
from tests.engine.support import SITE, Answer, confirm, ok, session_of, walk, write_runbook

DISK = """
- id: disk
  title: How full is it?
  kubectl: exec -n web web-1 -- df -k /data
  capture: {used: "result.text.df()[0].use_percent"}
  expect:
    - that: used >= 90
      means: The disk is full (${{ used }} %)
      else: The disk is at ${{ used }} %.
"""
PURGE = """
- id: purge
  title: Delete the pod
  kubectl: delete pod web-1 -n web
  needs: [disk]
  guards:
    - {that: used < 100, means: "There is room left (${{ 100 - used }} %)", else: There is no room left.}
  impact: Logins are lost.
  confirm: {type: web-1@test}
  unknown: Look.
  undo: None.
  verify:
    kubectl: get pods -n web -o json
    until: size(result.json.items) == 1
    means: A new pod is there (${{ fresh }})
    else: ${{ size(result.json.items) }} pods are there
    every: 2s
    within: 10s
    capture: {fresh: "result.json.items[0].metadata.name"}
"""
NONE, ONE = '{"items": []}', '{"items": [{"metadata": {"name": "web-2"}}]}'


def full(used: int) -> Answer:
    return ok(f"Filesystem 1K-blocks Used Available Use% Mounted\n/dev/sda 100 1 1 {used}% /data\n")


async def judged_disk(folder: Path, used: int) -> e.Judged:
    engine, _ = session_of(folder, DISK, {"kubectl exec": full(used)})
    (attempt,) = (await walk(engine)).steps["disk"].attempts
    return attempt.judged[0]


async def test_an_expectation_that_holds_says_what_was_found(tmp_path: Path) -> None:
    found = await judged_disk(tmp_path, 97)
    assert (found.holds, found.means, found.message) == (True, "The disk is full (97 %)", "")


async def test_an_expectation_that_does_not_hold_claims_nothing(tmp_path: Path) -> None:
    found = await judged_disk(tmp_path, 12)
    assert (found.holds, found.means, found.message) == (False, "", "The disk is at 12 %.")


async def test_a_change_is_asked_about_with_what_its_needs_mean_now(tmp_path: Path) -> None:
    answers = {"kubectl exec": [full(97), full(98)], "kubectl delete": ok(), "kubectl get": ok(ONE)}
    engine, _ = session_of(tmp_path, DISK + PURGE, answers)
    attempt = (await walk(engine)).steps["purge"].attempts[0]
    assert [(need.need, need.means) for _, need in attempt.needs] == [
        ("disk", "The disk is full (98 %)"),
        ("guard", "There is room left (2 %)"),
    ]


async def test_a_need_that_no_longer_holds_claims_nothing(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, DISK + PURGE, {"kubectl exec": [full(97), full(12)]})
    attempt = (await walk(engine)).steps["purge"].attempts[0]
    need = attempt.needs[0][1]
    assert (need.holds, need.means) == (False, "")
    assert need.message == "disk no longer holds: The disk is at 12 %."


async def test_a_verification_says_what_it_waits_for_and_then_what_it_captured(tmp_path: Path) -> None:
    answers: dict[str, Answer | list[Answer]] = {
        "kubectl exec": full(97),
        "kubectl delete": ok(),
        "kubectl get": ok(ONE),
    }
    answers["kubectl get pods"] = [ok(NONE), ok(ONE)]
    engine, _ = session_of(tmp_path, DISK + PURGE, answers)
    polls: list[e.VerifyPolled] = []
    engine.subscribe(
        lambda recorded, _: (
            polls.append(recorded.event) if isinstance(recorded.event, e.VerifyPolled) else None
        )
    )
    await walk(engine, confirm)
    assert [(poll.holds, poll.means, poll.message) for poll in polls] == [
        (False, "", "0 pods are there"),
        (True, "A new pod is there (web-2)", ""),
    ]


async def test_a_verification_that_is_given_up_says_how_it_stood(tmp_path: Path) -> None:
    answers = {"kubectl exec": full(97), "kubectl delete": ok(), "kubectl get": ok(NONE)}
    engine, _ = session_of(tmp_path, DISK + PURGE, answers)
    attempt = (await walk(engine, confirm)).steps["purge"].attempts[0]
    assert "not OK within 10 s: 0 pods are there" in attempt.say


SECRET = "token-of-the-app"
READS_A_SECRET = """
runbook: example
title: An example
summary: The configuration holds the login that reads it.
severity: sev2
uses: {endpoints: [app], secrets: [tok]}
steps:
  - id: read
    title: Read the configuration
    http: {get: app, headers: {X-Api-Key: "${{ secrets.tok }}"}}
    expect:
      - that: result.status == 200
        means: It has the token ${{ result.json.token }}
        else: It did not answer.
"""


async def test_a_secret_that_was_seen_is_not_in_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_TOKEN", SECRET)
    path = tmp_path / "runbook.yaml"
    path.write_text(READS_A_SECRET)
    site = replace(SITE, secrets={"tok": EnvironmentSecret("APP_TOKEN")})
    answer = ok("{}", data={"token": SECRET}, status=200)
    engine, _ = session_of(tmp_path, load_runbook(path), {"GET app": answer}, site=site)
    (attempt,) = (await walk(engine)).steps["read"].attempts
    assert attempt.judged[0].means == f"It has the token {MARK}"


@pytest.mark.parametrize(
    ("status", "verdict", "means"),
    [(400, "confirmed", "It answers 400"), (302, "ok", ""), (500, "unknown", "")],
)
def test_a_triage_check_says_what_its_verdict_means(
    tmp_path: Path, status: int, verdict: str, means: str
) -> None:
    checks = """
triage:
  - use: ask
    verdict:
      confirmed: {that: result.status == 400, means: "It answers ${{ result.status }}"}
      ok: result.status == 302
"""
    runbook = load_runbook(write_runbook(tmp_path, "- {id: ask, title: Ask it, http: {get: app}}", checks))
    seen: Scope = {"result": {"status": status}}
    finding = judged(runbook.steps[0], runbook.triage[0], Scopes(seen, seen))
    assert (finding.verdict, finding.means) == (verdict, means)
