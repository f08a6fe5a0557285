"""A kubectl line as a typed command: what the built-in driver carries out, and the linter checks.

What is not understood whole is refused and never guessed: the `kubectl` program itself does it, with
`driver: binary`.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import cast

from breakglass.policy.kubectl.flags import (
    USE_BINARY,
    Flag,
    KubectlLine,
    KubectlSyntaxError,
    KubectlWord,
    cluster_flag,
    read_line,
)
from breakglass.policy.kubectl.operations import (
    CanI,
    Cascade,
    Cordon,
    CreateJob,
    Delete,
    Drain,
    Events,
    Exec,
    Get,
    KubectlCommand,
    Logs,
    NodeTaint,
    Operation,
    Output,
    Patch,
    PatchType,
    Relabel,
    RolloutHistory,
    RolloutRestart,
    RolloutStatus,
    RolloutUndo,
    Scale,
    Selection,
    Taint,
    Target,
    Top,
    Wait,
)
from breakglass.values import parse_json

_NAMESPACE = Flag("namespace", "n")
_EVERYWHERE = Flag("all-namespaces", "A", "nothing")
_LABELS = Flag("selector", "l")
_FIELDS = Flag("field-selector")
_OUTPUT = Flag("output", "o")
_DRY_RUN = Flag("dry-run", alone="unchanged")
_TIMEOUT = Flag("timeout")
_GRACE = Flag("grace-period")
_ALL = Flag("all", takes="nothing")
_FORCE = Flag("force", takes="nothing")
_OVERWRITE = Flag("overwrite", takes="nothing")

_TOP_OF_NODES = (_LABELS, Flag("no-headers", takes="nothing"))
_TOP_OF_PODS = (*_TOP_OF_NODES, _EVERYWHERE, Flag("containers", takes="nothing"))

_TEMPLATES = frozenset(["jsonpath", "jsonpath-as-json", "custom-columns", "go-template", "template"])
_USE_JSON = "take `-o json` and an expression over `result.json`"


def understood(argv: Sequence[str]) -> KubectlCommand:
    """The command that a line without the word kubectl is, whether or not the built-in driver knows it."""
    try:
        return KubectlCommand(tuple(argv), parse(argv))
    except KubectlSyntaxError as error:
        return KubectlCommand(tuple(argv), None, str(error))


def parse(argv: Sequence[str], stand_ins: Set[int] = frozenset()) -> Operation:
    """The request of a line without the word kubectl.

    stand_ins: indexes of words whose value is not known yet; only their place in the line is checked.
    Raises KubectlSyntaxError for whatever the built-in driver does not carry out.
    """
    start, namespace = _global_flags(argv)
    if start >= len(argv):
        raise KubectlSyntaxError("the line names no verb", 0)
    words = tuple(argv[start : start + 2])
    for verb, (flags, make) in _VERBS.items():
        parts = tuple(verb.split(" "))
        if words[: len(parts)] == parts:
            line = read_line(verb, argv, start + len(parts), (_NAMESPACE, *flags), stand_ins)
            if namespace is not None and not line.has("namespace"):
                line = replace(line, flags={**line.flags, "namespace": (namespace,)})
            return make(line)
    verb = " ".join(words) if words[0] in _GROUPS else words[0]
    raise KubectlSyntaxError(f"kubectl {verb} is not built in: {USE_BINARY}", start)


def _global_flags(argv: Sequence[str]) -> tuple[int, KubectlWord | None]:
    """Where the verb stands, and the namespace given before it."""
    start, namespace = 0, None
    while start < len(argv) and argv[start].startswith("-"):
        word = argv[start]
        if word in ("-n", "--namespace") and start + 1 < len(argv):
            namespace = KubectlWord(argv[start + 1], start + 1)
            start += 2
        elif word.startswith(("-n", "--namespace=")):
            namespace = KubectlWord(
                word.removeprefix("--namespace=").removeprefix("-n").removeprefix("="), start
            )
            start += 1
        elif cluster_flag(argv[start : start + 1]) is not None:
            raise KubectlSyntaxError(
                f"{word.split('=')[0]} is the site's to say: name the cluster with `cluster:`", start
            )
        else:
            raise KubectlSyntaxError(f"kubectl {word} before the verb is not built in: {USE_BINARY}", start)
    return start, namespace


def _namespace(line: KubectlLine) -> str | None:
    return line.text("namespace") or None


def _targets(
    line: KubectlLine, arguments: Sequence[KubectlWord]
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The objects named by `TYPE NAME...` or `TYPE/NAME...`, or the kinds of `TYPE[,TYPE...]`."""
    namespace = _namespace(line)
    if any("/" in word.text for word in arguments):
        for word in arguments:
            kind, slash, name = word.text.partition("/")
            if not slash or not kind or not name or "/" in name or "," in kind:
                message = f"{line.verb}: {word.text!r} is not TYPE/NAME, and the forms do not mix"
                raise KubectlSyntaxError(message, word.index)
        pairs = [word.text.split("/", 1) for word in arguments]
        return tuple(Target(kind, name, namespace) for kind, name in pairs), ()
    if not arguments:
        return (), ()
    kinds = tuple(kind for kind in arguments[0].text.split(",") if kind)
    if not kinds:
        raise KubectlSyntaxError(f"{line.verb}: {arguments[0].text!r} names no resource", arguments[0].index)
    names = [word.text for word in arguments[1:]]
    if any(not name for name in names):
        raise KubectlSyntaxError(f"{line.verb}: an empty name", arguments[0].index)
    return tuple(Target(kind, name, namespace) for kind in kinds for name in names), () if names else kinds


def _selection(line: KubectlLine) -> Selection:
    targets, kinds = _targets(line, line.arguments)
    if not targets and not kinds:
        raise KubectlSyntaxError(f"{line.verb}: names no resource")
    labels, fields, everywhere = line.text("selector"), line.text("field-selector"), line.on("all-namespaces")
    if targets and (labels or fields or line.on("all") or everywhere):
        raise KubectlSyntaxError(
            f"{line.verb}: names and selectors do not go together", line.arguments[0].index
        )
    return Selection(targets, kinds, _namespace(line), everywhere, labels, fields, line.on("all"))


def _exact(line: KubectlLine, verb_needs: str) -> tuple[Target, ...]:
    """One or more objects by name. KubectlSyntaxError for a kind alone: more would be touched than is
    seen."""
    targets, _ = _targets(line, line.arguments)
    if not targets:
        raise KubectlSyntaxError(f"{line.verb}: {verb_needs}")
    return targets


def _one(line: KubectlLine) -> Target:
    targets = _exact(line, "needs one TYPE/NAME")
    if len(targets) != 1:
        raise KubectlSyntaxError(f"{line.verb}: takes one object", line.arguments[-1].index)
    return targets[0]


def _bare(line: KubectlLine, most: int = 10_000) -> None:
    """Refuse what stands after `--`, and more arguments than the verb takes."""
    if line.after is not None:
        raise KubectlSyntaxError(f"{line.verb}: nothing may stand after --")
    if len(line.arguments) > most:
        extra = line.arguments[most]
        raise KubectlSyntaxError(f"{line.verb}: {extra.text!r} is one argument too many", extra.index)


def _output(line: KubectlLine, *allowed: Output) -> Output:
    given = line.text("output")
    if not given or given in allowed:
        return given
    if line.is_stand_in(line.flags["output"][-1]):
        return ""
    form = given.partition("=")[0]
    refused = f"-o {given} is not built in: {USE_BINARY}"
    if form in _TEMPLATES:
        refused = f"-o {form} is not built in: {_USE_JSON}, or {USE_BINARY}"
    raise KubectlSyntaxError(f"kubectl {line.verb} {refused}", line.where("output"))


def _dry_run(line: KubectlLine) -> bool:
    if not line.has("dry-run"):
        return False
    given = line.text("dry-run")
    if given not in ("server", "none"):
        message = f"{line.verb}: --dry-run={given} does not ask the server; use --dry-run=server"
        raise KubectlSyntaxError(message, line.where("dry-run"))
    return given == "server"


def _get(line: KubectlLine) -> Get:
    _bare(line)
    output = _output(line, "wide", "json", "yaml", "name")
    sort_by = _field_path(line) if line.has("sort-by") else ()
    return Get(_selection(line), output, line.on("ignore-not-found"), not line.on("no-headers"), sort_by)


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
    _bare(line, most=1)
    nodes = line.verb.endswith(("node", "nodes", "no"))
    kind, labels, everywhere = "nodes" if nodes else "pods", line.text("selector"), line.on("all-namespaces")
    if line.arguments and (labels or everywhere):
        raise KubectlSyntaxError(
            f"{line.verb}: a name and a selector do not go together", line.arguments[0].index
        )
    namespace = None if nodes else _namespace(line)
    targets = tuple(Target(kind, word.text, namespace) for word in line.arguments)
    kinds = () if targets else (kind,)
    selection = Selection(targets, kinds, namespace, everywhere, labels)
    return Top(selection, nodes, line.on("containers"), not line.on("no-headers"))


def _events(line: KubectlLine) -> Events:
    _bare(line, most=0)
    of = None
    if line.has("for"):
        kind, slash, name = line.text("for").partition("/")
        if not line.is_stand_in(line.flags["for"][-1]) and (not slash or not kind or not name):
            raise KubectlSyntaxError("events: --for takes TYPE/NAME", line.where("for"))
        of = Target(kind, name, _namespace(line))
    types = tuple(each for word in line.flags.get("types", ()) for each in word.text.split(","))
    known = ("normal", "warning")
    for word in line.flags.get("types", ()):
        if not line.is_stand_in(word) and any(each.lower() not in known for each in word.text.split(",")):
            raise KubectlSyntaxError("events: --types is Normal, Warning, or both", word.index)
    return Events(_namespace(line), line.on("all-namespaces"), of, types, not line.on("no-headers"))


def _relabel(line: KubectlLine) -> Relabel:
    _bare(line)
    objects = [word for word in line.arguments if not _is_mark(line, word)]
    marks = [word for word in line.arguments if _is_mark(line, word)]
    if not marks:
        raise KubectlSyntaxError(f"{line.verb}: says nothing to change; give NAME=VALUE or NAME-")
    if line.arguments.index(marks[0]) < len(objects):
        raise KubectlSyntaxError(f"{line.verb}: the objects stand before what is changed", marks[0].index)
    selection = _selection(replace(line, arguments=tuple(objects)))
    if selection.kinds and not (selection.labels or selection.fields or selection.everything):
        raise KubectlSyntaxError(f"{line.verb}: names no object; give a name, a selector or --all")
    values: dict[str, str | None] = {}
    for word in marks:
        name, equals, value = word.text.partition("=")
        name = name if equals else name.removesuffix("-")
        if not name or name in values:
            raise KubectlSyntaxError(f"{line.verb}: {word.text!r} is no change, or one of two", word.index)
        values[name] = value if equals else None
    field = "labels" if line.verb == "label" else "annotations"
    output = _output(line, "name", "json", "yaml")
    return Relabel(field, selection, values, line.on("overwrite"), output, _dry_run(line))


def _is_mark(line: KubectlLine, word: KubectlWord) -> bool:
    return "=" in word.text or word.text.endswith("-")


_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _taint(line: KubectlLine) -> Taint:
    _bare(line)
    marks = [word for word in line.arguments if re.search(r"[=:]|-$", word.text)]
    rest = tuple(word for word in line.arguments if word not in marks)
    if not marks:
        raise KubectlSyntaxError("taint: names no taint; give KEY=VALUE:EFFECT or KEY:EFFECT-")
    if not rest or rest[0].text.partition("/")[0] not in ("node", "nodes", "no"):
        raise KubectlSyntaxError("taint: takes nodes, as `taint nodes NAME KEY=VALUE:EFFECT`")
    names = rest if "/" in rest[0].text else rest[1:]
    nodes, labels = _nodes(replace(line, arguments=names))
    add: list[NodeTaint] = []
    remove: list[NodeTaint] = []
    for word in marks:
        gone = word.text.endswith("-")
        what, _, effect = word.text.removesuffix("-").partition(":")
        key, _, value = what.partition("=")
        wrong = not key or (effect not in _EFFECTS if effect or not gone else False)
        if wrong and not line.is_stand_in(word):
            raise KubectlSyntaxError(
                f"taint: {word.text!r} is not KEY=VALUE:EFFECT; effects are {', '.join(_EFFECTS)}", word.index
            )
        (remove if gone else add).append(NodeTaint(key, value, effect))
    return Taint(nodes, labels, tuple(add), tuple(remove), line.on("overwrite"), _dry_run(line))


def _logs(line: KubectlLine) -> Logs:
    labels = line.text("selector")
    _bare(line, most=0 if labels else 2)
    if not labels and not line.arguments:
        raise KubectlSyntaxError("logs: names no pod, and selects none with -l")
    container = line.text("container")
    targets: tuple[Target, ...] = ()
    if line.arguments:
        targets = (_pod_target(line, line.arguments[0]),)
        if len(line.arguments) == 2:
            container = line.arguments[1].text
    if container and line.on("all-containers"):
        raise KubectlSyntaxError("logs: --all-containers and a container do not go together")
    tail = line.whole("tail")
    if tail is None and labels:
        tail = 10
    return Logs(
        Selection(targets, (), _namespace(line), False, labels),
        container,
        line.seconds("since"),
        None if tail is None or tail < 0 else tail,
        line.on("previous"),
        line.on("timestamps"),
        line.on("all-containers"),
        line.on("prefix"),
    )


def _pod_target(line: KubectlLine, word: KubectlWord) -> Target:
    kind, slash, name = word.text.partition("/")
    if slash and (not kind or not name):
        raise KubectlSyntaxError(f"{line.verb}: {word.text!r} is not TYPE/NAME", word.index)
    return Target(kind, name, _namespace(line)) if slash else Target("pods", word.text, _namespace(line))


def _exec(line: KubectlLine) -> Exec:
    if not line.arguments:
        raise KubectlSyntaxError("exec: names no pod")
    if line.after is None:
        raise KubectlSyntaxError("exec: the command stands after --", line.arguments[0].index)
    if not line.after:
        raise KubectlSyntaxError("exec: there is no command after --")
    _bare(KubectlLine(line.verb, line.arguments), most=1)
    return Exec(_pod_target(line, line.arguments[0]), line.after, line.text("container"), line.on("stdin"))


def _delete(line: KubectlLine) -> Delete:
    _bare(line)
    selection = _selection(line)
    if selection.kinds and not (selection.labels or selection.fields or selection.everything):
        raise KubectlSyntaxError("delete: names no object; give a name, a selector or --all")
    grace, force = line.whole("grace-period"), line.on("force")
    if line.on("now"):
        if grace is not None and grace >= 0:
            raise KubectlSyntaxError("delete: --now and --grace-period do not go together", line.where("now"))
        grace = 1
    if grace == 0 and not force:
        # kubectl makes it 1 itself, so that nothing vanishes from the API while it still runs.
        grace = 1
    if force and (grace is None or grace < 0):
        grace = 0
    if force and grace and grace > 0:
        raise KubectlSyntaxError(
            "delete: --force and --grace-period above 0 do not go together", line.where("force")
        )
    cascade = line.text("cascade")
    if cascade in ("true", "false"):
        cascade = "background" if cascade == "true" else "orphan"
    else:
        cascade = line.one_of("cascade", ("background", "foreground", "orphan"), "background")
    output = _output(line, "name")
    return Delete(
        selection,
        None if grace is None or grace < 0 else grace,
        force,
        line.on("wait", default=True),
        max(0.0, line.seconds("timeout") or 0.0),
        cast(Cascade, cascade),
        line.on("ignore-not-found", default=selection.everything),
        output,
        _dry_run(line),
    )


def _patch(line: KubectlLine) -> Patch:
    _bare(line)
    if not line.has("patch"):
        raise KubectlSyntaxError("patch: says nothing to change; give it with -p")
    kind = line.one_of("type", ("strategic", "merge", "json"), "strategic")
    text, given = line.text("patch"), line.flags["patch"][-1]
    try:
        change = parse_json(text)
    except ValueError as error:
        if not line.is_stand_in(given):
            raise KubectlSyntaxError(f"patch: -p is not JSON: {error}", given.index) from None
        change = None
    if not line.is_stand_in(given) and not isinstance(change, list if kind == "json" else dict):
        wanted = "a list of operations" if kind == "json" else "an object"
        raise KubectlSyntaxError(f"patch: -p must be {wanted} for --type={kind}", given.index)
    output = _output(line, "name", "json", "yaml")
    return Patch(_one(line), cast(PatchType, kind), change, output, _dry_run(line))


def _scale(line: KubectlLine) -> Scale:
    _bare(line)
    if not line.has("replicas"):
        raise KubectlSyntaxError("scale: --replicas is missing")
    replicas, current = line.whole("replicas"), line.whole("current-replicas")
    if replicas is not None and replicas < 0:
        raise KubectlSyntaxError("scale: --replicas cannot be below 0", line.where("replicas"))
    targets = _exact(line, "needs TYPE/NAME")
    return Scale(targets, replicas or 0, None if current is None or current < 0 else current, _dry_run(line))


def _restart(line: KubectlLine) -> RolloutRestart:
    _bare(line)
    return RolloutRestart(_exact(line, "needs TYPE/NAME"))


def _undo(line: KubectlLine) -> RolloutUndo:
    _bare(line)
    to = line.whole("to-revision") or 0
    if to < 0:
        raise KubectlSyntaxError("rollout undo: --to-revision cannot be below 0", line.where("to-revision"))
    return RolloutUndo(_one(line), to, _dry_run(line))


def _history(line: KubectlLine) -> RolloutHistory:
    _bare(line)
    return RolloutHistory(_one(line))


def _rollout_status(line: KubectlLine) -> RolloutStatus:
    _bare(line)
    return RolloutStatus(_one(line), line.on("watch", default=True), max(0.0, line.seconds("timeout") or 0.0))


def _nodes(line: KubectlLine) -> tuple[tuple[str, ...], str]:
    _bare(line)
    names: list[str] = []
    for word in line.arguments:
        kind, slash, name = word.text.partition("/")
        if slash and kind not in ("node", "nodes", "no"):
            raise KubectlSyntaxError(f"{line.verb}: {word.text!r} is no node", word.index)
        names.append(name if slash else kind)
    labels = line.text("selector")
    if bool(names) == bool(labels):
        raise KubectlSyntaxError(f"{line.verb}: name nodes, or select them with -l; one of the two")
    return tuple(names), labels


def _cordon(line: KubectlLine) -> Cordon:
    nodes, labels = _nodes(line)
    return Cordon(nodes, labels, line.verb == "uncordon", _dry_run(line))


def _drain(line: KubectlLine) -> Drain:
    nodes, labels = _nodes(line)
    grace = line.whole("grace-period")
    return Drain(
        nodes,
        labels,
        line.on("ignore-daemonsets"),
        line.on("delete-emptydir-data") or line.on("delete-local-data"),
        line.on("force"),
        None if grace is None or grace < 0 else grace,
        max(0.0, line.seconds("timeout") or 0.0),
        line.text("pod-selector"),
        _dry_run(line),
    )


def _wait(line: KubectlLine) -> Wait:
    _bare(line)
    if not line.has("for"):
        raise KubectlSyntaxError("wait: --for is missing")
    selection = _selection(line)
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


def _create_job(line: KubectlLine) -> CreateJob:
    _bare(line, most=1)
    if not line.arguments:
        raise KubectlSyntaxError("create job: names no job")
    if not line.has("from"):
        raise KubectlSyntaxError(f"kubectl create job without --from is not built in: {USE_BINARY}")
    kind, slash, name = line.text("from").partition("/")
    stand_in = line.is_stand_in(line.flags["from"][-1])
    if not stand_in and (not slash or not name or kind.split(".")[0] not in ("cronjob", "cronjobs", "cj")):
        raise KubectlSyntaxError("create job: --from takes cronjob/NAME", line.where("from"))
    output = _output(line, "name", "json", "yaml")
    return CreateJob(line.arguments[0].text, Target(kind, name, _namespace(line)), output, _dry_run(line))


def _can_i(line: KubectlLine) -> CanI:
    _bare(line, most=3)
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
        _namespace(line),
        line.on("all-namespaces"),
        line.on("quiet"),
    )


_VERBS = {
    "get": (
        (
            *(_OUTPUT, _LABELS, _FIELDS, _EVERYWHERE, Flag("ignore-not-found", takes="nothing")),
            *(Flag("no-headers", takes="nothing"), Flag("sort-by")),
        ),
        _get,
    ),
    "events": (
        (_EVERYWHERE, Flag("for"), Flag("types"), Flag("no-headers", takes="nothing")),
        _events,
    ),
    **{f"top {kind}": (_TOP_OF_PODS, _top) for kind in ("pods", "pod", "po")},
    **{f"top {kind}": (_TOP_OF_NODES, _top) for kind in ("nodes", "node", "no")},
    "label": ((_LABELS, _FIELDS, _ALL, _OUTPUT, _DRY_RUN, _OVERWRITE), _relabel),
    "annotate": ((_LABELS, _FIELDS, _ALL, _OUTPUT, _DRY_RUN, _OVERWRITE), _relabel),
    "taint": ((_LABELS, _DRY_RUN, _OVERWRITE), _taint),
    "logs": (
        (
            *(_LABELS, Flag("container", "c"), Flag("since"), Flag("tail"), Flag("previous", "p", "nothing")),
            *(Flag("timestamps", takes="nothing"), Flag("all-containers", takes="nothing")),
            Flag("prefix", takes="nothing"),
        ),
        _logs,
    ),
    "exec": ((Flag("container", "c"), Flag("stdin", "i", "nothing")), _exec),
    "delete": (
        (
            *(_LABELS, _FIELDS, _EVERYWHERE, _ALL, _GRACE, _FORCE, _TIMEOUT, _OUTPUT, _DRY_RUN),
            *(Flag("now", takes="nothing"), Flag("wait", takes="nothing")),
            *(Flag("cascade", alone="background"), Flag("ignore-not-found", takes="nothing")),
        ),
        _delete,
    ),
    "patch": ((Flag("type"), Flag("patch", "p"), _OUTPUT, _DRY_RUN), _patch),
    "scale": ((Flag("replicas"), Flag("current-replicas"), _DRY_RUN), _scale),
    "rollout restart": ((), _restart),
    "rollout undo": ((Flag("to-revision"), _DRY_RUN), _undo),
    "rollout history": ((), _history),
    "rollout status": ((Flag("watch", "w", "nothing"), _TIMEOUT), _rollout_status),
    "cordon": ((_LABELS, _DRY_RUN), _cordon),
    "uncordon": ((_LABELS, _DRY_RUN), _cordon),
    "drain": (
        (
            *(_LABELS, _GRACE, _FORCE, _TIMEOUT, _DRY_RUN, Flag("pod-selector")),
            *(Flag("ignore-daemonsets", takes="nothing"), Flag("delete-emptydir-data", takes="nothing")),
            Flag("delete-local-data", takes="nothing"),
        ),
        _drain,
    ),
    "wait": ((_LABELS, _FIELDS, _EVERYWHERE, _ALL, _TIMEOUT, Flag("for")), _wait),
    "create job": ((Flag("from"), _OUTPUT, _DRY_RUN), _create_job),
    "auth can-i": ((Flag("subresource"), _EVERYWHERE, Flag("quiet", "q", "nothing")), _can_i),
}
_GROUPS = frozenset(verb.split(" ")[0] for verb in _VERBS if " " in verb)
