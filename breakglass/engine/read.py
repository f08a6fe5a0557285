"""Reads: run one, poll one until a condition holds, and read one again at the moment of acting."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, TypeVar

from breakglass.engine.gateway import Response
from breakglass.engine.prepare import Prepared, Preparer, known_words, text_or_reason
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.scope import Scopes, base_scope
from breakglass.errors import PreparationError
from breakglass.journal import events as e
from breakglass.runbook.actions import (
    Action,
    HttpAction,
    KubectlAction,
    LocalAction,
    ProbeAction,
    SshAction,
    reaches_outside,
)
from breakglass.runbook.expression import EvaluationError, Expression, holds, observed
from breakglass.runbook.faults import FaultKind
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Expectation, Step, Verification
from breakglass.site.redaction import MARK, replaced, texts_of
from breakglass.transport.base import Delivery, Fault, Result
from breakglass.values import Json, Scope

T = TypeVar("T")

RETRY_PAUSE = 1.0
"""Seconds before a failed read is tried again; doubles with each try."""

POLL_SAID_EVERY = 10.0
"""Seconds after which an unchanged poll is put on record again, so that a long wait shows that it lives."""


ANSWERING_FAULTS: Mapping[type[Action], frozenset[FaultKind]] = {
    KubectlAction: frozenset({"exit", "not-found", "conflict"}),
    SshAction: frozenset({"exit", "refused"}),
    LocalAction: frozenset({"exit"}),
    HttpAction: frozenset({"refused"}),
    ProbeAction: frozenset(),
}
"""Faults of a look that are an answer about what is looked at. After any other it is not known how it is."""

NAMES = re.compile(r"\bresult\.(\w+)")
"""Which fields of a result a condition names."""


@dataclass(frozen=True, slots=True)
class ResultValue:
    """What `result` is after one request: as it is, and without secrets."""

    value: dict[str, Json]
    shown: dict[str, Json]


@dataclass(frozen=True, slots=True)
class ActionEnd:
    """The end of a step's action: `look` is `result`, and `fault` why it is not to be trusted, if so."""

    look: ResultValue
    results: tuple[ResultValue, ...] = ()
    fault: str = ""

    def within(self, scopes: Scopes) -> Scopes:
        """What the step's captures and conditions see."""
        real: list[Json] = [each.value for each in self.results]
        shown: list[Json] = [each.shown for each in self.results]
        same = all(each.value is each.shown for each in self.results)
        return scopes.plus(result=(self.look.value, self.look.shown), results=(real, real if same else shown))


@dataclass(frozen=True, slots=True)
class ExpectationOutcome:
    """Whether every expectation held, and what to say when one did not."""

    holds: bool
    say: str = ""


PollEnd: TypeAlias = Literal["held", "not-held", "cancelled", "not-seen"]


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """How a wait for a signal ended: it held; it did not, as the last look saw; somebody gave the wait up; or
    the last look could not see. `message` is what to say where it did not hold."""

    end: PollEnd
    look: ResultValue
    message: str = ""

    @property
    def held(self) -> bool:
        return self.end == "held"

    @property
    def known(self) -> bool:
        """Whether the signal was seen, however it stood."""
        return self.end in ("held", "not-held")


@dataclass(frozen=True, slots=True)
class _Signal:
    """A signal at one moment: what came back, the command, whether the condition holds, and by what values.
    `saw` is False where it could not be seen how it stands. `because` is whose word made a read of it;
    `means` says what was found where it holds."""

    look: ResultValue
    command: str = ""
    holds: bool = False
    saw: bool = False
    seen: dict[str, Json] = field(default_factory=dict[str, Json])
    message: str = ""
    because: str = ""
    means: str = ""


class Reader:
    """Runs the reads of one session."""

    def __init__(self, writer: JournalWriter, preparer: Preparer, runbook: Runbook) -> None:
        self._writer = writer
        self._preparer = preparer
        self._gateway = preparer.gateway
        self.runbook = runbook
        self._clock = preparer.clock

    def scopes(self) -> Scopes:
        """What every expression of the session sees. Real values of captures that hold a secret are only in
        memory; after a resume the mark stands in their place."""
        shown = base_scope(self._writer.state, self._gateway.site)
        secret = self._writer.secret_values
        # What an earlier run of the session had in its memory and this one has not.
        lost: dict[str, Json] = {
            name: replaced(value, MARK, "«lost»")
            for name, value in self._writer.state.values.items()
            if name not in secret and any(MARK in text for text in texts_of(value))
        }
        return Scopes({**shown, **secret} if secret else shown, shown, lost)

    async def step(self, step: Step, attempt: int, scope: Scopes) -> ActionEnd:
        """Run a read step's action: once, with retries, over a list, or until its `wait` holds."""
        if step.foreach is not None:
            return await self._each(step, attempt, scope)
        if step.wait is not None:
            return await self._wait(step, attempt, scope)
        pause = RETRY_PAUSE
        for left in range(step.retries, -1, -1):
            seen = await self.once(step, attempt, scope, 0, 1)
            if not seen.fault or not left or seen.look.value.get("fault") == "cancelled":
                return seen
            await self._clock.sleep(pause)
            pause *= 2
        raise AssertionError("a step with no try left has returned")

    async def once(self, step: Step, attempt: int, scope: Scopes, item: int, items: int) -> ActionEnd:
        """Send one read and put it on record. A fault that the step tolerates is an observation."""
        assert reaches_outside(step.action)
        try:
            shown, sent, found = await self._preparer.read(step.action, step.assessed, scope, step.timeout)
        except PreparationError as error:
            return ActionEnd(look_of_fault("configuration", str(error)), fault=str(error))
        await self._writer.record(
            e.ActionPrepared(
                step=step.id,
                attempt=attempt,
                kind=shown.kind,
                command=shown.command,
                where=shown.where,
                risk=found.risk.word,
                timeout=step.timeout,
                item=item,
                items=items,
                because=found.vouched,
            )
        )
        response = await self._send(step, sent)
        outcome = "succeeded" if _mistrusted(step, response) is None else self.outcome_of_read(response)
        await self._writer.record(finished(step.id, attempt, item, response, outcome))
        return _end_of(step, response)

    async def _send(self, step: Step, sent: Prepared) -> Response:
        return await self.cancellable(
            self._gateway.send(sent.request, redact=step.redact, limit=step.output_limit)
        )

    @staticmethod
    def outcome_of_read(response: Response) -> e.Outcome:
        if response.result.fault is None:
            return "succeeded"
        return "not-sent" if response.result.delivery is Delivery.NOT_SENT else "failed"

    async def cancellable(self, sending: Coroutine[object, None, Response]) -> Response:
        """Await a read that the operator may cancel; cancelled, it is a fault and not an exception."""
        task = asyncio.create_task(sending)
        self._writer.reading(task)
        try:
            return await task
        except asyncio.CancelledError:
            _raise_where_cancelled()
            look = look_of_fault("cancelled", "cancelled by the operator")
            fault = Fault("cancelled", "cancelled by the operator")
            return Response(Result(Delivery.ANSWERED, 0.0, fault=fault), look.value, look.shown, None)
        finally:
            self._writer.reading(None)

    async def _each(self, step: Step, attempt: int, scope: Scopes) -> ActionEnd:
        try:
            elements = elements_of(step, scope)
        except EvaluationError as error:
            return ActionEnd(look_of_fault("malformed", str(error)), fault=str(error))
        assert step.foreach is not None
        seen = await _over(
            elements,
            step.foreach.parallel,
            lambda index, item: self.once(step, attempt, scope.plus(item=item), index, len(elements)),
        )
        return _end_of_list(seen, elements)

    async def _wait(self, step: Step, attempt: int, scope: Scopes) -> ActionEnd:
        assert step.wait is not None and step.action is not None
        wait = step.wait
        verification = Verification(
            action=step.action,
            until=wait.until,
            means=wait.means,
            otherwise=wait.otherwise,
            every=wait.every,
            within=wait.within,
            soak=wait.soak,
            assessed=step.assessed,
        )
        polled = await self.poll(step, attempt, verification, scope, once=self._nothing_was_sent)
        look = polled.look
        if wait.optional and polled.end in ("not-held", "not-seen"):
            late: dict[str, Json] = {"fault": "timeout", "message": polled.message}
            return ActionEnd(ResultValue({**look.value, **late}, {**look.shown, **late}))
        return ActionEnd(look, fault=polled.message)

    @property
    def _nothing_was_sent(self) -> bool:
        """Whether this is a dry run past a change: what that would bring about never comes, however long one
        waits for it."""
        state = self._writer.state
        return state.mode == "dry-run" and any(view.status == "shown" for view in state.steps.values())

    async def poll(
        self, step: Step, attempt: int, verification: Verification, scope: Scopes, *, once: bool = False
    ) -> PollOutcome:
        """Look at a signal until it holds, and through its soak, or `once`. The operator may cancel it at any
        time."""
        started = self._clock.monotonic()
        held_since: float | None = None
        said: tuple[bool, str, float] | None = None
        looks = 0
        while True:
            signal = await self._signal(step, verification, scope)
            look = signal.look
            looks += 1
            elapsed = self._clock.monotonic() - started
            if signal.holds and held_since is None:
                held_since = elapsed
            held = elapsed - held_since if held_since is not None else 0.0
            fingerprint = json.dumps(signal.seen, sort_keys=True, default=str) + signal.message
            if (
                said is None
                or said[:2] != (signal.holds, fingerprint)
                or elapsed - said[2] >= POLL_SAID_EVERY
            ):
                said = (signal.holds, fingerprint, elapsed)
                await self._writer.record(
                    e.VerifyPolled(
                        step=step.id,
                        attempt=attempt,
                        command=signal.command,
                        holds=signal.holds,
                        elapsed=round(elapsed, 1),
                        within=verification.within,
                        observed=signal.seen,
                        message=signal.message,
                        because=signal.because,
                        means=signal.means,
                        held=round(held, 1) if signal.holds else 0.0,
                        soak=verification.soak,
                    )
                )
            if signal.holds and (once or held >= verification.soak):
                return PollOutcome("held", look)
            given_up = look.value.get("fault") == "cancelled" or self._writer.stop_wanted is not None
            if not given_up and not signal.holds:
                end: PollEnd = "not-held" if signal.saw else "not-seen"
                if held_since is not None:
                    why = f" ({signal.message})" if signal.message else ""
                    return PollOutcome(end, look, f"OK for {held:.0f} s, then failed again{why}")
                if once:
                    why = f": {signal.message}" if signal.message else ""
                    return PollOutcome(end, look, f"not OK, and a dry run does not wait for it{why}")
                if elapsed >= verification.within and self._clock.has_had(
                    looks * verification.every, verification.within
                ):
                    why = f": {signal.message}" if signal.message else ""
                    return PollOutcome(end, look, f"not OK within {verification.within:.0f} s{why}")
            if given_up or not await self._paused(verification.every):
                return PollOutcome("cancelled", look, "the wait was cancelled")

    async def _paused(self, seconds: float) -> bool:
        """Wait for the next look. False when the operator cancelled it, as they may cancel a read."""
        pause = asyncio.create_task(self._clock.sleep(seconds))
        self._writer.reading(pause)
        try:
            await pause
        except asyncio.CancelledError:
            _raise_where_cancelled()
            return False
        finally:
            self._writer.reading(None)
        return True

    async def _signal(self, step: Step, verification: Verification, scope: Scopes) -> _Signal:
        limit = min(step.timeout, max(verification.within, 1.0))
        action, planned = verification.action, verification.assessed
        assert reaches_outside(action)
        try:
            shown, sent, found = await self._preparer.read(action, planned, scope, limit)
        except PreparationError as error:
            return _Signal(look_of_fault("configuration", str(error)), message=str(error))
        response = await self.cancellable(
            self._gateway.send(sent.request, redact=step.redact, limit=step.output_limit)
        )
        look = look_at(response)
        inner = scope.plus(result=(look.value, look.shown))
        fault = response.result.fault
        seen = shown_values(verification.until, inner.shown)
        saw = shows_signal(response.result, step, verification)
        try:
            held = saw and holds(verification.until, inner.real)
            message = "" if held else _not_yet(verification, inner, fault)
        except EvaluationError as error:
            saw = held = False
            message = fault.message if fault else inner.why_not(verification.until, error)
        means = known_words(verification.means, _with_captures(verification, inner)) if held else ""
        return _Signal(look, shown.command, held, saw, seen, message, found.vouched, means)

    async def capture(
        self, step: Step, attempt: int, scope: Scopes, captures: Mapping[str, Expression]
    ) -> str:
        """Evaluate the captures and put them on record. Returns what was wrong, or nothing."""
        values: dict[str, tuple[Json, Json]] = {}
        try:
            for name, expression in captures.items():
                values[name] = scope.plus(**values).evaluated(expression)
                self._keep_out(*values[name])
        except EvaluationError as error:
            return str(error)
        finally:
            if values:
                await self._writer.capture(step.id, attempt, values)
        return ""

    def _keep_out(self, value: Json, shown: Json) -> None:
        """Keep out of all output, from now on, what was made from a secret and does not look like it."""
        if value is shown:
            return
        redactor = self._gateway.secrets.redactor
        there = set(texts_of(shown))
        for text in [each for each in set(texts_of(value)) - there if redactor.redact(each) not in there]:
            redactor.add(text)

    async def judge(self, step: Step, attempt: int, scope: Scopes) -> ExpectationOutcome:
        """Hold every expectation against what was seen, and put each on record."""
        verdict = ExpectationOutcome(True)
        for expectation in step.expect:
            judged = judged_expectation(step.id, attempt, expectation, scope)
            await self._writer.record(judged)
            if not judged.holds and verdict.holds:
                verdict = ExpectationOutcome(False, judged.message)
        return verdict

    async def read_needs(self, step: Step, attempt: int, scope: Scopes) -> tuple[bool, str]:
        """Read every need and guard of a change again, now.

        Captures made here are not kept: the change acts on what was diagnosed. Where a value that the change
        uses is now another, it is refused with then and now side by side.
        """
        fresh = scope
        refusal = ""
        for name in step.needs:
            read, overlay = await self._read_need(step, attempt, self.runbook.step(name), scope)
            await self._writer.record(read)
            fresh = fresh.plus(**overlay)
            if not read.holds and not refusal:
                refusal = read.message
        for guard in step.guards:
            condition = Expectation(guard.that, guard.otherwise, guard.means)
            judged = judged_expectation(step.id, attempt, condition, fresh)
            await self._writer.record(
                e.NeedRead(
                    step.id,
                    attempt,
                    "guard",
                    judged.that,
                    judged.holds,
                    judged.observed,
                    message=judged.message,
                    means=judged.means,
                )
            )
            if not judged.holds and not refusal:
                refusal = judged.message
        return not refusal, refusal

    async def _now(self, need: Step, scope: Scopes) -> tuple[ActionEnd, str]:
        """What a need's read gives now, over its list where it has one, and whose word made a read of it.

        Raises PreparationError, and EvaluationError where the list has no value.
        """
        assert reaches_outside(need.action)

        async def one(scope: Scopes) -> tuple[ActionEnd, str]:
            assert reaches_outside(need.action)
            _, sent, found = await self._preparer.read(need.action, need.assessed, scope, need.timeout)
            return _end_of(need, await self._send(need, sent)), found.vouched

        if need.foreach is None:
            return await one(scope)
        elements = elements_of(need, scope)
        seen = await _over(elements, need.foreach.parallel, lambda _, item: one(scope.plus(item=item)))
        because = next((because for _, because in seen if because), "")
        return _end_of_list([end for end, _ in seen], elements), because

    async def _read_need(
        self, step: Step, attempt: int, need: Step, scope: Scopes
    ) -> tuple[e.NeedRead, dict[str, tuple[Json, Json]]]:
        that = " and ".join(expectation.that.source for expectation in need.expect) or need.title
        read = e.NeedRead(step.id, attempt, need.id, that, False, {}, before=self._seen_before(need))
        try:
            end, because = await self._now(need, scope)
        except (PreparationError, EvaluationError) as error:
            return replace(read, message=f"{need.id} cannot be read again: {error}"), {}
        read = replace(read, because=because)
        if end.fault:
            return replace(read, message=f"{need.id} could not be read again: {end.fault}"), {}
        inner = end.within(scope)
        overlay: dict[str, tuple[Json, Json]] = {}
        try:
            for name, expression in need.capture.items():
                overlay[name] = inner.plus(**overlay).evaluated(expression)
        except EvaluationError as error:
            return replace(read, message=f"{need.id} no longer gives its values: {error}"), {}
        inner = inner.plus(**overlay)
        judged = [judged_expectation(step.id, attempt, each, inner) for each in need.expect]
        seen: dict[str, Json] = {}
        for each in judged:
            seen.update(each.observed)
        failing = next((each for each in judged if not each.holds), None)
        if failing is not None:
            return replace(
                read, observed=seen, message=f"{need.id} no longer holds: {failing.message}"
            ), overlay
        means = ". ".join(each.means for each in judged if each.means)
        return replace(read, holds=True, observed=seen, means=means), overlay

    def _seen_before(self, need: Step) -> dict[str, Json]:
        view = self._writer.state.steps.get(need.id)
        last = view.last if view else None
        before: dict[str, Json] = {}
        for judged in last.judged if last else ():
            before.update(judged.observed)
        return before


def shows_signal(result: Result, step: Step, verification: Verification) -> bool:
    """Whether a look shows how its signal stands.

    A step may tolerate a fault, and a condition that names `result.fault` was written to judge it. An HTTP
    answer of 400 and above counts where the condition judges its status or its JSON. Of any other fault,
    `!result.text.contains('x')` would hold because nothing was read.
    """
    fault, names = result.fault, set(NAMES.findall(verification.until.source))
    if fault is None or fault.kind in step.tolerate or "fault" in names:
        return True
    action = verification.action
    if isinstance(action, HttpAction) and result.status and result.delivery is Delivery.ANSWERED:
        return not names.isdisjoint({"status", "json"})
    return fault.kind in ANSWERING_FAULTS[type(action)]


def _raise_where_cancelled() -> None:
    """Go on with a cancellation that was meant for the walk itself, and not for one read of it."""
    current = asyncio.current_task()
    if current is not None and current.cancelling():
        raise asyncio.CancelledError


def judged_expectation(step: str, attempt: int, expectation: Expectation, scope: Scopes) -> e.Judged:
    """One expectation held against a scope. An expression that cannot be evaluated does not hold."""
    that = expectation.that
    seen = shown_values(that, scope.shown)
    try:
        held = holds(that, scope.real)
        why = "" if held else text_or_reason(expectation.otherwise, scope)
    except EvaluationError as error:
        held, why = False, scope.why_not(that, error)
    if held:
        return e.Judged(step, attempt, that.source, held, seen, means=known_words(expectation.means, scope))
    return e.Judged(step, attempt, that.source, held, seen, why or f"expected {that.source}")


def _not_yet(verification: Verification, scope: Scopes, fault: Fault | None) -> str:
    """What to say of a signal that does not hold."""
    return fault.message if fault is not None else known_words(verification.otherwise, scope)


def _with_captures(verification: Verification, scope: Scopes) -> Scopes:
    """The scope with those captures of a verification that have a value."""
    for name, expression in verification.capture.items():
        with suppress(EvaluationError):
            scope = scope.plus(**{name: scope.evaluated(expression)})
    return scope


def shown_values(expression: Expression, scope: Scope) -> dict[str, Json]:
    """The values beside an expectation, small enough to show and to keep. `scope` is without secrets: half of
    one that was cut would not be found any more."""
    return {name: small(value) for name, value in observed(expression, scope).items()}


def small(value: Json, limit: int = 400) -> Json:
    """A value as it is, or the beginning of its JSON where that is longer than `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return value if len(text) <= limit else text[:limit] + "…"


async def _over(
    elements: Sequence[tuple[Json, Json]],
    parallel: int,
    one: Callable[[int, tuple[Json, Json]], Awaitable[T]],
) -> list[T]:
    """What comes of each element, in the list's order; so many at a time."""
    gate = asyncio.Semaphore(parallel)

    async def gated(index: int, element: tuple[Json, Json]) -> T:
        async with gate:
            return await one(index, element)

    return await asyncio.gather(*(gated(index, each) for index, each in enumerate(elements)))


def _end_of_list(ends: Sequence[ActionEnd], elements: Sequence[tuple[Json, Json]]) -> ActionEnd:
    """The reads of a list as one: all that was seen, and the first fault."""
    looks = tuple(_with_item(end.look, item) for end, item in zip(ends, elements, strict=True))
    fault = next((end.fault for end in ends if end.fault), "")
    return ActionEnd(looks[-1] if looks else NOTHING_SEEN, looks, fault)


def _end_of(step: Step, response: Response) -> ActionEnd:
    """What came of a read of a step. A fault that the step tolerates is an observation."""
    fault = _mistrusted(step, response)
    return ActionEnd(look_at(response), fault=fault.message if fault is not None else "")


def _mistrusted(step: Step, response: Response) -> Fault | None:
    """The fault of a response, where the step does not tolerate it."""
    fault = response.result.fault
    return None if fault is None or fault.kind in step.tolerate else fault


def elements_of(step: Step, scope: Scopes) -> list[tuple[Json, Json]]:
    """The list that a `foreach` runs over, each as it is and as it may be shown. Raises EvaluationError when
    it is not a list."""
    assert step.foreach is not None
    elements, shown = scope.evaluated(step.foreach.items)
    if not isinstance(elements, list):
        raise EvaluationError(f"foreach: {step.foreach.items.source} is not a list")
    return list(zip(elements, shown if isinstance(shown, list) else [MARK] * len(elements), strict=True))


def finished(step: str, attempt: int, item: int, response: Response, outcome: e.Outcome) -> e.ActionFinished:
    """The record of a request that came to an end."""
    fault = response.result.fault
    output = response.output
    return e.ActionFinished(
        step=step,
        attempt=attempt,
        outcome=outcome,
        seconds=round(response.result.seconds, 3),
        item=item,
        exit=response.result.exit,
        status=response.result.status,
        fault=fault.kind if fault else "",
        message=" ".join(part for part in (fault.message if fault else "", response.note) if part),
        output=output.name if output else "",
        output_bytes=output.bytes if output else 0,
        output_lines=output.lines if output else 0,
        head=output.head if output else "",
        tail=output.tail if output else "",
    )


def look_at(response: Response) -> ResultValue:
    return ResultValue(response.value, response.shown)


def look_of_fault(kind: str, message: str) -> ResultValue:
    """What is seen when nothing was sent."""
    value = result_of_fault(kind, message)
    return ResultValue(value, value)


_NO_VALUE: dict[str, Json] = {}
NOTHING_SEEN = ResultValue(_NO_VALUE, _NO_VALUE)


def _with_item(look: ResultValue, item: tuple[Json, Json]) -> ResultValue:
    value = {**look.value, "item": item[0]}
    same = look.value is look.shown and item[0] is item[1]
    return ResultValue(value, value if same else {**look.shown, "item": item[1]})


def result_of_fault(kind: str, message: str) -> dict[str, Json]:
    """What `result` is when nothing was sent."""
    return {
        "exit": None,
        "status": None,
        "text": "",
        "stderr": "",
        "json": None,
        "headers": {},
        "tls": None,
        "seconds": 0.0,
        "fault": kind,
        "message": message,
    }
