"""A kubectl line as a typed command: what the built-in driver carries out, and the linter checks.

What is not understood whole is refused and never guessed: the `kubectl` program itself does it, with
`driver: binary`.
"""

from collections.abc import Sequence, Set
from dataclasses import replace

from breakglass.policy.kubectl import change_lines, read_lines
from breakglass.policy.kubectl.flags import (
    USE_BINARY,
    KubectlSyntaxError,
    KubectlWord,
    cluster_flag,
    read_line,
)
from breakglass.policy.kubectl.line import NAMESPACE
from breakglass.policy.kubectl.operations import KubectlCommand, Operation

_VERBS = {**read_lines.VERBS, **change_lines.VERBS}
_GROUPS = frozenset(verb.split(" ")[0] for verb in _VERBS if " " in verb)
_ELSEWHERE = {
    "port-forward": (
        "it would hold the step up until its time is over. Give an endpoint of the site a `forward` to the "
        "pod or service, and the step `http: {get: ENDPOINT}`"
    ),
}
"""What to write in place of verbs that no driver can carry out well in a step."""


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
            line = read_line(verb, argv, start + len(parts), (NAMESPACE, *flags), stand_ins)
            if namespace is not None and not line.has("namespace"):
                line = replace(line, flags={**line.flags, "namespace": (namespace,)})
            return make(line)
    verb = " ".join(words) if words[0] in _GROUPS else words[0]
    raise KubectlSyntaxError(f"kubectl {verb} is not built in: {_ELSEWHERE.get(verb, USE_BINARY)}", start)


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
