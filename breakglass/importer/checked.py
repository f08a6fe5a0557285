"""Whether a step is one that the program loads, and what it may do, by the program's own reader and policy.

What a person must still say stands as a TODO: an expectation of a read; what a change breaks, how it is
confirmed, and what shows that it is done.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from breakglass.errors import BreakglassError
from breakglass.importer.as_yaml import Words, as_yaml
from breakglass.importer.units import Keys, Unit
from breakglass.importer.values import Values, escaped
from breakglass.policy.commands import judge_shell
from breakglass.policy.kubectl.parse import understood
from breakglass.policy.placeholders import VALUE, is_literal
from breakglass.policy.risk import Knowledge, Risk
from breakglass.policy.shell import ShellSyntaxError
from breakglass.runbook.actions import HttpAction, KubectlAction, LocalAction, SshAction
from breakglass.runbook.load import read_runbook
from breakglass.runbook.local_text import started_of
from breakglass.runbook.model import Runbook
from breakglass.runbook.steps import Step
from breakglass.runbook.template import placeholder, placeholder_words
from breakglass.runbook.typed_text import typing_problem
from breakglass.yamlio.position import Problem
from breakglass.yamlio.record import shape_of
from breakglass.yamlio.shape import Unreadable
from breakglass.yamlio.source import compose

_VALUE = re.compile(r"\$\{\{.*?\}\}")
_SECRET = re.compile(r"\bsecrets\.(\w+)")
_NEVER = "false"
"""A verification that never holds: nothing is done before a person has said what shows it."""

FILE = Path("draft.yaml")


def known_risk(unit: Unit) -> Risk:
    """What the page's own line is known for, judged as it stands. What is not understood is a change."""
    text = _VALUE.sub(VALUE, unit.runs) if unit.runs else unit.text
    judged = judge_shell(text)
    if judged.knowledge is Knowledge.UNKNOWN and not unit.runs:
        return Risk.READ if unit.ways and "http" in unit.ways[0] else judged.risk
    return judged.risk


class Checker:
    """Reads the steps of one draft."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def accepted(self, unit: Unit) -> Keys | None:
        """The first of a unit's ways that the program loads and that is of no lower risk than the page's
        line; None where there is none."""
        floor = known_risk(unit)
        for keys in unit.ways:
            step = self._step(keys)
            if step is None or (step.risk < floor and not self._same_words(keys)):
                continue
            whole = self._complete(keys, step)
            if not self.problems(whole):
                return whole
        return None

    def _same_words(self, keys: Keys) -> bool:
        """Whether an action is judged by words that are its own: an `http` request is its method."""
        return "http" in keys

    def problems(self, keys: Keys) -> list[Problem]:
        """What stops a step from being loaded."""
        runbook, problems = read_runbook(as_yaml(self._runbook(keys)), FILE)
        return [] if runbook is not None else [each for each in problems if not each.warning]

    def _step(self, keys: Keys) -> Step | None:
        """The step as it is read, whether or not it is complete."""
        problems: list[Problem] = []
        tree = compose(as_yaml(self._runbook(keys)), FILE, problems)
        if tree is None or problems:
            return None
        try:
            runbook = shape_of(Runbook).read(tree, problems)
        except BreakglassError:
            return None
        if isinstance(runbook, Unreadable) or problems or not runbook.steps:
            return None
        return runbook.steps[-1]

    def _runbook(self, keys: Keys) -> dict[str, object]:
        """A runbook of this one step, behind one that captures what is captured so far."""
        own = cast("dict[str, str]", keys.get("capture", {}))
        captures = {name: "result.answer" for name in self._values.captured if name not in own}
        before: list[object] = (
            [{"id": "before", "title": "Before", "ask": "Before", "capture": captures}] if captures else []
        )
        step = {"id": "step", "title": "Step", **keys}
        return {
            "runbook": "draft",
            "title": "Draft",
            "summary": "Draft",
            "severity": "sev3",
            "uses": uses_of([step]),
            **(
                {"inputs": {name: {"type": "string"} for name in self._values.inputs}}
                if self._values.inputs
                else {}
            ),
            "steps": [*before, step],
        }

    def _complete(self, keys: Keys, step: Step) -> Keys:
        """A step with a TODO for each thing that only a person knows."""
        if step.risk is Risk.READ:
            return keys
        whole: Keys = {**keys, "impact": "TODO: say what this breaks, and for how long"}
        if step.risk is Risk.DESTRUCTIVE:
            whole["confirm"] = {"type": _typed(step)}
        if step.risk >= Risk.CHANGE:
            whole["verify"] = {
                **_looked_at(step, keys),
                "until": _NEVER,
                "means": "TODO: say what shows that it is done, and put the condition under `until`",
                "within": "1m",
            }
        return whole


def _typed(step: Step) -> str:
    match step.action:
        case KubectlAction(words=words):
            target = understood(placeholder_words(words)).target
            name = target.name if target is not None else ""
            if name and is_literal(name) and typing_problem(f"{name}@site") == "":
                return f"{name[-14:].strip('-.')}@site"
            value = next((word.source for word in words if name and placeholder(word) == name), "")
            return value or "TODO-name@site"
        case SshAction(host=host) if host.is_literal:
            return f"TODO@{host.source[:14]}"
        case _:
            return "TODO-name@site"


def _looked_at(step: Step, keys: Keys) -> Keys:
    """A read near the change, for the condition that a person will write."""
    match step.action:
        case KubectlAction():
            return {"kubectl": _around(keys["kubectl"], words_source(step))}
        case SshAction():
            host = cast("dict[str, object]", keys["ssh"])["host"]
            return {"ssh": {"host": host, "run": Words(["uptime"])}}
        case HttpAction(endpoint=endpoint):
            return {"http": {"get": endpoint}}
        case _:
            return {"local": Words(["date"])}


def words_source(step: Step) -> list[str]:
    """The words of a step's action, as they are written."""
    return [word.source for word in step.action.words] if isinstance(step.action, KubectlAction) else []


def _around(action: object, words: Sequence[str]) -> object:
    """A kubectl read of the namespace that a line acts in."""
    namespace = next(
        (words[index + 1] for index, word in enumerate(words[:-1]) if word in ("-n", "--namespace")), ""
    )
    line = (
        f"get events -n {namespace} -o json"
        if namespace and " " not in namespace.replace("${{ ", "").replace(" }}", "")
        else "get events -A -o json"
    )
    if isinstance(action, dict) and "cluster" in action:
        return {"run": line, "cluster": cast("dict[str, object]", action)["cluster"]}
    return line


def uses_of(steps: Iterable[Keys]) -> dict[str, list[str]]:
    """What the steps need from a site, by name, in the order in which they need it."""
    uses: dict[str, dict[str, None]] = {}

    def needed(kind: str, name: str) -> None:
        uses.setdefault(kind, {})[name] = None

    for step in steps:
        for keys in (step, cast(Keys, step.get("verify", {}))):
            match keys.get("kubectl"):
                case None:
                    pass
                case {"cluster": str(cluster)}:
                    needed("clusters", cluster)
                case _:
                    needed("clusters", "main")
            match keys.get("ssh"):
                case {"host": str(host)} if "${{" not in host:
                    needed("hosts", host)
                case _:
                    pass
            match keys.get("http"):
                case dict():
                    needed("endpoints", str(next(iter(cast(Keys, keys["http"]).values()))))
                case _:
                    pass
            for program in _programs(keys.get("local")):
                needed("programs", program)
        for name in _SECRET.findall(
            as_yaml(
                {
                    key: value
                    for key, value in step.items()
                    if key in ("kubectl", "ssh", "http", "local", "verify")
                }
            )
        ):
            needed("secrets", name)
    return {kind: Words(names) for kind, names in uses.items()}


def _programs(action: object) -> Iterable[str]:
    if action is None:
        return []
    text = as_yaml({"local": action})
    problems: list[Problem] = []
    tree = compose(text, FILE, problems)
    from breakglass.yamlio.source import MappingNode

    if not isinstance(tree, MappingNode):
        return []
    found = shape_of(LocalAction).read(tree.entries[0][1], problems)
    if isinstance(found, Unreadable):
        return []
    try:
        return [
            each.word.rpartition("/")[2]
            for each in started_of(found)
            if (is_literal(each.word) and each.place is not None) or each.word.startswith("/")
        ]
    except ShellSyntaxError:
        return []


def by_hand(unit: Unit) -> Keys:
    """The step in which a person runs what the program cannot, with the risk that it is known for."""
    said = unit.place.said()
    keys: Keys = {"manual": escaped(f"{said}, run:\n{unit.text}" if said else f"Run:\n{unit.text}")}
    if unit.captured:
        keys["manual"] = f"{keys['manual']}\nNote what it prints, and nothing else."
        keys["capture"] = {unit.captured: "result.note.trim()"}
    risk = judge_shell(_VALUE.sub(VALUE, unit.runs) if unit.runs else unit.text).risk
    if risk is not Risk.READ:
        keys["risk"] = risk.word
    if risk is Risk.DESTRUCTIVE:
        keys["impact"] = "TODO: say what this breaks, and for how long"
    return keys
