"""Reads: run one, poll one until a condition holds, and read one again at the moment of acting."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace

from breakglass.engine.clock import Clock
from breakglass.engine.gateway import Outside, Sight
from breakglass.engine.prepare import (
    Pinned,
    PreparationError,
    Prepared,
    Reaching,
    prepare,
    text_or_reason,
)
from breakglass.engine.prompts import Desk
from breakglass.engine.scope import base_scope, with_result
from breakglass.journal import events as e
from breakglass.runbook.expression import EvaluationError, evaluate, holds, observed
from breakglass.runbook.model import (
    Action,
    Expectation,
    Expression,
    HttpAction,
    KubectlAction,
    ProbeAction,
    Runbook,
    SshAction,
    Step,
    Verification,
)
from breakglass.site.secrets import SecretError
from breakglass.transport.base import Delivery, Fault, Result
from breakglass.values import Json, Scope

RETRY_PAUSE = 1.0
"""Seconds before a failed read is tried again; doubles with each try."""

POLL_SAID_EVERY = 10.0
"""Seconds after which an unchanged poll is put on record again, so that a long wait shows that it lives."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The end of a step's action: `value` is `result`, and `fault` why it is not to be trusted, if so."""

    value: dict[str, Json]
    results: tuple[dict[str, Json], ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether every expectation held, and what to say when one did not."""

    holds: bool
    say: str = ""


class Reader:
    """Runs the reads of one session."""

    def __init__(self, desk: Desk, outside: Outside, runbook: Runbook, clock: Clock) -> None:
        self._desk = desk
        self._outside = outside
        self._runbook = runbook
        self._clock = clock

    def scope(self) -> dict[str, Json]:
        return base_scope(self._desk.state, self._outside.site)

    async def prepared(
        self, action: Reaching, scope: Scope, timeout: float, *, pinned: Pinned | None = None
    ) -> tuple[Prepared, Prepared]:
        """The request as it is shown and as it is sent. They differ only where a secret is put in.

        Raises PreparationError, with the reason, when it cannot be made.
        """
        try:
            shown_secrets, secrets = await self._outside.secret_values(action)
            limit = self._clock.deadline(timeout)
            site = self._outside.site
            shown = prepare(action, site, {**scope, "secrets": shown_secrets}, timeout=limit, pinned=pinned)
            if not secrets:
                return shown, shown
            return shown, prepare(action, site, {**scope, "secrets": secrets}, timeout=limit, pinned=pinned)
        except (EvaluationError, SecretError) as error:
            raise PreparationError(str(error)) from error

    async def step(self, step: Step, attempt: int, scope: Scope) -> Seen:
        """Run a read step's action: once, with retries, over a list, or until its `wait` holds."""
        assert step.action is not None
        if step.foreach is not None:
            return await self._each(step, attempt, scope)
        if step.wait is not None:
            return await self._wait(step, attempt, scope)
        pause = RETRY_PAUSE
        for left in range(step.retries, -1, -1):
            seen = await self.once(step, attempt, scope, 0, 1)
            if not seen.fault or not left or seen.value.get("fault") == "cancelled":
                return seen
            await self._clock.sleep(pause)
            pause *= 2
        raise AssertionError("a step with no try left has returned")

    async def once(self, step: Step, attempt: int, scope: Scope, item: int, items: int) -> Seen:
        """Send one read and put it on record. A fault that the step tolerates is an observation."""
        try:
            shown, sent = await self.prepared(reaching(step.action), scope, step.timeout)
        except PreparationError as error:
            return Seen(result_of_fault("configuration", str(error)), fault=str(error))
        self._desk.record(
            e.ActionPrepared(
                step=step.id,
                attempt=attempt,
                kind=shown.kind,
                command=shown.command,
                where=shown.where,
                risk=shown.risk.word,
                timeout=step.timeout,
                item=item,
                items=items,
            )
        )
        sight = await self.cancellable(self._outside.send(sent.request, redact=step.redact))
        fault = sight.result.fault
        trusted = fault is None or fault.kind in step.tolerate
        outcome = "succeeded" if trusted else self.outcome_of_read(sight)
        self._desk.record(finished(step.id, attempt, item, sight, outcome))
        return Seen(sight.value, fault="" if trusted or fault is None else fault.message)

    @staticmethod
    def outcome_of_read(sight: Sight) -> e.Outcome:
        if sight.result.fault is None:
            return "succeeded"
        return "not-sent" if sight.result.delivery is Delivery.NOT_SENT else "failed"

    async def cancellable(self, sending: Coroutine[object, None, Sight]) -> Sight:
        """Await a read that the operator may cancel; cancelled, it is a fault and not an exception."""
        task = asyncio.create_task(sending)
        self._desk.reading(task)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            value = result_of_fault("cancelled", "cancelled by the operator")
            fault = Fault("cancelled", "cancelled by the operator")
            return Sight(Result(Delivery.ANSWERED, 0.0, fault=fault), value, None)
        finally:
            self._desk.reading(None)

    async def _each(self, step: Step, attempt: int, scope: Scope) -> Seen:
        try:
            elements = elements_of(step, scope)
        except EvaluationError as error:
            return Seen(result_of_fault("malformed", str(error)), fault=str(error))
        assert step.foreach is not None
        gate = asyncio.Semaphore(step.foreach.parallel)

        async def one(index: int, element: Json) -> Seen:
            async with gate:
                return await self.once(step, attempt, {**scope, "item": element}, index, len(elements))

        seen = await asyncio.gather(*(one(index, each) for index, each in enumerate(elements)))
        values = tuple({**each.value, "item": element} for each, element in zip(seen, elements, strict=True))
        fault = next((each.fault for each in seen if each.fault), "")
        return Seen(dict(values[-1]) if values else {}, values, fault)

    async def _wait(self, step: Step, attempt: int, scope: Scope) -> Seen:
        assert step.wait is not None and step.action is not None
        wait = step.wait
        verification = Verification(step.action, wait.until, wait.every, wait.within, wait.soak)
        held, value, message = await self.poll(step, attempt, verification, scope)
        given_up = value.get("fault") == "cancelled" or self._desk.stop_wanted is not None
        if wait.optional and not held and not given_up:
            return Seen({**value, "fault": "timeout", "message": message})
        return Seen(value, fault="" if held else message)

    async def poll(
        self, step: Step, attempt: int, verification: Verification, scope: Scope
    ) -> tuple[bool, dict[str, Json], str]:
        """Look at a signal until it holds, and through its soak.

        Returns whether it held, the last result, and what to say when it did not.
        """
        started = self._clock.monotonic()
        held_since: float | None = None
        said: tuple[bool, str, float] | None = None
        looks = 0
        while True:
            shown, value, holds_now, seen, message = await self._look(step, verification, scope)
            looks += 1
            elapsed = self._clock.monotonic() - started
            fingerprint = json.dumps(seen, sort_keys=True, default=str) + message
            if said is None or said[:2] != (holds_now, fingerprint) or elapsed - said[2] >= POLL_SAID_EVERY:
                said = (holds_now, fingerprint, elapsed)
                self._desk.record(
                    e.VerifyPolled(
                        step=step.id,
                        attempt=attempt,
                        command=shown,
                        holds=holds_now,
                        elapsed=round(elapsed, 1),
                        within=verification.within,
                        observed=seen,
                        message=message,
                    )
                )
            if holds_now:
                held_since = elapsed if held_since is None else held_since
                if elapsed - held_since >= verification.soak:
                    return True, value, ""
            elif held_since is not None:
                return False, value, f"held, and stopped holding after {elapsed - held_since:.0f} s"
            elif elapsed >= verification.within and self._clock.has_had(
                looks * verification.every, verification.within
            ):
                why = f": {message}" if message else ""
                return False, value, f"did not hold within {verification.within:.0f} s{why}"
            if value.get("fault") == "cancelled" or self._desk.stop_wanted is not None:
                return False, value, "the wait was cancelled"
            await self._clock.sleep(verification.every)

    async def _look(
        self, step: Step, verification: Verification, scope: Scope
    ) -> tuple[str, dict[str, Json], bool, dict[str, Json], str]:
        limit = min(step.timeout, max(verification.within, 1.0))
        try:
            shown, sent = await self.prepared(reaching(verification.action), scope, limit)
        except PreparationError as error:
            return "", result_of_fault("configuration", str(error)), False, {}, str(error)
        sight = await self.cancellable(self._outside.send(sent.request, redact=step.redact))
        inner = with_result(scope, sight.value)
        fault = sight.result.fault
        seen = shown_values(verification.until, inner)
        try:
            held = holds(verification.until, inner)
            return shown.command, sight.value, held, seen, "" if held or fault is None else fault.message
        except EvaluationError as error:
            return shown.command, sight.value, False, seen, fault.message if fault else str(error)

    def capture(self, step: Step, attempt: int, scope: Scope, captures: Mapping[str, Expression]) -> str:
        """Evaluate the captures and put them on record. Returns what was wrong, or nothing."""
        values: dict[str, Json] = {}
        try:
            for name, expression in captures.items():
                values[name] = evaluate(expression, {**scope, **values})
        except EvaluationError as error:
            return str(error)
        finally:
            if values:
                redacted = {n: self._outside.secrets.redactor.redact_json(v) for n, v in values.items()}
                self._desk.record(e.Captured(step.id, attempt, redacted))
        return ""

    def judge(self, step: Step, attempt: int, scope: Scope) -> Judgement:
        """Hold every expectation against what was seen, and put each on record."""
        verdict = Judgement(True)
        for expectation in step.expect:
            judged = judged_expectation(step.id, attempt, expectation, scope)
            self._desk.record(judged)
            if not judged.holds and verdict.holds:
                verdict = Judgement(False, judged.message)
        return verdict

    async def read_needs(self, step: Step, attempt: int, scope: Scope) -> tuple[bool, str]:
        """Read every need and guard of a change again, now.

        Captures made here are not kept: the change acts on what was diagnosed. Where a value that the change
        uses is now another, it is refused with then and now side by side.
        """
        fresh = dict(scope)
        refusal = ""
        for name in step.needs:
            read, overlay = await self._read_need(step, attempt, self._runbook.step(name), scope)
            self._desk.record(read)
            fresh.update(overlay)
            if not read.holds and not refusal:
                refusal = read.message
        for guard in step.guards:
            judged = judged_expectation(step.id, attempt, Expectation(guard.that, guard.otherwise), fresh)
            self._desk.record(
                e.NeedRead(
                    step.id, attempt, "guard", judged.that, judged.holds, judged.observed, {}, judged.message
                )
            )
            if not judged.holds and not refusal:
                refusal = judged.message
        return not refusal, refusal

    async def _read_need(
        self, step: Step, attempt: int, need: Step, scope: Scope
    ) -> tuple[e.NeedRead, dict[str, Json]]:
        that = " and ".join(expectation.that.source for expectation in need.expect) or need.title
        read = e.NeedRead(step.id, attempt, need.id, that, False, {}, before=self._seen_before(need))
        try:
            _, sent = await self.prepared(reaching(need.action), scope, need.timeout)
        except PreparationError as error:
            return replace(read, message=f"{need.id} cannot be read again: {error}"), {}
        sight = await self.cancellable(self._outside.send(sent.request, redact=need.redact))
        fault = sight.result.fault
        if fault is not None and fault.kind not in need.tolerate:
            return replace(read, message=f"{need.id} could not be read again: {fault.message}"), {}
        inner = with_result(scope, sight.value)
        overlay: dict[str, Json] = {}
        try:
            for name, expression in need.capture.items():
                overlay[name] = evaluate(expression, {**inner, **overlay})
        except EvaluationError as error:
            return replace(read, message=f"{need.id} no longer gives its values: {error}"), {}
        inner.update(overlay)
        judged = [judged_expectation(step.id, attempt, each, inner) for each in need.expect]
        seen: dict[str, Json] = {}
        for each in judged:
            seen.update(each.observed)
        failing = next((each for each in judged if not each.holds), None)
        if failing is not None:
            return replace(
                read, observed=seen, message=f"{need.id} no longer holds: {failing.message}"
            ), overlay
        return replace(read, holds=True, observed=seen), overlay

    def _seen_before(self, need: Step) -> dict[str, Json]:
        view = self._desk.state.steps.get(need.id)
        last = view.last if view else None
        before: dict[str, Json] = {}
        for judged in last.judged if last else ():
            before.update(judged.observed)
        return before


def judged_expectation(step: str, attempt: int, expectation: Expectation, scope: Scope) -> e.Judged:
    """One expectation held against a scope. An expression that cannot be evaluated does not hold."""
    that = expectation.that
    seen = shown_values(that, scope)
    try:
        held = holds(that, scope)
        why = "" if held else text_or_reason(expectation.otherwise, scope)
    except EvaluationError as error:
        held, why = False, str(error)
    return e.Judged(
        step, attempt, that.source, held, seen, why or ("" if held else f"expected {that.source}")
    )


def shown_values(expression: Expression, scope: Scope) -> dict[str, Json]:
    """The values beside an expectation, small enough to show and to keep."""
    return {name: small(value) for name, value in observed(expression, scope).items()}


def small(value: Json, limit: int = 400) -> Json:
    """A value as it is, or the beginning of its JSON where that is longer than `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return value if len(text) <= limit else text[:limit] + "…"


def elements_of(step: Step, scope: Scope) -> list[Json]:
    """The list that a `foreach` runs over. Raises EvaluationError when it is not a list."""
    assert step.foreach is not None
    elements = evaluate(step.foreach.items, scope)
    if not isinstance(elements, list):
        raise EvaluationError(f"foreach: {step.foreach.items.source} is not a list")
    return elements


def finished(step: str, attempt: int, item: int, sight: Sight, outcome: e.Outcome) -> e.ActionFinished:
    """The record of a request that came to an end."""
    fault = sight.result.fault
    output = sight.output
    return e.ActionFinished(
        step=step,
        attempt=attempt,
        outcome=outcome,
        seconds=round(sight.result.seconds, 3),
        item=item,
        exit=sight.result.exit,
        status=sight.result.status,
        fault=fault.kind if fault else "",
        message=" ".join(part for part in (fault.message if fault else "", sight.note) if part),
        output=output.name if output else "",
        output_bytes=output.bytes if output else 0,
        output_lines=output.lines if output else 0,
        head=output.head if output else "",
        tail=output.tail if output else "",
    )


def result_of_fault(kind: str, message: str) -> dict[str, Json]:
    """What `result` is when nothing was sent."""
    return {
        "exit": None,
        "status": None,
        "text": "",
        "stderr": "",
        "json": None,
        "headers": {},
        "seconds": 0.0,
        "fault": kind,
        "message": message,
    }


def reaching(action: Action | None) -> Reaching:
    """The action, known to be one that reaches outside."""
    assert isinstance(action, KubectlAction | SshAction | HttpAction | ProbeAction)
    return action
