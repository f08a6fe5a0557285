"""The rules of a simulated world and its traps: what happens when, how a wrong move is recognised, and how it
is made on purpose."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

from breakglass.rehearsal.patterns import PATTERN, TextPattern
from breakglass.rehearsal.spec.effects import NO_EFFECT, Condition, Effect
from breakglass.values import Json
from breakglass.yamlio.position import Position
from breakglass.yamlio.record import (
    NOT_WRITTEN,
    Given,
    Written,
    derived,
    inlined,
    key,
    one_of,
    placed,
    record,
    shape_of,
)
from breakglass.yamlio.shape import DURATION, JSON, TEXT, Shape, list_of, made, mapping_of, one_or_more, text

Name: TypeAlias = Annotated[str, text("a name in lower case with dashes", pattern=r"[a-z0-9][a-z0-9-]*")]


@record("rule", kw_only=True)
class Rule:
    """When something happens, the world changes, at once or after some time."""

    name: Name = key("For the drill and for errors; the line where not given.", default="")
    on: tuple[TextPattern, ...] = key(
        "Which events: `breakglass help scenario-rules` lists them.", one_or_more(PATTERN)
    )
    when: Condition = key("Only while this holds.", default=None)
    after: float = key("Simulated time until it acts.", DURATION, default=0.0)
    every: float | None = key("For `on: time`: again and again.", DURATION, default=None)
    once: bool = key("It acts a single time.", default=False)
    effect: Effect = inlined(default=NO_EFFECT)
    position: Position = placed()
    on_at: Position = derived(lambda given: given.at("on"), compare=False)

    def checked(self, given: Given) -> "Rule":
        return self if self.name else replace(self, name=f"rule on line {given.position.line}")

    def match(self, texts: Collection[str]) -> dict[str, str] | None:
        """The words kept from an event that this rule or trap waits for; None for another event. The texts
        are those by which the event is known (see `breakglass.rehearsal.story`)."""
        return next((kept for each in self.on if (kept := each.match(texts)) is not None), None)

    def waits_for(self, text: str) -> bool:
        """Whether this event stands under `on` word for word."""
        return any(pattern.source == text for pattern in self.on)


@record("kubectl move", short="run")
class KubectlMove:
    """A command outside of the walk, as a person types it in another terminal."""

    argv: tuple[str, ...] = key(
        "The command line, without the word kubectl.",
        made(text("a kubectl command line"), lambda line: _words(line)),
        named="run",
    )
    cluster: str | None = key("The cluster, where there are several.", default=None)


def _words(line: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"a command line that cannot be split: {error}") from error


@record("ssh move")
class SshMove:
    """A command on a host."""

    host: str = key("The host.")
    command: str = key("The command line.", named="run")


@dataclass(frozen=True, slots=True)
class LocalMove:
    """A command on the machine where the session runs."""

    command: str


_METHODS = ("get", "post", "put", "patch", "delete")


@record("http move", kw_only=True)
class HttpMove:
    """A request to an endpoint."""

    endpoint: str = one_of({method: (f"{method.upper()} from this endpoint.", TEXT) for method in _METHODS})
    method: str = derived(lambda given: given.chosen(*_METHODS).upper())
    path: str = key("The path.", default="/")
    json: Json = key("The body as JSON.", default=None)
    headers: Mapping[str, str] = key("Its headers.", default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class JumpMove:
    step: str


@dataclass(frozen=True, slots=True)
class ChooseMove:
    step: str
    option: str


@dataclass(frozen=True, slots=True)
class AnswerMove:
    step: str
    value: Json


@dataclass(frozen=True, slots=True)
class InputMove:
    """A wrong input at the start."""

    name: str
    value: Json


@dataclass(frozen=True, slots=True)
class WorldMove:
    """The world moves by itself, for example because somebody else did something."""

    effect: Effect


Move: TypeAlias = (
    KubectlMove | SshMove | LocalMove | HttpMove | JumpMove | ChooseMove | AnswerMove | InputMove | WorldMove
)


def _single(value: dict[str, Json]) -> tuple[str, Json]:
    if len(value) != 1:
        raise ValueError("one step and its answer, not several")
    return next(iter(value.items()))


_PAIR: Shape[tuple[str, Json]] = made(mapping_of(JSON), _single)


@record("move")
class Timed:
    """A move and when it is made.

    A jump is taken instead of the answer there; an answer and a choice replace the walk's own at their step.
    """

    move: Move = one_of(
        {
            "kubectl": ("A command in another terminal.", shape_of(KubectlMove)),
            "ssh": ("A command on a host.", shape_of(SshMove)),
            "local": ("A command where the session runs.", made(TEXT, LocalMove)),
            "http": ("`{patch: ENDPOINT, path: /x, json: {…}}`", shape_of(HttpMove)),
            "jump": ("Go to this step instead of answering.", made(TEXT, JumpMove)),
            "choose": ("`{step: option}`", made(_PAIR, lambda pair: ChooseMove(pair[0], str(pair[1])))),
            "answer": ("`{step: value}`", made(_PAIR, lambda pair: AnswerMove(*pair))),
            "input": ("`{name: value}`, at the start.", made(_PAIR, lambda pair: InputMove(*pair))),
            "world": ("The world moves by itself.", made(shape_of(Effect), WorldMove)),
        }
    )
    at: str | None = key(
        "When the walk is about to begin or to ask at this step; before it begins where not given.",
        default=None,
    )
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)


@record("trap", kw_only=True)
class Trap(Rule):
    """A wrong move: what it does to the world, and how it must be caught."""

    name: Name = key("For the drill and for errors.")
    title: str = key("The mistake, in a few words.")
    once: bool = key("It acts a single time.", default=True)
    caught: Literal["guard", "review"] = key(
        "`guard`: the walk must refuse it. `review`: it happens, and the review names it."
    )
    take: tuple[Timed, ...] = key(
        "How to step into it on purpose.", list_of(shape_of(Timed), minimum=1), default=()
    )
    refused_at: str | None = key("The step that must fail, where a guard catches it.", default=None)
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)
