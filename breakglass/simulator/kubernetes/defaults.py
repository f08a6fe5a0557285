"""What the API fills in when an object is created. Only the defaults that a client or a controller sees."""

import base64
import ipaddress
from collections.abc import Callable
from datetime import datetime

from breakglass.kubernetes_objects import Object, at, mapping, name_of, objects, text, texts, uid_of
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import put, set_condition
from breakglass.values import Json

PVC_PROTECTION = "kubernetes.io/pvc-protection"
PV_PROTECTION = "kubernetes.io/pv-protection"
DEFAULT_GRACE = 30

_SERVICE_ADDRESSES = ipaddress.ip_network("10.96.0.0/16")


def fill_in(kind: ResourceKind, value: Object, now: datetime) -> None:
    """Complete a new object in place. It has its name and uid already."""
    filler = _FILLERS.get((kind.group, kind.kind))
    if filler is not None:
        filler(value, now)


def fill_in_template(value: Object) -> None:
    """Complete `spec.template`, in a creation as in an update, so that equal templates compare equal."""
    spec = mapping(value, "spec")
    template = spec.get("template")
    if isinstance(template, dict):
        mapping(template, "metadata").setdefault("creationTimestamp", None)
        if isinstance(template.get("spec"), dict):
            _pod_spec(mapping(template, "spec"))


def _pod_spec(spec: Object) -> None:
    _default(spec, "restartPolicy", "Always")
    _default(spec, "terminationGracePeriodSeconds", DEFAULT_GRACE)
    _default(spec, "dnsPolicy", "ClusterFirst")
    _default(spec, "schedulerName", "default-scheduler")
    _default(spec, "securityContext", {})
    for container in [*objects(spec, "containers"), *objects(spec, "initContainers")]:
        image = text(container, "image")
        tag = image.rpartition("/")[2].partition(":")[2]
        _default(container, "imagePullPolicy", "IfNotPresent" if tag and tag != "latest" else "Always")
        _default(container, "resources", {})
        _default(container, "terminationMessagePath", "/dev/termination-log")
        _default(container, "terminationMessagePolicy", "File")
        for port in objects(container, "ports"):
            _default(port, "protocol", "TCP")


def _default(target: Object, key: str, value: Json) -> None:
    if target.get(key) is None:
        target[key] = value


def _storage_class(value: Object, now: datetime) -> None:
    _default(value, "reclaimPolicy", "Delete")
    _default(value, "volumeBindingMode", "Immediate")


def _pod(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _pod_spec(spec)
    _default(spec, "serviceAccountName", "default")
    _default(spec, "enableServiceLinks", True)
    _default(spec, "priority", 0)
    _default(spec, "preemptionPolicy", "PreemptLowerPriority")
    _tolerations(spec)
    if not text(value, "status", "phase"):
        put(value, "Pending", "status", "phase")
    status = mapping(value, "status")
    _default(status, "qosClass", _quality(spec))


def _tolerations(spec: Object) -> None:
    """How long the pod stays on a node that is lost, as admission adds it."""
    known = objects(spec, "tolerations")
    for trouble in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{trouble}"
        if not any(entry.get("key") in (key, None) for entry in known):
            stays: Object = {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            known.append(stays)
    spec["tolerations"] = list(known)


def _quality(spec: Object) -> str:
    parts = [mapping(container, "resources") for container in objects(spec, "containers")]
    asked = [(mapping(part, "requests"), mapping(part, "limits")) for part in parts]
    if not any(requests or limits for requests, limits in asked):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= limits.keys() and (not requests or requests == limits)
        for requests, limits in asked
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _deployment(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _default(spec, "replicas", 1)
    _default(spec, "revisionHistoryLimit", 10)
    _default(spec, "progressDeadlineSeconds", 600)
    _default(spec, "strategy", {"type": "RollingUpdate"})
    strategy = mapping(spec, "strategy")
    _default(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _default(strategy, "rollingUpdate", {})
        _default(mapping(strategy, "rollingUpdate"), "maxUnavailable", "25%")
        _default(mapping(strategy, "rollingUpdate"), "maxSurge", "25%")
    fill_in_template(value)


def _replica_set(value: Object, now: datetime) -> None:
    _default(mapping(value, "spec"), "replicas", 1)
    fill_in_template(value)


def _stateful_set(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _default(spec, "replicas", 1)
    _default(spec, "podManagementPolicy", "OrderedReady")
    _default(spec, "revisionHistoryLimit", 10)
    _default(spec, "updateStrategy", {"type": "RollingUpdate"})
    strategy = mapping(spec, "updateStrategy")
    if strategy.get("type") == "RollingUpdate":
        _default(strategy, "rollingUpdate", {})
        _default(mapping(strategy, "rollingUpdate"), "partition", 0)
    _default(spec, "persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"})
    fill_in_template(value)


def _daemon_set(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _default(spec, "revisionHistoryLimit", 10)
    _default(
        spec,
        "updateStrategy",
        {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
    )
    fill_in_template(value)


def _job(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _default(spec, "parallelism", 1)
    _default(spec, "completions", 1)
    _default(spec, "backoffLimit", 6)
    _default(spec, "completionMode", "NonIndexed")
    _default(spec, "suspend", False)
    if not at(spec, "manualSelector"):
        marks: Object = {
            "batch.kubernetes.io/controller-uid": uid_of(value),
            "batch.kubernetes.io/job-name": name_of(value),
            "controller-uid": uid_of(value),
            "job-name": name_of(value),
        }
        for key, mark in marks.items():
            put(spec, mark, "template", "metadata", "labels", key)
        put(spec, {"matchLabels": {"batch.kubernetes.io/controller-uid": uid_of(value)}}, "selector")
    fill_in_template(value)


def _cron_job(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _default(spec, "concurrencyPolicy", "Allow")
    _default(spec, "suspend", False)
    _default(spec, "successfulJobsHistoryLimit", 3)
    _default(spec, "failedJobsHistoryLimit", 1)
    fill_in_template(mapping(spec, "jobTemplate"))


def _service(value: Object, now: datetime) -> None:
    spec = mapping(value, "spec")
    _default(spec, "type", "ClusterIP")
    _default(spec, "sessionAffinity", "None")
    for port in objects(spec, "ports"):
        _default(port, "protocol", "TCP")
        _default(port, "targetPort", port.get("port"))
    if spec["type"] != "ExternalName" and not spec.get("clusterIP"):
        number = int(uid_of(value).replace("-", "")[:8], 16) % (_SERVICE_ADDRESSES.num_addresses - 20)
        spec["clusterIP"] = str(_SERVICE_ADDRESSES[number + 10])
    _default(spec, "clusterIPs", [spec.get("clusterIP")])
    _default(value, "status", {"loadBalancer": {}})


def _claim(value: Object, now: datetime) -> None:
    _finalized(value, PVC_PROTECTION)
    spec = mapping(value, "spec")
    _default(spec, "volumeMode", "Filesystem")
    if not text(value, "status", "phase"):
        put(value, "Pending", "status", "phase")


def _volume(value: Object, now: datetime) -> None:
    _finalized(value, PV_PROTECTION)
    spec = mapping(value, "spec")
    _default(spec, "persistentVolumeReclaimPolicy", "Retain")
    _default(spec, "volumeMode", "Filesystem")
    if "hostPath" in spec:
        _default(mapping(spec, "hostPath"), "type", "")
    if not text(value, "status", "phase"):
        put(value, "Available", "status", "phase")


def _finalized(value: Object, finalizer: str) -> None:
    finalizers = texts(value, "metadata", "finalizers")
    if finalizer not in finalizers:
        put(value, [*finalizers, finalizer], "metadata", "finalizers")


def _node(value: Object, now: datetime) -> None:
    marks = {"hostname": name_of(value), "arch": "amd64", "os": "linux"}
    for mark, entry in marks.items():
        if not text(value, "metadata", "labels", f"kubernetes.io/{mark}"):
            put(value, entry, "metadata", "labels", f"kubernetes.io/{mark}")
    if not isinstance(value.get("spec"), dict):
        value["spec"] = {}
    if not isinstance(value.get("status"), dict):
        value["status"] = {}
    status = mapping(value, "status")
    _default(status, "capacity", {"cpu": "8", "memory": "32Gi", "pods": "110"})
    _default(status, "allocatable", status["capacity"])
    _default(status, "addresses", [{"type": "Hostname", "address": name_of(value)}])
    information: Object = {
        "kubeletVersion": "v1.34.2",
        "containerRuntimeVersion": "containerd://2.1.4",
        "kernelVersion": "6.8.0-88-generic",
        "osImage": "Ubuntu 24.04.3 LTS",
        "operatingSystem": "linux",
        "architecture": "amd64",
        "bootID": uid_of(value),
    }
    status["nodeInfo"] = information | mapping(status, "nodeInfo")
    if not objects(status, "conditions"):
        for pressure, reason, message in _NO_PRESSURE:
            set_condition(value, pressure, False, now, reason, f"kubelet has {message}")
        set_condition(value, "Ready", True, now, "KubeletReady", "kubelet is posting ready status")


_NO_PRESSURE = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "sufficient PID available"),
)


def _namespace(value: Object, now: datetime) -> None:
    put(value, name_of(value), "metadata", "labels", "kubernetes.io/metadata.name")
    put(value, ["kubernetes"], "spec", "finalizers")
    if not text(value, "status", "phase"):
        put(value, "Active", "status", "phase")


def _secret(value: Object, now: datetime) -> None:
    """`stringData` becomes `data`, as it does on the way in."""
    _default(value, "type", "Opaque")
    plain = value.pop("stringData", None)
    if isinstance(plain, dict):
        for key, entry in plain.items():
            put(value, base64.b64encode(str(entry).encode()).decode(), "data", key)


_FILLERS: dict[tuple[str, str], Callable[[Object, datetime], None]] = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _volume,
    ("", "Node"): _node,
    ("", "Namespace"): _namespace,
    ("", "Secret"): _secret,
    ("storage.k8s.io", "StorageClass"): _storage_class,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
}
