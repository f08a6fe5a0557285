"""A simulated world as data: machines, how they answer, and the rules by which they change.

`scenario.py` reads these from YAML; the other modules here run them. Durations are simulated seconds.
`TemplateTree` is JSON whose strings are templates; a string that is one expression keeps its value's type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from breakglass.policy.site_says import ReadPattern
from breakglass.rehearsal.patterns import Pattern
from breakglass.runbook.model import Expression, Template, TemplateTree
from breakglass.simulator.registry.images import ImageSpec
from breakglass.site.model import BasicLogin
from breakglass.values import Json
from breakglass.yamlio.position import Position

Condition: TypeAlias = Expression | None
"""None always holds."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """`set: {vms.201.status: stopped}`. `path` is split at its dots before anything is put in."""

    path: tuple[Template, ...]
    value: TemplateTree


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One change of a Kubernetes object by the world itself, outside of admission.

    create: `body` is the object. patch: `body` is a merge patch. delete: at once, whatever its finalizers.
    An object that is not there is left alone. `each` repeats the change for each element of a list, which
    is `item`.
    """

    verb: Literal["create", "patch", "delete"]
    position: Position
    cluster: str | None = None
    kind: Template | None = None
    namespace: Template | None = None
    name: Template | None = None
    body: TemplateTree = None
    each: Expression | None = None


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What happens to a registry's store besides its HTTP API.

    collect: garbage collection; `delete_untagged` also unlinks the children of indexes, as registry 2.8
    does. push: an image, in the form of `ImageSpec`, with templates.
    """

    endpoint: str
    verb: Literal["collect", "push"]
    position: Position
    delete_untagged: bool = False
    dry_run: bool = False
    image: TemplateTree = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes in the world, in this order: variables, objects, registries. `say` is for the drill."""

    set: tuple[Assignment, ...] = ()
    objects: tuple[ObjectChange, ...] = ()
    registry: tuple[RegistryChange, ...] = ()
    say: Template | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it leaves the world as it is; a collection that is only a dry run does."""
        return not (self.set or self.objects or any(not move.dry_run for move in self.registry))


NO_EFFECT = Effect()


@dataclass(frozen=True, slots=True)
class CommandReply:
    """How a command ends. `stuck` hangs as a process in the kernel does: no `timeout` around it helps."""

    stdout: Template | None = None
    stderr: Template | None = None
    exit: TemplateTree = 0
    delay: float = 0.0
    then: Literal["exit", "hang", "stuck", "close"] = "exit"


@dataclass(frozen=True, slots=True)
class CommandRule:
    """How one command line answers, on a host or in a container."""

    match: Pattern
    reply: CommandReply
    position: Position
    when: Condition = None
    effect: Effect = NO_EFFECT
    stdin: bool = False
    """The command reads its input, which is then `request.stdin`; the client must close it."""


@dataclass(frozen=True, slots=True)
class PodSelector:
    """Which pods are meant; everything that is given must fit."""

    cluster: str | None = None
    namespace: str | None = None
    name: Pattern | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    container: str | None = None


@dataclass(frozen=True, slots=True)
class ExecRule:
    pod: PodSelector
    command: CommandRule


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line, written `ago` seconds before now; with `every`, one each so many seconds from `ago` until
    now, `n` counting from 0."""

    text: Template
    ago: float
    every: float | None = None


@dataclass(frozen=True, slots=True)
class LogRule:
    """What a container has written. The first rule that fits counts."""

    pod: PodSelector
    position: Position
    when: Condition = None
    previous: bool = False
    hang: bool = False
    lines: tuple[LogEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class PodRule:
    """How pods come up and end. `delay` or `ending` None: never."""

    pod: PodSelector
    position: Position
    when: Condition = None
    delay: float | None = 1.0
    ending: float | None = 1.0
    phase: str = "Running"
    ready: bool = True
    waiting: str = ""
    message: str = ""
    terminated: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class JobRule:
    """How the pods of a Job run, once started. `seconds` None: for ever."""

    pod: PodSelector
    position: Position
    when: Condition = None
    seconds: float | None = 1.0
    exit: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DenialRule:
    """Admission refuses changes such as `delete pods vault/*`."""

    on: Pattern
    message: Template
    position: Position
    when: Condition = None
    code: int = 403
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """The API server misbehaves for requests such as `list pods vault/`."""

    on: Pattern
    kind: Literal["answer", "hang", "cut", "slow", "hang-after", "cut-after"]
    position: Position
    when: Condition = None
    code: int = 500
    reason: str = "InternalError"
    message: str = "Internal error occurred: the server is not well"
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class AccessRule:
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    groups: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterUser:
    """Someone with a kubeconfig; no rules allow everything. The first is the one whom the site uses."""

    name: str
    rules: tuple[AccessRule, ...] | None = None


@dataclass(frozen=True, slots=True)
class CustomKind:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """A simulated cluster. `objects` are rendered once, at the start."""

    objects: tuple[TemplateTree, ...] = ()
    kinds: tuple[CustomKind, ...] = ()
    users: tuple[ClusterUser, ...] = ()
    pods: tuple[PodRule, ...] = ()
    jobs: tuple[JobRule, ...] = ()
    denials: tuple[DenialRule, ...] = ()
    faults: tuple[FaultRule, ...] = ()


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A simulated machine behind SSH.

    refuse: nothing listens. hang: connections are accepted and nothing is ever said. reachable: a condition;
    where it fails, connections and commands hang. sudo: `nopasswd`, or `password`, for which `sudo -n`
    fails. known: whether its host key is in the site's known_hosts; `changed` puts another key there.
    key: whether it accepts the site's key. files: what `cat` and `grep` find, by path.
    """

    user: str = "root"
    commands: tuple[CommandRule, ...] = ()
    files: Mapping[str, Template] = field(default_factory=dict[str, Template])
    refuse: bool = False
    hang: bool = False
    reachable: Condition = None
    sudo: Literal["nopasswd", "password"] = "nopasswd"
    known: Literal["yes", "no", "changed"] = "yes"
    key: Literal["accepted", "refused"] = "accepted"
    forced_command: bool = False


@dataclass(frozen=True, slots=True)
class HttpReply:
    """hang: nothing is sent until the client goes. cut: the connection is closed instead of an answer."""

    status: TemplateTree = 200
    headers: Mapping[str, Template] = field(default_factory=dict[str, Template])
    body: Template | None = None
    json: TemplateTree = None
    has_json: bool = False
    delay: float = 0.0
    then: Literal["answer", "hang", "cut"] = "answer"


@dataclass(frozen=True, slots=True)
class Route:
    """The first route that fits answers. `anonymous` asks for no credentials."""

    methods: tuple[str, ...]
    path: Pattern
    reply: HttpReply
    position: Position
    when: Condition = None
    effect: Effect = NO_EFFECT
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class RegistrySpec:
    """A registry of version 2.8. Its state is the world's variable `variable`, so that rules can move it."""

    variable: str
    images: tuple[ImageSpec, ...] = ()
    deletes: bool = True


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """A simulated HTTP service. `url` is what it is called in life; the site pins that name to loopback."""

    url: str
    routes: tuple[Route, ...] = ()
    refuse: bool = False
    hang: bool = False
    trusted: bool = True
    """Whether its certificate comes from the site's CA."""
    bearer: str | None = None
    basic: BasicLogin | None = None
    registry: RegistrySpec | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Rule:
    """When something happens, the world changes, at once or `after` some time.

    `on` holds patterns over events (see `story.py`). `every` repeats, for `on: time`. `once` lets it act a
    single time.
    """

    name: str
    on: tuple[Pattern, ...]
    position: Position
    when: Condition = None
    after: float = 0.0
    every: float | None = None
    once: bool = False
    effect: Effect = NO_EFFECT


@dataclass(frozen=True, slots=True)
class SiteSpec:
    """What the rehearsal's site has besides machines. `secrets` are made up, and written to files."""

    name: str = "rehearsal"
    description: str = ""
    variables: Mapping[str, Json] = field(default_factory=dict[str, Json])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    reads: tuple[ReadPattern, ...] = ()
