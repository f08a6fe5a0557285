"""What each expression can see: names that earlier steps capture, and those that the program gives."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from breakglass.runbook.actions import (
    Action,
    AskAction,
    ChooseAction,
    HttpAction,
    KubectlAction,
    LocalAction,
    ManualAction,
    ProbeAction,
    SshAction,
    reaches_outside,
)
from breakglass.runbook.expression import Expression, check, expect, names
from breakglass.runbook.lint.flow import Flow
from breakglass.runbook.model import Runbook, TriageCheck
from breakglass.runbook.steps import RESERVED, Step
from breakglass.runbook.template import Template, TemplateTree, moved
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape import meant

ALWAYS = frozenset({"inputs", "site", "session"})

MEMBERS: Mapping[str, frozenset[str]] = {
    "site": frozenset({"name", "production", "variables", "hosts", "clusters", "endpoints"}),
    "session": frozenset({"id", "mode", "operator"}),
    "result": frozenset(
        (
            *("exit", "status", "text", "stderr", "json", "headers", "tls", "seconds"),
            *("fault", "message", "answer", "choice", "note", "item"),
        )
    ),
}
"""What the program's own names hold."""

NOT_HERE = {
    "result": "only `capture`, `expect`, `next`, `wait` and `verify` of a step with an action see it",
    "results": "only `capture`, `expect`, `next` and `verify` of a step with `foreach` see it",
    "item": "only the action of a step with `foreach` sees it",
    "secrets": "only an action can hold a secret",
}

_STRING = re.compile(r"""[rRbB]{0,2}("(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?)""")
_UNKNOWN = re.compile(r"^nothing before this step gives '(.*?)' a value")
_MEMBER = re.compile(r"(?<![\w.])(inputs|site|session|result)\.([A-Za-z_]\w*)(?!\s*\()")


def name_problems(runbook: Runbook, flow: Flow) -> list[Problem]:
    """Expressions that do not compile, or that use what nothing gives."""
    return list(_Names(runbook, flow).problems())


class _Names:
    def __init__(self, runbook: Runbook, flow: Flow) -> None:
        self._runbook = runbook
        self._flow = flow
        self._captured = _captured_before(flow)
        self._all_known = not any({"capture", "verify"} & step.lost for step in flow.steps)
        self._members = dict(MEMBERS)
        if "inputs" not in runbook.written.lost:
            self._members["inputs"] = frozenset(each.name for each in runbook.inputs)

    def problems(self) -> Iterator[Problem]:
        captured = {name for step in self._flow.steps for name in _captures_of(step)}
        expect(ALWAYS | RESERVED | captured)
        for number, step in enumerate(self._flow.steps):
            yield from self._step(step, ALWAYS | self._captured[number])
        for triage in self._runbook.triage:
            yield from self._triage(triage)

    def _step(self, step: Step, known: frozenset[str]) -> Iterator[Problem]:
        results = frozenset[str]()
        if step.action is not None:
            results = frozenset({"result", "results"}) if step.foreach is not None else frozenset({"result"})
        before = [step.when, step.foreach.items if step.foreach else None]
        yield from self._each(before, known)
        acting = known | {"secrets"} if reaches_outside(step.action) else known
        yield from self._action(step.action, acting | {"item"} if step.foreach is not None else acting)
        yield from self._action(step.preview, known | {"secrets"})
        if step.wait is not None:
            wait = step.wait
            yield from self._each([wait.until, wait.means, wait.otherwise], known | {"result"})
        yield from self._captures(step.capture, known | results)
        seen = known | results | frozenset(_captures_of(step))
        for expectation in step.expect:
            yield from self._each([expectation.that, expectation.means, expectation.otherwise], seen)
        for following in step.next:
            yield from self._each([following.when, following.say], seen)
        yield from self._each([step.followup], seen)
        yield from self._change(step, known, results)
        yield from self._assumptions(step)

    def _change(self, step: Step, known: frozenset[str], results: frozenset[str]) -> Iterator[Problem]:
        templates = [step.impact, step.unknown]
        if step.pin is not None:
            templates += [step.pin.uid, step.pin.resource_version]
        if step.confirm is not None:
            templates.append(step.confirm.type)
        if step.undo is not None:
            templates.append(step.undo.say)
        yield from self._each(templates, known)
        for guard in step.guards:
            yield from self._each([guard.that, guard.means, guard.otherwise], known)
        for value in step.assume.values():
            yield from self._each(templates_in(value), known)
        if step.verify is not None:
            yield from self._action(step.verify.action, known | results | {"secrets"})
            verify, polled = step.verify, known | results | {"result"}
            yield from self._each([verify.until, verify.otherwise], polled)
            yield from self._captures(verify.capture, polled)
            yield from self._each([verify.means], polled | frozenset(verify.capture))

    def _assumptions(self, step: Step) -> Iterator[Problem]:
        captured = _captures_of(step)
        if {"capture", "verify"} & step.lost:
            return
        for name in step.assume:
            if name not in captured:
                message = f"assume: the step captures no {name!r}{meant(name, captured)}"
                yield Problem(step.at("assume"), message)

    def _triage(self, triage: TriageCheck) -> Iterator[Problem]:
        number = self._flow.index.get(triage.step)
        captures: Iterable[str] = ()
        if number is not None:
            step = self._flow.steps[number]
            captures = step.capture
            needed = {name for each in expressions_of(step.action) for name in names(each)}
            missing = sorted((needed & self._captured[number]) - ALWAYS)
            if missing:
                words = ", ".join(missing)
                message = f"triage reads {triage.step!r} before anything else, so it cannot use {words}"
                yield Problem(triage.position, message)
        seen = ALWAYS | {"result"} | frozenset(captures)
        for condition in triage.verdicts.values():
            yield from self._each([condition.that, condition.means], seen)

    def _captures(self, captures: Mapping[str, Expression], known: frozenset[str]) -> Iterator[Problem]:
        for name, expression in captures.items():
            yield from self._expression(expression, known)
            known |= {name}

    def _action(self, action: Action | None, known: frozenset[str]) -> Iterator[Problem]:
        for expression in expressions_of(action):
            yield from self._expression(expression, known)

    def _each(
        self, parts: Iterable[Expression | Template | None], known: frozenset[str]
    ) -> Iterator[Problem]:
        for part in parts:
            if isinstance(part, Expression):
                yield from self._expression(part, known)
            elif part is not None:
                for each in expressions_in(part):
                    yield from self._expression(each, known)

    def _expression(self, expression: Expression, known: frozenset[str]) -> Iterator[Problem]:
        used = names(expression)
        missing = used - known
        for name in sorted(missing & RESERVED):
            yield Problem(_place(expression, name), f"{name!r} has no value here; {NOT_HERE.get(name, '')}")
        forgiven = missing if not self._all_known else missing & RESERVED
        yield from _compiled(expression, known | forgiven)
        yield from self._unknown_members(expression)

    def _unknown_members(self, expression: Expression) -> Iterator[Problem]:
        for match in _MEMBER.finditer(_without_strings(expression.source)):
            owner, member = match[1], match[2]
            there = self._members.get(owner)
            if there is not None and member not in there:
                at = moved(expression.position, expression.source, match.start(2))
                what = "there is no input" if owner == "inputs" else f"{owner} has no"
                yield Problem(at, f"{what} {member!r}{meant(member, there)}")


def _compiled(expression: Expression, known: frozenset[str]) -> Iterator[Problem]:
    """What compiling finds: every unknown name, or else the first place where it is no expression at all."""
    source = _without_strings(expression.source)
    used = names(expression)
    for problem in check(expression, known):
        unknown = _UNKNOWN.search(problem.message)
        if unknown is None:
            yield problem
            return
        name = unknown[1]
        called = re.search(rf"\b{re.escape(name)}\s*\(", source)
        if name in used or called is None:
            yield problem
        else:
            at = moved(expression.position, source, called.start())
            yield Problem(at, f"there is no function {name!r}")


def _without_strings(source: str) -> str:
    """The source with the text of its strings blanked out; every other character keeps its place."""
    if '"' not in source and "'" not in source:
        return source
    return _STRING.sub(lambda match: " " * len(match[0]), source)


def _place(expression: Expression, name: str) -> Position:
    found = re.search(rf"(?<![\w.]){re.escape(name)}\b", _without_strings(expression.source))
    return moved(expression.position, expression.source, found.start() if found else 0)


def _captures_of(step: Step) -> dict[str, Expression]:
    return {**step.capture, **(step.verify.capture if step.verify is not None else {})}


def _captured_before(flow: Flow) -> list[frozenset[str]]:
    """For each step, the names that some way to it has captured; steps before it in the list count too.

    Names are bits of a number while they flow along the ways, until no step learns of another.
    """
    bits: dict[str, int] = {}
    own: list[int] = []
    for step in flow.steps:
        mask = 0
        for name in _captures_of(step):
            mask |= 1 << bits.setdefault(name, len(bits))
        own.append(mask)
    ways = [
        {*targets, *flow.suggested[number], number + 1} - {len(own)}
        for number, targets in enumerate(flow.ways)
    ]
    before = [0] * len(own)
    waiting = dict.fromkeys(range(len(own)))
    while waiting:
        number = next(iter(waiting))
        del waiting[number]
        given = before[number] | own[number]
        for target in ways[number]:
            if given | before[target] != before[target]:
                before[target] |= given
                waiting[target] = None
    return list(_sets_of(before, list(bits)))


def _sets_of(masks: Iterable[int], names: Sequence[str]) -> Iterator[frozenset[str]]:
    """The names whose bits are set. Most steps know what the one before does, and little more."""
    last, known = 0, frozenset[str]()
    for mask in masks:
        if last & ~mask:
            last, known = 0, frozenset[str]()
        rest = mask ^ last
        new: list[str] = []
        while rest:
            bit = rest.bit_length() - 1
            new.append(names[bit])
            rest ^= 1 << bit
        last, known = mask, known.union(new) if new else known
        yield known


def expressions_in(template: Template) -> Iterator[Expression]:
    """The expressions of a template."""
    for part in template.parts:
        if isinstance(part, Expression):
            yield part


def templates_in(tree: TemplateTree) -> Iterator[Template]:
    """The templates anywhere in a tree."""
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, list):
        for item in tree:
            yield from templates_in(item)
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from templates_in(value)


def templates_of(action: Action | None) -> Iterator[Template]:
    """Every template of an action."""
    match action:
        case KubectlAction() | LocalAction():
            yield from action.words
            yield from (action.stdin,) if action.stdin is not None else ()
            yield from templates_in(action.manifest) if isinstance(action, KubectlAction) else ()
        case SshAction():
            yield action.host
            yield from action.words
            yield from (action.stdin,) if action.stdin is not None else ()
        case HttpAction():
            yield from (each for each in (action.path, action.body) if each is not None)
            yield from action.query.values()
            yield from action.headers.values()
            yield from templates_in(action.json)
        case ProbeAction():
            for tree in action.arguments.values():
                yield from templates_in(tree)
        case ManualAction():
            yield action.instructions
        case ChooseAction():
            yield from (option.say for option in action.options)
        case AskAction():
            yield action.prompt
        case None:
            pass


def expressions_of(action: Action | None) -> Iterator[Expression]:
    """Every expression of an action, conditions of its options included."""
    for template in templates_of(action):
        yield from expressions_in(template)
    if isinstance(action, ChooseAction):
        yield from (option.when for option in action.options if option.when is not None)
