"""The after-action review of a rehearsal: how long, what was met, what was refused, against the best run
so far."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from breakglass.journal import events as e
from breakglass.journal.state import Recorded, State
from breakglass.policy.risk import Risk
from breakglass.report.document import Block, Heading, Paragraph, points, table
from breakglass.runbook.model import Runbook

REVIEW = "After-action review"


@dataclass(frozen=True, slots=True)
class Review:
    """One rehearsal in figures. Times are seconds of real time since the start; None means never reached."""

    recovered: float | None
    diagnosed: float | None
    traps: tuple[str, ...]
    refusals: tuple[str, ...]
    failures: tuple[str, ...]
    hints: int
    result: str


def review(state: State, runbook: Runbook) -> Review:
    """What a session's events say about how it went."""
    changing = {step.id for step in runbook.steps if step.risk > Risk.READ}
    return Review(
        recovered=_first(state, lambda event: isinstance(event, e.Happened) and event.kind == "recovered"),
        diagnosed=_first(
            state,
            lambda event: (
                (isinstance(event, e.StepStarted) and event.step in changing)
                or (isinstance(event, e.SessionEnded) and event.result == "not-this-incident")
            ),
        ),
        traps=tuple(
            f"{each.event.name}: {each.event.say}"
            for each in state.happened
            if isinstance(each.event, e.Happened) and each.event.kind == "trap"
        ),
        refusals=tuple(_refusals(state.timeline)),
        failures=tuple(
            f"{each.event.step}: {each.event.say}{_settled(state, each.event)}"
            for each in state.timeline
            if isinstance(each.event, e.StepFinished) and each.event.state in ("failed", "unknown")
        ),
        hints=len(state.hints),
        result=state.ended.result if state.ended else "unfinished",
    )


def review_blocks(this: Review, best: Review | None) -> tuple[Block, ...]:
    """The review, beside the best earlier run of the same scenario."""
    return (
        Heading(2, REVIEW),
        table(
            ("", "this run", "best run"),
            ("time to diagnosis", seconds(this.diagnosed), seconds(best.diagnosed) if best else "-"),
            ("time to recovery", seconds(this.recovered), seconds(best.recovered) if best else "-"),
            ("traps met", str(len(this.traps)), str(len(best.traps)) if best else "-"),
            ("changes refused", str(len(this.refusals)), str(len(best.refusals)) if best else "-"),
            ("hints used", str(this.hints), str(best.hints) if best else "-"),
        ),
        *_listed("Traps met", this.traps, "No trap was met."),
        *_listed("Needs and guards that refused", this.refusals, "Nothing had to be refused."),
        *_listed("Steps that failed", this.failures, "No step failed."),
    )


def better(one: Review, other: Review | None) -> bool:
    """Whether a run beats another: fewer traps first, then recovered at all, then sooner."""
    if other is None:
        return True
    return _rank(one) < _rank(other)


def _rank(run: Review) -> tuple[int, bool, float]:
    reached = run.recovered if run.recovered is not None else run.diagnosed
    return len(run.traps), reached is None, reached or 0.0


def seconds(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.1f} s"


def _settled(state: State, ended: e.StepFinished) -> str:
    """What a later attempt showed of a change that failed or was unknown."""
    view = state.steps[ended.step]
    attempt = next((each for each in view.attempts if each.number == ended.attempt), None)
    verified = view.verified_by(attempt) if attempt is not None else None
    return f" (attempt {verified.number} verified that it is done)" if verified is not None else ""


def _listed(title: str, items: tuple[str, ...], none: str) -> tuple[Block, ...]:
    return Heading(3, title), points(*items) if items else Paragraph((none,))


def _first(state: State, wanted: Callable[[e.Event], bool]) -> float | None:
    return next((each.elapsed for each in state.timeline if wanted(each.event)), None)


def _refusals(recorded: Iterable[Recorded]) -> Iterable[str]:
    for each in recorded:
        if isinstance(each.event, e.NeedRead) and not each.event.holds:
            yield f"{each.event.step}: {each.event.message}"
