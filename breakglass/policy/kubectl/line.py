"""Parts that several verbs' lines have in common: which objects are meant, and flags of one meaning."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from breakglass.policy.kubectl.flags import (
    USE_BINARY,
    Flag,
    KubectlLine,
    KubectlSyntaxError,
    KubectlWord,
)
from breakglass.policy.kubectl.operations import Operation, Output, Selection, Target

NAMESPACE = Flag("namespace", "n")
EVERYWHERE = Flag("all-namespaces", "A", "nothing")
LABELS = Flag("selector", "l")
FIELDS = Flag("field-selector")
OUTPUT = Flag("output", "o")
DRY_RUN = Flag("dry-run", alone="unchanged")
TIMEOUT = Flag("timeout")
GRACE = Flag("grace-period")
ALL = Flag("all", takes="nothing")
FORCE = Flag("force", takes="nothing")
OVERWRITE = Flag("overwrite", takes="nothing")
_TEMPLATES = frozenset(["jsonpath", "jsonpath-as-json", "custom-columns", "go-template", "template"])
_USE_JSON = "take `-o json` and an expression over `result.json`"


def namespace_of(line: KubectlLine) -> str | None:
    return line.text("namespace") or None


def targets_of(
    line: KubectlLine, arguments: Sequence[KubectlWord]
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """The objects named by `TYPE NAME...` or `TYPE/NAME...`, or the kinds of `TYPE[,TYPE...]`."""
    namespace = namespace_of(line)
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


def selection_of(line: KubectlLine) -> Selection:
    targets, kinds = targets_of(line, line.arguments)
    if not targets and not kinds:
        raise KubectlSyntaxError(f"{line.verb}: names no resource")
    labels, fields, everywhere = line.text("selector"), line.text("field-selector"), line.on("all-namespaces")
    if targets and (labels or fields or line.on("all") or everywhere):
        raise KubectlSyntaxError(
            f"{line.verb}: names and selectors do not go together", line.arguments[0].index
        )
    return Selection(targets, kinds, namespace_of(line), everywhere, labels, fields, line.on("all"))


def exact_objects(line: KubectlLine, verb_needs: str) -> tuple[Target, ...]:
    """One or more objects by name. KubectlSyntaxError for a kind alone: more would be touched than is
    seen."""
    targets, _ = targets_of(line, line.arguments)
    if not targets:
        raise KubectlSyntaxError(f"{line.verb}: {verb_needs}")
    return targets


def one_object(line: KubectlLine) -> Target:
    targets = exact_objects(line, "needs one TYPE/NAME")
    if len(targets) != 1:
        raise KubectlSyntaxError(f"{line.verb}: takes one object", line.arguments[-1].index)
    return targets[0]


def only_arguments(line: KubectlLine, most: int = 10_000) -> None:
    """Refuse what stands after `--`, and more arguments than the verb takes."""
    if line.after is not None:
        raise KubectlSyntaxError(f"{line.verb}: nothing may stand after --")
    if len(line.arguments) > most:
        extra = line.arguments[most]
        raise KubectlSyntaxError(f"{line.verb}: {extra.text!r} is one argument too many", extra.index)


def output_of(line: KubectlLine, *allowed: Output) -> Output:
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


def dry_run_of(line: KubectlLine) -> bool:
    if not line.has("dry-run"):
        return False
    given = line.text("dry-run")
    if given not in ("server", "none"):
        message = f"{line.verb}: --dry-run={given} does not ask the server; use --dry-run=server"
        raise KubectlSyntaxError(message, line.where("dry-run"))
    return given == "server"


def nodes_of(line: KubectlLine) -> tuple[tuple[str, ...], str]:
    only_arguments(line)
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


def pod_of(line: KubectlLine, word: KubectlWord) -> Target:
    kind, slash, name = word.text.partition("/")
    if slash and (not kind or not name):
        raise KubectlSyntaxError(f"{line.verb}: {word.text!r} is not TYPE/NAME", word.index)
    return Target(kind, name, namespace_of(line)) if slash else Target("pods", word.text, namespace_of(line))


VerbParsers: TypeAlias = Mapping[str, tuple[Sequence[Flag], Callable[[KubectlLine], Operation]]]
"""The flags of each verb, and what makes an operation of its line."""
