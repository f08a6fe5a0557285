"""Shapes of rules, traps and the right walk."""

import shlex

from breakglass.rehearsal.drill import (
    AnswerMove,
    ChooseMove,
    Expected,
    HttpMove,
    InputMove,
    JumpMove,
    KubectlMove,
    Move,
    SshMove,
    Timed,
    Trap,
    Walk,
    WorldMove,
)
from breakglass.rehearsal.model import Rule
from breakglass.rehearsal.shapes.effects import EFFECT_FIELDS, PATTERNS, WHEN, effect
from breakglass.values import Json
from breakglass.yamlio.position import Problem
from breakglass.yamlio.shape import (
    BOOLEAN,
    DURATION,
    JSON,
    TEXT,
    UNREADABLE,
    Field,
    Fields,
    Shape,
    Unreadable,
    by_kind,
    choice,
    converted,
    list_of,
    mapping_of,
    number,
    optional,
    record,
    required,
    text,
)
from breakglass.yamlio.source import Node

_NAME = text("a name in lower case with dashes", pattern=r"[a-z0-9][a-z0-9-]*")
_RULE_NAME = optional("name", _NAME, help="For the drill and for errors; the line where not given.")
_ON = required("on", PATTERNS, help="Which events; see `breakglass.rehearsal.story`.")
_AFTER = optional("after", DURATION, default=0.0, help="Simulated time until it acts.")
_EVERY = optional("every", DURATION, help="For `on: time`: again and again.")
_ONCE = optional("once", BOOLEAN, help="It acts a single time; a trap does unless told otherwise.")


def _rule(given: Fields, name: str, *, once: bool) -> Rule:
    return Rule(
        name,
        given[_ON],
        given.position,
        given[WHEN],
        given[_AFTER],
        given[_EVERY],
        once if given[_ONCE] is None else bool(given[_ONCE]),
        effect(given),
    )


RULE = record(
    "rule",
    (_RULE_NAME, _ON, WHEN, _AFTER, _EVERY, _ONCE, *EFFECT_FIELDS),
    lambda given: _rule(given, given[_RULE_NAME] or f"rule on line {given.position.line}", once=False),
)


def _kubectl(source: str, node: Node, problems: list[Problem]) -> KubectlMove | Unreadable:
    try:
        return KubectlMove(tuple(shlex.split(source)))
    except ValueError as error:
        problems.append(Problem(node.position, f"a command line that cannot be split: {error}"))
        return UNREADABLE


_RUN = required("run", TEXT)
_CLUSTER = optional("cluster", TEXT)
_KUBECTL = optional(
    "kubectl",
    by_kind(
        "a kubectl command line",
        scalar=converted(TEXT, _kubectl),
        mapping=record(
            "kubectl move",
            (_RUN, _CLUSTER),
            lambda given: KubectlMove(tuple(shlex.split(given[_RUN])), given[_CLUSTER]),
        ),
    ),
    help="A command in another terminal.",
)
_HOST = required("host", TEXT)
_SSH = optional("ssh", record("ssh move", (_HOST, _RUN), lambda given: SshMove(given[_HOST], given[_RUN])))
_METHODS = [optional(method, TEXT) for method in ("get", "post", "put", "patch", "delete")]
_PATH = optional("path", TEXT, default="/")
_JSON = optional("json", JSON)
_HEADERS = optional("headers", mapping_of(TEXT), default=dict[str, str]())


def _http(given: Fields) -> HttpMove | Unreadable:
    for field in _METHODS:
        endpoint = given[field]
        if endpoint is not None:
            return HttpMove(endpoint, field.key.upper(), given[_PATH], given[_JSON], given[_HEADERS])
    return UNREADABLE


_HTTP = optional(
    "http",
    record("http move", (*_METHODS, _PATH, _JSON, _HEADERS), _http, one_of=_METHODS),
    help="`{patch: ENDPOINT, path: /x, json: {…}}`",
)
_JUMP = optional("jump", TEXT, help="Go to this step instead of answering.")


def _single(value: dict[str, Json], node: Node, problems: list[Problem]) -> tuple[str, Json] | Unreadable:
    if len(value) != 1:
        problems.append(Problem(node.position, "one step and its answer, not several"))
        return UNREADABLE
    return next(iter(value.items()))


_PAIR = converted(mapping_of(JSON), _single)
_CHOOSE = optional("choose", _PAIR, help="`{step: option}`")
_ANSWER = optional("answer", _PAIR, help="`{step: value}`")
_INPUT = optional("input", _PAIR, help="`{name: value}`, at the start.")
_WORLD = optional(
    "world", record("move of the world", EFFECT_FIELDS, effect), help="The world moves by itself."
)
_AT = optional("at", TEXT, help="When the walk is at this step; before it begins where not given.")
_WAYS: tuple[Field[object], ...] = (_KUBECTL, _SSH, _HTTP, _JUMP, _CHOOSE, _ANSWER, _INPUT, _WORLD)


def _move(given: Fields) -> Timed | Unreadable:
    pair = given[_CHOOSE] or given[_ANSWER] or given[_INPUT]
    move: Move | None = given[_KUBECTL] or given[_SSH] or given[_HTTP]
    jump, world = given[_JUMP], given[_WORLD]
    if jump is not None:
        move = JumpMove(jump)
    elif world is not None:
        move = WorldMove(world)
    elif pair is not None:
        name, value = pair
        if given[_CHOOSE] is not None:
            move = ChooseMove(name, str(value))
        else:
            move = AnswerMove(name, value) if given[_ANSWER] is not None else InputMove(name, value)
    return UNREADABLE if move is None else Timed(move, given[_AT])


_MOVE: Shape[Timed] = record("move", (*_WAYS, _AT), _move, one_of=_WAYS)

_TRAP_NAME = required("name", _NAME)
_TITLE = required("title", TEXT, help="The mistake, in a few words.")
_CAUGHT = required(
    "caught",
    choice({"guard": "guard", "review": "review"}),
    help="`guard`: the walk must refuse it. `review`: it happens, and the review names it.",
)
_TAKE = optional("take", list_of(_MOVE, minimum=1), default=(), help="How to step into it on purpose.")
_REFUSED_AT = optional("refused_at", TEXT, help="The step that must fail, where a guard catches it.")
TRAP = record(
    "trap",
    (
        _TRAP_NAME,
        _TITLE,
        _ON,
        WHEN,
        _AFTER,
        _EVERY,
        _ONCE,
        *EFFECT_FIELDS,
        _CAUGHT,
        _TAKE,
        _REFUSED_AT,
    ),
    lambda given: Trap(
        _rule(given, given[_TRAP_NAME], once=True),
        given[_TITLE],
        "guard" if given[_CAUGHT] == "guard" else "review",
        given[_TAKE],
        given[_REFUSED_AT],
    ),
)

_WAY_ON: Shape[str] = by_kind(
    "skip, retry, stop or {jump: step}",
    scalar=text("skip, retry or stop", pattern="skip|retry|stop"),
    mapping=record(
        "jump",
        (jump_to := required("jump", TEXT),),
        lambda given: f"jump {given[jump_to]}",
    ),
)
_WORDS = mapping_of(TEXT)
_INPUTS = optional("inputs", mapping_of(JSON), default=dict[str, Json]())
_WALK_CHOOSE = optional("choose", _WORDS, default=dict[str, str](), help="Step and option.")
_ASK = optional("ask", mapping_of(JSON), default=dict[str, Json](), help="Step and value.")
_MANUAL = optional("manual", _WORDS, default=dict[str, str](), help="Step and note.")
_ON_FAILURE = optional("on_failure", mapping_of(_WAY_ON), default=dict[str, str]())
_SPEED = optional("speed", number(0.1, 10_000), help="Of a headless walk: simulated seconds in a real one.")
WALK = record(
    "right walk",
    (_INPUTS, _WALK_CHOOSE, _ASK, _MANUAL, _ON_FAILURE, _SPEED),
    lambda given: Walk(
        given[_INPUTS], given[_WALK_CHOOSE], given[_ASK], given[_MANUAL], given[_ON_FAILURE], given[_SPEED]
    ),
)

_STEPS = list_of(TEXT)
_RESULT = optional(
    "result",
    choice({name: name for name in ("recovered", "not-this-incident", "escalate", "completed", "stopped")}),
    default="recovered",
)
_REACHES = optional("reaches", _STEPS, default=(), help="Steps that the right walk takes.")
_NEVER = optional("never", _STEPS, default=(), help="Steps that it never takes.")


def _expected(given: Fields) -> Expected:
    result = given[_RESULT]
    assert result in ("recovered", "not-this-incident", "escalate", "completed", "stopped")
    return Expected(result, given[_REACHES], given[_NEVER])


EXPECTED = record("expectation", (_RESULT, _REACHES, _NEVER), _expected)
