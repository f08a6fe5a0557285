"""A whole scenario as data: a world, its rules, the traps that people may step into, and the right walk."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from breakglass.policy.site_rules import ReadPattern
from breakglass.rehearsal.patterns import PATTERN, TextPattern
from breakglass.rehearsal.spec.clusters import ClusterSpec, ExecRule, LogRule
from breakglass.rehearsal.spec.effects import NO_EFFECT, Condition, Effect
from breakglass.rehearsal.spec.machines import EndpointSpec, HostSpec
from breakglass.runbook.expression import Expression
from breakglass.site.read_patterns import HELP as READS_HELP
from breakglass.site.read_patterns import READS
from breakglass.values import Json
from breakglass.yamlio.position import Position
from breakglass.yamlio.record import Given, derived, inlined, key, one_of, placed, record, shape_of
from breakglass.yamlio.shape import (
    DURATION,
    JSON,
    TEXT,
    Identifier,
    Shape,
    SiteName,
    by_kind,
    list_of,
    made,
    mapping_of,
    number,
    one_or_more,
    text,
)

Name: TypeAlias = Annotated[str, text("a name in lower case with dashes", pattern=r"[a-z0-9][a-z0-9-]*")]
Speed: TypeAlias = Annotated[float, number(0.1, 10_000)]


@record("rule", kw_only=True)
class Rule:
    """When something happens, the world changes, at once or after some time."""

    name: Name = key("For the drill and for errors; the line where not given.", default="")
    on: tuple[TextPattern, ...] = key("Which events; see `breakglass.rehearsal.story`.", one_or_more(PATTERN))
    when: Condition = key("Only while this holds.", default=None)
    after: float = key("Simulated time until it acts.", DURATION, default=0.0)
    every: float | None = key("For `on: time`: again and again.", DURATION, default=None)
    once: bool = key("It acts a single time.", default=False)
    effect: Effect = inlined(default=NO_EFFECT)
    position: Position = placed()

    def checked(self, given: Given) -> "Rule":
        return self if self.name else replace(self, name=f"rule on line {given.position.line}")


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
    KubectlMove | SshMove | HttpMove | JumpMove | ChooseMove | AnswerMove | InputMove | WorldMove
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


@record("jump")
class _Jump:
    """Another step to go on at."""

    step: str = key("The step.", named="jump")


_ON_FAILURE: Shape[str] = by_kind(
    "skip, retry, stop or {jump: step}",
    scalar=text("skip, retry or stop", pattern="skip|retry|stop"),
    mapping=made(shape_of(_Jump), lambda jump: f"jump {jump.step}"),
)


@record("right walk")
class Walk:
    """The answers of the right walk, by step id."""

    inputs: Mapping[str, Json] = key("Inputs, by name.", default_factory=dict[str, Json])
    choose: Mapping[str, str] = key("Step and option.", default_factory=dict[str, str])
    ask: Mapping[str, Json] = key("Step and value.", default_factory=dict[str, Json])
    manual: Mapping[str, str] = key("Step and note.", default_factory=dict[str, str])
    on_failure: Mapping[str, str] = key(
        "Step, and `skip`, `retry`, `stop` or `{jump: step}`.",
        mapping_of(_ON_FAILURE),
        default_factory=dict[str, str],
    )
    speed: Speed | None = key("Of a headless walk: simulated seconds in a real one.", default=None)


@record("expectation")
class Expected:
    """What the right walk must come to."""

    result: Literal["recovered", "not-this-incident", "escalate", "completed", "stopped"] = key(
        "How it ends.", default="recovered"
    )
    reaches: tuple[str, ...] = key("Steps that the right walk takes.", default=())
    never: tuple[str, ...] = key("Steps that it never takes.", default=())

    def met(self, result: str, reached: Collection[str]) -> bool:
        """Whether a walk that ended so, and was at these steps, is the right one."""
        steps = set(reached)
        return result == self.result and steps >= set(self.reaches) and steps.isdisjoint(self.never)


@record("site of a rehearsal")
class SiteSpec:
    """What the rehearsal's site has besides machines."""

    name: Name = key("The site's name.", default="rehearsal")
    description: str = key("What the site is, in words.", default="")
    variables: Mapping[str, Json] = key(
        "What runbooks read as `site.variables`.", default_factory=dict[str, Json]
    )
    secrets: Mapping[Identifier, str] = key("Made up, for the drill.", default_factory=dict[str, str])
    reads: tuple[ReadPattern, ...] = key(READS_HELP, READS, default=())


@record("scenario", kw_only=True)
class Scenario:
    """A simulated incident, and the walk that is right."""

    base: str | None = key("A scenario in the same folder from which this one differs.", default=None)
    name: Name = key("The scenario's name.", named="scenario")
    title: str = key("What it is, in a few words.")
    summary: str = key("What the drill is about; it must not give the cause away.")
    runbook: Name = key("The runbook that is walked.")
    path: Path = derived(lambda given: given.position.file)
    recorded: bool = key("The incident as it really went.", default=False)
    speed: Speed = key("Simulated seconds in a real one.", default=1.0)
    site: SiteSpec = key("What the site has besides machines.", default=SiteSpec())
    world: Mapping[str, Json] = key("Variables, as they begin.", default_factory=dict[str, Json])
    clusters: Mapping[SiteName, ClusterSpec] = key(
        "Kubernetes APIs, by name.", default_factory=dict[str, ClusterSpec], named="kubernetes"
    )
    hosts: Mapping[SiteName, HostSpec] = key("Machines, by name.", default_factory=dict[str, HostSpec])
    endpoints: Mapping[SiteName, EndpointSpec] = key(
        "HTTP services, by name.", default_factory=dict[str, EndpointSpec]
    )
    exec: tuple[ExecRule, ...] = key("Commands in containers; the first that fits.", default=())
    logs: tuple[LogRule, ...] = key("What containers write; the first that fits.", default=())
    rules: tuple[Rule, ...] = key("When something happens, the world changes.", default=())
    traps: tuple[Trap, ...] = key("Wrong moves, and how each must be caught.", default=())
    recovered: Expression = key("Holds when the incident is over.")
    walk: Walk = key("The answers of the right walk.", default=Walk())
    expect: Expected = key("What the right walk must come to.", default=Expected())
