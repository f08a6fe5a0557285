"""The runbook as data: what a YAML file says, checked, with the positions that errors need.

Nothing here runs. `load.py` makes these from YAML, `lint` looks at what they mean together, and the engine in
`breakglass.engine` walks them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from breakglass.regex import compile_pattern
from breakglass.runbook.actions import InputType, StepId
from breakglass.runbook.expression import Expression
from breakglass.runbook.steps import Step
from breakglass.runbook.template import Template
from breakglass.runbook.written import PATTERN
from breakglass.values import Json
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.record import NOT_WRITTEN, Given, Written, derived, key, record, shape_of
from breakglass.yamlio.shape import (
    IDENTIFIER,
    JSON,
    SITE_NAME,
    TEXT,
    Definitions,
    Schema,
    Shape,
    Unreadable,
    converted,
    list_of,
    made,
    mapping_of,
    text,
)
from breakglass.yamlio.source import MappingNode, Node

MOST_STEPS = 1000
"""Steps of one runbook, included ones counted; nobody walks more."""


def fits(value: Json, kind: InputType) -> bool:
    """Whether a value is of an input's type."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)


@record("input", kw_only=True)
class Input:
    """A value that the operator gives at the start."""

    name: str = derived(lambda given: given.name.text if given.name is not None else "")
    type: InputType = key("What kind of value it is.", default="string")
    position: Position = derived(lambda given: given.start)
    help: str = key("What the value is, for the operator.", default="")
    default: Json = key("Used when the operator gives nothing.", default=None)
    has_default: bool = derived(lambda given: given.has("default"))
    pattern: str | None = key("What the whole value must match.", PATTERN, default=None)
    choices: tuple[Json, ...] = key(
        "The values that there are.", list_of(JSON, "a list of values", minimum=1), default=()
    )

    def checked(self, given: Given) -> "Input":
        if "type" not in given.lost:
            self._check_type(given)
        return self

    def _check_type(self, given: Given) -> None:
        if self.pattern is not None and self.type != "string":
            given.problem(
                given.at("pattern"), f"a pattern is for text, and this input is of type {self.type}"
            )
        for value in self.choices:
            if not fits(value, self.type):
                given.problem(given.at("choices"), f"{_shown(value)} is not of type {self.type}")
        wrong = self._wrong_default() if self.has_default else ""
        if wrong:
            given.problem(given.at("default"), f"the default {_shown(self.default)} {wrong}")

    def _wrong_default(self) -> str:
        default, pattern = self.default, self.pattern
        if not fits(default, self.type):
            return f"is not of type {self.type}"
        if self.choices and default not in self.choices:
            return "is not one of the choices"
        if pattern is not None and isinstance(default, str) and not compile_pattern(pattern).fits(default):
            return f"does not match the pattern {pattern}"
        return ""


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def _input_name(name: str, node: Node, problems: list[Problem]) -> str:
    if name in ("true", "false", "null", "in"):
        problems.append(Problem(node.position, f"{name!r} is a word of CEL; call the input something else"))
    return name


INPUTS: Shape[tuple[Input, ...]] = made(
    mapping_of(
        shape_of(Input),
        key=converted(IDENTIFIER, _input_name),
        what="a mapping from names to inputs",
    ),
    lambda inputs: tuple(inputs.values()),
)

VerdictName: TypeAlias = Literal["confirmed", "suspect", "ok"]


@record("condition", short="that")
class Condition:
    """A condition on what a check has read, and what it means when it holds."""

    that: Expression = key("The condition.")
    means: Template | None = key("What it means when it holds, as one would say it.", default=None)


@record("verdict", what="`verdict`")
class _Verdicts:
    """Conditions, tried in this order; where none holds, it is unknown."""

    confirmed: Condition | None = key("It is this incident.", default=None)
    suspect: Condition | None = key("It may be this incident.", default=None)
    ok: Condition | None = key("It is not this incident.", default=None)

    def checked(self, given: Given) -> "_Verdicts":
        if isinstance(given.node, MappingNode) and not given.node.entries:
            given.problem(given.position, "a verdict needs 'confirmed', 'suspect' or 'ok'")
        return self

    @property
    def conditions(self) -> dict[VerdictName, Condition]:
        conditions: dict[VerdictName, Condition | None] = {
            "confirmed": self.confirmed,
            "suspect": self.suspect,
            "ok": self.ok,
        }
        return {name: condition for name, condition in conditions.items() if condition is not None}


@record("triage check")
class TriageCheck:
    """A read that says, before the walk, whether this runbook is the right one."""

    step: StepId = key("A read step of this runbook.", named="use")
    verdicts: Mapping[VerdictName, Condition] = key(
        "What its result says.",
        made(shape_of(_Verdicts), lambda verdicts: verdicts.conditions),
        instead=dict[VerdictName, Condition](),
        named="verdict",
    )
    position: Position = derived(lambda given: given.at("use"))


SiteNames: TypeAlias = Annotated[tuple[str, ...], list_of(SITE_NAME, "a list of names")]
Identifiers: TypeAlias = Annotated[tuple[str, ...], list_of(IDENTIFIER, "a list of names")]
Texts: TypeAlias = Annotated[tuple[str, ...], list_of(TEXT, "a list of texts")]


@record("uses", what="`uses`")
class Uses:
    """What the runbook needs from a site, by name."""

    clusters: SiteNames = key("Kubernetes APIs.", default=())
    hosts: SiteNames = key("Machines reached by SSH.", default=())
    endpoints: SiteNames = key("HTTP services.", default=())
    secrets: Identifiers = key("Secrets.", default=())
    variables: Identifiers = key("Variables.", default=())
    programs: SiteNames = key("Programs of the machine where breakglass runs.", default=())


@record("include", what="`include`")
class _Include:
    """Steps of another file, in its place."""

    file: str = key(
        "A file beside the runbooks that holds a list of steps, by its relative path.", named="include"
    )


class _StepOrInclude(Shape[Step]):
    """A step; in files also an include, which `with_includes` has replaced before this is read."""

    def read(self, node: Node, problems: list[Problem]) -> Step | Unreadable:
        return shape_of(Step).read(node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        return {"anyOf": [shape_of(Step).schema(definitions), shape_of(_Include).schema(definitions)]}


@record("runbook", kw_only=True)
class Runbook:
    """How to find and end an incident, step by step."""

    name: str = key(
        "The runbook's name.",
        text("a name in lower case", pattern=r"[a-z0-9][a-z0-9-]*"),
        instead="",
        named="runbook",
    )
    title: str = key("What the runbook puts right.", instead="")
    summary: str = key("How to recognise the incident, in a sentence.", instead="")
    severity: Literal["sev1", "sev2", "sev3"] = key("How bad it is.", instead="sev3")
    path: Path = derived(lambda given: given.position.file)
    source: str = ""
    """The text that was loaded."""
    digest: str = ""
    """The SHA-256 of the text and of all that it includes, in hexadecimal."""
    owner: str = key("Who keeps the runbook right.", default="")
    alerts: Texts = key("Names of the alerts that lead here.", default=())
    symptoms: Texts = key("What is seen and said, for searching.", default=())
    preflight: Texts = key(
        "Questions to answer before starting: circular dependencies, memory items.", default=()
    )
    affected: Texts = key("Services named in the post-mortem.", default=())
    uses: Uses = key("What the runbook needs from a site, by name.", default=Uses())
    inputs: tuple[Input, ...] = key("Values that the operator gives at the start.", INPUTS, default=())
    triage: tuple[TriageCheck, ...] = key("Is this the right runbook?", default=())
    steps: tuple[Step, ...] = key(
        "The steps of the walk, in their order.",
        list_of(_StepOrInclude(), "a list of steps", minimum=1, maximum=MOST_STEPS),
        instead=(),
    )
    included: tuple[tuple[str, str], ...] = ()
    """The name and the text of each file that is part of it."""
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)

    def step(self, step_id: str) -> Step:
        """The step with this id. Raises KeyError; `lint` has made sure that references resolve."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
