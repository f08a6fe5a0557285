"""What a kubectl line asks for: one small record for each verb that the built-in driver carries out.

Each says what it is about and what it needs to be allowed; `parse.py` reads it from a line, and a module
`transport/kubectl/verb_*.py` carries it out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

Output: TypeAlias = Literal["", "wide", "json", "yaml", "name"]


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

    @property
    def target(self) -> Target | None:
        """The one object that is named; None where there are several, or they are selected."""
        return self.targets[0] if len(self.targets) == 1 else None

    @property
    def place(self) -> str:
        """Where it looks: a namespace, `*` for all, empty for the context's own."""
        return "*" if self.all_namespaces else self.namespace or ""

    def needs(self, verb: str, of_named: str = "") -> "Iterator[Needed]":
        """What it takes to do this to each of them. of_named: the verb for those that are named, where it
        differs."""
        for target in self.targets:
            yield of_named or verb, target.resource, "", target.namespace or ""
        yield from ((verb, kind, "", self.place) for kind in self.kinds)


Needed: TypeAlias = tuple[str, str, str, str]
"""A right as RBAC has it: the API's verb, the resource, the subresource, the namespace."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a line asks for, typed."""

    takes_dry_run: ClassVar[bool] = False
    """Whether the API server can say what would happen, without it happening."""
    takes_pin: ClassVar[bool] = False
    """Whether it can be bound to the object that was diagnosed, by uid or resource version."""
    shows_difference: ClassVar[bool] = False
    """Whether a dry run prints what would differ, for whoever confirms it."""

    @property
    def about(self) -> Target | None:
        """The one object that it is about; None where there are several, or they are selected."""
        return None

    def needs(self) -> Iterator[Needed]:
        """What it has to be allowed, as far as the line tells."""
        return iter(())


@dataclass(frozen=True, slots=True)
class Get(Operation):
    selection: Selection
    output: Output = ""
    ignore_not_found: bool = False
    headers: bool = True
    sort_by: tuple[str | int, ...] = ()
    """The path of the field by which they are sorted; empty where they are not."""

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        return self.selection.needs("list", of_named="get")


@dataclass(frozen=True, slots=True)
class Describe(Operation):
    """Objects with what belongs to them, for a person to read; with their events, unless `events` is off."""

    selection: Selection
    events: bool = True

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        yield from self.selection.needs("list", of_named="get")
        if self.events:
            yield "list", "events", "", self.selection.place


@dataclass(frozen=True, slots=True)
class Top(Operation):
    """What pods, or nodes where `of_nodes`, use."""

    selection: Selection
    of_nodes: bool = False
    containers: bool = False
    headers: bool = True

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        kind = "nodes" if self.of_nodes else "pods"
        verb = "get" if self.selection.targets else "list"
        yield verb, f"{kind}.metrics.k8s.io", "", self.selection.place
        if self.of_nodes:
            yield verb, "nodes", "", ""


@dataclass(frozen=True, slots=True)
class Events(Operation):
    """What the cluster has noted down, the oldest first. types: only these, all where it is empty."""

    namespace: str | None = None
    all_namespaces: bool = False
    of: Target | None = None
    """Only those about this object."""
    types: tuple[str, ...] = ()
    headers: bool = True

    @property
    def about(self) -> Target | None:
        return self.of

    def needs(self) -> Iterator[Needed]:
        yield "list", "events", "", "*" if self.all_namespaces else self.namespace or ""


@dataclass(frozen=True, slots=True)
class Logs(Operation):
    """`target` is a pod or something with pods; without one, the pods that `selection.labels` matches."""

    selection: Selection
    container: str = ""
    since: float | None = None
    tail: int | None = None
    previous: bool = False
    timestamps: bool = False
    all_containers: bool = False
    prefix: bool = False

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        yield "get", "pods", "log", self.selection.place
        if self.selection.labels:
            yield "list", "pods", "", self.selection.place


@dataclass(frozen=True, slots=True)
class RolloutHistory(Operation):
    target: Target

    @property
    def about(self) -> Target | None:
        return self.target

    def needs(self) -> Iterator[Needed]:
        where = self.target.namespace or ""
        yield from (("get", self.target.resource, "", where), ("list", "replicasets", "", where))


@dataclass(frozen=True, slots=True)
class RolloutStatus(Operation):
    target: Target
    watch: bool = True
    timeout: float = 0.0

    @property
    def about(self) -> Target | None:
        return self.target

    def needs(self) -> Iterator[Needed]:
        yield "watch", self.target.resource, "", self.target.namespace or ""


@dataclass(frozen=True, slots=True)
class Wait(Operation):
    """Until a condition has a status, or the objects are gone."""

    selection: Selection
    until: Literal["condition", "delete"]
    condition: str = ""
    status: str = "True"
    timeout: float = 30.0

    @property
    def about(self) -> Target | None:
        return self.selection.target

    def needs(self) -> Iterator[Needed]:
        return self.selection.needs("watch")


@dataclass(frozen=True, slots=True)
class CanI(Operation):
    verb: str
    resource: str
    name: str = ""
    subresource: str = ""
    namespace: str | None = None
    all_namespaces: bool = False
    quiet: bool = False


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
        return self.operation is not None and self.operation.takes_dry_run

    @property
    def target(self) -> Target | None:
        return self.operation.about if self.operation is not None else None
