"""From a YAML file to a runbook, with every problem that reading and looking at it can find.

A file goes through four stages, and each adds its problems and leaves as much as it can to the next: text to
a tree (`yaml_source`), includes spliced in (`includes`), tree to model (`steps`, `actions` and the shapes
here), and what the parts mean together (`lint`).
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from breakglass.linear import compile_pattern
from breakglass.runbook.actions import TYPE
from breakglass.runbook.includes import Included, with_includes
from breakglass.runbook.lint import lint_read
from breakglass.runbook.model import Expression, Input, InputType, Runbook, TriageCheck, Uses
from breakglass.runbook.probes import KnownProbes
from breakglass.runbook.steps import STEP, ReadStep
from breakglass.runbook.written import EXPRESSION, PATTERN, STEP_ID
from breakglass.values import Json
from breakglass.yamlio.position import InvalidFileError, Position, Problem
from breakglass.yamlio.shape import (
    IDENTIFIER,
    JSON,
    SITE_NAME,
    TEXT,
    Definitions,
    Entry,
    Field,
    Fields,
    Schema,
    Shape,
    Unreadable,
    choice,
    converted,
    entries_of,
    list_of,
    optional,
    record,
    required,
    text,
)
from breakglass.yamlio.source import Node, compose
from breakglass.yamlio.text_file import ReadText, read_text, read_trusted_text

MOST_STEPS = 1000
"""Steps of one runbook, included ones counted; nobody walks more."""

VerdictName = Literal["confirmed", "suspect", "ok"]
Severity = Literal["sev1", "sev2", "sev3"]

_NAMES = list_of(SITE_NAME, "a list of names")
_CLUSTERS = optional("clusters", _NAMES, default=())
_HOSTS = optional("hosts", _NAMES, default=())
_ENDPOINTS = optional("endpoints", _NAMES, default=())
_SECRETS = optional("secrets", list_of(IDENTIFIER, "a list of names"), default=())
_VARIABLES = optional("variables", list_of(IDENTIFIER, "a list of names"), default=())


@dataclass(frozen=True, slots=True)
class _Placed:
    """What the runbook uses, and where that is written."""

    uses: Uses
    position: Position


USES = record(
    "uses",
    (_CLUSTERS, _HOSTS, _ENDPOINTS, _SECRETS, _VARIABLES),
    lambda given: _Placed(
        Uses(given[_CLUSTERS], given[_HOSTS], given[_ENDPOINTS], given[_SECRETS], given[_VARIABLES]),
        given.position,
    ),
    what="`uses`",
    help="What the runbook needs from a site, by name.",
)

_DEFAULT = optional("default", JSON, help="Used when the operator gives nothing.")
_HELP = optional("help", TEXT, default="", help="What the value is, for the operator.")
_PATTERN = optional("pattern", PATTERN, help="What the whole value must match.")
_CHOICES = optional("choices", list_of(JSON, "a list of values", minimum=1), default=())


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


def _input(given: Fields) -> Input:
    kind = given[TYPE]
    default, pattern, choices = given[_DEFAULT], given[_PATTERN], given[_CHOICES]
    type_known = TYPE.key not in given.lost
    if pattern is not None and kind != "string" and type_known:
        given.problem(given.position_of(_PATTERN), f"a pattern is for text, and this input is of type {kind}")
    if type_known:
        for value in choices:
            if not fits(value, kind):
                given.problem(given.position_of(_CHOICES), f"{_shown(value)} is not of type {kind}")
    if given.has(_DEFAULT) and type_known:
        at = given.position_of(_DEFAULT)
        if not fits(default, kind):
            given.problem(at, f"the default {_shown(default)} is not of type {kind}")
        elif choices and default not in choices:
            given.problem(at, f"the default {_shown(default)} is not one of the choices")
        elif pattern is not None and isinstance(default, str) and not compile_pattern(pattern).fits(default):
            given.problem(at, f"the default {_shown(default)} does not match the pattern {pattern}")
    return Input(
        name="",
        type=kind,
        position=given.position,
        help=given[_HELP],
        default=default,
        has_default=given.has(_DEFAULT),
        pattern=pattern,
        choices=choices,
    )


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def _input_name(name: str, node: Node, problems: list[Problem]) -> str:
    if name in ("true", "false", "null", "in"):
        problems.append(Problem(node.position, f"{name!r} is a word of CEL; call the input something else"))
    return name


def _inputs(entries: tuple[Entry[Input], ...], node: Node, problems: list[Problem]) -> tuple[Input, ...]:
    return tuple(replace(entry.value, name=entry.name, position=entry.position) for entry in entries)


INPUTS = converted(
    entries_of(
        record("input", (TYPE, _DEFAULT, _HELP, _PATTERN, _CHOICES), _input),
        key=converted(IDENTIFIER, _input_name),
        what="a mapping from names to inputs",
    ),
    _inputs,
)

_CONFIRMED = optional("confirmed", EXPRESSION)
_SUSPECT = optional("suspect", EXPRESSION)
_OK = optional("ok", EXPRESSION)


def _verdicts(given: Fields) -> dict[VerdictName, Expression]:
    conditions: dict[VerdictName, Expression | None] = {
        "confirmed": given[_CONFIRMED],
        "suspect": given[_SUSPECT],
        "ok": given[_OK],
    }
    if not given.node.entries:
        given.problem(given.position, "a verdict needs 'confirmed', 'suspect' or 'ok'")
    return {name: condition for name, condition in conditions.items() if condition is not None}


_USE = required("use", STEP_ID, help="A read step of this runbook.")
_VERDICT = required(
    "verdict",
    record("verdict", (_CONFIRMED, _SUSPECT, _OK), _verdicts, what="`verdict`"),
    instead=dict[VerdictName, Expression](),
)
TRIAGE = record(
    "triage check",
    (_USE, _VERDICT),
    lambda given: TriageCheck(given[_USE], given[_VERDICT], given.position_of(_USE)),
)

_INCLUDE = required(
    "include", TEXT, help="A file beside the runbooks that holds a list of steps, by its relative path."
)
_INCLUDED_STEPS = record("include", (_INCLUDE,), lambda given: given[_INCLUDE], what="`include`")


class _StepOrInclude(Shape[ReadStep]):
    """A step; in files also an include, which `with_includes` has replaced before this is read."""

    def read(self, node: Node, problems: list[Problem]) -> ReadStep | Unreadable:
        return STEP.read(node, problems)

    def schema(self, definitions: Definitions) -> Schema:
        return {"anyOf": [STEP.schema(definitions), _INCLUDED_STEPS.schema(definitions)]}


@dataclass(frozen=True, slots=True)
class ReadRunbook:
    """A runbook without its text yet, and what could not be read of it."""

    runbook: Runbook
    steps: tuple[ReadStep, ...]
    uses: Position
    """Where the runbook says what it uses."""
    lost: frozenset[str]
    """Keys that are there, but of which something could not be read."""


_TEXTS = list_of(TEXT, "a list of texts")
_SEVERITIES: dict[str, Severity] = {"sev1": "sev1", "sev2": "sev2", "sev3": "sev3"}
_NAME = required("runbook", text("a name in lower case", pattern=r"[a-z0-9][a-z0-9-]*"), instead="")
_TITLE = required("title", TEXT, instead="", help="What the runbook puts right.")
_SUMMARY = required("summary", TEXT, instead="", help="How to recognise the incident, in a sentence.")
_SEVERITY = Field[Severity]("severity", choice(_SEVERITIES), "sev3", must=True, help="How bad it is.")
_OWNER = optional("owner", TEXT, default="", help="Who keeps the runbook right.")
_ALERTS = optional("alerts", _TEXTS, default=(), help="Names of the alerts that lead here.")
_SYMPTOMS = optional("symptoms", _TEXTS, default=(), help="What is seen and said, for searching.")
_PREFLIGHT = optional("preflight", _TEXTS, default=(), help="Questions to answer before starting.")
_AFFECTED = optional("affected", _TEXTS, default=(), help="Services named in the post-mortem.")
_USES = optional("uses", USES, help="What the runbook needs from a site, by name.")
_INPUTS = optional("inputs", INPUTS, default=(), help="Values that the operator gives at the start.")
_TRIAGE = optional("triage", list_of(TRIAGE), default=(), help="Is this the right runbook?")
_STEPS = required(
    "steps",
    list_of(_StepOrInclude(), "a list of steps", minimum=1, maximum=MOST_STEPS),
    instead=tuple[ReadStep, ...](),
)


def _runbook(given: Fields) -> ReadRunbook:
    placed = given[_USES]
    steps = given[_STEPS]
    runbook = Runbook(
        name=given[_NAME],
        title=given[_TITLE],
        summary=given[_SUMMARY],
        severity=given[_SEVERITY],
        path=given.position.file,
        source="",
        digest="",
        steps=tuple(each.step for each in steps),
        owner=given[_OWNER],
        alerts=given[_ALERTS],
        symptoms=given[_SYMPTOMS],
        preflight=given[_PREFLIGHT],
        affected=given[_AFFECTED],
        uses=placed.uses if placed is not None else Uses(),
        inputs=given[_INPUTS],
        triage=given[_TRIAGE],
    )
    position = placed.position if placed is not None else given.position
    return ReadRunbook(runbook, steps, position, frozenset(given.lost))


RUNBOOK: Shape[ReadRunbook] = record(
    "runbook",
    (
        *(_NAME, _TITLE, _SUMMARY, _SEVERITY, _OWNER, _ALERTS, _SYMPTOMS, _PREFLIGHT, _AFFECTED),
        *(_USES, _INPUTS, _TRIAGE, _STEPS),
    ),
    _runbook,
)


def load_runbook(path: Path, *, probes: KnownProbes | None = None) -> Runbook:
    """The runbook in a file that only its owner may write, to be run. Raises InvalidFileError with every
    problem; warnings alone do not stop it.

    `probes` are the probes that there are; without them, actions that name one are not checked.
    """
    runbook, problems = read_runbook(read_trusted_text(path), path, probes=probes, read=read_trusted_text)
    if runbook is None:
        raise InvalidFileError(problems)
    return runbook


def read_runbook(
    text: str,
    path: Path,
    *,
    probes: KnownProbes | None = None,
    read: ReadText = read_text,
    tree: Node | None = None,
) -> tuple[Runbook | None, list[Problem]]:
    """The runbook in a text, and every problem, warnings included, in the order of the file.

    None when any problem is an error. Included files are read with `read` from beside `path`. `tree` is what
    `parse` gave for the text, where that is known.
    """
    problems: list[Problem] = []
    if tree is None:
        tree = compose(text, path, problems)
    runbook = _read(tree, text, path, problems, probes, read) if tree is not None else None
    if any(not problem.warning for problem in problems):
        runbook = None
    return runbook, sorted(set(problems))


def _read(
    tree: Node,
    text: str,
    path: Path,
    problems: list[Problem],
    probes: KnownProbes | None,
    read: ReadText,
) -> Runbook | None:
    included: list[Included] = []
    tree = with_includes(tree, path, included, problems, read)
    given = RUNBOOK.read(tree, problems)
    if isinstance(given, Unreadable):
        return None
    texts = tuple((each.name, each.text) for each in included)
    runbook = replace(given.runbook, path=path, source=text, included=texts)
    runbook = replace(runbook, digest=_digest(whole_text(runbook)))
    problems.extend(lint_read(runbook, given.steps, given.uses, given.lost, probes))
    return runbook


def whole_text(runbook: Runbook) -> str:
    """The text of a runbook and of all that it includes, so that a change of a shared file shows as well.
    NUL, which no file of these holds, stands around each name."""
    return runbook.source + "".join(f"\0{name}\0{text}" for name, text in runbook.included)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
