"""A node: how it is, what it has, and what its pods ask for."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TypeAlias

from breakglass.kubernetes_objects import Object, at, flag, labels_of, mapping, objects, text, texts
from breakglass.transport.kubectl.describe.sheet import NONE, UNSET, Sheet, when
from breakglass.transport.kubectl.event_times import since
from breakglass.transport.kubectl.sorting import quantity
from breakglass.values import Json

ROLE = "node-role.kubernetes.io/"
STANDARD = ("cpu", "memory", "ephemeral-storage")
SYSTEM = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a resource. binary: it is written in powers of two."""

    amount: Decimal = Decimal()
    binary: bool = False

    def __add__(self, other: "Size") -> "Size":
        return Size(self.amount + other.amount, self.binary if self.amount else other.binary)

    @property
    def words(self) -> str:
        """In the shortest form without a fraction, as Kubernetes writes it."""
        if not self.amount:
            return "0"
        if self.binary and self.amount >= 1024:
            return _shortened(_whole(self.amount), 1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))
        units = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
        return _shortened(_whole(self.amount * 10**9), 1000, units)


Sizes: TypeAlias = dict[str, Size]


def _whole(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING))


def _shortened(whole: int, step: int, units: tuple[str, ...]) -> str:
    unit = 0
    while whole % step == 0 and unit < len(units) - 1:
        whole, unit = whole // step, unit + 1
    return f"{whole}{units[unit]}"


def add_node(sheet: Sheet, node: Object, lease: Object | str, pods: list[Object] | str) -> None:
    """lease and pods: what was read, or why it could not be."""
    spec, status = mapping(node, "spec"), mapping(node, "status")
    sheet.field("Name", text(node, "metadata", "name"))
    sheet.field("Roles", ",".join(_roles(labels_of(node))) or NONE)
    sheet.labels("Labels", at(node, "metadata", "labels"))
    sheet.annotations(at(node, "metadata", "annotations"))
    sheet.field("CreationTimestamp", when(at(node, "metadata", "creationTimestamp")))
    taints = sorted(objects(spec, "taints"), key=lambda each: f"{text(each, 'effect')},{text(each, 'key')}")
    sheet.block("Taints", [_taint(each) for each in taints])
    sheet.field("Unschedulable", flag(spec, "unschedulable"))
    _add_lease(sheet, lease)
    _add_conditions(sheet, objects(status, "conditions"))
    sheet.add("Addresses:")
    for each in objects(status, "addresses"):
        sheet.field(text(each, "type"), text(each, "address"), 1)
    for title in ("Capacity", "Allocatable"):
        found = mapping(status, title.lower())
        if found:
            sheet.add(f"{title}:")
        for name, size in sorted(found.items()):
            sheet.field(name, size, 1)
    sheet.add("System Info:")
    for title, name in SYSTEM:
        sheet.field(title, text(status, "nodeInfo", name), 1)
    if text(status, "nodeInfo", "kubeProxyVersion"):
        sheet.field("Kube-Proxy Version", text(status, "nodeInfo", "kubeProxyVersion"), 1)
    for title, found in (
        ("PodCIDR", text(spec, "podCIDR")),
        ("PodCIDRs", ",".join(texts(spec, "podCIDRs"))),
        ("ProviderID", text(spec, "providerID")),
    ):
        if found:
            sheet.field(title, found)
    if isinstance(pods, str):
        sheet.field("Pods", pods)
    else:
        _add_pods(sheet, mapping(status, "allocatable") or mapping(status, "capacity"), pods)


def _roles(labels: dict[str, str]) -> list[str]:
    found = {name.removeprefix(ROLE) for name in labels if name.startswith(ROLE)}
    return sorted((found | {labels.get("kubernetes.io/role", "")}) - {""})


def _taint(taint: Object) -> str:
    key, value, effect = text(taint, "key"), text(taint, "value"), text(taint, "effect")
    return f"{key}={value}:{effect}" if value else f"{key}:{effect}" if effect else key


def _add_lease(sheet: Sheet, lease: Object | str) -> None:
    if isinstance(lease, str):
        sheet.field("Lease", f"Failed to get lease: {lease}")
        return
    sheet.add("Lease:")
    sheet.field("HolderIdentity", text(lease, "spec", "holderIdentity") or UNSET, 1)
    for title, name in (("AcquireTime", "acquireTime"), ("RenewTime", "renewTime")):
        found = text(lease, "spec", name)
        sheet.field(title, when(found) if found else UNSET, 1)


def _add_conditions(sheet: Sheet, conditions: list[Object]) -> None:
    if conditions:
        sheet.add("Conditions:")
        sheet.add("Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage", 1)
        sheet.add("----\t------\t-----------------\t------------------\t------\t-------", 1)
    for each in conditions:
        cells = (
            *(text(each, "type"), text(each, "status"), when(at(each, "lastHeartbeatTime"))),
            *(when(at(each, "lastTransitionTime")), text(each, "reason")),
        )
        sheet.add(" \t".join((*cells, text(each, "message"))), 1)


def _add_pods(sheet: Sheet, room: Object, pods: list[Object]) -> None:
    sheet.field("Non-terminated Pods", f"({len(pods)} in total)")
    columns = ("CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age")
    sheet.add("\t".join(("Namespace", "Name", "", *columns)), 1)
    sheet.add("\t".join("-" * len(each) for each in ("Namespace", "Name", "", *columns)), 1)
    totals: dict[str, Sizes] = {"requests": {}, "limits": {}}
    for pod in pods:
        asked = {kind: _of_pod(pod, kind) for kind in totals}
        totals = {kind: _sum([total, asked[kind]]) for kind, total in totals.items()}
        cells = [
            _share(asked[kind].get(name), room.get(name)) for name in ("cpu", "memory") for kind in totals
        ]
        names = (text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), "")
        sheet.add("\t".join((*names, *cells, since(text(pod, "metadata", "creationTimestamp")))), 1)
    sheet.add("Allocated resources:")
    sheet.add("(Total limits may be over 100 percent, i.e., overcommitted.)", 1)
    sheet.add("Resource\tRequests\tLimits", 1)
    sheet.add("--------\t--------\t------", 1)
    huge = sorted(name for name in room if name.startswith("hugepages-"))
    for name in (*STANDARD, *huge):
        shares = (_share(totals[kind].get(name), room.get(name)) for kind in totals)
        sheet.add("\t".join((name, *shares)), 1)
    for name in sorted(room.keys() - {*STANDARD, *huge, "pods"}):
        sheet.add("\t".join((name, *((totals[kind].get(name) or Size()).words for kind in totals))), 1)


def _of_pod(pod: Object, kind: str) -> Sizes:
    """What a pod asks for: its containers together, or more, where an init container asks for more."""
    spec = mapping(pod, "spec")
    total = _sum([_read(at(each, "resources", kind)) for each in objects(spec, "containers")])
    beside: Sizes = {}
    most: Sizes = {}
    for each in objects(spec, "initContainers"):
        own = _read(at(each, "resources", kind))
        if text(each, "restartPolicy") == "Always":
            beside = _sum([beside, own])
            total, own = _sum([total, own]), {}
        most = _most(most, _sum([beside, own]))
    total = _most(total, most) | _read(at(spec, "resources", kind))
    overhead = _read(at(spec, "overhead"))
    if kind == "limits":
        overhead = {name: size for name, size in overhead.items() if name in total}
    return _sum([total, overhead])


def _read(found: Json) -> Sizes:
    sizes: Sizes = {}
    for name, size in mapping(found).items():
        amount = quantity(size)
        if amount is not None:
            sizes[name] = Size(amount, isinstance(size, str) and size.endswith("i"))
    return sizes


def _sum(several: list[Sizes]) -> Sizes:
    total: Sizes = {}
    for each in several:
        for name, size in each.items():
            total[name] = total[name] + size if name in total else size
    return total


def _most(one: Sizes, other: Sizes) -> Sizes:
    larger = {name: size for name, size in other.items() if name not in one or size.amount > one[name].amount}
    return {**one, **larger}


def _share(size: Size | None, whole: Json) -> str:
    size, there = size or Size(), quantity(whole)
    return f"{size.words} ({int(size.amount * 100 / there) if there else 0}%)"
