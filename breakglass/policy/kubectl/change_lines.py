"""The lines of verbs that change something, or run a command in a container."""

import re
from dataclasses import replace
from typing import cast

from breakglass.policy.kubectl.changes import (
    Apply,
    Cascade,
    Cordon,
    CreateJob,
    Delete,
    Drain,
    Exec,
    NodeTaint,
    Patch,
    PatchType,
    Relabel,
    RolloutRestart,
    RolloutUndo,
    Scale,
    Taint,
)
from breakglass.policy.kubectl.flags import (
    USE_BINARY,
    Flag,
    KubectlLine,
    KubectlSyntaxError,
    KubectlWord,
)
from breakglass.policy.kubectl.line import (
    ALL,
    DRY_RUN,
    EVERYWHERE,
    FIELDS,
    FORCE,
    GRACE,
    LABELS,
    OUTPUT,
    OVERWRITE,
    TIMEOUT,
    VerbParsers,
    dry_run_of,
    exact_objects,
    namespace_of,
    nodes_of,
    one_object,
    only_arguments,
    output_of,
    pod_of,
    selection_of,
)
from breakglass.policy.kubectl.operations import Target
from breakglass.values import parse_json

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

WRITE = "write `apply --server-side -f -`, with the objects under `manifest`"


def _relabel(line: KubectlLine) -> Relabel:
    only_arguments(line)
    objects = [word for word in line.arguments if not _is_mark(line, word)]
    marks = [word for word in line.arguments if _is_mark(line, word)]
    if not marks:
        raise KubectlSyntaxError(f"{line.verb}: says nothing to change; give NAME=VALUE or NAME-")
    if line.arguments.index(marks[0]) < len(objects):
        raise KubectlSyntaxError(f"{line.verb}: the objects stand before what is changed", marks[0].index)
    selection = selection_of(replace(line, arguments=tuple(objects)))
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
    output = output_of(line, "name", "json", "yaml")
    return Relabel(field, selection, values, line.on("overwrite"), output, dry_run_of(line))


def _is_mark(line: KubectlLine, word: KubectlWord) -> bool:
    return "=" in word.text or word.text.endswith("-")


def _taint(line: KubectlLine) -> Taint:
    only_arguments(line)
    marks = [word for word in line.arguments if re.search(r"[=:]|-$", word.text)]
    rest = tuple(word for word in line.arguments if word not in marks)
    if not marks:
        raise KubectlSyntaxError("taint: names no taint; give KEY=VALUE:EFFECT or KEY:EFFECT-")
    if not rest or rest[0].text.partition("/")[0] not in ("node", "nodes", "no"):
        raise KubectlSyntaxError("taint: takes nodes, as `taint nodes NAME KEY=VALUE:EFFECT`")
    names = rest if "/" in rest[0].text else rest[1:]
    nodes, labels = nodes_of(replace(line, arguments=names))
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
    return Taint(nodes, labels, tuple(add), tuple(remove), line.on("overwrite"), dry_run_of(line))


def _exec(line: KubectlLine) -> Exec:
    if not line.arguments:
        raise KubectlSyntaxError("exec: names no pod")
    if line.after is None:
        raise KubectlSyntaxError("exec: the command stands after --", line.arguments[0].index)
    if not line.after:
        raise KubectlSyntaxError("exec: there is no command after --")
    only_arguments(KubectlLine(line.verb, line.arguments), most=1)
    return Exec(pod_of(line, line.arguments[0]), line.after, line.text("container"), line.on("stdin"))


def _apply(line: KubectlLine) -> Apply:
    only_arguments(line, most=0)
    if line.has("filename") and line.text("filename") != "-":
        raise KubectlSyntaxError(
            f"apply: files are not read: {WRITE}, or {USE_BINARY}", line.where("filename")
        )
    if not line.has("filename") or not line.on("server-side"):
        raise KubectlSyntaxError(f"apply: only server-side apply is built in: {WRITE}, or {USE_BINARY}")
    return Apply(
        namespace_of(line),
        line.text("field-manager", "kubectl"),
        line.on("force-conflicts"),
        output_of(line, "name", "json", "yaml"),
        dry_run_of(line),
    )


def _delete(line: KubectlLine) -> Delete:
    only_arguments(line)
    selection = selection_of(line)
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
    output = output_of(line, "name")
    return Delete(
        selection,
        None if grace is None or grace < 0 else grace,
        force,
        line.on("wait", default=True),
        max(0.0, line.seconds("timeout") or 0.0),
        cast(Cascade, cascade),
        line.on("ignore-not-found", default=selection.everything),
        output,
        dry_run_of(line),
    )


def _patch(line: KubectlLine) -> Patch:
    only_arguments(line)
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
    output = output_of(line, "name", "json", "yaml")
    return Patch(one_object(line), cast(PatchType, kind), change, output, dry_run_of(line))


def _scale(line: KubectlLine) -> Scale:
    only_arguments(line)
    if not line.has("replicas"):
        raise KubectlSyntaxError("scale: --replicas is missing")
    replicas, current = line.whole("replicas"), line.whole("current-replicas")
    if replicas is not None and replicas < 0:
        raise KubectlSyntaxError("scale: --replicas cannot be below 0", line.where("replicas"))
    targets = exact_objects(line, "needs TYPE/NAME")
    return Scale(
        targets, replicas or 0, None if current is None or current < 0 else current, dry_run_of(line)
    )


def _restart(line: KubectlLine) -> RolloutRestart:
    only_arguments(line)
    return RolloutRestart(exact_objects(line, "needs TYPE/NAME"))


def _undo(line: KubectlLine) -> RolloutUndo:
    only_arguments(line)
    to = line.whole("to-revision") or 0
    if to < 0:
        raise KubectlSyntaxError("rollout undo: --to-revision cannot be below 0", line.where("to-revision"))
    return RolloutUndo(one_object(line), to, dry_run_of(line))


def _cordon(line: KubectlLine) -> Cordon:
    nodes, labels = nodes_of(line)
    return Cordon(nodes, labels, line.verb == "uncordon", dry_run_of(line))


def _drain(line: KubectlLine) -> Drain:
    nodes, labels = nodes_of(line)
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
        dry_run_of(line),
    )


def _create_job(line: KubectlLine) -> CreateJob:
    only_arguments(line, most=1)
    if not line.arguments:
        raise KubectlSyntaxError("create job: names no job")
    if not line.has("from"):
        raise KubectlSyntaxError(f"kubectl create job without --from is not built in: {USE_BINARY}")
    kind, slash, name = line.text("from").partition("/")
    stand_in = line.is_stand_in(line.flags["from"][-1])
    if not stand_in and (not slash or not name or kind.split(".")[0] not in ("cronjob", "cronjobs", "cj")):
        raise KubectlSyntaxError("create job: --from takes cronjob/NAME", line.where("from"))
    output = output_of(line, "name", "json", "yaml")
    return CreateJob(line.arguments[0].text, Target(kind, name, namespace_of(line)), output, dry_run_of(line))


VERBS: VerbParsers = {
    "apply": (
        (
            *(Flag("filename", "f"), Flag("server-side", takes="nothing"), Flag("field-manager")),
            *(Flag("force-conflicts", takes="nothing"), OUTPUT, DRY_RUN),
        ),
        _apply,
    ),
    "label": ((LABELS, FIELDS, ALL, OUTPUT, DRY_RUN, OVERWRITE), _relabel),
    "annotate": ((LABELS, FIELDS, ALL, OUTPUT, DRY_RUN, OVERWRITE), _relabel),
    "taint": ((LABELS, DRY_RUN, OVERWRITE), _taint),
    "exec": ((Flag("container", "c"), Flag("stdin", "i", "nothing")), _exec),
    "delete": (
        (
            *(LABELS, FIELDS, EVERYWHERE, ALL, GRACE, FORCE, TIMEOUT, OUTPUT, DRY_RUN),
            *(Flag("now", takes="nothing"), Flag("wait", takes="nothing")),
            *(Flag("cascade", alone="background"), Flag("ignore-not-found", takes="nothing")),
        ),
        _delete,
    ),
    "patch": ((Flag("type"), Flag("patch", "p"), OUTPUT, DRY_RUN), _patch),
    "scale": ((Flag("replicas"), Flag("current-replicas"), DRY_RUN), _scale),
    "rollout restart": ((), _restart),
    "rollout undo": ((Flag("to-revision"), DRY_RUN), _undo),
    "cordon": ((LABELS, DRY_RUN), _cordon),
    "uncordon": ((LABELS, DRY_RUN), _cordon),
    "drain": (
        (
            *(LABELS, GRACE, FORCE, TIMEOUT, DRY_RUN, Flag("pod-selector")),
            *(Flag("ignore-daemonsets", takes="nothing"), Flag("delete-emptydir-data", takes="nothing")),
            Flag("delete-local-data", takes="nothing"),
        ),
        _drain,
    ),
    "create job": ((Flag("from"), OUTPUT, DRY_RUN), _create_job),
}
