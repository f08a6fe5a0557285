"""A change goes one way: each rendered form is understood and judged once, and what is sent carries both."""

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import breakglass.policy.kubectl.parse as grammar
import breakglass.runbook.risk as risk
from breakglass.policy.placeholders import is_literal
from breakglass.policy.risk import Judgement
from breakglass.policy.site_rules import ReadPattern
from breakglass.runbook.load import load_runbook
from breakglass.site.model import EnvironmentSecret
from breakglass.transport.base import KubectlRequest, Request, Result, Sink
from breakglass.transport.kubectl.api import Api
from breakglass.values import Json
from tests.engine.support import SITE, FarSide, confirm, ok, session_of, walk, write_runbook
from tests.runbooks.support import walk_scenario

POD = '{"kind": "Pod", "metadata": {"name": "web-1", "uid": "u1"}}'
STEPS = """\
- id: pod
  title: Find the pod
  kubectl: get pod web-1 -n web -o json
  capture: {uid: result.json.metadata.uid}
  expect: [uid != '']
- id: purge
  title: Delete the pod
  kubectl: delete pod web-1 -n web
  pin: {uid: "${{ uid }}"}
  needs: [pod]
  impact: It is gone.
  confirm: {type: web-1@test}
  undo: NONE
  verify: {kubectl: get pods -n web, until: result.exit == 0, within: 10s}
"""
WITH_SECRET = """\
- id: mark
  title: Mark the pod
  kubectl: patch pod web-1 -n web --type=merge -p '{"metadata":{"labels":{"token":"${{ secrets.token }}"}}}'
  impact: It has another label.
  confirm: key
  undo: NONE
  verify: {kubectl: get pods -n web, until: result.exit == 0, within: 10s}
"""
MOST_MODULES = 10
"""From the step to the call of the API."""


class Counts:
    """How often each rendered kubectl line is read and judged, and which were sent."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.read: Counter[str] = Counter()
        self.judged: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        parse, judge = grammar.parse, risk.judge_kubectl

        def counted_parse(argv: Sequence[str], *more: frozenset[int]) -> grammar.Operation:
            self.read[" ".join(argv)] += 1
            return parse(argv, *more)

        def counted_judge(words: Sequence[str], reads: Sequence[ReadPattern] = ()) -> Judgement:
            if all(map(is_literal, words)):
                self.judged[" ".join(words)] += 1
            return judge(words, reads)

        patch.setattr(grammar, "parse", counted_parse)
        patch.setattr(risk, "judge_kubectl", counted_judge)

    def listen(self, far: FarSide) -> None:
        send = far.send

        async def heard(request: Request, sink: Sink) -> Result:
            if isinstance(request, KubectlRequest) and not request.dry_run:
                self.sent[" ".join(request.command.argv)] += 1
            return await send(request, sink)

        far.send = heard


async def test_each_line_is_read_and_judged_once_for_each_time_that_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, far = session_of(tmp_path, STEPS, FarSide({"kubectl": ok(POD)}))
    counts = Counts(monkeypatch)
    counts.listen(far)
    state = await walk(engine, confirm)
    assert state.steps["purge"].status == "ok"
    delete, find = "delete pod web-1 -n web", "get pod web-1 -n web -o json"
    assert (counts.read[delete], counts.judged[delete], counts.sent[delete]) == (1, 1, 1)
    assert counts.sent[find] == 3, "the step, and the need before the question and after it"
    assert (counts.read[find], counts.judged[find]) == (3, 3)
    assert counts.read == counts.sent


async def test_with_a_secret_each_of_the_two_forms_is_read_and_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "a-long-secret")
    site = replace(SITE, secrets={"token": EnvironmentSecret("TOKEN")})
    path = write_runbook(tmp_path, WITH_SECRET)
    path.write_text(path.read_text().replace("uses: {", 'uses: {"secrets": ["token"], '))
    engine, far = session_of(tmp_path, load_runbook(path), FarSide({"kubectl": ok("x")}), site=site)
    counts = Counts(monkeypatch)
    counts.listen(far)
    await walk(engine, confirm)
    assert sum(counts.sent[line] for line in counts.sent if line.startswith("patch")) == 1
    patches = {line: times for line, times in counts.read.items() if line.startswith("patch")}
    assert list(patches.values()) == [1, 1]
    assert {line: counts.judged[line] for line in patches} == patches


async def test_there_are_few_modules_between_a_step_and_the_call_of_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[list[str]] = []
    call, parse = Api.json, grammar.parse

    def modules() -> list[str]:
        """The modules of the program that the call comes through, innermost last."""
        frame = inspect.currentframe()
        found: list[str] = []
        while frame is not None:
            found.append(str(frame.f_globals["__name__"]))
            frame = frame.f_back
        return [each for each in dict.fromkeys(reversed(found)) if each.startswith("breakglass.")]

    def seen_parse(argv: Sequence[str], *more: frozenset[int]) -> grammar.Operation:
        if argv[0] == "delete" and all(map(is_literal, argv)):
            ways.append(modules())
        return parse(argv, *more)

    async def seen_call(self: Api, method: str, *given: object, **named: object) -> dict[str, Json]:
        if method == "DELETE":
            ways.append(modules())
        return await call(self, method, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(grammar, "parse", seen_parse)
    monkeypatch.setattr(Api, "json", seen_call)
    walked = await walk_scenario("outpost-shm-purge", "recorded-incident", tmp_path)
    assert walked.recovered
    down, dry_run, out = ways
    assert dry_run[-4:] == out[-4:]
    assert down[:2] == ["breakglass.engine.walk", "breakglass.engine.change"]
    assert len(dict.fromkeys([*down, *out])) <= MOST_MODULES, [*down, *out]
