"""A line with `kubectl` or `oc` as a step's action."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from breakglass.importer.filters import at_json_path
from breakglass.importer.place import ShellPlace, site_name
from breakglass.importer.written import line_of, words_of
from breakglass.policy.kubectl.parse import understood

_SHELLS = frozenset(("sh", "bash", "/bin/sh", "/bin/bash", "ash", "zsh", "/bin/ash"))
_CLUSTER = ("--context", "--kubeconfig", "--cluster", "--user", "-s", "--server")
_BY_A_PERSON = frozenset(
    ("edit", "port-forward", "proxy", "attach", "login", "project", "debug", "cp", "rsync", "run")
)
"""Verbs that hold a terminal, or change the machine of whoever types them."""
_ONLY_OC = frozenset(
    ("rsh", "debug", "project", "login", "extract", "adm", "whoami", "projects", "status", "process")
)


@dataclass(frozen=True, slots=True)
class KubectlStep:
    """actions: ways to write the action, best first; none where only a person can do it. place: the pod or
    node that the line goes into, where it only does that. json: it prints JSON. expression: what it takes of
    that. secret: it prints a secret."""

    actions: tuple[object, ...] = ()
    place: ShellPlace | None = None
    json: bool = False
    expression: str = ""
    secret: bool = False


def kubectl_line(template: str) -> KubectlStep | None:
    """What a line that begins with `kubectl` or `oc` asks for; None where its words cannot be told apart."""
    words = words_of(template)
    if words is None or len(words) < 2 or words[0] not in ("kubectl", "oc", "k"):
        return None
    program, (cluster, words) = words[0], _without_cluster(words[1:])
    words = _as_kubectl(program, words)
    verb = next((index for index in range(len(words)) if _is_verb(words, index)), None)
    if verb is None:
        return None
    if words[verb] in ("exec", "debug"):
        return _into(program, words, verb, cluster)
    if words[verb] in _BY_A_PERSON or (program == "oc" and words[verb] in _ONLY_OC):
        return KubectlStep()
    words = _without_watching(words, verb)
    secret = words[verb] == "get" and any(re.match(r"secrets?(?:/|$)", word) for word in words)
    plain, expression = _with_json(words) if words[verb] == "get" else (words, "")
    return KubectlStep(
        tuple(_ways(plain, cluster)), None, expression != "" or _gives_json(words), expression, secret
    )


def _with_json(words: list[str]) -> tuple[list[str], str]:
    """A line that takes JSON in place of a JSONPath, and the expression that the path is."""
    for index, word in enumerate(words):
        found = re.fullmatch(r"(?:-o=?|--output=)jsonpath=(.*)", word, re.DOTALL)
        before = word.startswith("jsonpath=") and index and words[index - 1] in ("-o", "--output")
        path = found[1] if found else word.removeprefix("jsonpath=") if before else ""
        if path and (expression := at_json_path(path)):
            return [*words[: index - bool(before)], "-o", "json", *words[index + 1 :]], expression
    return words, ""


def _without_cluster(words: list[str]) -> tuple[str, list[str]]:
    """The cluster that a line names, and the line without it: where that is, the site says."""
    cluster, kept, index = "", list[str](), 0
    while index < len(words):
        name, equals, value = words[index].partition("=")
        if words[index] == "--":
            return cluster, [*kept, *words[index:]]
        if name in _CLUSTER and (equals or index + 1 < len(words)):
            value = value if equals else words[index + 1]
            index += 1 if equals else 2
            if name == "--context" and "${{" not in value:
                cluster = site_name(value)
            continue
        kept.append(words[index])
        index += 1
    return cluster, kept


def _as_kubectl(program: str, words: list[str]) -> list[str]:
    """A line of `oc` in kubectl's words, where kubectl has them."""
    if program != "oc":
        return words
    if "adm" in words[:3]:
        index = words.index("adm")
        if words[index + 1 : index + 2] and words[index + 1] in (
            "cordon",
            "uncordon",
            "drain",
            "taint",
            "top",
        ):
            return words[:index] + words[index + 1 :]
    return words


def _is_verb(words: list[str], index: int) -> bool:
    before = words[index - 1] if index else ""
    return not words[index].startswith("-") and before not in ("-n", "--namespace", "-c", "--container", "-l")


def _into(program: str, words: list[str], verb: int, cluster: str) -> KubectlStep | None:
    """A line that runs something in a pod, or only goes into one."""
    end = words.index("--") if "--" in words else None
    head, inner = (words, []) if end is None else (words[:end], words[end + 1 :])
    head = [word for word in head if word not in ("-it", "-ti", "-i", "-t", "--stdin", "--tty", "-tty")]
    if words[verb] == "debug":
        return (
            KubectlStep(place=ShellPlace("debug", f"{program} {line_of(head)}"))
            if end is None
            else KubectlStep()
        )
    if end is None:
        # The old form has the command right behind the pod.
        operands = [i for i in range(verb + 1, len(head)) if _is_verb(head, i)]
        if len(operands) > 1:
            head, inner = head[: operands[1]], head[operands[1] :]
    if not inner or (len(inner) == 1 and inner[0] in _SHELLS):
        return KubectlStep(place=ShellPlace("pod", line_of(head)))
    return KubectlStep(tuple(_ways([*head, "--", *inner], cluster)))


def rsh_as_exec(template: str) -> str:
    """`oc rsh POD COMMAND` in the words of `kubectl exec`."""
    words = words_of(template)
    if words is None or words[0] != "oc" or "rsh" not in words:
        return template
    verb = words.index("rsh")
    operands = [i for i in range(verb + 1, len(words)) if _is_verb(words, i)]
    if not operands:
        return template
    head, inner = words[: operands[0] + 1], words[operands[0] + 1 :]
    head[verb] = "exec"
    inner = inner[1:] if inner[:1] == ["--"] else inner
    return line_of(["kubectl", *head[1:], *(["--", *inner] if inner else [])])


def _without_watching(words: list[str], verb: int) -> list[str]:
    """Without the options that keep a command open."""
    unwanted = {"get": ("-w", "--watch", "--watch-only"), "logs": ("-f", "--follow", "--follow=true")}
    return [word for word in words if word not in unwanted.get(words[verb], ())]


def _ways(words: list[str], cluster: str) -> Iterator[object]:
    line = line_of(words)
    if understood(words).operation is not None or "${{" in line:
        yield {"run": line, "cluster": cluster} if cluster else line
    yield {"run": line, **({"cluster": cluster} if cluster else {}), "driver": "binary"}


def _gives_json(words: list[str]) -> bool:
    text = " ".join(words)
    return re.search(r"(?:-o|--output)[ =]?json(?:\s|$)", text) is not None
