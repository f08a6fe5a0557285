"""What is wrong with a command line itself: verbs and flags, and values that a shell would read."""

from collections.abc import Iterator

from breakglass.errors import NotUnderstoodError
from breakglass.kubernetes_objects import text
from breakglass.policy.kubectl.changes import Apply, Exec
from breakglass.policy.kubectl.flags import KubectlSyntaxError, cluster_flag
from breakglass.policy.kubectl.manifest import with_manifest
from breakglass.policy.kubectl.parse import parse, understood
from breakglass.policy.placeholders import is_literal, shown
from breakglass.runbook.actions import Action, KubectlAction, ProbeAction
from breakglass.runbook.probes import KnownProbes, probe_problems
from breakglass.runbook.steps import Step
from breakglass.runbook.template import placeholder_tree, placeholder_words
from breakglass.yamlio.position import Problem


def command_problems(step: Step, probes: KnownProbes | None) -> list[Problem]:
    """What is wrong with the commands of a step, its verification and its preview."""
    verification = step.verify.action if step.verify is not None else None
    actions = [action for action in (step.action, verification, step.preview) if action is not None]
    problems = [problem for action in actions for problem in _of(action, probes)]
    main = step.action
    if step.pin is not None and isinstance(main, KubectlAction) and main.driver == "binary":
        message = "the kubectl program cannot hold to a uid; leave `driver: binary` away, or the pin"
        problems.append(Problem(step.at("pin"), f"step {step.id}: {message}"))
    return problems


def _of(action: Action, probes: KnownProbes | None) -> Iterator[Problem]:
    match action:
        case KubectlAction():
            yield from _kubectl(action)
        case ProbeAction():
            if probes is not None:
                yield from probe_problems(action, probes)
        case _:
            pass


def _kubectl(action: KubectlAction) -> Iterator[Problem]:
    words = action.words
    if words and words[0].source == "kubectl":
        yield Problem(words[0].position, "the line begins after the word kubectl; leave it out")
        return
    if words and not words[0].is_literal:
        yield Problem(words[0].position, "the verb must stand as it is, so that its risk can be seen")
        return
    yield from _kubectl_form(action)


def _kubectl_form(action: KubectlAction) -> Iterator[Problem]:
    """Verbs and flags that the chosen driver does not carry out, as far as the values do not matter."""
    words = action.words
    line = placeholder_words(words)
    if action.driver == "binary":
        index = cluster_flag(line)
        if index is not None:
            message = f"{line[index]} is the site's to say: name the cluster with `cluster:`"
            yield Problem(words[index].position, message)
        return
    values = frozenset(index for index, word in enumerate(words) if not word.is_literal)
    try:
        request = parse(line, values)
    except KubectlSyntaxError as error:
        yield Problem(words[error.word].position if words else action.position, shown(str(error)))
        return
    if isinstance(request, Apply) is not (action.manifest is not None):
        message = "`apply` takes its objects from `manifest`, and no other line has one"
        yield Problem(action.position, message)
    elif action.manifest is not None:
        yield from _manifest(action)
    if action.stdin is not None and not (isinstance(request, Exec) and request.stdin):
        yield Problem(action.position, "`stdin` is read by `exec -i` only; the line has no -i")


def _manifest(action: KubectlAction) -> Iterator[Problem]:
    """Objects that can be applied, of kinds that can be seen."""
    form = placeholder_tree(action.manifest)
    try:
        with_manifest(understood(placeholder_words(action.words)), form)
    except NotUnderstoodError as error:
        yield Problem(action.position, shown(str(error)))
        return
    for each in form if isinstance(form, list) else [form]:
        for field in ("apiVersion", "kind"):
            if not is_literal(text(each, field)):
                message = (
                    f"the manifest's {field} must stand as it is, so that it can be seen what is applied"
                )
                yield Problem(action.position, message)
