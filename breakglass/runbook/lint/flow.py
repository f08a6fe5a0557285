"""Where a walk can go: ids, `next`, `goto`, `needs`, `undo` and triage, unreachable steps, and cycles."""

from collections.abc import Iterable, Iterator, Sequence

from breakglass.runbook.actions import ACTIONS, AskAction, ChooseAction, ManualAction, reaches_outside
from breakglass.runbook.model import Runbook, TriageCheck
from breakglass.runbook.steps import Step
from breakglass.runbook.ways import DONE, suggestions, ways_on
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape import meant


class Flow:
    """The steps of a runbook and the ways between them, by their index in the list."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.index: dict[str, int] = {}
        for number, step in enumerate(steps):
            if step.id:
                self.index.setdefault(step.id, number)
        self.certain = not any({"id", "next", "choose", "ends"} & step.lost for step in steps)
        """Whether every way could be read."""
        self.ways = [tuple(self._ways(number)) for number in range(len(steps))]
        self.suggested = [
            tuple(self.index[each] for each in suggestions(step) if each in self.index) for step in steps
        ]
        """Ways that a person is offered, and that the walk does not take by itself."""

    def _ways(self, number: int) -> Iterator[int]:
        step = self.steps[number]
        on = ways_on(step)
        targets = [target for target in on if target is not None]
        if step.undo is not None and step.undo.step is not None:
            targets.append(step.undo.step)
        yield from (self.index[target] for target in targets if target in self.index)
        if None in on and number + 1 < len(self.steps):
            yield number + 1

    def reachable(self, starts: Iterable[int], *, through: Sequence[bool] | None = None) -> set[int]:
        """The steps that can be reached from these, and these; only by way of steps that `through` allows."""
        seen: set[int] = set()
        waiting = list(starts)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            if through is None or through[number]:
                waiting.extend(self.ways[number])
            if through is None:
                waiting.extend(self.suggested[number])
        return seen


def gotos(step: Step) -> Iterator[tuple[str, Position]]:
    """Where the step can send the walk by name, and where that is written."""
    for following in step.next:
        yield following.goto, following.position
    if isinstance(step.action, ChooseAction):
        for option in step.action.options:
            if option.goto is not None:
                yield option.goto, option.position


def flow_problems(runbook: Runbook, flow: Flow) -> list[Problem]:
    """Names of steps that lead nowhere, steps that nothing leads to, and circles without a person in them."""
    problems: list[Problem] = []
    for step in flow.steps:
        problems += _duplicates(step, flow)
        problems += _targets(step, flow)
        problems += _dead_ways(step)
        problems += _needs(step, flow)
    for check in runbook.triage:
        problems += _triage(check, flow)
    if flow.certain:
        problems += _unreachable(runbook, flow)
        problems += _circles(flow)
    return problems


def _duplicates(step: Step, flow: Flow) -> Iterator[Problem]:
    first = flow.steps[flow.index[step.id]] if step.id in flow.index else step
    if first is not step:
        where = f"{first.position.file.name}, line {first.position.line}"
        yield Problem(step.at("id"), f"step id {step.id!r} is here twice; the first is in {where}")


def _targets(step: Step, flow: Flow) -> Iterator[Problem]:
    for goto, position in gotos(step):
        if goto != DONE and goto not in flow.index:
            hint = meant(goto, [*flow.index, DONE])
            yield Problem(position, f"goto {goto!r} leads nowhere{hint}")
    for name in suggestions(step):
        at = step.at("expect" if any(each.suggest == name for each in step.expect) else "wait")
        if name not in flow.index:
            yield Problem(at, f"suggest: there is no step {name!r}{meant(name, flow.index)}")
        elif name == step.id:
            yield Problem(at, "suggest: a step cannot suggest itself; a person can always rerun it")
    if step.undo is not None and step.undo.step is not None:
        if step.undo.step not in flow.index:
            yield Problem(
                step.at("undo"),
                f"undo: there is no step {step.undo.step!r}{meant(step.undo.step, flow.index)}",
            )
        elif step.undo.step == step.id:
            yield Problem(step.at("undo"), "undo: a step cannot undo itself")


def _dead_ways(step: Step) -> Iterator[Problem]:
    if step.ends is not None and step.next:
        yield Problem(step.at("next"), f"step {step.id}: `ends` ends the walk, so `next` is never taken")
        return
    for number, following in enumerate(step.next[:-1]):
        if following.when is None:
            after = step.next[number + 1]
            yield Problem(
                after.position,
                f"step {step.id}: never taken, since the way to {following.goto!r} before it has no `when`",
            )
            return


def _needs(step: Step, flow: Flow) -> Iterator[Problem]:
    for name in step.needs:
        at = step.need_at(name)
        if name not in flow.index:
            yield Problem(at, f"needs: there is no step {name!r}{meant(name, flow.index)}")
            continue
        need = flow.steps[flow.index[name]]
        if need is step:
            yield Problem(at, "needs: a step cannot need itself")
        elif _action_lost(need):
            continue
        elif not (reaches_outside(need.action) and need.assessed.may_read):
            message = f"needs: {name!r} is not a read, and only a read can be repeated at the last moment"
            yield Problem(at, f"{message}{_why(need)}")
        elif not need.expect and "expect" not in need.lost:
            yield Problem(
                at, f"needs: {name!r} expects nothing, so it can refuse nothing; give it an `expect`"
            )


def _action_lost(step: Step) -> bool:
    return bool({*ACTIONS, "risk", "because"} & step.lost)


def _triage(check: TriageCheck, flow: Flow) -> Iterator[Problem]:
    if check.step not in flow.index:
        yield Problem(
            check.position, f"triage: there is no step {check.step!r}{meant(check.step, flow.index)}"
        )
        return
    step = flow.steps[flow.index[check.step]]
    if _action_lost(step):
        return
    if not (reaches_outside(step.action) and step.assessed.may_read):
        message = f"triage: {check.step!r} is not a read, and triage only reads"
        yield Problem(check.position, f"{message}{_why(step)}")
    elif step.foreach is not None or step.wait is not None:
        yield Problem(
            check.position, f"triage: {check.step!r} runs more than one read; triage takes one each"
        )
    elif step.assessed.is_lowered:
        message = f"triage: {check.step!r} is a read only by its author's word, and triage does not run that"
        yield Problem(
            check.position, f"{message}, except on a site that names it under `reads`", warning=True
        )


def _why(step: Step) -> str:
    """Why the words of a step are not those of a read."""
    return f": {step.assessed.judgement.why}" if reaches_outside(step.action) else ""


def _unreachable(runbook: Runbook, flow: Flow) -> Iterator[Problem]:
    """Steps that nothing leads to; not those that only such a step leads to."""
    if not flow.steps:
        return
    named = [name for step in flow.steps for name in step.needs]
    named += [check.step for check in runbook.triage]
    reached = flow.reachable([0, *(flow.index[name] for name in named if name in flow.index)])
    for number, step in enumerate(flow.steps):
        if number not in reached:
            reached |= flow.reachable([number])
            message = "nothing leads here: no `goto` names it, and the step before goes elsewhere"
            yield Problem(step.at("id"), f"step {step.id}: {message}")


def _circles(flow: Flow) -> Iterator[Problem]:
    """A walk that comes back to where it was without asking anyone could go round for ever."""
    machine = [not _asks_a_person(step) for step in flow.steps]
    for number, step in enumerate(flow.steps):
        if not machine[number] or step.ends is not None:
            continue
        for goto, position in gotos(step):
            target = flow.index.get(goto)
            if target is None or target > number or not machine[target]:
                continue
            if target == number or number in flow.reachable([target], through=machine):
                message = f"going back to {goto!r} can repeat for ever, and no one is asked on the way"
                advice = "use `wait`, or let a person choose"
                yield Problem(position, f"step {step.id}: {message}; {advice}", warning=True)


def _asks_a_person(step: Step) -> bool:
    asks = isinstance(step.action, ManualAction | ChooseAction | AskAction)
    return asks or not step.assessed.may_read
