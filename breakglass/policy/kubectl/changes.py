"""What a kubectl line asks for that changes something, or runs a command in a container. See `operations`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from breakglass.policy.kubectl.operations import Needed, Operation, Output, Selection, Target
from breakglass.values import Json

PatchType: TypeAlias = Literal["strategic", "merge", "json"]
Cascade: TypeAlias = Literal["background", "foreground", "orphan"]


def _one_node(nodes: tuple[str, ...], labels: str) -> Target | None:
    """The node that a line names, where it names one alone and selects none."""
    return Target("nodes", nodes[0]) if len(nodes) == 1 and not labels else None


@dataclass(frozen=True, slots=True)
class Exec(Operation):
    target: Target
    command: tuple[str, ...]
    container: str = ""
    stdin: bool = False

    @property
    def about(self) -> Target | None:
        return self.target

    def needs(self) -> Iterator[Needed]:
        # A WebSocket is opened with GET, and from Kubernetes 1.35 on `create` is asked for as well.
        where = self.target.namespace or ""
        yield from (("get", "pods", "exec", where), ("create", "pods", "exec", where))


@dataclass(frozen=True, slots=True)
class Apply(Operation):
    """The objects of a manifest, by server-side apply. They stand beside the line; see `manifest`.

    manager: under which name the server keeps who applied which field.
    """

    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True
    shows_difference: ClassVar[bool] = True

    namespace: str | None = None
    manager: str = "kubectl"
    force_conflicts: bool = False
    output: Output = ""
    dry_run: bool = False
    objects: tuple[Target, ...] = ()

    @property
    def about(self) -> Target | None:
        return self.objects[0] if len(self.objects) == 1 else None

    def needs(self) -> Iterator[Needed]:
        for each in self.objects:
            where = each.namespace or ""
            yield from (("get", each.resource, "", where), ("patch", each.resource, "", where))


@dataclass(frozen=True, slots=True)
class Delete(Operation):
    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

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

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        return self.selection.needs("delete")


@dataclass(frozen=True, slots=True)
class Patch(Operation):
    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    target: Target
    type: PatchType
    patch: Json
    output: Output = ""
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return self.target

    def needs(self) -> Iterator[Needed]:
        yield "patch", self.target.resource, "", self.target.namespace or ""


@dataclass(frozen=True, slots=True)
class Relabel(Operation):
    """`label` and `annotate`: set or remove labels or annotations of objects."""

    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    field: Literal["labels", "annotations"]
    selection: Selection
    values: Mapping[str, str | None]
    """What each is to be; None removes it."""
    overwrite: bool = False
    output: Output = ""
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        return self.selection.needs("patch")


@dataclass(frozen=True, slots=True)
class NodeTaint:
    """A taint of a node. An empty effect stands for all of them, where it is removed."""

    key: str
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Taint(Operation):
    """Put taints on nodes, or take them away."""

    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    nodes: tuple[str, ...]
    labels: str = ""
    add: tuple[NodeTaint, ...] = ()
    remove: tuple[NodeTaint, ...] = ()
    overwrite: bool = False
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return _one_node(self.nodes, self.labels)

    def needs(self) -> Iterator[Needed]:
        yield "patch", "nodes", "", ""


@dataclass(frozen=True, slots=True)
class Scale(Operation):
    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    targets: tuple[Target, ...]
    replicas: int
    current: int | None = None
    """The change is refused unless there are so many now."""
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return self.targets[0] if len(self.targets) == 1 else None

    def needs(self) -> Iterator[Needed]:
        yield from (("patch", each.resource, "scale", each.namespace or "") for each in self.targets)


@dataclass(frozen=True, slots=True)
class RolloutRestart(Operation):
    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    targets: tuple[Target, ...]

    @property
    def about(self) -> Target | None:
        return self.targets[0] if len(self.targets) == 1 else None

    def needs(self) -> Iterator[Needed]:
        yield from (("patch", each.resource, "", each.namespace or "") for each in self.targets)


@dataclass(frozen=True, slots=True)
class RolloutUndo(Operation):
    """Back to an earlier version of a Deployment. to: its number; 0 is the one before this."""

    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    target: Target
    to: int = 0
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return self.target

    def needs(self) -> Iterator[Needed]:
        where = self.target.namespace or ""
        yield from (("list", "replicasets", "", where), ("patch", self.target.resource, "", where))


@dataclass(frozen=True, slots=True)
class Cordon(Operation):
    """`cordon`, and `uncordon` where `schedulable`."""

    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

    nodes: tuple[str, ...]
    labels: str = ""
    schedulable: bool = False
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return _one_node(self.nodes, self.labels)

    def needs(self) -> Iterator[Needed]:
        yield "patch", "nodes", "", ""


@dataclass(frozen=True, slots=True)
class Drain(Operation):
    takes_dry_run: ClassVar[bool] = True
    takes_pin: ClassVar[bool] = True

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

    @property
    def about(self) -> Target | None:
        return _one_node(self.nodes, self.labels)

    def needs(self) -> Iterator[Needed]:
        yield from (("patch", "nodes", "", ""), ("create", "pods", "eviction", "*"))


@dataclass(frozen=True, slots=True)
class CreateJob(Operation):
    takes_dry_run: ClassVar[bool] = True

    name: str
    source: Target
    output: Output = ""
    dry_run: bool = False

    @property
    def about(self) -> Target | None:
        return self.source

    def needs(self) -> Iterator[Needed]:
        where = self.source.namespace or ""
        yield from (("get", self.source.resource, "", where), ("create", "jobs", "", where))
