"""Changes: preconditions read, the operator asked, the intent on disk, the request sent once, the effect
verified.

Nothing in here ever sends a change a second time. What is not known is said to be unknown.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from breakglass.engine import commands as c
from breakglass.engine.confirmation import ConfirmationTextError, text_to_type
from breakglass.engine.gateway import Response
from breakglass.engine.prepare import (
    LONGEST_WORDS,
    Pinned,
    Prepared,
    Preparer,
    known_words,
    text_or_reason,
)
from breakglass.engine.prompts import JournalWriter
from breakglass.engine.read import (
    ActionEnd,
    Reader,
    ResultValue,
    elements_of,
    finished,
    look_at,
    look_of_fault,
)
from breakglass.engine.scope import Scopes
from breakglass.engine.signature import signers_problem, text_to_sign
from breakglass.errors import PreparationError
from breakglass.journal import events as e
from breakglass.journal.state import DEFINITE_REFUSALS, Attempt
from breakglass.journal.store import JournalUnwritableError
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.risk import NOT_ASSESSED, Risk
from breakglass.runbook.actions import reaches_outside
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.steps import Pin, Step
from breakglass.runbook.template import TemplateTree, render, render_tree
from breakglass.threads import in_thread
from breakglass.transport.base import Delivery, KubectlRequest, Request
from breakglass.transport.output import shortened
from breakglass.values import Json, Scope

MAYBE_DONE = frozenset({"server-error", "disconnected", "malformed"})
"""Faults after which the far side may have acted, even though an answer came."""


@dataclass(frozen=True, slots=True)
class ChangeOutcome:
    """How a change ended. `declined` is set when the operator went back before anything was sent."""

    state: e.StepState
    say: str = ""
    look: ResultValue | None = None
    results: tuple[ResultValue, ...] = ()
    command: c.Command | None = None
    """The operator's way on, where the question was answered with something else than a yes."""


@dataclass(frozen=True, slots=True)
class PreparedChange:
    """A change that can be asked about: each request as it is shown and as it is sent, and the text to type
    for all of them."""

    prepared: list[tuple[Prepared, Prepared]]
    typed: str


class Changer:
    """Carries out the changes of one session."""

    def __init__(self, writer: JournalWriter, preparer: Preparer, reader: Reader) -> None:
        self._writer = writer
        self._preparer = preparer
        self._gateway = preparer.gateway
        self._reader = reader
        self._clock = preparer.clock

    async def step(
        self, step: Step, attempt: int, scope: Scopes, earlier: Attempt | None = None
    ) -> ChangeOutcome:
        """Take one step that may change something, from its preconditions to its verification. `earlier` is
        an attempt that may have come about."""
        ready = await self._ready(step, attempt, scope)
        if isinstance(ready, ChangeOutcome):
            return ready
        prepared = ready.prepared
        allowed, refusal = await self._reader.read_needs(step, attempt, scope)
        if not allowed:
            return ChangeOutcome("failed", f"refused, nothing sent: {refusal}")
        on, replaced = await self._object(step, attempt, prepared, scope)
        if replaced:
            return ChangeOutcome("failed", f"refused, nothing sent: {replaced}")
        answer = await self._ask(step, attempt, ready, scope, on, earlier)
        if not isinstance(answer, c.Confirm):
            return ChangeOutcome("cancelled", command=answer)
        allowed, refusal = await self._reader.read_needs(step, attempt, scope)
        if not allowed:
            return ChangeOutcome("failed", f"refused after the confirmation, nothing sent: {refusal}")
        return await self._act(step, attempt, prepared, scope)

    async def show(self, step: Step, attempt: int, scope: Scopes) -> ChangeOutcome:
        """A dry run's way through a change: preconditions are read, the API server is asked, nothing
        changes."""
        ready = await self._ready(step, attempt, scope)
        if isinstance(ready, ChangeOutcome):
            return ready
        prepared = ready.prepared
        allowed, refusal = await self._reader.read_needs(step, attempt, scope)
        said: list[str] = [] if allowed else [f"would be refused: {refusal}"]
        for shown, sent in prepared:
            said.append(await self._server_says(sent) or f"not sent: {shown.command}")
        if step.preview is not None:
            preview = replace(step, action=step.preview, foreach=None, assessed=NOT_ASSESSED)
            seen = await self._reader.once(preview, attempt, scope, 0, 1)
            said.append(f"preview: {seen.fault or 'read'}")
        try:
            values = {name: _assumed(tree, scope) for name, tree in step.assume.items()}
        except EvaluationError as error:
            return ChangeOutcome("failed", f"assume: {error}")
        if values:
            await self._writer.capture(step.id, attempt, values)
        return ChangeOutcome("shown", "; ".join(said))

    async def _ready(self, step: Step, attempt: int, scope: Scopes) -> "PreparedChange | ChangeOutcome":
        """What would be sent and the text to type for it, on record; or why it does not come to that."""
        try:
            prepared = await self._prepare(step, scope)
            if not prepared:
                return nothing_to_do(step)
            count = len(prepared) if step.foreach is not None else None
            typed = text_to_type(step, scope, self._gateway.site.name, count)
        except (PreparationError, EvaluationError, ConfirmationTextError) as error:
            return ChangeOutcome("failed", f"not sent: {error}")
        signers = self._gateway.site.signers
        wrong = await in_thread(lambda: signers_problem(signers)) if step.approve > 1 and signers else ""
        if wrong:
            return ChangeOutcome("failed", f"not sent: {wrong}")
        await self._record_prepared(step, attempt, prepared)
        return PreparedChange(prepared, typed)

    async def look_again(
        self, step: Step, attempt: int, scope: Scopes, earlier: Attempt
    ) -> ChangeOutcome | None:
        """How the change of an earlier attempt came out, as its verification shows. None: it was not done.

        The verification has what is left of its time: one that was cut short has not shown that nothing
        came about.
        """
        if step.verify is None:
            return None
        left = max(step.verify.within - self._since(step, earlier), 0.0)
        polled = await self._reader.poll(step, attempt, replace(step.verify, within=left), scope)
        if polled.held:
            inner = ActionEnd(polled.look).within(scope)
            wrong = await self._reader.capture(step, attempt, inner, {**step.verify.capture})
            if wrong:
                return ChangeOutcome("failed", f"done and verified, but: {wrong}")
            return ChangeOutcome("ok", "verification shows that it was done; nothing was sent again")
        if polled.known:
            return None
        why = f"attempt {earlier.number} cannot be verified ({polled.message}), so nothing was sent again"
        return ChangeOutcome("unknown", self._unknown_words(step, scope, why))

    def _since(self, step: Step, earlier: Attempt) -> float:
        """Seconds of the walk that the verification of an earlier attempt has had."""
        looked = earlier.last_poll.elapsed if earlier.last_poll is not None else 0.0
        state = self._writer.state
        sent = next(
            (
                each.elapsed
                for each in reversed(state.timeline)
                if isinstance(each.event, e.ActionIntended) and each.event.step == step.id
            ),
            0.0,
        )
        now = state.last.elapsed if state.last is not None else sent
        return max(looked, (now - sent) * self._clock.speed)

    async def _prepare(self, step: Step, scope: Scopes) -> list[tuple[Prepared, Prepared]]:
        """The requests of a change as they are shown and as they are sent.

        Raises PreparationError where one cannot be made, is more than the step is planned as, or could not be
        verified unasked.
        """
        verify = step.verify
        if verify is not None and verify.assessed.risk is not Risk.READ:
            raise PreparationError(f"its `verify` is not a read: {verify.assessed.judgement.why}")
        action = step.action
        assert reaches_outside(action)
        scopes = [scope]
        if step.foreach is not None:
            scopes = [scope.plus(item=each) for each in elements_of(step, scope)]
        pinned = rendered_pin(step.pin, scope.real)
        return [
            await self._preparer.change(action, step.assessed, each, step.timeout, pinned) for each in scopes
        ]

    async def _record_prepared(
        self, step: Step, attempt: int, prepared: list[tuple[Prepared, Prepared]]
    ) -> None:
        for index, (shown, _) in enumerate(prepared):
            await self._writer.record(
                e.ActionPrepared(
                    step=step.id,
                    attempt=attempt,
                    kind=shown.kind,
                    command=shown.command,
                    where=shown.where,
                    risk=step.risk.word,
                    timeout=step.timeout,
                    item=index,
                    items=len(prepared),
                    because=step.assessed.vouched,
                )
            )

    async def _object(
        self, step: Step, attempt: int, prepared: list[tuple[Prepared, Prepared]], scope: Scopes
    ) -> tuple[str, str]:
        """The object that a kubectl change acts on, in words, and why it is not the one diagnosed, if so."""
        if len(prepared) != 1 or not isinstance(prepared[0][1].request, KubectlRequest):
            return "", ""
        request = prepared[0][1].request
        target = request.command.target
        if target is None:
            return "", ""
        argv = ("get", target.resource, target.name, "-o", "json")
        if target.namespace:
            argv = (*argv, "-n", target.namespace)
        look = KubectlRequest(
            request.cluster, understood(argv), request.timeout, changing=False, driver=request.driver
        )
        response = await self._reader.cancellable(self._gateway.send(look))
        found, shown = response.value["json"], response.shown["json"]
        if not isinstance(found, dict) or not isinstance(shown, dict):
            message = response.result.fault.message if response.result.fault else "not an object"
            return f"{target.resource} {target.name}: {message}", ""
        _, uid = described(found, target.resource)
        words, _ = described(shown, target.resource)
        if step.pin is None or request.uid is None:
            return words, ""
        same = uid == request.uid
        message = "" if same else f"{target.name} was replaced: its uid was {request.uid} and is now {uid}"
        await self._writer.record(
            e.NeedRead(
                step=step.id,
                attempt=attempt,
                need="uid",
                that="uid is the one diagnosed",
                holds=same,
                observed={"uid": uid},
                before={"uid": request.uid},
                message=message,
            )
        )
        return words, message

    async def _server_says(self, prepared: Prepared) -> str:
        request = prepared.request
        if not isinstance(request, KubectlRequest) or not request.command.takes_dry_run:
            return ""
        response = await self._reader.cancellable(self._gateway.send(replace(request, dry_run=True)))
        fault = response.result.fault
        if fault is not None:
            return f"dry run refused: {fault.message}"
        operation = request.command.operation
        if operation is None or not operation.shows_difference or request.driver == "binary":
            return "dry run accepted"
        differs = shortened(str(response.shown["text"]).strip(), LONGEST_WORDS)
        return f"dry run accepted. What would differ:\n{differs}"

    async def _ask(
        self, step: Step, attempt: int, ready: PreparedChange, scope: Scopes, on: str, earlier: Attempt | None
    ) -> c.Command:
        says = [await self._server_says(sent) for _, sent in ready.prepared]
        all_shown = [shown for shown, _ in ready.prepared]
        impact = text_or_reason(step.impact, scope)
        return await self._writer.ask(
            e.Asked(
                step=step.id,
                attempt=attempt,
                question="confirm",
                text=step.title,
                command="\n".join(shown.command for shown in all_shown),
                where="; ".join(dict.fromkeys(shown.where for shown in all_shown)),
                each=[{"command": shown.command, "where": shown.where} for shown in all_shown]
                if step.foreach is not None
                else [],
                on=on,
                risk=step.risk.word,
                impact=impact,
                undo=text_or_reason(step.undo.say, scope) if step.undo else "NONE",
                server_says="; ".join(dict.fromkeys(each for each in says if each)),
                then=then_words(step, scope),
                earlier=earlier_words(step, earlier),
                typed=ready.typed,
                approvals=step.approve,
                sign=self._to_sign(step, attempt, all_shown, impact),
            )
        )

    def _to_sign(self, step: Step, attempt: int, shown: list[Prepared], impact: str) -> str:
        """The text that a second person signs; empty where nobody does."""
        if step.approve < 2 or self._gateway.site.signers is None:
            return ""
        return text_to_sign(self._writer.state, self._reader.runbook.digest, step.id, attempt, shown, impact)

    async def _act(
        self, step: Step, attempt: int, prepared: list[tuple[Prepared, Prepared]], scope: Scopes
    ) -> ChangeOutcome:
        self._writer.busy = "changing"
        looks: list[ResultValue] = []
        outcome: e.Outcome = "succeeded"
        message = ""
        index = 0
        try:
            for index, (shown, sent) in enumerate(prepared):
                if self._writer.stop_wanted is not None:
                    if not index:
                        return ChangeOutcome("cancelled", "told to end before anything was sent")
                    why = f"told to end after {index} of {len(prepared)} were sent; not verified"
                    return ChangeOutcome("unknown", self._unknown_words(step, scope, why))
                intent = e.ActionIntended(step.id, attempt, shown.command, shown.where, step.risk.word, index)
                message = await self._on_disk(intent)
                if message:
                    outcome = "not-sent"
                    break
                response, interrupted = await self._to_its_end(sent.request, step)
                outcome = outcome_of(response, step)
                await self._writer.record(finished(step.id, attempt, index, response, outcome))
                if interrupted is not None:
                    raise interrupted
                looks.append(look_at(response))
                if outcome != "succeeded":
                    message = response.result.fault.message if response.result.fault else ""
                    break
        finally:
            self._writer.busy = ""
        look = looks[-1] if looks else look_of_fault("", "")
        # Of a list, what comes before the one that failed has been sent.
        before = f"; sent before it: {index}" if index else ""
        if outcome == "not-sent":
            return ChangeOutcome("failed", f"not sent{before}: {message}")
        if outcome == "failed" and look.value.get("fault") in DEFINITE_REFUSALS:
            return ChangeOutcome(
                "failed", f"refused by the far side{before or ', nothing changed'}: {message}"
            )
        return await self._verified(step, attempt, scope, outcome, message, ActionEnd(look, tuple(looks)))

    async def _on_disk(self, intent: e.ActionIntended) -> str:
        """Put an intent on record, and on the disk itself. Returns why it cannot be kept, and so is not acted
        on. Cancelled meanwhile, it is on record that nothing was sent."""
        try:
            await self._writer.record(intent)
            await self._writer.on_disk()
        except JournalUnwritableError as error:
            why = str(error)
        except asyncio.CancelledError:
            self._writer.record_soon(not_sent(intent, "the walk was ended before it was sent"))
            raise
        else:
            return ""
        await self._writer.record(not_sent(intent, why))
        return why

    async def _to_its_end(
        self, request: Request, step: Step
    ) -> tuple[Response, asyncio.CancelledError | None]:
        """Send a change, and wait for its outcome even when the walk is cancelled meanwhile.

        The wait is as long as the request's own limit. Cancelled a second time, nobody waits any longer: the
        intent stays on record without an outcome, which is what *unknown* means.
        """
        sending = asyncio.ensure_future(
            self._gateway.send(request, redact=step.redact, limit=step.output_limit, to_its_end=True)
        )
        try:
            return await asyncio.shield(sending), None
        except asyncio.CancelledError as interrupted:
            return await sending, interrupted

    async def _verified(
        self,
        step: Step,
        attempt: int,
        scope: Scopes,
        outcome: e.Outcome,
        message: str,
        seen: ActionEnd,
    ) -> ChangeOutcome:
        look, results = seen.look, seen.results
        if step.verify is None:
            if outcome == "unknown" and not is_finding(step, look.value):
                return ChangeOutcome("unknown", self._unknown_words(step, scope, message))
            state = "failed" if outcome == "failed" else "ok"
            return ChangeOutcome(state, message, look, results)
        polled = await self._reader.poll(step, attempt, step.verify, seen.within(scope))
        if polled.held:
            inner = replace(seen, look=polled.look).within(scope)
            wrong = await self._reader.capture(step, attempt, inner, {**step.verify.capture})
            if wrong:
                return ChangeOutcome("failed", f"done and verified, but: {wrong}")
            said = {
                "unknown": "the answer was lost, but verification shows that it was done",
                "failed": f"reported {message}, but verification shows that it was done",
            }
            return ChangeOutcome("ok", said.get(outcome, "sent and verified"), look, results)
        if outcome == "unknown":
            return ChangeOutcome("unknown", self._unknown_words(step, scope, f"{message}; {polled.message}"))
        sent = f"reported {message}" if outcome == "failed" else "sent"
        if polled.known:
            return ChangeOutcome("failed", f"{sent}; verification: {polled.message}")
        return ChangeOutcome(
            "unknown", self._unknown_words(step, scope, f"{sent}; not verified: {polled.message}")
        )

    def _unknown_words(self, step: Step, scope: Scopes, message: str) -> str:
        guidance = text_or_reason(step.unknown, scope)
        return f"may have happened: {message}. {guidance}".strip()


def not_sent(intent: e.ActionIntended, why: str) -> e.ActionFinished:
    """The end of an intent on which nobody acted."""
    return e.ActionFinished(intent.step, intent.attempt, "not-sent", 0.0, intent.item, message=why)


def outcome_of(response: Response, step: Step) -> e.Outcome:
    """What is known of a change from its delivery and the far side's answer."""
    result = response.result
    if result.delivery is Delivery.NOT_SENT:
        return "not-sent"
    if result.delivery is Delivery.UNKNOWN:
        return "unknown"
    if result.fault is None or result.fault.kind in step.tolerate or result.fault.kind == "timeout":
        return "succeeded"
    return "unknown" if result.fault.kind in MAYBE_DONE else "failed"


def is_finding(step: Step, value: Mapping[str, Json]) -> bool:
    """Whether a probe's fault is what it was sent to find out: a mount that hangs answers by its silence."""
    return step.risk is Risk.PROBE and value.get("fault") in step.tolerate


def rendered_pin(pin: Pin | None, scope: Scope) -> Pinned | None:
    """The preconditions with their values. Raises EvaluationError: an empty pin would pin nothing."""
    if pin is None:
        return None
    uid = render(pin.uid, scope) if pin.uid else None
    version = render(pin.resource_version, scope) if pin.resource_version else None
    if uid == "" or version == "":
        raise EvaluationError("pin: the value is empty, so nothing would be pinned")
    return Pinned(uid, version)


def nothing_to_do(step: Step) -> ChangeOutcome:
    """The end of a change over a list that holds nothing: no word is asked and nothing is sent."""
    assert step.foreach is not None
    return ChangeOutcome("nothing-to-do", f"{step.foreach.items.source} is empty, so nothing was sent")


def then_words(step: Step, scope: Scopes) -> str:
    """What happens after sending, in one line."""
    if step.verify is None:
        return "No automatic check. Verify by hand"
    soak = f", and holds for {step.verify.soak:.0f} s" if step.verify.soak else ""
    vouched = step.verify.assessed.vouched
    said = f". READ ({vouched})" if vouched else ""
    until = known_words(step.verify.means, scope) or step.verify.until.source
    return f"verify: {until}, within {step.verify.within:.0f} s{soak}{said}. If not: stop and call"


def earlier_words(step: Step, earlier: Attempt | None) -> str:
    """What is known of an earlier attempt that was sent, for whoever is asked to send it again."""
    if earlier is None:
        return ""
    if step.verify is None:
        return f"attempt {earlier.number} was sent and may have happened; nothing verifies it"
    return f"attempt {earlier.number} was sent; its verification shows that it was not done"


def described(found: dict[str, Json], resource: str) -> tuple[str, str]:
    """A Kubernetes object in words, and its uid."""
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    spec = found.get("spec")
    node = spec.get("nodeName") if isinstance(spec, dict) else None
    uid = str(metadata.get("uid", ""))
    words = [str(found.get("kind", resource)).lower(), str(metadata.get("name", "")), f"uid {uid}"]
    if metadata.get("namespace"):
        words.append(f"namespace {metadata['namespace']}")
    if node:
        words.append(f"node {node}")
    if metadata.get("creationTimestamp"):
        words.append(f"since {metadata['creationTimestamp']}")
    return "   ".join(words), uid


def seen_of(changed: ChangeOutcome) -> ActionEnd:
    """A change's result in the shape that captures and expectations take."""
    return ActionEnd(changed.look or look_of_fault("", ""), changed.results)


def _assumed(tree: TemplateTree, scope: Scopes) -> tuple[Json, Json]:
    value = render_tree(tree, scope.real)
    return value, scope.shown_of(value, lambda: render_tree(tree, scope.shown))
