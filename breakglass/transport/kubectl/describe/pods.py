"""Pods, templates of pods, and their containers."""

import math
from decimal import Decimal
from urllib.parse import quote

from breakglass.kubernetes_objects import Object, at, flag, mapping, number, objects, text, texts
from breakglass.transport.kubectl.describe.sheet import NONE, Sheet, controller_of, shown, when
from breakglass.transport.kubectl.describe.volumes import add_volumes
from breakglass.transport.kubectl.event_times import since
from breakglass.transport.kubectl.find import selector_text
from breakglass.transport.kubectl.sorting import quantity

MIRROR = "kubernetes.io/config.mirror"
IN_PATHS = "$&+,/:;=@"
"""Characters that Go leaves as they are in the path of a URL."""


def add_pod(sheet: Sheet, pod: Object) -> None:
    spec, status = mapping(pod, "spec"), mapping(pod, "status")
    sheet.field("Name", text(pod, "metadata", "name"))
    sheet.field("Namespace", text(pod, "metadata", "namespace"))
    if at(spec, "priority") is not None:
        sheet.field("Priority", at(spec, "priority"))
    for title, name in (
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ):
        if text(spec, name):
            sheet.field(title, text(spec, name))
    node = text(spec, "nodeName")
    sheet.field("Node", f"{node}/{text(status, 'hostIP')}" if node else NONE)
    if text(status, "startTime"):
        sheet.field("Start Time", when(status["startTime"]))
    sheet.labels("Labels", at(pod, "metadata", "labels"))
    sheet.annotations(at(pod, "metadata", "annotations"))
    ends = text(pod, "metadata", "deletionTimestamp")
    if ends and text(status, "phase") not in ("Failed", "Succeeded"):
        sheet.field("Status", f"Terminating (lasts {since(ends)})")
        sheet.field("Termination Grace Period", f"{number(pod, 'metadata', 'deletionGracePeriodSeconds')}s")
    else:
        sheet.field("Status", text(status, "phase"))
    for title in ("Reason", "Message"):
        if text(status, title.lower()):
            sheet.field(title, text(status, title.lower()))
    _add_seccomp(sheet, spec, 0, 0)
    sheet.field("IP", text(status, "podIP"))
    addresses = objects(status, "podIPs")
    if addresses:
        sheet.add("IPs:")
        for each in addresses:
            sheet.field("IP", text(each, "ip"), 1)
    else:
        sheet.field("IPs", NONE)
    if controller_of(pod):
        sheet.field("Controlled By", controller_of(pod))
    if text(status, "nominatedNodeName"):
        sheet.field("NominatedNodeName", text(status, "nominatedNodeName"))
    _add_resources(sheet, mapping(spec, "resources"), 1, "Resources:")
    if objects(spec, "initContainers"):
        _add_containers(
            sheet, "Init Containers", objects(spec, "initContainers"), pod, "initContainerStatuses"
        )
    _add_containers(sheet, "Containers", objects(spec, "containers"), pod, "containerStatuses")
    if objects(spec, "ephemeralContainers"):
        short_lived = objects(spec, "ephemeralContainers")
        _add_containers(sheet, "Ephemeral Containers", short_lived, pod, "ephemeralContainerStatuses")
    _add_conditions(sheet, spec, status)
    add_volumes(sheet, objects(spec, "volumes"))
    sheet.field("QoS Class", text(status, "qosClass") or _quality(spec))
    _add_placement(sheet, spec, 0)
    _add_spread(sheet, spec, 0)


def add_template(sheet: Sheet, template: Object) -> None:
    """What the pods of a workload are made from."""
    spec = mapping(template, "spec")
    sheet.add("Pod Template:")
    sheet.labels("Labels", at(template, "metadata", "labels"), 1)
    if mapping(template, "metadata", "annotations"):
        sheet.annotations(at(template, "metadata", "annotations"), 1)
    if text(spec, "serviceAccountName"):
        sheet.field("Service Account", text(spec, "serviceAccountName"), 1)
    if objects(spec, "initContainers"):
        _add_containers(sheet, "Init Containers", objects(spec, "initContainers"), level=1)
    _add_containers(sheet, "Containers", objects(spec, "containers"), level=1)
    add_volumes(sheet, objects(spec, "volumes"), 1)
    _add_spread(sheet, spec, 1)
    if text(spec, "priorityClassName"):
        sheet.field("Priority Class Name", text(spec, "priorityClassName"), 1)
    _add_placement(sheet, spec, 1)


def _add_placement(sheet: Sheet, spec: Object, level: int) -> None:
    sheet.labels("Node-Selectors", at(spec, "nodeSelector"), level)
    tolerated = sorted(objects(spec, "tolerations"), key=lambda each: text(each, "key"))
    sheet.block("Tolerations", [_toleration(each) for each in tolerated], level)


def _add_spread(sheet: Sheet, spec: Object, level: int) -> None:
    wanted = sorted(objects(spec, "topologySpreadConstraints"), key=lambda each: text(each, "topologyKey"))
    rows: list[str] = []
    for each in wanted:
        words = f"{text(each, 'topologyKey')}:{text(each, 'whenUnsatisfiable')} when max skew "
        words += f"{number(each, 'maxSkew')} is exceeded"
        if "labelSelector" in each:
            words += f" for selector {selector_text(each['labelSelector']) or NONE}"
        rows.append(words)
    if rows:
        sheet.block("Topology Spread Constraints", rows, level)


def _toleration(each: Object) -> str:
    key, value, effect = text(each, "key"), text(each, "value"), text(each, "effect")
    words = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
    if text(each, "operator") == "Exists" and not value:
        words += " op=Exists" if words else "op=Exists"
    seconds = at(each, "tolerationSeconds")
    return words if seconds is None else f"{words} for {seconds}s"


def _add_conditions(sheet: Sheet, spec: Object, status: Object) -> None:
    gates, found = objects(spec, "readinessGates"), objects(status, "conditions")
    if gates:
        sheet.add("Readiness Gates:")
        sheet.add("Type\tStatus", 1)
        for gate in gates:
            kind = text(gate, "conditionType")
            here = next((text(each, "status") for each in found if text(each, "type") == kind), NONE)
            sheet.add(f"{kind} \t{here} ", 1)
    if found:
        sheet.add("Conditions:")
        sheet.add("Type\tStatus", 1)
        for each in found:
            sheet.add(f"{text(each, 'type')} \t{text(each, 'status')} ", 1)


def _add_seccomp(sheet: Sheet, holder: Object, level: int, deeper: int) -> None:
    profile = mapping(holder, "securityContext", "seccompProfile")
    if profile:
        sheet.field("SeccompProfile", text(profile, "type"), level)
        if text(profile, "type") == "Localhost":
            sheet.field("LocalhostProfile", text(profile, "localhostProfile"), deeper)


def _add_containers(
    sheet: Sheet,
    title: str,
    containers: list[Object],
    pod: Object | None = None,
    statuses: str = "",
    level: int = 0,
) -> None:
    """Containers of a pod, or, where there is none, of a template."""
    found = {text(each, "name"): each for each in objects(pod, "status", statuses)} if pod is not None else {}
    sheet.add(f"{title}:{'' if containers else ' <none>'}", level)
    for container in containers:
        status = found.get(text(container, "name"))
        sheet.add(f"{' ' * level}{text(container, 'name')}:", 1)
        if status is not None:
            sheet.field("Container ID", text(status, "containerID"), 2)
        sheet.field("Image", text(container, "image"), 2)
        if status is not None:
            sheet.field("Image ID", text(status, "imageID"), 2)
        _add_ports(sheet, container)
        _add_seccomp(sheet, container, 2, 3)
        for name in ("Command", "Args"):
            words = texts(container, name.lower())
            if words:
                sheet.add(f"{name}:", 2)
                for line in "\n".join(words).split("\n"):
                    sheet.add(line, 3)
        if status is not None:
            _add_state(sheet, "State", mapping(status, "state"))
            if "terminated" in mapping(status, "lastState"):
                _add_state(sheet, "Last State", mapping(status, "lastState"))
            sheet.field("Ready", "True" if flag(status, "ready") else "False", 2)
            sheet.field("Restart Count", number(status, "restartCount"), 2)
        _add_resources(sheet, mapping(container, "resources"), 2)
        for name in ("Liveness", "Readiness", "Startup"):
            probe = mapping(container, f"{name.lower()}Probe")
            if probe:
                sheet.field(name, _probe(probe), 2)
        _add_environment(sheet, container, pod)
        _add_mounts(sheet, container)


def _add_ports(sheet: Sheet, container: Object) -> None:
    for title, name in (("Port", "containerPort"), ("Host Port", "hostPort")):
        ports = [
            f"{number(port, name)}/{text(port, 'protocol')}"
            + (f" ({text(port, 'name')})" if text(port, "name") else "")
            for port in objects(container, "ports")
        ]
        sheet.field(f"{title}s" if len(ports) > 1 else title, ", ".join(ports) or NONE, 2)


def _add_resources(sheet: Sheet, resources: Object, level: int, title: str = "") -> None:
    if title and resources:
        sheet.add(title)
    for name in ("Limits", "Requests"):
        found = mapping(resources, name.lower())
        if found:
            sheet.add(f"{name}:", level)
            for resource, size in sorted(found.items()):
                sheet.field(resource, size, level + 1)


def _add_state(sheet: Sheet, title: str, state: Object) -> None:
    if "running" in state:
        sheet.field(title, "Running", 2)
        sheet.field("Started", when(at(state, "running", "startedAt")), 3)
    elif "terminated" in state:
        ended = mapping(state, "terminated")
        sheet.field(title, "Terminated", 2)
        for name in ("Reason", "Message"):
            if text(ended, name.lower()):
                sheet.field(name, text(ended, name.lower()), 3)
        sheet.field("Exit Code", number(ended, "exitCode"), 3)
        if number(ended, "signal"):
            sheet.field("Signal", number(ended, "signal"), 3)
        sheet.field("Started", when(at(ended, "startedAt")), 3)
        sheet.field("Finished", when(at(ended, "finishedAt")), 3)
    else:
        sheet.field(title, "Waiting", 2)
        if text(state, "waiting", "reason"):
            sheet.field("Reason", text(state, "waiting", "reason"), 3)


def _probe(probe: Object) -> str:
    attributes = (
        f"delay={number(probe, 'initialDelaySeconds')}s timeout={number(probe, 'timeoutSeconds')}s "
        f"period={number(probe, 'periodSeconds')}s #success={number(probe, 'successThreshold')} "
        f"#failure={number(probe, 'failureThreshold')}"
    )
    if "exec" in probe:
        return f"exec {shown(at(probe, 'exec', 'command') or [])} {attributes}"
    if "httpGet" in probe:
        asked = mapping(probe, "httpGet")
        host, path = text(asked, "host"), quote(text(asked, "path"), safe=IN_PATHS)
        authority = f"{f'[{host}]' if ':' in host else host}:{at(asked, 'port')}"
        slash = "" if path.startswith("/") or not path else "/"
        return f"http-get {text(asked, 'scheme').lower()}://{authority}{slash}{path} {attributes}"
    if "tcpSocket" in probe:
        return f"tcp-socket {text(probe, 'tcpSocket', 'host')}:{at(probe, 'tcpSocket', 'port')} {attributes}"
    if "grpc" in probe:
        service = text(probe, "grpc", "service")
        return f"grpc <pod>:{number(probe, 'grpc', 'port')} {service} {attributes}"
    return f"unknown {attributes}"


def _add_environment(sheet: Sheet, container: Object, pod: Object | None) -> None:
    sources = objects(container, "envFrom")
    if sources:
        sheet.add("Environment Variables from:", 2)
    for each in sources:
        kind = "ConfigMap" if "configMapRef" in each else "Secret"
        named = mapping(each, "configMapRef" if kind == "ConfigMap" else "secretRef")
        prefix = f" with prefix '{text(each, 'prefix')}'" if text(each, "prefix") else ""
        sheet.add(f"{text(named, 'name')}\t{kind}{prefix}\tOptional: {shown(flag(named, 'optional'))}", 3)
    variables = objects(container, "env")
    sheet.add("Environment:" if variables else f"Environment:\t{NONE}", 2)
    for each in variables:
        name, source = text(each, "name"), mapping(each, "valueFrom")
        if not source:
            first, *more = text(each, "value").split("\n")
            sheet.field(name, first, 3)
            for line in more:
                sheet.add(f"\t{line}", 3)
        elif "fieldRef" in source:
            path = text(source, "fieldRef", "fieldPath")
            version = text(source, "fieldRef", "apiVersion")
            sheet.field(name, f"{_field_of(pod, path)} ({version}:{path})", 3)
        elif "resourceFieldRef" in source:
            asked = text(source, "resourceFieldRef", "resource")
            sheet.field(name, f"{_resource_of(container, mapping(source, 'resourceFieldRef'))} ({asked})", 3)
        else:
            for kind, words in (("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")):
                if kind in source:
                    key, of = text(source, kind, "key"), text(source, kind, "name")
                    optional = shown(flag(source, kind, "optional"))
                    sheet.field(name, f"<set to the key '{key}' {words} '{of}'>\tOptional: {optional}", 3)


def _field_of(pod: Object | None, path: str) -> str:
    """What a field of the pod's metadata is; empty for another, as with kubectl."""
    plain, _, key = path.partition("['")
    if pod is None or not plain.startswith("metadata."):
        return ""
    found = at(pod, *plain.split("."), *([key.removesuffix("']")] if key else []))
    return found if isinstance(found, str) else ""


def _resource_of(container: Object, asked: Object) -> str:
    kind, _, name = text(asked, "resource").partition(".")
    size = quantity(at(container, "resources", kind, name)) or Decimal()
    unit = quantity(at(asked, "divisor")) or Decimal(1)
    value = math.ceil(size / unit)
    limited = text(asked, "resource") in ("limits.cpu", "limits.memory")
    return "node allocatable" if limited and not value else str(value)


def _add_mounts(sheet: Sheet, container: Object) -> None:
    mounts = sorted(objects(container, "volumeMounts"), key=lambda each: text(each, "mountPath"))
    sheet.add("Mounts:" if mounts else f"Mounts:\t{NONE}", 2)
    for mount in mounts:
        how = "ro" if flag(mount, "readOnly") else "rw"
        if text(mount, "subPath"):
            how += f',path="{text(mount, "subPath")}"'
        sheet.add(f"{text(mount, 'mountPath')} from {text(mount, 'name')} ({how})", 3)
    devices = sorted(objects(container, "volumeDevices"), key=lambda each: text(each, "devicePath"))
    if devices:
        sheet.add("Devices:" if mounts else f"Devices:\t{NONE}", 2)
        for device in devices:
            sheet.add(f"{text(device, 'devicePath')} from {text(device, 'name')}", 3)


def _quality(spec: Object) -> str:
    """The class of service that the containers' requests and limits come to."""
    sums: dict[str, dict[str, Decimal]] = {"requests": {}, "limits": {}}
    guaranteed = True
    for container in objects(spec, "containers"):
        for name, total in sums.items():
            found = {kind: quantity(at(container, "resources", name, kind)) for kind in ("cpu", "memory")}
            if name == "limits":
                guaranteed &= all(found.values())
            for kind, amount in found.items():
                if amount:
                    total[kind] = total.get(kind, Decimal()) + amount
    if not sums["requests"] and not sums["limits"]:
        return "BestEffort"
    return "Guaranteed" if guaranteed and sums["requests"] == sums["limits"] else "Burstable"
