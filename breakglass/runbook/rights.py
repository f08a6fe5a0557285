"""What a runbook's kubectl lines need to be allowed, as far as it can be told before any value is known.

The verbs are those of the API and not of kubectl, as in RBAC: `kubectl logs` gets `pods/log`, `kubectl exec`
creates `pods/exec`. See "Authorization overview" in the Kubernetes reference.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from breakglass.policy.kubectl.operations import (
    CanI,
    Cordon,
    CreateJob,
    Delete,
    Drain,
    Exec,
    Get,
    Logs,
    Operation,
    Patch,
    RolloutRestart,
    RolloutStatus,
    Scale,
    Selection,
    Target,
    Wait,
)
from breakglass.policy.kubectl.parse import KubectlSyntaxError, parse
from breakglass.policy.placeholders import VALUE
from breakglass.runbook.actions import KubectlAction
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import placeholder, render
from breakglass.values import Scope


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One thing to be allowed on one cluster.

    namespace: empty for the context's own, `*` for all, `?` for one that is not known yet.
    """

    cluster: str
    namespace: str
    verb: str
    resource: str
    subresource: str = ""

    @property
    def words(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        named = {"": "", "*": " in all namespaces", "?": " in a namespace found on the way"}
        where = named.get(self.namespace, f" in {self.namespace}")
        return f"{self.verb} {what}{where}"


def rights_of(runbook: Runbook, cluster: str, scope: Scope) -> list[Right]:
    """What the runbook's steps need on a cluster, sorted. `scope` has the inputs and the site; a word whose
    value is not known yet counts as a name."""
    found = {
        right
        for step in runbook.steps
        for action in _actions(step)
        if (action.cluster or cluster) == cluster
        for right in _rights(action, cluster, scope)
    }
    return sorted(found)


def _actions(step: Step) -> Iterator[KubectlAction]:
    verify = step.verify.action if step.verify is not None else None
    for action in (step.action, verify, step.preview):
        if isinstance(action, KubectlAction):
            yield action


def _rights(action: KubectlAction, cluster: str, scope: Scope) -> Iterator[Right]:
    words: list[str] = []
    unknown: set[int] = set()
    for index, word in enumerate(action.words):
        try:
            words.append(render(word, scope))
        except EvaluationError:
            unknown.add(index)
            words.append(placeholder(word))
    try:
        request = parse(words, unknown)
    except KubectlSyntaxError:
        return
    for verb, resource, subresource, namespace in _needed(request):
        if resource != VALUE:
            yield Right(cluster, "?" if namespace == VALUE else namespace, verb, resource, subresource)


Needed = tuple[str, str, str, str]
"""Verb, resource, subresource, namespace."""


def _needed(request: Operation) -> Iterator[Needed]:
    match request:
        case Get(selection=selection):
            for target in selection.targets:
                yield "get", target.resource, "", target.namespace or ""
            yield from _listed("list", selection)
        case Logs(selection=selection):
            yield "get", "pods", "log", _place(selection)
            if selection.labels:
                yield "list", "pods", "", _place(selection)
        case Exec(target=target):
            yield "create", "pods", "exec", target.namespace or ""
        case Delete(selection=selection):
            for target in selection.targets:
                yield "delete", target.resource, "", target.namespace or ""
            yield from _listed("delete", selection)
        case Patch(target=target):
            yield "patch", target.resource, "", target.namespace or ""
        case Scale(targets=targets):
            yield from (("patch", each.resource, "scale", each.namespace or "") for each in targets)
        case RolloutRestart(targets=targets):
            yield from (("patch", each.resource, "", each.namespace or "") for each in targets)
        case RolloutStatus(target=target):
            yield "watch", target.resource, "", target.namespace or ""
        case Cordon():
            yield "patch", "nodes", "", ""
        case Drain():
            yield from (("patch", "nodes", "", ""), ("create", "pods", "eviction", "*"))
        case Wait(selection=selection):
            for target in selection.targets:
                yield "watch", target.resource, "", target.namespace or ""
            yield from _listed("watch", selection)
        case CreateJob(source=Target(namespace=namespace, resource=resource)):
            yield from (("get", resource, "", namespace or ""), ("create", "jobs", "", namespace or ""))
        case CanI():
            pass


def _listed(verb: str, selection: Selection) -> Iterator[Needed]:
    yield from ((verb, kind, "", _place(selection)) for kind in selection.kinds)


def _place(selection: Selection) -> str:
    return "*" if selection.all_namespaces else selection.namespace or ""
