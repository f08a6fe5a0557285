"""The shape of a step, as it is written in a runbook."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar, get_args

from breakglass.policy.risk import Assessment, Risk
from breakglass.runbook.actions import ACTION, ACTIONS, REACHING_ACTIONS, action_of
from breakglass.runbook.model import (
    OUTPUT_LIMIT,
    Confirmation,
    Expectation,
    Expression,
    FaultKind,
    ForEach,
    Guard,
    Next,
    Pin,
    Poll,
    Step,
    TemplateTree,
    UndoAdvice,
    Verification,
)
from breakglass.runbook.risk import judged
from breakglass.runbook.template import with_expressions, with_templates
from breakglass.runbook.written import EXPRESSION, STEP_ID, TEMPLATE, TREE
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.shape import (
    BOOLEAN,
    BYTES,
    DURATION,
    IDENTIFIER,
    TEXT,
    UNREADABLE,
    Field,
    Fields,
    Shape,
    Unreadable,
    by_kind,
    choice,
    converted,
    integer,
    list_of,
    mapping_of,
    optional,
    record,
    required,
)
from breakglass.yamlio.source import Node, ScalarNode, SequenceNode

T = TypeVar("T")

SHORTEST_PAUSE = 0.05
"""Seconds between two looks at a signal; less would be a flood."""

RESERVED = frozenset({"inputs", "site", "session", "result", "results", "item", "secrets"})
"""Names in scope that the program gives."""

CEL_WORDS = frozenset(
    (
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "math",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    )
)
"""Words that cannot be names in CEL, and the namespace of its functions."""


def _capture_name(name: str, node: Node, problems: list[Problem]) -> str | Unreadable:
    if name in RESERVED:
        message = f"{name!r} is a name that the program gives; call the captured value something else"
        problems.append(Problem(node.position, message))
    elif name in CEL_WORDS:
        message = f"{name!r} is a word of CEL and cannot name a value; call it something else"
        problems.append(Problem(node.position, message))
    return name


CAPTURE_NAME = converted(IDENTIFIER, _capture_name)
CAPTURE: Shape[dict[str, Expression]] = mapping_of(
    EXPRESSION, key=CAPTURE_NAME, what="a mapping from names to expressions"
)
_NOTHING_CAPTURED: Mapping[str, Expression] = {}
_NOTHING_ASSUMED: Mapping[str, TemplateTree] = {}


def _some_time(seconds: float, node: Node, problems: list[Problem]) -> float | Unreadable:
    if seconds < SHORTEST_PAUSE:
        problems.append(Problem(node.position, f"at least {SHORTEST_PAUSE * 1000:.0f}ms"))
        return UNREADABLE
    return seconds


PAUSE = converted(DURATION, _some_time)
"""A duration that is not nothing."""

_IN = required("in", EXPRESSION, help="The list.")
_PARALLEL = optional("parallel", integer(1, 64), default=1, help="How many at a time.")
FOREACH: Shape[ForEach] = by_kind(
    "an expression that gives a list, or a mapping with `in`",
    scalar=converted(EXPRESSION, lambda items, node, problems: ForEach(items, 1, node.position)),
    mapping=record(
        "foreach",
        (_IN, _PARALLEL),
        lambda given: ForEach(given[_IN], given[_PARALLEL], given.position),
        what="`foreach`",
    ),
)

_UNTIL = required("until", EXPRESSION, help="Done when this holds.")
_EVERY = optional("every", PAUSE, default=2.0, help="The pause between two looks.")
_WITHIN = required("within", PAUSE, help="How long to keep looking.")
_SOAK = optional("soak", DURATION, default=0.0, help="How long the signal must keep holding.")
_OPTIONAL = optional(
    "optional", BOOLEAN, default=False, help="Go on where it did not hold in time; `result.fault` is timeout."
)
WAIT = record(
    "wait",
    (_UNTIL, _EVERY, _WITHIN, _SOAK, _OPTIONAL),
    lambda given: Poll(given[_UNTIL], given[_EVERY], given[_WITHIN], given[_SOAK], given[_OPTIONAL]),
    what="`wait`",
)

_THAT = required("that", EXPRESSION, help="The condition.")
_ELSE = optional("else", TEMPLATE, help="What to say when it does not hold.")
EXPECTATION: Shape[Expectation] = by_kind(
    "an expression, or a mapping with `that` and `else`",
    scalar=converted(EXPRESSION, lambda that, node, problems: Expectation(that, None)),
    mapping=record("expectation", (_THAT, _ELSE), lambda given: Expectation(given[_THAT], given[_ELSE])),
)
EXPECT: Shape[tuple[Expectation, ...]] = by_kind(
    "an expression, or a list of expectations",
    scalar=converted(EXPECTATION, lambda expectation, node, problems: (expectation,)),
    sequence=list_of(EXPECTATION),
)

_REFUSAL = required("else", TEMPLATE, help="What to say when it does not hold.")
GUARD = record("guard", (_THAT, _REFUSAL), lambda given: Guard(given[_THAT], given[_REFUSAL]))

_WHEN = optional("when", EXPRESSION, help="Only where this holds.")
_GOTO = required("goto", STEP_ID, help="The step to go to, or `done`.")
_SAY = optional("say", TEMPLATE, help="What to say on the way.")
NEXT_STEP: Shape[Next] = by_kind(
    "a step's id, or a mapping with `goto`",
    scalar=converted(STEP_ID, lambda goto, node, problems: Next(None, goto, None, node.position)),
    mapping=record(
        "way on",
        (_WHEN, _GOTO, _SAY),
        lambda given: Next(given[_WHEN], given[_GOTO], given[_SAY], given.position_of(_GOTO)),
    ),
)
NEXT: Shape[tuple[Next, ...]] = by_kind(
    "a step's id, or a list of ways on",
    scalar=converted(NEXT_STEP, lambda following, node, problems: (following,)),
    sequence=list_of(NEXT_STEP),
)

_FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)
FAULTS: Shape[tuple[FaultKind, ...]] = list_of(choice({fault: fault for fault in _FAULTS}))

_UID = optional("uid", TEMPLATE, help="The uid that was diagnosed.")
_VERSION = optional("resource-version", TEMPLATE, help="The resourceVersion that was diagnosed.")


def _pin(given: Fields) -> Pin:
    if not given.has(_UID) and not given.has(_VERSION):
        given.problem(given.position, "a pin needs 'uid' or 'resource-version'")
    return Pin(given[_UID], given[_VERSION])


PIN = record("pin", (_UID, _VERSION), _pin, what="`pin`")

_TYPED = required("type", TEMPLATE, help="What the operator types: the object's name.")
CONFIRM: Shape[Confirmation] = by_kind(
    "`key`, or a mapping with `type`",
    scalar=choice({"key": Confirmation(None)}),
    mapping=record("confirm", (_TYPED,), lambda given: Confirmation(given[_TYPED]), what="`confirm`"),
)

_UNDO_SAY = required("say", TEMPLATE, help="How to put it back.")
_UNDO_STEP = optional("step", STEP_ID, help="The step that does it.")
UNDO: Shape[UndoAdvice] = by_kind(
    "text, or a mapping with `say` and `step`",
    scalar=converted(TEMPLATE, lambda say, node, problems: UndoAdvice(say, None)),
    mapping=record(
        "undo",
        (_UNDO_SAY, _UNDO_STEP),
        lambda given: UndoAdvice(given[_UNDO_SAY], given[_UNDO_STEP]),
        what="`undo`",
    ),
)

_CAPTURE = optional("capture", CAPTURE, default=_NOTHING_CAPTURED, help="Values to keep, by name.")
DECLARED = optional(
    "risk",
    choice({risk.word: risk for risk in Risk}),
    help="Raises what the command is known for; `read` lowers only what is not known, with `because`.",
)
BECAUSE = optional("because", TEXT, default="", help="Why a lowered risk is right.")
_READS = optional(
    "risk", choice({"read": Risk.READ}), help="It only reads, though its command is not known; say `because`."
)


def _verification(given: Fields) -> Verification | Unreadable:
    action = action_of(given, REACHING_ACTIONS)
    if action is None:
        return UNREADABLE
    assessed = Assessment(judged(action), given[_READS], given[BECAUSE])
    return Verification(
        action, given[_UNTIL], given[_EVERY], given[_WITHIN], given[_SOAK], given[_CAPTURE], assessed
    )


VERIFY = record(
    "verify",
    (*REACHING_ACTIONS, _UNTIL, _EVERY, _WITHIN, _SOAK, _CAPTURE, _READS, BECAUSE),
    _verification,
    one_of=REACHING_ACTIONS,
    help="The independent observation that says whether the change is done.",
    what="`verify`",
)

ENDS: Shape[Literal["recovered", "not-this-incident", "escalate"]] = choice(
    {"recovered": "recovered", "not-this-incident": "not-this-incident", "escalate": "escalate"}
)


def _step_id(step_id: str, node: Node, problems: list[Problem]) -> str:
    if step_id == "done":
        problems.append(Problem(node.position, "'done' is where a walk ends; call the step something else"))
    return step_id


ID = required(
    "id", converted(STEP_ID, _step_id), instead="", help="The step's name; `goto` and `needs` use it."
)
TITLE = required("title", TEXT, instead="", help="One verb and its object.")
WHY = optional("why", TEXT, default="", help="The reason, for the person on call.")
PHASE = optional("phase", TEXT, default="", help="The part of the walk that the step belongs to.")
WHEN = optional("when", EXPRESSION, help="The step is skipped where this does not hold.")
EACH = optional("foreach", FOREACH, help="Run the action for each element of a list; `item` is in scope.")
TIMEOUT = optional("timeout", PAUSE, default=30.0, help="The action's deadline.")
OUTPUT = optional(
    "output_limit",
    BYTES,
    default=OUTPUT_LIMIT,
    help="How much a read may print before it is stopped, and how much is kept of a change's output.",
)
RETRIES = optional("retries", integer(0, 10), default=0, help="How often a failed read is tried again.")
TOLERATE = optional("tolerate", FAULTS, default=(), help="Faults that are a finding here, not a failure.")
WAITS = optional("wait", WAIT, help="Repeat the read until a condition holds.")
CAPTURES = optional("capture", CAPTURE, default=_NOTHING_CAPTURED, help="Values to keep, by name.")
EXPECTS = optional("expect", EXPECT, default=(), help="What must hold to go on.")
FOLLOWS = optional("next", NEXT, default=(), help="Where to go; without it, the next step in the list.")
PINNED = optional("pin", PIN, help="Act on the object that was diagnosed, or not at all.")
NEEDS = optional(
    "needs", list_of(STEP_ID), default=(), help="Read steps that must hold at the moment of acting."
)
GUARDS = optional("guards", list_of(GUARD), default=(), help="Further conditions at the moment of acting.")
IMPACT = optional("impact", TEMPLATE, help="What it breaks.")
CONFIRMS = optional("confirm", CONFIRM, help="How the operator says yes.")
VERIFIES = optional("verify", VERIFY, help="What shows that the change is done.")
UNKNOWN = optional("unknown", TEMPLATE, help="What to look at when it may have happened.")
UNDOES = optional("undo", UNDO, help="How to put it back.")
APPROVE = optional("approve", integer(1, 5), default=1, help="How many people must give their word.")
ASSUME = optional(
    "assume",
    mapping_of(TREE, key=CAPTURE_NAME),
    default=_NOTHING_ASSUMED,
    help="In a dry run, what the change would have given.",
)
PREVIEW = optional("preview", ACTION, help="A read that a dry run makes instead.")
FOLLOWUP = optional("followup", TEXT, help="What to codify afterwards.")
HINT = optional("hint", TEXT, help="Shown on demand in a rehearsal.")
END = optional("ends", ENDS, help="The walk ends here, and what that means.")
OPTIONAL = optional(
    "optional", list_of(TEXT), default=(), help="Expressions of its commands whose values may be empty."
)
REDACT = optional("redact", BOOLEAN, default=False, help="The output is a secret.")


@dataclass(frozen=True, slots=True)
class ReadStep:
    """A step with what is known of its place in the file: `lint` looks at these."""

    step: Step
    lost: frozenset[str] = frozenset()
    """Keys that are there, but of which something could not be read."""
    places: Mapping[str, Position] = field(default_factory=dict[str, Position])
    """Where the value of each key stands; `needs NAME` for each need."""

    def at(self, *keys: str) -> Position:
        """Where the first of these keys that is there stands; the step itself when none is."""
        return next((self.places[key] for key in keys if key in self.places), self.step.position)


def _step(given: Fields) -> ReadStep:
    action = action_of(given)
    step = Step(
        id=given[ID],
        title=given[TITLE],
        position=given.position,
        why=given[WHY],
        phase=given[PHASE],
        action=action,
        when=given[WHEN],
        foreach=given[EACH],
        timeout=given[TIMEOUT],
        output_limit=given[OUTPUT],
        retries=given[RETRIES],
        tolerate=given[TOLERATE],
        wait=given[WAITS],
        capture=given[CAPTURES],
        expect=given[EXPECTS],
        next=given[FOLLOWS],
        assessed=Assessment(judged(action), given[DECLARED], given[BECAUSE]),
        pin=given[PINNED],
        needs=given[NEEDS],
        guards=given[GUARDS],
        impact=given[IMPACT],
        confirm=given[CONFIRMS],
        verify=given[VERIFIES],
        unknown=given[UNKNOWN],
        undo=given[UNDOES],
        approve=given[APPROVE],
        assume=given[ASSUME],
        preview=given[PREVIEW],
        followup=given[FOLLOWUP],
        hint=given[HINT],
        ends=given[END],
        optional=given[OPTIONAL],
        redact=given[REDACT],
    )
    return ReadStep(_with_optional(step), frozenset(given.lost), _places(given))


def _with_optional(step: Step) -> Step:
    """The step with those expressions of its commands marked that it lets be empty."""
    if not step.optional:
        return step

    def marked(expression: Expression) -> Expression:
        return replace(expression, optional=expression.source in step.optional)

    def in_commands(value: T) -> T:
        return with_templates(value, lambda template: with_expressions(template, marked))

    verify = step.verify and replace(step.verify, action=in_commands(step.verify.action))
    return replace(step, action=in_commands(step.action), verify=verify, preview=in_commands(step.preview))


def _places(given: Fields) -> dict[str, Position]:
    places: dict[str, Position] = {}
    for key, value in given.node.entries:
        places[key.text] = value.position
        if key.text == NEEDS.key and isinstance(value, SequenceNode):
            for item in value.items:
                if isinstance(item, ScalarNode):
                    places.setdefault(f"{NEEDS.key} {item.text}", item.position)
    return places


_FIELDS: "tuple[Field[object], ...]" = (
    *(ID, TITLE, WHY, PHASE, *ACTIONS, WHEN, EACH, TIMEOUT, OUTPUT, RETRIES, TOLERATE, WAITS, CAPTURES),
    *(
        EXPECTS,
        FOLLOWS,
        DECLARED,
        BECAUSE,
        PINNED,
        NEEDS,
        GUARDS,
        IMPACT,
        CONFIRMS,
        VERIFIES,
        UNKNOWN,
        UNDOES,
    ),
    *(APPROVE, ASSUME, PREVIEW, FOLLOWUP, HINT, END, OPTIONAL, REDACT),
)
STEP: Shape[ReadStep] = record("step", _FIELDS, _step, at_most_one_of=ACTIONS)
