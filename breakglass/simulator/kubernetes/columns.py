"""The columns of `kubectl get` for each kind. Source: `pkg/printers/internalversion/printers.go` of 1.34."""

from collections.abc import Callable
from datetime import datetime

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import (
    Object,
    at,
    condition_of,
    flag,
    labels_of,
    mapping,
    name_of,
    number,
    objects,
    strings,
    text,
    texts,
)
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import is_going, moment
from breakglass.simulator.kubernetes.pod_status import pod_ready, pod_restarts, pod_status
from breakglass.simulator.kubernetes.tables import Cell, Column, age, custom_columns, since
from breakglass.values import Json

NONE = "<none>"


def columns_of(kind: ResourceKind) -> list[Column]:
    """The columns for a kind; name and age where nothing better is known."""
    known = _COLUMNS.get((kind.group, kind.kind))
    if known is not None:
        return known
    return [NAME, *custom_columns(kind), AGE]


def _text(*path: str, default: str = "") -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        return text(value, *path) or default

    return cell


def _count(*path: str) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        return number(value, *path)

    return cell


def _size(*fields: str) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        found = [at(value, field) for field in fields]
        return sum(len(entry) for entry in found if isinstance(entry, dict | list))

    return cell


def _from(function: Callable[[Object], Json]) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        return function(value)

    return cell


def _name(value: Object, now: datetime) -> Json:
    return name_of(value)


NAME = Column("Name", _name)
AGE = Column("Age", age)


def _pod_spec(value: Object) -> Object:
    if value.get("kind") == "CronJob":
        return mapping(value, "spec", "jobTemplate", "spec", "template", "spec")
    return mapping(value, "spec", "template", "spec")


def _selector(value: Object) -> str:
    kind = value.get("kind")
    selector = (
        mapping(value, "spec", "jobTemplate", "spec", "selector")
        if kind == "CronJob"
        else mapping(value, "spec", "selector")
    )
    labels = strings(selector) if kind == "Service" else strings(selector, "matchLabels")
    return ",".join(f"{key}={entry}" for key, entry in sorted(labels.items())) or NONE


CONTAINERS = Column(
    "Containers",
    _from(lambda value: ",".join(text(part, "name") for part in objects(_pod_spec(value), "containers"))),
    wide=True,
)
IMAGES = Column(
    "Images",
    _from(lambda value: ",".join(text(part, "image") for part in objects(_pod_spec(value), "containers"))),
    wide=True,
)
SELECTOR = Column("Selector", _from(_selector), wide=True)


def _node_status(value: Object) -> str:
    ready = condition_of(value, "Ready").get("status")
    status = {"True": "Ready", "False": "NotReady", "Unknown": "NotReady"}.get(str(ready), "Unknown")
    return f"{status},SchedulingDisabled" if flag(value, "spec", "unschedulable") else status


def _node_roles(value: Object) -> str:
    mark = "node-role.kubernetes.io/"
    roles = sorted(label.removeprefix(mark) for label in labels_of(value) if label.startswith(mark))
    return ",".join(filter(None, roles)) or NONE


def _node_address(kind: str) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        addresses = objects(value, "status", "addresses")
        return next((text(entry, "address") for entry in addresses if entry.get("type") == kind), NONE)

    return cell


def _ready_of_wanted(value: Object) -> str:
    return f"{number(value, 'status', 'readyReplicas')}/{number(value, 'spec', 'replicas')}"


def _job_status(value: Object) -> str:
    if condition_of(value, "Complete").get("status") == "True":
        return "Complete"
    if condition_of(value, "Failed").get("status") == "True":
        return "Failed"
    if is_going(value):
        return "Terminating"
    if condition_of(value, "Suspended").get("status") == "True":
        return "Suspended"
    return "Running"


def _job_completions(value: Object) -> str:
    return f"{number(value, 'status', 'succeeded')}/{number(value, 'spec', 'completions', default=1)}"


def _job_duration(value: Object, now: datetime) -> Json:
    began = moment(at(value, "status", "startTime"))
    if began is None:
        return ""
    ended = moment(at(value, "status", "completionTime")) or now
    return human_duration((ended - began).total_seconds())


def _last_schedule(value: Object, now: datetime) -> Json:
    last = at(value, "status", "lastScheduleTime")
    return since(last, now) if last else NONE


_ACCESS = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _access_modes(modes: list[str]) -> str:
    return ",".join(_ACCESS.get(mode, mode) for mode in modes)


def _claim_status(value: Object) -> str:
    return "Terminating" if is_going(value) else text(value, "status", "phase")


def _claim_of(value: Object) -> str:
    claim = mapping(value, "spec", "claimRef")
    return f"{text(claim, 'namespace')}/{text(claim, 'name')}" if claim else ""


def _service_ports(value: Object) -> str:
    shown: list[str] = []
    for port in objects(value, "spec", "ports"):
        outside = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port')}{outside}/{text(port, 'protocol', default='TCP')}")
    return ",".join(shown) or NONE


def _service_outside(value: Object) -> str:
    addresses = texts(value, "spec", "externalIPs")
    match text(value, "spec", "type"):
        case "ExternalName":
            return text(value, "spec", "externalName")
        case "LoadBalancer":
            entries = objects(value, "status", "loadBalancer", "ingress")
            addresses = [text(entry, "ip") or text(entry, "hostname") for entry in entries] + addresses
            return ",".join(addresses) or "<pending>"
        case _:
            return ",".join(addresses) or NONE


def _endpoints(value: Object) -> str:
    shown: list[str] = []
    for subset in objects(value, "subsets"):
        for address in objects(subset, "addresses"):
            ports = objects(subset, "ports")
            shown += [f"{text(address, 'ip')}:{port.get('port')}" for port in ports] or [text(address, "ip")]
    more = f" + {len(shown) - 3} more..." if len(shown) > 3 else ""
    return ",".join(shown[:3]) + more if shown else NONE


def _event_seen(value: Object, now: datetime) -> Json:
    return since(at(value, "lastTimestamp") or at(value, "eventTime") or at(value, "firstTimestamp"), now)


def _event_first(value: Object, now: datetime) -> Json:
    return since(at(value, "firstTimestamp") or at(value, "eventTime"), now)


def _event_object(value: Object) -> str:
    involved = mapping(value, "involvedObject")
    return f"{text(involved, 'kind').lower()}/{text(involved, 'name')}"


def _event_source(value: Object) -> str:
    component, host = text(value, "source", "component"), text(value, "source", "host")
    return f"{component}, {host}" if host else component or text(value, "reportingComponent")


def _limit(field: str) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        found = at(value, "spec", field)
        return "N/A" if found is None else str(found)

    return cell


def _yes(*path: str) -> Cell:
    def cell(value: Object, now: datetime) -> Json:
        return flag(value, *path)

    return cell


def _listed(value: Object) -> str:
    return ",".join(text(rule, "host", default="*") for rule in objects(value, "spec", "rules")) or "*"


_COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("", "Pod"): [
        NAME,
        Column("Ready", _from(pod_ready)),
        Column("Status", _from(pod_status)),
        Column("Restarts", pod_restarts),
        AGE,
        Column("IP", _text("status", "podIP", default=NONE), wide=True),
        Column("Node", _text("spec", "nodeName", default=NONE), wide=True),
        Column("Nominated Node", _text("status", "nominatedNodeName", default=NONE), wide=True),
        Column("Readiness Gates", _from(lambda value: NONE), wide=True),
    ],
    ("", "Node"): [
        NAME,
        Column("Status", _from(_node_status)),
        Column("Roles", _from(_node_roles)),
        AGE,
        Column("Version", _text("status", "nodeInfo", "kubeletVersion")),
        Column("Internal-IP", _node_address("InternalIP"), wide=True),
        Column("External-IP", _node_address("ExternalIP"), wide=True),
        Column("OS-Image", _text("status", "nodeInfo", "osImage", default="<unknown>"), wide=True),
        Column(
            "Kernel-Version", _text("status", "nodeInfo", "kernelVersion", default="<unknown>"), wide=True
        ),
        Column(
            "Container-Runtime",
            _text("status", "nodeInfo", "containerRuntimeVersion", default="<unknown>"),
            wide=True,
        ),
    ],
    ("", "Namespace"): [NAME, Column("Status", _text("status", "phase")), AGE],
    ("", "Service"): [
        NAME,
        Column("Type", _text("spec", "type")),
        Column("Cluster-IP", _text("spec", "clusterIP", default=NONE)),
        Column("External-IP", _from(_service_outside)),
        Column("Port(s)", _from(_service_ports)),
        AGE,
        SELECTOR,
    ],
    ("", "Endpoints"): [NAME, Column("Endpoints", _from(_endpoints)), AGE],
    ("", "Secret"): [NAME, Column("Type", _text("type")), Column("Data", _size("data"), "integer"), AGE],
    ("", "ConfigMap"): [NAME, Column("Data", _size("data", "binaryData"), "integer"), AGE],
    ("", "ServiceAccount"): [NAME, Column("Secrets", _size("secrets"), "integer"), AGE],
    ("", "PersistentVolumeClaim"): [
        NAME,
        Column("Status", _from(_claim_status)),
        Column("Volume", _text("spec", "volumeName")),
        Column("Capacity", _text("status", "capacity", "storage")),
        Column("Access Modes", _from(lambda value: _access_modes(texts(value, "status", "accessModes")))),
        Column("StorageClass", _text("spec", "storageClassName")),
        Column("VolumeAttributesClass", _text("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        Column("VolumeMode", _text("spec", "volumeMode", default="Filesystem"), wide=True),
    ],
    ("", "PersistentVolume"): [
        NAME,
        Column("Capacity", _text("spec", "capacity", "storage")),
        Column("Access Modes", _from(lambda value: _access_modes(texts(value, "spec", "accessModes")))),
        Column("Reclaim Policy", _text("spec", "persistentVolumeReclaimPolicy")),
        Column("Status", _from(_claim_status)),
        Column("Claim", _from(_claim_of)),
        Column("StorageClass", _text("spec", "storageClassName")),
        Column("VolumeAttributesClass", _text("spec", "volumeAttributesClassName", default="<unset>")),
        Column("Reason", _text("status", "reason")),
        AGE,
        Column("VolumeMode", _text("spec", "volumeMode", default="Filesystem"), wide=True),
    ],
    ("", "Event"): [
        Column("Last Seen", _event_seen),
        Column("Type", _text("type")),
        Column("Reason", _text("reason")),
        Column("Object", _from(_event_object)),
        Column("Subobject", _text("involvedObject", "fieldPath"), wide=True),
        Column("Source", _from(_event_source), wide=True),
        Column("Message", _from(lambda value: text(value, "message").strip())),
        Column("First Seen", _event_first, wide=True),
        Column("Count", _from(lambda value: number(value, "count", default=1)), "integer", wide=True),
        Column("Name", _name, wide=True),
    ],
    ("apps", "Deployment"): [
        NAME,
        Column("Ready", _from(_ready_of_wanted)),
        Column("Up-to-date", _count("status", "updatedReplicas"), "integer"),
        Column("Available", _count("status", "availableReplicas"), "integer"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    ("apps", "ReplicaSet"): [
        NAME,
        Column("Desired", _count("spec", "replicas"), "integer"),
        Column("Current", _count("status", "replicas"), "integer"),
        Column("Ready", _count("status", "readyReplicas"), "integer"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    ("apps", "StatefulSet"): [NAME, Column("Ready", _from(_ready_of_wanted)), AGE, CONTAINERS, IMAGES],
    ("apps", "DaemonSet"): [
        NAME,
        Column("Desired", _count("status", "desiredNumberScheduled"), "integer"),
        Column("Current", _count("status", "currentNumberScheduled"), "integer"),
        Column("Ready", _count("status", "numberReady"), "integer"),
        Column("Up-to-date", _count("status", "updatedNumberScheduled"), "integer"),
        Column("Available", _count("status", "numberAvailable"), "integer"),
        Column(
            "Node Selector",
            _from(
                lambda value: (
                    ",".join(
                        f"{key}={entry}" for key, entry in strings(_pod_spec(value), "nodeSelector").items()
                    )
                    or NONE
                )
            ),
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    ("batch", "Job"): [
        NAME,
        Column("Status", _from(_job_status)),
        Column("Completions", _from(_job_completions)),
        Column("Duration", _job_duration),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    ("batch", "CronJob"): [
        NAME,
        Column("Schedule", _text("spec", "schedule")),
        Column("Timezone", _text("spec", "timeZone", default=NONE)),
        Column("Suspend", _from(lambda value: str(flag(value, "spec", "suspend")))),
        Column("Active", _from(lambda value: len(objects(value, "status", "active"))), "integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    ("policy", "PodDisruptionBudget"): [
        NAME,
        Column("Min Available", _limit("minAvailable")),
        Column("Max Unavailable", _limit("maxUnavailable")),
        Column("Allowed Disruptions", _count("status", "disruptionsAllowed"), "integer"),
        AGE,
    ],
    ("coordination.k8s.io", "Lease"): [NAME, Column("Holder", _text("spec", "holderIdentity")), AGE],
    ("networking.k8s.io", "Ingress"): [
        NAME,
        Column("Class", _text("spec", "ingressClassName", default=NONE)),
        Column("Hosts", _from(_listed)),
        Column("Address", _from(_service_outside)),
        Column("Ports", _from(lambda value: "80, 443" if objects(value, "spec", "tls") else "80")),
        AGE,
    ],
    ("storage.k8s.io", "StorageClass"): [
        NAME,
        Column("Provisioner", _text("provisioner")),
        Column("ReclaimPolicy", _text("reclaimPolicy", default="Delete")),
        Column("VolumeBindingMode", _text("volumeBindingMode", default="Immediate")),
        Column("AllowVolumeExpansion", _yes("allowVolumeExpansion")),
        AGE,
    ],
    ("storage.k8s.io", "VolumeAttachment"): [
        NAME,
        Column("Attacher", _text("spec", "attacher")),
        Column("PV", _text("spec", "source", "persistentVolumeName")),
        Column("Node", _text("spec", "nodeName")),
        Column("Attached", _yes("status", "attached")),
        AGE,
    ],
}
