"""Whether `uses` names what the steps name, and nothing else: a site is held against it at the start."""

import re
from collections.abc import Iterator

from breakglass.policy.placeholders import is_literal
from breakglass.policy.shell import ShellSyntaxError
from breakglass.runbook.actions import Action, HttpAction, KubectlAction, LocalAction, ProbeAction, SshAction
from breakglass.runbook.expression import Expression
from breakglass.runbook.lint.names import expressions_in, expressions_of, templates_in
from breakglass.runbook.local_text import started_of
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import Template
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape import meant

_SECRET = re.compile(r"(?<![\w.])secrets\.([A-Za-z_]\w*)")
_VARIABLE = re.compile(r"(?<![\w.])site\.variables(?:\.([A-Za-z_]\w*)|\[[\"']([^\"']+)[\"']\])")
_ALL_VARIABLES = re.compile(r"(?<![\w.])site\.variables(?![.\[])")


def uses_problems(runbook: Runbook) -> list[Problem]:
    """Names that are used and not declared, each where it is used, and names declared for nothing."""
    return list(_Uses(runbook).problems())


class _Uses:
    def __init__(self, runbook: Runbook) -> None:
        self._at = runbook.written.at("uses")
        self._steps = runbook.steps
        self._triage = runbook.triage
        uses = runbook.uses
        self._declared = {
            "clusters": uses.clusters,
            "hosts": uses.hosts,
            "endpoints": uses.endpoints,
            "programs": uses.programs,
            "secrets": uses.secrets,
            "variables": uses.variables,
        }
        self._used: dict[str, set[str]] = {kind: set() for kind in self._declared}
        self._open: set[str] = set()
        """Kinds of which a name is only known at run time."""

    def problems(self) -> Iterator[Problem]:
        for step in self._steps:
            for action in step.actions:
                yield from self._action(action)
            for expression in _expressions(step):
                yield from self._expression(expression)
        for check in self._triage:
            for condition in check.verdicts.values():
                yield from self._expression(condition.that)
                for expression in expressions_in(condition.means) if condition.means else ():
                    yield from self._expression(expression)
        for kind, names in self._declared.items():
            if kind in self._open:
                continue
            for name in dict.fromkeys(names):
                if name not in self._used[kind]:
                    yield Problem(self._at, f"uses.{kind} names {name!r}, which no step uses")

    def _action(self, action: Action) -> Iterator[Problem]:
        match action:
            case KubectlAction(cluster=None):
                yield from self._only_cluster(action)
            case KubectlAction(cluster=str() as cluster):
                yield from self._name("clusters", cluster, action.position)
            case SshAction(host=host) if host.is_literal:
                yield from self._name("hosts", host.source, host.position)
            case SshAction():
                self._open.add("hosts")
            case HttpAction():
                yield from self._name("endpoints", action.endpoint, action.position)
            case LocalAction():
                yield from self._programs(action)
            case ProbeAction():
                self._probe(action)
            case _:
                pass

    def _only_cluster(self, action: KubectlAction) -> Iterator[Problem]:
        clusters = self._declared["clusters"]
        if len(clusters) == 1:
            self._used["clusters"].add(clusters[0])
        elif clusters:
            names = ", ".join(clusters)
            yield Problem(action.position, f"uses.clusters names several ({names}); say which with `cluster`")
        else:
            yield Problem(action.position, "uses.clusters names no cluster, and kubectl needs one")

    def _programs(self, action: LocalAction) -> Iterator[Problem]:
        try:
            started = started_of(action)
        except ShellSyntaxError:
            return  # said where the text itself is looked at
        for each in started:
            if not is_literal(each.word):
                message = "the program must stand as it is, so that the site can name it"
                yield Problem(action.position, message)
            elif each.place is not None and "/" not in each.word:
                yield from self._name("programs", each.word, action.position)
            elif each.by and each.word.startswith("/"):
                self._used["programs"].add(each.word.rpartition("/")[2])
            elif each.by:
                message = (
                    f"{each.by} looks for {each.word} by itself; write the path that the site has for it"
                )
                yield Problem(action.position, message)
            else:
                message = f"{each.word}: write the name that the site has for this program"
                yield Problem(action.position, message)

    def _name(self, kind: str, name: str, position: Position) -> Iterator[Problem]:
        self._used[kind].add(name)
        if name not in self._declared[kind]:
            yield Problem(position, f"{name!r} is not among uses.{kind}{meant(name, self._declared[kind])}")

    def _probe(self, action: ProbeAction) -> None:
        """A probe is told what to look at by name, so every text among its arguments may be one."""
        for tree in action.arguments.values():
            for template in templates_in(tree):
                for used in self._used.values():
                    used.add(template.source)
                if not template.is_literal:
                    self._open.update(self._declared)

    def _expression(self, expression: Expression) -> Iterator[Problem]:
        source = expression.source
        for match in _SECRET.finditer(source):
            yield from self._name("secrets", match[1], expression.position)
        for match in _VARIABLE.finditer(source):
            yield from self._name("variables", match[1] or match[2], expression.position)
        if _ALL_VARIABLES.search(source):
            self._open.add("variables")


def _expressions(step: Step) -> Iterator[Expression]:
    """Every expression of a step, those inside its templates included."""
    for action in step.actions:
        yield from expressions_of(action)
    for part in _parts(step):
        if isinstance(part, Expression):
            yield part
        elif part is not None:
            yield from expressions_in(part)


def _parts(step: Step) -> Iterator[Expression | Template | None]:
    yield from (step.when, step.impact, step.unknown, step.followup)
    yield from step.capture.values()
    for each in (*step.expect, *step.guards):
        yield from (each.that, each.means, each.otherwise)
    for following in step.next:
        yield from (following.when, following.say)
    for tree in step.assume.values():
        yield from templates_in(tree)
    if step.foreach is not None:
        yield step.foreach.items
    if step.wait is not None:
        yield from (step.wait.until, step.wait.means, step.wait.otherwise)
    if step.verify is not None:
        yield from (step.verify.until, step.verify.means, step.verify.otherwise)
        yield from step.verify.capture.values()
    if step.pin is not None:
        yield from (step.pin.uid, step.pin.resource_version)
    if step.confirm is not None:
        yield step.confirm.type
    if step.undo is not None:
        yield step.undo.say
