"""A step and its parts, and how they are written in a runbook. Durations are seconds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias, TypeVar, cast

from breakglass.policy.risk import NOT_ASSESSED, Assessment, Risk
from breakglass.runbook.actions import ACTIONS, REACHING, Action, StepId
from breakglass.runbook.expression import Expression
from breakglass.runbook.faults import OUTPUT_LIMIT, FaultKind
from breakglass.runbook.risk import judged
from breakglass.runbook.template import Template, TemplateTree, with_expressions, with_templates
from breakglass.runbook.written import EXPRESSION, STEP_ID, TREE
from breakglass.yamlio.position import Position, Problem
from breakglass.yamlio.record import (
    NOT_WRITTEN,
    Given,
    Written,
    derived,
    key,
    one_of,
    placed,
    record,
    shape_of,
)
from breakglass.yamlio.shape import (
    BYTES,
    DURATION,
    IDENTIFIER,
    TEXT,
    UNREADABLE,
    Shape,
    Unreadable,
    by_kind,
    choice,
    converted,
    integer,
    list_of,
    made,
    mapping_of,
)
from breakglass.yamlio.source import Node

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


def _capture_name(name: str, node: Node, problems: list[Problem]) -> str:
    if name in RESERVED:
        message = f"{name!r} is a name that the program gives; call the captured value something else"
        problems.append(Problem(node.position, message))
    elif name in CEL_WORDS:
        message = f"{name!r} is a word of CEL and cannot name a value; call it something else"
        problems.append(Problem(node.position, message))
    return name


CAPTURE_NAME = converted(IDENTIFIER, _capture_name)


def _some_time(seconds: float, node: Node, problems: list[Problem]) -> float | Unreadable:
    if seconds < SHORTEST_PAUSE:
        problems.append(Problem(node.position, f"at least {SHORTEST_PAUSE * 1000:.0f}ms"))
        return UNREADABLE
    return seconds


Seconds: TypeAlias = Annotated[float, DURATION]
Pause: TypeAlias = Annotated[float, converted(DURATION, _some_time)]
"""Seconds that are not nothing."""

Captures: TypeAlias = Annotated[
    Mapping[str, Expression],
    mapping_of(EXPRESSION, key=CAPTURE_NAME, what="a mapping from names to expressions"),
]


@record("expectation", short="that")
class Expectation:
    """A condition on what was seen, and what to say when it holds and when it does not."""

    that: Expression = key("The condition.")
    otherwise: Template | None = key("What to say when it does not hold.", default=None, named="else")
    means: Template | None = key("What it means when it holds, as one would say it.", default=None)
    suggest: StepId | None = key("The step to offer where it does not hold.", default=None)


_ONE_EXPECTATION = made(shape_of(Expectation), lambda expectation: (expectation,))
_EXPECT: Shape[tuple[Expectation, ...]] = by_kind(
    "an expectation, or a list of expectations",
    scalar=_ONE_EXPECTATION,
    mapping=_ONE_EXPECTATION,
    sequence=list_of(shape_of(Expectation)),
)


@record("guard")
class Guard:
    """A condition that is checked at the moment of acting, with its own message."""

    that: Expression = key("The condition.")
    otherwise: Template = key("What to say when it does not hold.", named="else")
    means: Template | None = key("What it means when it holds, as one would say it.", default=None)


@record("way on", short="goto", kw_only=True)
class Next:
    """Where to go after a step whose expectations hold; the first whose `when` is true wins."""

    when: Expression | None = key("Only where this holds.", default=None)
    goto: StepId = key("The step to go to, or `done`.")
    say: Template | None = key("What to say on the way.", default=None)
    position: Position = derived(lambda given: given.at("goto"))


_ONE_WAY = made(shape_of(Next), lambda following: (following,))
_NEXT: Shape[tuple[Next, ...]] = by_kind(
    "a step's id, a way on, or a list of ways on",
    scalar=_ONE_WAY,
    mapping=_ONE_WAY,
    sequence=list_of(shape_of(Next)),
)


@record("foreach", what="`foreach`", short="in", kw_only=True)
class ForEach:
    """Run the action once for each element of a list, `item` in scope."""

    items: Expression = key("The list.", named="in")
    parallel: int = key("How many at a time.", integer(1, 64), default=1)
    position: Position = placed()


@record("wait", what="`wait`", kw_only=True)
class Poll:
    """Repeat the step's read until a condition holds."""

    until: Expression = key("Done when this holds.")
    means: Template | None = key("What it means when it holds, as one would say it.", default=None)
    otherwise: Template | None = key("What to say while it does not hold.", default=None, named="else")
    every: Pause = key("The pause between two looks.", default=2.0)
    within: Pause = key("How long to keep looking.")
    soak: Seconds = key("How long the signal must keep holding.", default=0.0)
    optional: bool = key("Go on where it did not hold in time; `result.fault` is timeout.", default=False)
    suggest: StepId | None = key("The step to offer where it did not hold in time.", default=None)


def _declared(*risks: Risk) -> Shape[Risk]:
    return choice({risk.word: risk for risk in risks})


def _assessed(given: Given) -> Assessment:
    action = cast("Action | None", given.values.get(given.chosen(*ACTIONS)))
    declared = cast("Risk | None", given.values.get("risk"))
    return Assessment(judged(action), declared, cast(str, given.values.get("because", "")))


_BECAUSE = ("Why a lowered risk is right.", TEXT)


@record("verify", what="`verify`", kw_only=True)
class Verification:
    """The independent observation that says whether a change is done: which signal moves, within how long."""

    action: Action = one_of(REACHING)
    until: Expression = key("Done when this holds.")
    means: Template | None = key("What it means when it holds, as one would say it.", default=None)
    otherwise: Template | None = key("What to say while it does not hold.", default=None, named="else")
    every: Pause = key("The pause between two looks.", default=2.0)
    within: Pause = key("How long to keep looking.")
    soak: Seconds = key("How long the signal must keep holding.", default=0.0)
    capture: Captures = key("Values to keep, by name.", default_factory=dict[str, Expression])
    assessed: Assessment = derived(
        _assessed,
        keys={
            "risk": (
                "It only reads, though its command is not known; say `because`.",
                _declared(Risk.READ),
            ),
            "because": _BECAUSE,
        },
        default=NOT_ASSESSED,
    )


@record("confirm", what="`confirm`")
class Confirmation:
    """How the operator says yes. Without a text to type, it is one explicit key, for `change` only."""

    type: Template | None = key("What the operator types: the object's name.")


_CONFIRM: Shape[Confirmation] = by_kind(
    "`key`, or a mapping with `type`",
    scalar=choice({"key": Confirmation(None)}),
    mapping=shape_of(Confirmation),
)


@record("pin", what="`pin`")
class Pin:
    """Kubernetes preconditions: the request acts on the object that was diagnosed or not at all."""

    uid: Template | None = key("The uid that was diagnosed.", default=None)
    resource_version: Template | None = key(
        "The resourceVersion that was diagnosed.", default=None, named="resource-version"
    )

    def checked(self, given: Given) -> "Pin":
        if not given.has("uid") and not given.has("resource-version"):
            given.problem(given.position, "a pin needs 'uid' or 'resource-version'")
        return self


@record("undo", what="`undo`", short="say")
class UndoAdvice:
    """How to put a change back: words, and a step that does it where one exists."""

    say: Template = key("How to put it back.")
    step: StepId | None = key("The step that does it.", default=None)


@record("action")
class _OneAction:
    """One action that reaches outside."""

    action: Action = one_of(REACHING)


def _step_id(step_id: str, node: Node, problems: list[Problem]) -> str:
    if step_id == "done":
        problems.append(Problem(node.position, "'done' is where a walk ends; call the step something else"))
    return step_id


@record("step")
class Step:
    """One action (or none) with its reason, what is expected, and where to go next."""

    id: str = key("The step's name; `goto` and `needs` use it.", converted(STEP_ID, _step_id), instead="")
    title: str = key("One verb and its object.", instead="")
    position: Position = placed()
    why: str = key("The reason, for the person on call.", default="")
    phase: str = key("The part of the walk that the step belongs to.", default="")
    action: Action | None = one_of(ACTIONS, default=None)
    when: Expression | None = key(
        "The step is skipped where this does not hold: the walk goes on with the next step in the list, as "
        "if this one and its `next` were not there.",
        default=None,
    )
    foreach: ForEach | None = key(
        "Run the action for each element of a list; `item` is in scope.", default=None
    )
    timeout: Pause = key("The action's deadline.", default=30.0)
    output_limit: int = key(
        "How much a read may print before it is stopped, and how much is kept of a change's output.",
        BYTES,
        default=OUTPUT_LIMIT,
    )
    retries: int = key("How often a failed read is tried again.", integer(0, 10), default=0)
    tolerate: tuple[FaultKind, ...] = key(
        "Faults that are a finding here, not a failure: a hung command can be one.", default=()
    )
    wait: Poll | None = key("Repeat the read until a condition holds.", default=None)
    capture: Captures = key("Values to keep, by name.", default_factory=dict[str, Expression])
    expect: tuple[Expectation, ...] = key("What must hold to go on.", _EXPECT, default=())
    next: tuple[Next, ...] = key(
        "Where to go; without it, the next step in the list.",
        _NEXT,
        default=(),
    )
    assessed: Assessment = derived(
        _assessed,
        keys={
            "risk": (
                "Raises what the command is known for; `read` lowers only what is not known, with `because`.",
                _declared(*Risk),
            ),
            "because": _BECAUSE,
        },
        default=NOT_ASSESSED,
    )
    """What the action counts as: made where the step is read, and once more for the site of a session."""
    pin: Pin | None = key("Act on the object that was diagnosed, or not at all.", default=None)
    needs: tuple[StepId, ...] = key("Read steps that must hold at the moment of acting.", default=())
    guards: tuple[Guard, ...] = key("Further conditions at the moment of acting.", default=())
    impact: Template | None = key("What it breaks.", default=None)
    confirm: Confirmation | None = key("How the operator says yes.", _CONFIRM, default=None)
    verify: Verification | None = key("What shows that the change is done.", default=None)
    unknown: Template | None = key("What to look at when it may have happened.", default=None)
    undo: UndoAdvice | None = key("How to put it back.", default=None)
    approve: int = key("How many people must give their word.", integer(1, 5), default=1)
    assume: Mapping[str, TemplateTree] = key(
        "In a dry run, what the change would have given.",
        mapping_of(TREE, key=CAPTURE_NAME),
        default_factory=dict[str, TemplateTree],
    )
    preview: Action | None = key(
        "A read that a dry run makes instead of an SSH or HTTP change.",
        made(shape_of(_OneAction), lambda one: one.action),
        default=None,
    )
    followup: Template | None = key(
        "What to codify afterwards; a follow-up of the post-mortem.", default=None
    )
    hint: str | None = key("Shown on demand in a rehearsal, and counted.", default=None)
    ends: Literal["recovered", "not-this-incident", "escalate"] | None = key(
        "The walk ends here, and what that means.", default=None
    )
    optional: tuple[str, ...] = key(
        "Expressions of its commands, as they are written, whose values may be empty.", default=()
    )
    redact: bool = key("The output is a secret: it is neither shown nor stored.", default=False)
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)

    @property
    def risk(self) -> Risk:
        """The risk that counts."""
        return self.assessed.risk

    @property
    def actions(self) -> "tuple[Action, ...]":
        """All that it may run: its action, its preview and its verification."""
        verify = self.verify.action if self.verify is not None else None
        return tuple(each for each in (self.action, self.preview, verify) if each is not None)

    @property
    def lost(self) -> set[str]:
        """Keys that are there, but of which something could not be read."""
        return self.written.lost

    def at(self, *keys: str) -> Position:
        """Where the first of these keys that is there stands; the step itself when none is."""
        return next((self.written.at(each) for each in keys if self.written.has(each)), self.position)

    def need_at(self, name: str) -> Position:
        """Where one of its needs is named."""
        return self.written.at("needs", name) if self.written.has("needs") else self.position

    def checked(self, given: Given) -> "Step":
        """The step with those expressions of its commands marked that it lets be empty."""
        if not self.optional:
            return self

        def marked(expression: Expression) -> Expression:
            return replace(expression, optional=expression.source in self.optional)

        def in_commands(value: T) -> T:
            return with_templates(value, lambda template: with_expressions(template, marked))

        verify = self.verify and replace(self.verify, action=in_commands(self.verify.action))
        return replace(
            self, action=in_commands(self.action), verify=verify, preview=in_commands(self.preview)
        )
