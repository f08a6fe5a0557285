"""A dry run reads, asks the API server, shows, and sends nothing that could change something."""

from pathlib import Path

from breakglass.journal import events as e
from tests.engine.support import events_of, fault, ok, session_of, walk

STEPS = """
- id: full
  title: Is it full?
  kubectl: exec -n web web-1 -- df -k /dev/shm
  capture: {used: "result.text.df()[0].use_percent"}
  expect: [used >= 95]
- id: purge
  title: Delete the pod
  kubectl: delete pod web-1 -n web
  needs: [full]
  impact: Logins are lost.
  confirm: {type: web-1}
  assume: {after: "${{ used - used }}"}
  verify:
    kubectl: get pods -n web -o json
    until: size(result.json.items) == 0
    within: 4s
    capture: {after: size(result.json.items)}
- id: reset
  title: Reset the machine
  ssh: {host: pve, run: [qm, reset, "201"]}
  preview: {ssh: {host: pve, run: [qm, status, "201"]}}
  impact: The machine is gone for a minute.
  confirm: {type: "201@test"}
  verify: {ssh: {host: pve, run: [qm, status, "201"]}, until: "result.text.contains('running')", within: 4s}
- id: silence
  title: Silence the alert
  http: {post: app, path: /silences}
  confirm: key
  verify: {http: {get: app, path: /silences}, until: result.status == 200, within: 4s}
- id: look
  title: Look again
  http: {get: app}
  when: after == 0
"""
DF = "Filesystem 1K-blocks Used Available Use% Mounted on\nshm 65536 1 1 100% /dev/shm\n"
ANSWERS = {
    "kubectl exec": ok(DF),
    "kubectl get pod web-1": ok('{"kind": "Pod", "metadata": {"name": "web-1"}}'),
    "kubectl delete pod web-1 -n web (dry run)": ok("deleted (server dry run)"),
    "ssh pve qm status": ok("status: running"),
    "GET app": ok(status=200),
}


async def test_only_reads_and_server_side_dry_runs_are_sent(tmp_path: Path) -> None:
    engine, far = session_of(tmp_path, STEPS, ANSWERS, mode="dry-run")
    state = await walk(engine)
    assert far.commands == [
        "kubectl exec -n web web-1 -- df -k /dev/shm",
        "kubectl exec -n web web-1 -- df -k /dev/shm",
        "kubectl delete pod web-1 -n web (dry run)",
        "ssh pve qm status 201",
        "GET app",
    ]
    assert state.ended == e.SessionEnded("completed")


async def test_nobody_is_asked_and_no_intent_is_recorded(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, STEPS, ANSWERS, mode="dry-run")
    state = await walk(engine)
    assert not events_of(state, e.Asked)
    assert not events_of(state, e.ActionIntended)
    assert {name: view.status for name, view in state.steps.items()} == {
        "full": "ok",
        "purge": "shown",
        "reset": "shown",
        "silence": "shown",
        "look": "ok",
    }


async def test_what_the_server_would_refuse_is_said(tmp_path: Path) -> None:
    refused = fault("forbidden", "oncall may not delete pods")
    answers = {**ANSWERS, "kubectl delete pod web-1 -n web (dry run)": refused}
    engine, _ = session_of(tmp_path, STEPS, answers, mode="dry-run")
    state = await walk(engine)
    assert "dry run refused: oncall may not delete pods" in state.steps["purge"].attempts[0].say


async def test_a_need_that_would_refuse_is_said_and_the_walk_goes_on(tmp_path: Path) -> None:
    answers = {**ANSWERS, "kubectl exec": [ok(DF), ok(DF.replace("100%", "3%"))]}
    engine, _ = session_of(tmp_path, STEPS, answers, mode="dry-run")
    state = await walk(engine)
    assert "would be refused: full no longer holds" in state.steps["purge"].attempts[0].say
    assert state.steps["look"].status == "ok"


async def test_what_a_skipped_change_would_have_given_is_assumed(tmp_path: Path) -> None:
    engine, _ = session_of(tmp_path, STEPS, ANSWERS, mode="dry-run")
    state = await walk(engine)
    assert state.values["after"] == 0
