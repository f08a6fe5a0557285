"""What a kubectl line asks for: one small record for each verb that the built-in driver carries out."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from breakglass.values import Json

Output: TypeAlias = Literal["", "wide", "json", "yaml", "name", "jsonpath", "custom-columns"]
PatchType: TypeAlias = Literal["strategic", "merge", "json"]
Cascade: TypeAlias = Literal["background", "foreground", "orphan"]


@dataclass(frozen=True, slots=True)
class Target:
    """One object, as the line names it; None is the namespace of the cluster's context."""

    resource: str
    name: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a verb is about: objects by name, or all of some kinds that match the selectors."""

    targets: tuple[Target, ...] = ()
    kinds: tuple[str, ...] = ()
    namespace: str | None = None
    all_namespaces: bool = False
    labels: str = ""
    fields: str = ""
    everything: bool = False
    """`--all` was given: the kind without a selector is meant."""


@dataclass(frozen=True, slots=True)
class Get:
    selection: Selection
    output: Output = ""
    template: str = ""
    """The template of `jsonpath`, or the columns of `custom-columns`."""
    ignore_not_found: bool = False
    headers: bool = True


@dataclass(frozen=True, slots=True)
class Logs:
    """`target` is a pod or something with pods; without one, the pods that `selection.labels` matches."""

    selection: Selection
    container: str = ""
    since: float | None = None
    tail: int | None = None
    previous: bool = False
    timestamps: bool = False
    all_containers: bool = False
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Exec:
    target: Target
    command: tuple[str, ...]
    container: str = ""
    stdin: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    selection: Selection
    grace: int | None = None
    force: bool = False
    wait: bool = True
    timeout: float = 0.0
    """Seconds to wait for the objects to be gone; 0 is as long as the request may take."""
    cascade: Cascade = "background"
    ignore_not_found: bool = False
    output: Output = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    target: Target
    type: PatchType
    patch: Json
    output: Output = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    targets: tuple[Target, ...]
    replicas: int
    current: int | None = None
    """The change is refused unless there are so many now."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class RolloutRestart:
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    target: Target
    watch: bool = True
    timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Cordon:
    """`cordon`, and `uncordon` where `schedulable`."""

    nodes: tuple[str, ...]
    labels: str = ""
    schedulable: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Drain:
    nodes: tuple[str, ...]
    labels: str = ""
    ignore_daemonsets: bool = False
    delete_emptydir: bool = False
    force: bool = False
    grace: int | None = None
    timeout: float = 0.0
    pods: str = ""
    """Only the pods that match this selector."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """`subject` and `value`: a condition and its status, or a JSONPath and its value; None is any value."""

    selection: Selection
    until: Literal["condition", "delete", "jsonpath"]
    subject: str = ""
    value: str | None = None
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class CreateJob:
    name: str
    source: Target
    output: Output = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class CanI:
    verb: str
    resource: str
    name: str = ""
    subresource: str = ""
    namespace: str | None = None
    all_namespaces: bool = False
    quiet: bool = False


Operation: TypeAlias = (
    Get
    | Logs
    | Exec
    | Delete
    | Patch
    | Scale
    | RolloutRestart
    | RolloutStatus
    | Cordon
    | Drain
    | Wait
    | CreateJob
    | CanI
)
"""What a line asks for, typed."""


@dataclass(frozen=True, slots=True)
class KubectlCommand:
    """A kubectl line, read once: its words without the program's name, and what they ask for.

    operation: None for what only the `kubectl` program carries out; `refused` then says why.
    """

    argv: tuple[str, ...]
    operation: Operation | None
    refused: str = ""

    @property
    def takes_dry_run(self) -> bool:
        """Whether the API server can say what would happen, without it happening."""
        return isinstance(
            self.operation, Delete | Patch | Scale | RolloutRestart | Cordon | Drain | CreateJob
        )

    @property
    def target(self) -> Target | None:
        """The one object that it is about; None where there are several, or they are selected."""
        match self.operation:
            case Patch(target=target) | Exec(target=target) | RolloutStatus(target=target):
                return target
            case CreateJob(source=target):
                return target
            case Scale(targets=targets) | RolloutRestart(targets=targets):
                return targets[0] if len(targets) == 1 else None
            case Cordon(nodes=nodes, labels="") | Drain(nodes=nodes, labels=""):
                return Target("nodes", nodes[0]) if len(nodes) == 1 else None
            case (
                Delete(selection=chosen)
                | Get(selection=chosen)
                | Wait(selection=chosen)
                | Logs(selection=chosen)
            ):
                return chosen.targets[0] if len(chosen.targets) == 1 else None
            case _:
                return None
