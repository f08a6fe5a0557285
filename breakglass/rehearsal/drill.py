"""A whole scenario as data: a world, the traps that people may step into, and the walk that is right."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from breakglass.rehearsal.model import (
    ClusterSpec,
    Effect,
    EndpointSpec,
    ExecRule,
    HostSpec,
    LogRule,
    Rule,
    SiteSpec,
)
from breakglass.runbook.model import Expression
from breakglass.values import Json


@dataclass(frozen=True, slots=True)
class KubectlMove:
    """A command outside of the walk, as a person types it in another terminal."""

    argv: tuple[str, ...]
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class SshMove:
    host: str
    command: str


@dataclass(frozen=True, slots=True)
class HttpMove:
    endpoint: str
    method: str
    path: str
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


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


@dataclass(frozen=True, slots=True)
class Timed:
    """A move and when it is made: when the walk is about to begin or to ask at step `at`; None: before all.

    A jump is taken instead of the answer there; an answer and a choice replace the walk's own at their step.
    """

    move: Move
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Trap:
    """A wrong move: what it does to the world, and how it must be caught.

    caught: `guard` when the walk must refuse it, so that nothing happens; `review` when it happens and the
    after-action review must name it. `refused_at` is the step that must fail, where a guard catches it.
    """

    rule: Rule
    title: str
    caught: Literal["guard", "review"]
    take: tuple[Timed, ...] = ()
    refused_at: str | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """The answers of the right walk, by step id. `on_failure` is `skip`, `stop`, `retry` or `jump STEP`.

    `speed` is that of a headless walk, where the scenario's own is for people.
    """

    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    choose: Mapping[str, str] = field(default_factory=dict[str, str])
    ask: Mapping[str, Json] = field(default_factory=dict[str, Json])
    manual: Mapping[str, str] = field(default_factory=dict[str, str])
    on_failure: Mapping[str, str] = field(default_factory=dict[str, str])
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What the right walk must come to."""

    result: Literal["recovered", "not-this-incident", "escalate", "completed", "stopped"] = "recovered"
    reaches: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    def met(self, result: str, reached: Collection[str]) -> bool:
        """Whether a walk that ended so, and was at these steps, is the right one."""
        steps = set(reached)
        return result == self.result and steps >= set(self.reaches) and steps.isdisjoint(self.never)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. `recorded` marks the incident as it really went."""

    name: str
    title: str
    summary: str
    runbook: str
    path: Path
    recovered: Expression
    recorded: bool = False
    speed: float = 1.0
    world: Mapping[str, Json] = field(default_factory=dict[str, Json])
    site: SiteSpec = field(default_factory=SiteSpec)
    clusters: Mapping[str, ClusterSpec] = field(default_factory=dict[str, ClusterSpec])
    hosts: Mapping[str, HostSpec] = field(default_factory=dict[str, HostSpec])
    endpoints: Mapping[str, EndpointSpec] = field(default_factory=dict[str, EndpointSpec])
    exec: tuple[ExecRule, ...] = ()
    logs: tuple[LogRule, ...] = ()
    rules: tuple[Rule, ...] = ()
    traps: tuple[Trap, ...] = ()
    walk: Walk = field(default_factory=Walk)
    expect: Expected = field(default_factory=Expected)
