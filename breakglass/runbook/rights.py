"""What a runbook's kubectl lines need to be allowed, as far as it can be told before any value is known.

The verbs are those of the API and not of kubectl, as in RBAC: `kubectl logs` gets `pods/log`, `kubectl exec`
creates `pods/exec`. See "Authorization overview" in the Kubernetes reference.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from breakglass.errors import NotUnderstoodError
from breakglass.policy.kubectl.manifest import with_manifest
from breakglass.policy.kubectl.operations import KubectlCommand
from breakglass.policy.kubectl.parse import parse
from breakglass.policy.placeholders import VALUE
from breakglass.runbook.actions import KubectlAction
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import placeholder, placeholder_tree, render
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
        operation = parse(words, unknown)
        if action.manifest is not None:
            command = with_manifest(KubectlCommand((), operation), placeholder_tree(action.manifest))
            operation = command.operation or operation
    except NotUnderstoodError:
        return
    for verb, resource, subresource, namespace in operation.needs():
        if resource != VALUE:
            yield Right(cluster, "?" if namespace == VALUE else namespace, verb, resource, subresource)
