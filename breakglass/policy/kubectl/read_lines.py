"""The lines of verbs that only look."""

import re

from breakglass.policy.kubectl.flags import USE_BINARY, Flag, KubectlLine, KubectlSyntaxError
from breakglass.policy.kubectl.line import (
    ALL,
    EVERYWHERE,
    FIELDS,
    LABELS,
    OUTPUT,
    TIMEOUT,
    VerbParsers,
    namespace_of,
    one_object,
    only_arguments,
    output_of,
    pod_of,
    selection_of,
)
from breakglass.policy.kubectl.operations import (
    CanI,
    Describe,
    Events,
    Get,
    Logs,
    RolloutHistory,
    RolloutStatus,
    Selection,
    Target,
    Top,
    Wait,
)

_TOP_OF_NODES = (LABELS, Flag("no-headers", takes="nothing"))
_TOP_OF_PODS = (*_TOP_OF_NODES, EVERYWHERE, Flag("containers", takes="nothing"))


def _get(line: KubectlLine) -> Get:
    only_arguments(line)
    output = output_of(line, "wide", "json", "yaml", "name")
    sort_by = _field_path(line) if line.has("sort-by") else ()
    return Get(selection_of(line), output, line.on("ignore-not-found"), not line.on("no-headers"), sort_by)


def _describe(line: KubectlLine) -> Describe:
    only_arguments(line)
    return Describe(selection_of(line), line.on("show-events", default=True))


def _field_path(line: KubectlLine) -> tuple[str | int, ...]:
    """The path of one field, such as `.status.containerStatuses[0].restartCount`. Anything else of JSONPath
    is refused."""
    given = line.text("sort-by")
    if line.is_stand_in(line.flags["sort-by"][-1]):
        return ("metadata", "name")
    body = given[1:-1] if given.startswith("{") and given.endswith("}") else given
    parts = re.findall(r"\.?((?:[A-Za-z0-9_/-]|\\\.)+)|\[(\d+)\]", body)
    whole = re.fullmatch(r"(?:\.?(?:[A-Za-z0-9_/-]|\\\.)+)(?:\.(?:[A-Za-z0-9_/-]|\\\.)+|\[\d+\])*", body)
    if whole is None:
        raise KubectlSyntaxError(
            f"get: --sort-by={given} is not one field: {USE_BINARY}", line.where("sort-by")
        )
    return tuple(name.replace("\\.", ".") if name else int(index) for name, index in parts)


def _top(line: KubectlLine) -> Top:
    only_arguments(line, most=1)
    nodes = line.verb.endswith(("node", "nodes", "no"))
    kind, labels, everywhere = "nodes" if nodes else "pods", line.text("selector"), line.on("all-namespaces")
    if line.arguments and (labels or everywhere):
        raise KubectlSyntaxError(
            f"{line.verb}: a name and a selector do not go together", line.arguments[0].index
        )
    namespace = None if nodes else namespace_of(line)
    targets = tuple(Target(kind, word.text, namespace) for word in line.arguments)
    kinds = () if targets else (kind,)
    selection = Selection(targets, kinds, namespace, everywhere, labels)
    return Top(selection, nodes, line.on("containers"), not line.on("no-headers"))


def _events(line: KubectlLine) -> Events:
    only_arguments(line, most=0)
    of = None
    if line.has("for"):
        kind, slash, name = line.text("for").partition("/")
        if not line.is_stand_in(line.flags["for"][-1]) and (not slash or not kind or not name):
            raise KubectlSyntaxError("events: --for takes TYPE/NAME", line.where("for"))
        of = Target(kind, name, namespace_of(line))
    types = tuple(each for word in line.flags.get("types", ()) for each in word.text.split(","))
    known = ("normal", "warning")
    for word in line.flags.get("types", ()):
        if not line.is_stand_in(word) and any(each.lower() not in known for each in word.text.split(",")):
            raise KubectlSyntaxError("events: --types is Normal, Warning, or both", word.index)
    return Events(namespace_of(line), line.on("all-namespaces"), of, types, not line.on("no-headers"))


def _logs(line: KubectlLine) -> Logs:
    labels = line.text("selector")
    only_arguments(line, most=0 if labels else 2)
    if not labels and not line.arguments:
        raise KubectlSyntaxError("logs: names no pod, and selects none with -l")
    container = line.text("container")
    targets: tuple[Target, ...] = ()
    if line.arguments:
        targets = (pod_of(line, line.arguments[0]),)
        if len(line.arguments) == 2:
            container = line.arguments[1].text
    if container and line.on("all-containers"):
        raise KubectlSyntaxError("logs: --all-containers and a container do not go together")
    tail = line.whole("tail")
    if tail is None and labels:
        tail = 10
    return Logs(
        Selection(targets, (), namespace_of(line), False, labels),
        container,
        line.seconds("since"),
        None if tail is None or tail < 0 else tail,
        line.on("previous"),
        line.on("timestamps"),
        line.on("all-containers"),
        line.on("prefix"),
    )


def _history(line: KubectlLine) -> RolloutHistory:
    only_arguments(line)
    return RolloutHistory(one_object(line))


def _rollout_status(line: KubectlLine) -> RolloutStatus:
    only_arguments(line)
    return RolloutStatus(
        one_object(line), line.on("watch", default=True), max(0.0, line.seconds("timeout") or 0.0)
    )


def _wait(line: KubectlLine) -> Wait:
    only_arguments(line)
    if not line.has("for"):
        raise KubectlSyntaxError("wait: --for is missing")
    selection = selection_of(line)
    if selection.kinds and not (selection.labels or selection.fields or selection.everything):
        raise KubectlSyntaxError("wait: names no object; give a name, a selector or --all")
    timeout = line.seconds("timeout")
    if timeout is None:
        timeout = 30.0
    elif timeout < 0:
        timeout = 7 * 24 * 3600.0
    what, _, rest = line.text("for").partition("=")
    if what == "delete" and not rest:
        return Wait(selection, "delete", timeout=timeout)
    if what == "condition" and rest:
        name, equals, value = rest.partition("=")
        return Wait(selection, "condition", name, value if equals else "True", timeout)
    if line.is_stand_in(line.flags["for"][-1]):
        return Wait(selection, "delete", timeout=timeout)
    message = f"kubectl wait --for={line.text('for')} is not built in: {USE_BINARY}"
    raise KubectlSyntaxError(message, line.where("for"))


def _can_i(line: KubectlLine) -> CanI:
    only_arguments(line, most=3)
    texts = [word.text for word in line.arguments]
    if len(texts) < 2:
        raise KubectlSyntaxError("auth can-i: takes a verb and a resource")
    if texts[1].startswith("/"):
        raise KubectlSyntaxError(f"kubectl auth can-i for a URL is not built in: {USE_BINARY}", 0)
    resource, _, name = texts[1].partition("/")
    return CanI(
        texts[0],
        resource,
        texts[2] if len(texts) == 3 else name,
        line.text("subresource"),
        namespace_of(line),
        line.on("all-namespaces"),
        line.on("quiet"),
    )


VERBS: VerbParsers = {
    "get": (
        (
            *(OUTPUT, LABELS, FIELDS, EVERYWHERE, Flag("ignore-not-found", takes="nothing")),
            *(Flag("no-headers", takes="nothing"), Flag("sort-by")),
        ),
        _get,
    ),
    "describe": ((LABELS, EVERYWHERE, Flag("show-events", takes="nothing")), _describe),
    "events": (
        (EVERYWHERE, Flag("for"), Flag("types"), Flag("no-headers", takes="nothing")),
        _events,
    ),
    **{f"top {kind}": (_TOP_OF_PODS, _top) for kind in ("pods", "pod", "po")},
    **{f"top {kind}": (_TOP_OF_NODES, _top) for kind in ("nodes", "node", "no")},
    "logs": (
        (
            *(LABELS, Flag("container", "c"), Flag("since"), Flag("tail"), Flag("previous", "p", "nothing")),
            *(Flag("timestamps", takes="nothing"), Flag("all-containers", takes="nothing")),
            Flag("prefix", takes="nothing"),
        ),
        _logs,
    ),
    "rollout history": ((), _history),
    "rollout status": ((Flag("watch", "w", "nothing"), TIMEOUT), _rollout_status),
    "wait": ((LABELS, FIELDS, EVERYWHERE, ALL, TIMEOUT, Flag("for")), _wait),
    "auth can-i": ((Flag("subresource"), EVERYWHERE, Flag("quiet", "q", "nothing")), _can_i),
}
