"""Which runbook is it? The triage checks of many runbooks, run at once on one site, and what each says.

Only reads are sent, nobody is asked, and nothing is kept: there is no session and no journal. All runbooks
share one gateway, so that a host is logged in to once. Each check has a deadline of its own, and
what one of them meets costs no other anything.
"""

import asyncio
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from breakglass.engine.admission import require_read
from breakglass.engine.gateway import Gateway
from breakglass.engine.prepare import known_words, prepare
from breakglass.engine.read import shown_values
from breakglass.engine.scope import Scopes, alike, base_scope
from breakglass.engine.session import missing_uses, operator_name
from breakglass.errors import PreparationError
from breakglass.journal.state import State
from breakglass.policy.risk import NOT_ASSESSED, Risk
from breakglass.runbook.actions import reaches_outside
from breakglass.runbook.assessed import assessed_on
from breakglass.runbook.expression import EvaluationError, Expression, holds, names
from breakglass.runbook.lint.names import expressions_of
from breakglass.runbook.model import Runbook, TriageCheck
from breakglass.runbook.steps import Step
from breakglass.site.secrets import SecretError
from breakglass.values import Json, Scope

PATIENCE = 10.0
"""Seconds for each check, where its step does not give it less."""

GRACE = 1.0
"""Seconds beyond its patience until a check is given up, so that it can say itself what it met."""

SHORT = 200
"""Characters of a captured list or map that is shown as it is, and not by its size."""

Verdict: TypeAlias = Literal["confirmed", "suspect", "unknown", "ok"]
WORST_FIRST: tuple[Verdict, ...] = ("confirmed", "suspect", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says of the incident.

    means: what was found, as one would say it. seen: the values that its conditions read. message: what came
    back as a fault, or why nothing is known. fault: the kind of that fault.
    """

    step: str
    title: str
    verdict: Verdict = "unknown"
    seen: Mapping[str, Json] = field(default_factory=dict[str, Json])
    message: str = ""
    fault: str = ""
    means: str = ""


@dataclass(frozen=True, slots=True)
class Triage:
    """What the checks of one runbook say together. reason: why none was run; empty when they were.

    name: the word by which the runbook is found. wanted: inputs that have no default.
    """

    name: str
    severity: str = ""
    title: str = ""
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    wanted: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst that a check says. What is not known stands in the way of `ok`."""
        for verdict in WORST_FIRST:
            if any(each.verdict == verdict for each in self.findings):
                return verdict
        return "unknown"


async def triage(
    gateway: Gateway,
    runbooks: Mapping[str, Runbook],
    *,
    patience: float = PATIENCE,
    told: Callable[[Triage], None] = lambda row: None,
) -> list[Triage]:
    """What each runbook's checks say. Takes `patience` seconds and a moment, whatever happens.

    gateway: leads into the site, and has nobody to ask. runbooks: by the word by which each is found.
    told: is called with each row as it is there.
    """

    async def one(name: str, runbook: Runbook) -> Triage:
        row = await _of(name, runbook, gateway, patience)
        told(row)
        return row

    return await asyncio.gather(*(one(name, runbook) for name, runbook in runbooks.items()))


async def _of(name: str, runbook: Runbook, gateway: Gateway, patience: float) -> Triage:
    runbook = assessed_on(runbook, gateway.site.says)
    head = Triage(name, runbook.severity, runbook.title)
    missing = missing_uses(runbook, gateway.site)
    if missing:
        return replace(head, reason=f"site {gateway.site.name} lacks what it uses: {'; '.join(missing)}")
    if not runbook.triage:
        return replace(head, reason="it has no triage")
    wanted = tuple(each.name for each in runbook.inputs if not each.has_default)
    findings = await asyncio.gather(*(_within(patience, runbook, each, gateway) for each in runbook.triage))
    return replace(head, findings=tuple(findings), wanted=wanted)


async def _within(patience: float, runbook: Runbook, check: TriageCheck, gateway: Gateway) -> Finding:
    step = runbook.step(check.step)
    try:
        async with asyncio.timeout(patience + GRACE):
            return await _finding(runbook, step, check, gateway, patience)
    except TimeoutError:
        message = f"no answer within {patience:.0f} s; given up"
        return Finding(step.id, step.title, message=message, fault="timeout")


async def _finding(
    runbook: Runbook, step: Step, check: TriageCheck, gateway: Gateway, patience: float
) -> Finding:
    action = step.action
    one_read = step.foreach is None and step.wait is None and step.risk is Risk.READ
    if not reaches_outside(action) or not one_read:
        return Finding(step.id, step.title, message="not run: it is not one read, and triage only reads")
    if step.assessed.is_lowered:
        message = f"not run: a read {step.assessed.vouched}; triage takes nobody's word for that"
        return Finding(step.id, step.title, message=message)
    wanted = _wanted(runbook, expressions_of(action))
    if wanted:
        return Finding(step.id, step.title, message=f"not run: it needs {wanted}, which has no default")
    inputs = {each.name: each.default for each in runbook.inputs if each.has_default}
    scope = alike(base_scope(State(operator=operator_name(), inputs=inputs), gateway.site))
    try:
        _, secrets = await gateway.secret_values(action)
        inner: Scope = {**scope.real, "secrets": secrets}
        programs = await gateway.programs(action)
        limit = min(step.timeout, patience)
        prepared = prepare(action, gateway.site, inner, timeout=limit, programs=programs)
        # With nothing declared: only what is known to read is sent.
        require_read(NOT_ASSESSED, prepared.judgement, prepared.judgement)
    except (EvaluationError, PreparationError, SecretError) as error:
        message = gateway.secrets.redactor.redact(str(error))
        return Finding(step.id, step.title, message=message, fault="configuration")
    response = await gateway.send(prepared.request, redact=step.redact, limit=step.output_limit)
    fault = response.result.fault
    if fault is not None and fault.kind not in step.tolerate:
        return Finding(step.id, step.title, message=fault.message, fault=fault.kind)
    finding = judged(step, check, scope.plus(result=(response.value, response.shown)))
    if fault is not None and response.result.status is None and response.result.exit is None:
        return replace(finding, message=fault.message, fault=fault.kind)
    return finding


def judged(step: Step, check: TriageCheck, scope: Scopes) -> Finding:
    """The first verdict whose condition holds, and otherwise what could not be judged. `ok` only stands where
    every condition before it could be."""
    captured = captured_of(step, scope)
    inner = scope.plus(**captured)
    seen: dict[str, Json] = {}
    wrong = ""
    for verdict, condition in check.verdicts.items():
        seen |= _seen(condition.that, inner, captured.keys())
        try:
            if holds(condition.that, inner.real) and not (wrong and verdict == "ok"):
                seen = _seen(condition.that, inner, captured.keys())
                return Finding(step.id, step.title, verdict, seen, means=known_words(condition.means, inner))
        except EvaluationError as error:
            wrong = wrong or inner.why_not(condition.that, error)
    return Finding(step.id, step.title, "unknown", seen, wrong)


def captured_of(step: Step, scope: Scopes) -> dict[str, tuple[Json, Json]]:
    """What the step's captures give before a walk has begun, as it is and as it may be shown; those that need
    more are left out."""
    values: dict[str, tuple[Json, Json]] = {}
    for name, expression in step.capture.items():
        with suppress(EvaluationError):
            values[name] = scope.plus(**values).evaluated(expression)
    return values


def _seen(condition: Expression, scope: Scopes, captured: Collection[str]) -> dict[str, Json]:
    """The values that a condition reads. A captured list that is short is shown itself: it is what the
    operator asks for next."""
    seen = shown_values(condition, scope.shown)
    for name in sorted(names(condition).intersection(captured)):
        value = scope.shown[name]
        if isinstance(value, list | dict) and value and len(json.dumps(value)) <= SHORT:
            seen.pop(f"size({name})", None)
            seen[name] = value
    return seen


def _wanted(runbook: Runbook, expressions: Iterable[Expression]) -> str:
    """The inputs without a default that these expressions name, in words."""
    sources = [each.source for each in expressions]
    missing = [
        each.name
        for each in runbook.inputs
        if not each.has_default and any(re.search(rf"\binputs\.{each.name}\b", text) for text in sources)
    ]
    return f"input {', '.join(missing)}" if missing else ""
