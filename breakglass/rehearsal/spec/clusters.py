"""Simulated clusters: their objects, who may do what, and how pods, logs, commands and the API behave."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from breakglass.rehearsal.patterns import TextPattern
from breakglass.rehearsal.spec.effects import CommandRule, Condition
from breakglass.runbook.template import Template, TemplateTree
from breakglass.yamlio.position import Position
from breakglass.yamlio.record import key, placed, record
from breakglass.yamlio.shape import DURATION, TEXT, integer, list_of

Words: TypeAlias = Annotated[tuple[str, ...], list_of(TEXT, minimum=1)]
Duration: TypeAlias = Annotated[float, DURATION]
ErrorStatus: TypeAlias = Annotated[int, integer(400, 599)]


@record("pod selector")
class PodSelector:
    """Which pods are meant; everything that is given must fit."""

    cluster: str | None = key("Pods of this cluster.", default=None)
    namespace: str | None = key("Pods of this namespace.", default=None)
    name: TextPattern | None = key("A pattern for the pod's name.", default=None)
    labels: Mapping[str, str] = key("Labels that it has.", default_factory=dict[str, str])
    container: str | None = key("The container, for logs and commands.", default=None)


ANY_POD = PodSelector()


@record("command in a container", kw_only=True)
class ExecRule(CommandRule):
    """How one command line answers in a container."""

    pod: PodSelector = key("In which pods; without it, in all.", default=ANY_POD)


@record("line of a log", short="text")
class LogEntry:
    """A line of a log, or many of one kind."""

    text: Template = key("What it says; with `every`, `n` is its number from 0.")
    ago: Duration = key("How long before now it was written.", default=0.0)
    every: Duration | None = key("One line each so often, from `ago` until now.", default=None)


@record("log", kw_only=True)
class LogRule:
    """What a container has written. The first rule that fits counts."""

    pod: PodSelector = key("Of which pods; without it, of all.", default=ANY_POD)
    when: Condition = key("Only while this holds.", default=None)
    previous: bool = key("Of the container before its last restart.", default=False)
    hang: bool = key("The answer never ends.", default=False)
    lines: tuple[LogEntry, ...] = key("Oldest first.", default=())
    position: Position = placed()


@record("way of a pod", kw_only=True)
class PodRule:
    """How pods come up and end."""

    pod: PodSelector = key("Which pods; without it, all.", default=ANY_POD)
    when: Condition = key("Only while this holds.", default=None)
    delay: Duration = key("Until it reaches its phase.", default=1.0)
    stuck: bool = key("It stays in ContainerCreating for ever.", default=False)
    ending: Duration = key("How long it takes to end gracefully.", default=1.0)
    never_ends: bool = key("It stays Terminating until forced.", default=False)
    phase: str = key("The phase that it reaches.", default="Running")
    ready: bool = key("Whether it is ready then.", default=True)
    waiting: str = key("A reason such as CrashLoopBackOff.", default="")
    message: str = key("The message that goes with the reason.", default="")
    terminated: str = key("How its containers last ended: OOMKilled.", default="")
    restarts: int = key("How often its containers have started anew.", integer(0), default=0)
    position: Position = placed()


@record("way of a job", kw_only=True)
class JobRule:
    """How the pods of a Job run, once started."""

    pod: PodSelector = key("Which pods; without it, all.", default=ANY_POD)
    when: Condition = key("Only while this holds.", default=None)
    takes: Duration = key("How long it runs.", default=1.0)
    never_ends: bool = key("It runs for ever.", default=False)
    exit: int = key("Its exit status.", integer(0, 255), default=0)
    reason: str = key("The reason that its container's end gives.", default="")
    position: Position = placed()


@record("denial", kw_only=True)
class DenialRule:
    """Admission refuses a change."""

    on: TextPattern = key("`VERB PLURAL NAMESPACE/NAME`, such as `delete pods vault/*`.")
    message: Template = key("What it says.")
    when: Condition = key("Only while this holds.", default=None)
    code: ErrorStatus = key("The HTTP status.", default=403)
    reason: str = key("The reason in the API's Status.", default="")
    position: Position = placed()


@record("fault of the API server", kw_only=True)
class FaultRule:
    """The API server misbehaves for some requests."""

    on: TextPattern = key("`VERB PLURAL NAMESPACE/NAME`, such as `list pods vault/`, or the path.")
    fault: Literal["answer", "hang", "cut", "slow", "hang-after", "cut-after"] = key(
        "`answer` an error, `hang` without one, `cut` the connection, or be `slow`;"
        " `-after`: once the request has been carried out."
    )
    when: Condition = key("Only while this holds.", default=None)
    code: ErrorStatus = key("The HTTP status of an `answer`.", default=500)
    reason: str = key("The reason in its Status.", default="InternalError")
    message: str = key("What it says.", default="Internal error occurred: the server is not well")
    seconds: Duration = key("How long `slow` takes.", default=0.0)
    position: Position = placed()


@record("access rule")
class AccessRule:
    """What a user may do."""

    verbs: Words = key("Verbs of the API, `*` for all.")
    resources: Words = key("Plurals, or `pods/exec`; `*` for all.")
    groups: Words = key("API groups, `*` for all.", default=("*",))
    names: Words = key("Only objects of these names.", default=())
    namespaces: Words = key("Only in these namespaces.", default=())


@record("user of a cluster")
class ClusterUser:
    """Someone with a kubeconfig."""

    name: str = key("The user's name.")
    rules: tuple[AccessRule, ...] | None = key("Without rules everything is allowed.", default=None)


@record("custom kind")
class CustomKind:
    """A kind that a cluster serves besides those of Kubernetes itself."""

    group: str = key("Its API group.")
    plural: str = key("Its plural, as in URLs.")
    kind: str = key("Its kind.")
    version: str = key("Its version.", default="v1")
    namespaced: bool = key("Whether its objects are in namespaces.", default=True)
    short_names: Words = key("What kubectl also takes.", default=())


@record("simulated cluster")
class ClusterSpec:
    """A simulated Kubernetes cluster."""

    objects: tuple[TemplateTree, ...] = key("Kubernetes objects; rendered once, at the start.", default=())
    kinds: tuple[CustomKind, ...] = key("Custom kinds that it serves.", default=())
    users: tuple[ClusterUser, ...] = key("The first is the one whom the site uses.", default=())
    pods: tuple[PodRule, ...] = key("How pods come up; the first that fits.", default=())
    jobs: tuple[JobRule, ...] = key("How Jobs run; the first that fits.", default=())
    denials: tuple[DenialRule, ...] = key("Changes that admission refuses.", default=())
    faults: tuple[FaultRule, ...] = key("How its API misbehaves; the first that fits.", default=())
