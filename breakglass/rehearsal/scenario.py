"""A whole scenario as data: a world, its rules, the traps that people may step into, and the right walk."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from breakglass.policy.site_rules import ReadPattern
from breakglass.rehearsal.spec.clusters import ClusterSpec, ExecRule, LogRule
from breakglass.rehearsal.spec.machines import EndpointSpec, HostSpec, LocalSpec
from breakglass.rehearsal.traps import Name, Rule, Trap
from breakglass.runbook.expression import Expression
from breakglass.site.read_patterns import HELP as READS_HELP
from breakglass.site.read_patterns import READS
from breakglass.values import Json
from breakglass.yamlio.record import NOT_WRITTEN, Written, derived, key, record, shape_of
from breakglass.yamlio.shape import (
    Identifier,
    Shape,
    SiteName,
    by_kind,
    made,
    mapping_of,
    number,
    text,
)

Speed: TypeAlias = Annotated[float, number(0.1, 10_000)]

DrySpeed: TypeAlias = Annotated[float, number(0.001, 10_000)]


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
    dry_speed: DrySpeed | None = key(
        "Of a tested dry run; without it the world nearly stands still, so that only clients change it.",
        default=None,
    )
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)


@record("expectation")
class Expected:
    """What the right walk must come to."""

    result: Literal["recovered", "not-this-incident", "escalate", "completed", "stopped"] = key(
        "How it ends.", default="recovered"
    )
    reaches: tuple[str, ...] = key("Steps that the right walk takes.", default=())
    never: tuple[str, ...] = key("Steps that it never takes.", default=())
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)

    def unmet(self, result: str, reached: Collection[str]) -> list[str]:
        """What is not as expected of a walk that ended so and began these steps, in words."""
        missing = ", ".join(step for step in self.reaches if step not in reached)
        wrong = ", ".join(step for step in self.never if step in reached)
        found = {
            f"it ended as {result}, not as {self.result}": result != self.result,
            f"it never came to {missing}": bool(missing),
            f"it came to {wrong}, where the right walk never comes": bool(wrong),
        }
        return [words for words, so in found.items() if so]


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
    local: LocalSpec | None = key("Programs of the machine where the session runs.", default=None)
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
    written: Written = derived(lambda given: given.written, default=NOT_WRITTEN, compare=False)
