"""The runbook as data: what a YAML file says, checked, with the positions that errors need.

Nothing here runs. `load.py` makes these from YAML, `lint.py` looks at what they mean together, and the engine
in `breakglass.engine` walks them. Durations are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, TypeGuard

from breakglass.policy.risk import NOT_ASSESSED, Assessment, Risk
from breakglass.values import Json
from breakglass.yamlio.position import Position


@dataclass(frozen=True, slots=True)
class Expression:
    """A CEL expression as written. optional: as a value in a command, it may be empty."""

    source: str
    position: Position
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """Text with `${{ expression }}` in it. `parts` alternates freely between literal text and expressions."""

    source: str
    position: Position
    parts: tuple[str | Expression, ...]

    @property
    def is_literal(self) -> bool:
        return all(isinstance(part, str) for part in self.parts)


FaultKind: TypeAlias = Literal[
    "timeout",  # the deadline passed
    "refused",  # the connection was refused
    "unreachable",  # no route, a failed jump host, or a proxy that does not speak the protocol
    "dns",  # the name does not resolve
    "tls",  # certificate or handshake
    "host-key",  # an unknown or changed SSH host key
    "authentication",  # 401, no key accepted, expired client certificate
    "forbidden",  # 403, or sudo that would ask for a password
    "not-found",  # 404 from the Kubernetes API
    "conflict",  # 409: a precondition (uid, resourceVersion) did not hold
    "rejected",  # 4xx otherwise: invalid, admission, eviction refused
    "server-error",  # 5xx from the Kubernetes API
    "disconnected",  # the connection was lost in the middle
    "exit",  # a command ended with another status than 0
    "configuration",  # a kubeconfig, key or secret that cannot be used
    "malformed",  # an answer that cannot be understood
    "cancelled",  # the operator cancelled a read
    "too-much",  # more output than the step's `output_limit`; the read was stopped there
]

OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of output that are taken from one request where its step says nothing else."""


@dataclass(frozen=True, slots=True)
class KubectlAction:
    """`kubectl: get pods -n x`. The line is split into words before anything is put into them."""

    words: tuple[Template, ...]
    position: Position
    cluster: str | None = None
    """A cluster of the site; None is the only one the runbook uses."""
    driver: Literal["native", "binary"] = "native"
    stdin: Template | None = None


@dataclass(frozen=True, slots=True)
class SshAction:
    """`ssh: {host: pve, run: [qm, status, "201"]}`, or `run:` as one shell string.

    With `shell`, `words` holds the one string, for `sh`, and every value in it is a parameter; without, each
    word becomes exactly one argument of the remote command.
    """

    host: Template
    words: tuple[Template, ...]
    shell: bool
    position: Position
    sudo: bool = False
    stdin: Template | None = None


@dataclass(frozen=True, slots=True)
class HttpAction:
    """`http: {get: protected-app, path: /x, follow: false}`. The endpoint is one of the site's."""

    method: str
    endpoint: str
    position: Position
    path: Template | None = None
    query: Mapping[str, Template] = field(default_factory=dict[str, Template])
    headers: Mapping[str, Template] = field(default_factory=dict[str, Template])
    body: Template | None = None
    json: "TemplateTree | None" = None
    follow: bool = False
    """Whether redirects are followed; never unless asked."""
    anonymous: bool = False
    """Send none of the endpoint's credentials."""


TemplateTree: TypeAlias = (
    "bool | int | float | Template | list[TemplateTree] | dict[str, TemplateTree] | None"
)
"""JSON whose strings are templates. A string that is one expression and nothing else keeps the value's
own type."""


@dataclass(frozen=True, slots=True)
class ProbeAction:
    """`probe: registry-integrity` with arguments: a diagnostic too big for one command."""

    name: str
    arguments: "Mapping[str, TemplateTree]"
    position: Position


@dataclass(frozen=True, slots=True)
class ManualAction:
    """Instructions for a person. The walk goes on when the operator says what was seen or done."""

    instructions: Template
    position: Position


@dataclass(frozen=True, slots=True)
class ChooseOption:
    """One named way on from a `choose` step."""

    name: str
    say: Template
    goto: str | None
    when: Expression | None
    position: Position


@dataclass(frozen=True, slots=True)
class ChooseAction:
    """The operator picks one of several ways on; the name picked is `result.choice`."""

    options: tuple[ChooseOption, ...]
    position: Position


InputType: TypeAlias = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class AskAction:
    """The operator gives a value, checked against a type and a pattern; it is `result.answer`."""

    prompt: Template
    type: InputType
    pattern: str | None
    secret: bool
    position: Position


Action: TypeAlias = (
    KubectlAction | SshAction | HttpAction | ProbeAction | ManualAction | ChooseAction | AskAction
)
"""What a step does. The first four reach outside; the others are answered by the operator."""

ReachingAction: TypeAlias = KubectlAction | SshAction | HttpAction | ProbeAction


def reaches_outside(action: Action | None) -> TypeGuard[ReachingAction]:
    """Whether the action sends a request, rather than asking the operator."""
    return isinstance(action, ReachingAction)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A condition on what was seen, and what to say when it does not hold."""

    that: Expression
    otherwise: Template | None


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition that is checked at the moment of acting, with its own message."""

    that: Expression
    otherwise: Template


@dataclass(frozen=True, slots=True)
class Next:
    """Where to go after a step whose expectations hold; the first whose `when` is true wins."""

    when: Expression | None
    goto: str
    say: Template | None
    position: Position


@dataclass(frozen=True, slots=True)
class ForEach:
    """Run the action once for each element of a list, at most `parallel` at a time, `item` in scope."""

    items: Expression
    parallel: int
    position: Position


@dataclass(frozen=True, slots=True)
class Poll:
    """Repeat the step's read until a condition holds: `wait` on a read step.

    `soak` asks for it to keep holding for so many seconds after it first held. Where it is `optional`, a
    condition that does not come to hold in time is an observation, with the fault `timeout`.
    """

    until: Expression
    every: float
    within: float
    soak: float = 0.0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """The independent observation that says whether a change is done: which signal moves, within how long.

    `soak` asks for the signal to keep holding for so many seconds after it first held.
    """

    action: Action
    until: Expression
    every: float
    within: float
    soak: float = 0.0
    capture: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    assessed: Assessment = NOT_ASSESSED


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How the operator says yes. `type` is the text to type; None is one explicit key, for `change` only."""

    type: Template | None


@dataclass(frozen=True, slots=True)
class Pin:
    """Kubernetes preconditions: the request acts on the object that was diagnosed or not at all."""

    uid: Template | None
    resource_version: Template | None


@dataclass(frozen=True, slots=True)
class UndoAdvice:
    """How to put a change back: words, and a step that does it where one exists."""

    say: Template
    step: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One action (or none) with its reason, what is expected, and where to go next."""

    id: str
    title: str
    position: Position
    why: str = ""
    phase: str = ""
    action: Action | None = None
    when: Expression | None = None
    foreach: ForEach | None = None
    timeout: float = 30.0
    output_limit: int = OUTPUT_LIMIT
    """Bytes. A read that says more is stopped; a change goes on, and no more of it is kept."""
    retries: int = 0
    tolerate: tuple[FaultKind, ...] = ()
    """Faults that are an observation here and not a failure: a hung command can be the finding."""
    wait: Poll | None = None
    capture: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    expect: tuple[Expectation, ...] = ()
    next: tuple[Next, ...] = ()
    assessed: Assessment = NOT_ASSESSED
    """What the action counts as: made where the step is read, and once more for the site of a session."""
    pin: Pin | None = None
    needs: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()
    impact: Template | None = None
    confirm: Confirmation | None = None
    verify: Verification | None = None
    unknown: Template | None = None
    undo: UndoAdvice | None = None
    approve: int = 1
    """How many people must give their word."""
    assume: "Mapping[str, TemplateTree]" = field(default_factory=dict[str, "TemplateTree"])
    """In a dry run, the captured values that a skipped change would have produced."""
    preview: Action | None = None
    """A read that a dry run makes in place of an SSH or HTTP change."""
    followup: str | None = None
    """What to codify afterwards; becomes a follow-up of the post-mortem."""
    hint: str | None = None
    """Shown on demand in a rehearsal, and counted."""
    ends: Literal["recovered", "not-this-incident", "escalate"] | None = None
    """This step is the last of the walk, and what reaching it means."""
    optional: tuple[str, ...] = ()
    """Expressions, as they are written, whose values may be empty in its commands."""
    redact: bool = False
    """The output is a secret: it is neither shown nor stored."""

    @property
    def risk(self) -> Risk:
        """The risk that counts."""
        return self.assessed.risk


@dataclass(frozen=True, slots=True)
class Input:
    """A value that the operator gives at the start."""

    name: str
    type: InputType
    position: Position
    help: str = ""
    default: Json = None
    has_default: bool = False
    pattern: str | None = None
    choices: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class TriageCheck:
    """A read that says, before the walk, whether this runbook is the right one.

    `verdicts` maps `confirmed`, `suspect` and `ok` to conditions, tried in that order; none that holds is
    `unknown`.
    """

    step: str
    verdicts: Mapping[Literal["confirmed", "suspect", "ok"], Expression]
    position: Position


@dataclass(frozen=True, slots=True)
class Uses:
    """What the runbook needs from a site."""

    clusters: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Runbook:
    """A whole runbook. `source` is the text that was loaded, `digest` its SHA-256 in hexadecimal."""

    name: str
    title: str
    summary: str
    severity: Literal["sev1", "sev2", "sev3"]
    path: Path
    source: str
    digest: str
    steps: tuple[Step, ...]
    owner: str = ""
    alerts: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    preflight: tuple[str, ...] = ()
    """Questions to answer before starting: circular dependencies, memory items."""
    affected: tuple[str, ...] = ()
    """Services named in the post-mortem."""
    uses: Uses = Uses()
    inputs: tuple[Input, ...] = ()
    triage: tuple[TriageCheck, ...] = ()
    included: tuple[tuple[str, str], ...] = ()
    """The name and the text of each file that is part of it. `digest` covers them too."""

    def step(self, step_id: str) -> Step:
        """The step with this id. Raises KeyError; `lint` has made sure that references resolve."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
