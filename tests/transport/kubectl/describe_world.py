"""A cluster with an object of each kind that `kubectl describe` knows, each with much to show."""

from breakglass.kubernetes_objects import Object
from breakglass.values import Json
from tests.simulator.kubernetes.support import budget, cron_job, deployment, pod, stateful_set, storage_class

OLD = "2020-01-01T00:00:00Z"
LATER = "2020-01-02T03:04:05Z"
OWNER = "33333333-0000-4000-8000-000000000000"


def event(name: str, of: Object, **more: Json) -> Object:
    """An event of years ago, so that its age is the same for a while."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "web"},
        "involvedObject": of,
        "type": "Normal",
        "reason": name.capitalize(),
        "message": f" about {name}\n",
        "source": {"component": "kubelet", "host": "node1"},
        "firstTimestamp": OLD,
        "lastTimestamp": OLD,
        **more,
    }


RICH: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "rich",
        "namespace": "web",
        "uid": "11111111-0000-4000-8000-000000000000",
        "creationTimestamp": OLD,
        "labels": {"app": "rich", "tier": "web"},
        "annotations": {
            "short": "one",
            "long": "x" * 150,
            "lines": "one\ntwo\n",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "odd", "uid": OWNER, "controller": True}
        ],
    },
    "spec": {
        "nodeName": "node1",
        "priority": 7,
        "priorityClassName": "high",
        "serviceAccountName": "robot",
        "nodeSelector": {"disk": "fast"},
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [
            {
                "key": "node.kubernetes.io/not-ready",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            },
            {"operator": "Exists"},
            {"key": "a", "value": "b", "effect": "NoSchedule"},
        ],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "rich"}},
            }
        ],
        "readinessGates": [{"conditionType": "gate"}],
        "initContainers": [{"name": "first", "image": "init:1", "command": ["sh", "-c", "echo a\necho b"]}],
        "containers": [
            {
                "name": "main",
                "image": "app:1",
                "args": ["--serve"],
                "ports": [
                    {"containerPort": 80, "name": "http", "protocol": "TCP"},
                    {"containerPort": 53, "hostPort": 53, "protocol": "UDP"},
                ],
                "resources": {
                    "limits": {"cpu": "500m", "memory": "64Mi"},
                    "requests": {"cpu": "100m", "memory": "32Mi"},
                },
                "livenessProbe": {
                    "httpGet": {"path": "/live z", "port": "http", "scheme": "HTTP"},
                    "initialDelaySeconds": 3,
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "readinessProbe": {
                    "tcpSocket": {"port": 80},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "startupProbe": {
                    "exec": {"command": ["cat", "/ready"]},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "envFrom": [
                    {"configMapRef": {"name": "odd"}},
                    {"prefix": "S_", "secretRef": {"name": "keys", "optional": True}},
                ],
                "env": [
                    {"name": "PLAIN", "value": "one\ntwo"},
                    {"name": "EMPTY"},
                    {
                        "name": "NAME",
                        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
                    },
                    {
                        "name": "LABEL",
                        "valueFrom": {
                            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['app']"}
                        },
                    },
                    {
                        "name": "CPU",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}},
                    },
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
                    {
                        "name": "TEXT",
                        "valueFrom": {"configMapKeyRef": {"name": "odd", "key": "text", "optional": True}},
                    },
                ],
                "volumeMounts": [
                    {"name": "tmp", "mountPath": "/tmp"},
                    {"name": "conf", "mountPath": "/etc/app", "readOnly": True, "subPath": "app"},
                ],
                "volumeDevices": [{"name": "raw", "devicePath": "/dev/raw"}],
            },
            {"name": "side", "image": "side:1"},
        ],
        "volumes": [
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "any", "emptyDir": {}},
            {"name": "conf", "configMap": {"name": "odd"}},
            {"name": "keys", "secret": {"secretName": "keys", "optional": True}},
            {"name": "raw", "persistentVolumeClaim": {"claimName": "data-data-0"}},
            {"name": "host", "hostPath": {"path": "/srv", "type": ""}},
            {"name": "nfs", "nfs": {"server": "10.0.0.9", "path": "/export"}},
            {"name": "csi", "csi": {"driver": "csi.lab.example", "volumeAttributes": {"a": "b"}}},
            {
                "name": "down",
                "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]},
            },
            {
                "name": "token",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                        {"downwardAPI": {"items": []}},
                    ]
                },
            },
        ],
    },
    "status": {
        "phase": "Running",
        "qosClass": "Burstable",
        "hostIP": "10.0.0.1",
        "podIP": "10.1.0.7",
        "podIPs": [{"ip": "10.1.0.7"}],
        "startTime": OLD,
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "gate", "status": "True"}],
        "initContainerStatuses": [
            {
                "name": "first",
                "image": "init:1",
                "imageID": "init@sha256:1",
                "containerID": "containerd://1",
                "ready": True,
                "restartCount": 0,
                "state": {
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": OLD,
                        "finishedAt": LATER,
                    }
                },
            }
        ],
        "containerStatuses": [
            {
                "name": "main",
                "image": "app:1",
                "imageID": "app@sha256:2",
                "containerID": "containerd://2",
                "ready": False,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 137,
                        "signal": 9,
                        "reason": "OOMKilled",
                        "message": "killed",
                        "startedAt": OLD,
                        "finishedAt": LATER,
                    }
                },
            },
            {
                "name": "side",
                "image": "side:1",
                "imageID": "side@sha256:3",
                "containerID": "containerd://3",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": OLD}},
            },
        ],
    },
}

NODE: Object = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "worker",
        "uid": "22222222-0000-4000-8000-000000000000",
        "creationTimestamp": OLD,
        "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge"},
    },
    "spec": {
        "unschedulable": True,
        "podCIDR": "10.1.0.0/24",
        "podCIDRs": ["10.1.0.0/24"],
        "providerID": "lab://worker",
        "taints": [
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
            {"key": "a", "value": "b", "effect": "NoExecute"},
        ],
    },
    "status": {
        "capacity": {
            "cpu": "4",
            "memory": "8Gi",
            "pods": "110",
            "lab.example/gpu": "2",
            "hugepages-2Mi": "0",
        },
        "allocatable": {
            "cpu": "3800m",
            "memory": "7Gi",
            "pods": "110",
            "lab.example/gpu": "2",
            "hugepages-2Mi": "0",
        },
        "addresses": [
            {"type": "InternalIP", "address": "10.0.0.3"},
            {"type": "Hostname", "address": "worker"},
        ],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
                "lastHeartbeatTime": OLD,
                "lastTransitionTime": OLD,
            }
        ],
        "nodeInfo": {
            "kernelVersion": "6.1",
            "kubeletVersion": "v1.34.0",
            "operatingSystem": "linux",
            "machineID": "m",
        },
    },
}


def on_worker(name: str, cpu: str, memory: str, init: str = "") -> Object:
    value = pod(name, node_name="worker")
    spec = value["spec"]
    assert isinstance(spec, dict)
    sizes: Object = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
    spec["containers"] = [{"name": "main", "image": "app:1", "resources": sizes}]
    if init:
        spec["initContainers"] = [
            {"name": "init", "image": "app:1", "resources": {"requests": {"cpu": init}}}
        ]
    metadata = value["metadata"]
    assert isinstance(metadata, dict)
    metadata["creationTimestamp"] = OLD
    return value


def named(kind: str, api_version: str, name: str, **more: Json) -> Object:
    metadata: Object = {"name": name, "creationTimestamp": OLD}
    if kind not in ("Namespace", "PersistentVolume"):
        metadata["namespace"] = "web"
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


SERVICE = named(
    "Service",
    "v1",
    "front",
    spec={
        "type": "NodePort",
        "selector": {"app": "rich"},
        "clusterIP": "10.96.0.5",
        "clusterIPs": ["10.96.0.5"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "externalIPs": ["192.0.2.1"],
        "sessionAffinity": "None",
        "externalTrafficPolicy": "Cluster",
        "internalTrafficPolicy": "Cluster",
        "ports": [
            {"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080, "protocol": "TCP"},
            {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"},
        ],
    },
)
INGRESS = named(
    "Ingress",
    "networking.k8s.io/v1",
    "door",
    spec={
        "ingressClassName": "nginx",
        "tls": [{"hosts": ["a.example", "b.example"], "secretName": "tls"}, {"hosts": ["c.example"]}],
        "rules": [
            {
                "host": "a.example",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "front", "port": {"number": 80}}},
                        },
                        {
                            "path": "/x",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "gone", "port": {"name": "a"}}},
                        },
                    ]
                },
            },
            {"host": "b.example"},
        ],
    },
    status={"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
)
BARE_INGRESS = named("Ingress", "networking.k8s.io/v1", "bare", spec={})
SECRET = named("Secret", "v1", "keys", type="Opaque", data={"token": "c2VjcmV0IHZhbHVl"})
MAP = named("ConfigMap", "v1", "odd", data={"text": "one\ntwo\n"}, binaryData={"raw": "AAEC"})
MAP["metadata"] = {"name": "odd", "namespace": "web", "uid": OWNER, "labels": {"a": "b"}}
CLAIM = named(
    "PersistentVolumeClaim",
    "v1",
    "disk",
    spec={
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "block",
        "volumeMode": "Filesystem",
        "volumeName": "pv1",
        "resources": {"requests": {"storage": "1Gi"}},
    },
    status={
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "conditions": [
            {"type": "Resizing", "status": "True", "lastTransitionTime": OLD, "reason": "r", "message": "m"}
        ],
    },
)
VOLUME = named(
    "PersistentVolume",
    "v1",
    "pv1",
    spec={
        "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
        "capacity": {"storage": "1Gi"},
        "storageClassName": "block",
        "persistentVolumeReclaimPolicy": "Retain",
        "volumeMode": "Filesystem",
        "claimRef": {"namespace": "web", "name": "disk", "kind": "PersistentVolumeClaim", "apiVersion": "v1"},
        "csi": {
            "driver": "csi.lab.example",
            "volumeHandle": "vol-1",
            "fsType": "ext4",
            "volumeAttributes": {"a": "b"},
        },
        "nodeAffinity": {
            "required": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1", "node2"]},
                            {"key": "disk", "operator": "Exists"},
                        ]
                    }
                ]
            }
        },
    },
    status={"phase": "Bound"},
)
DAEMONS = named(
    "DaemonSet",
    "apps/v1",
    "agents",
    spec={
        "selector": {"matchLabels": {"app": "agents"}},
        "template": {
            "metadata": {"labels": {"app": "agents"}, "annotations": {"a": "b", "c": "d"}},
            "spec": {
                "nodeSelector": {"none": "here"},
                "priorityClassName": "high",
                "containers": [{"name": "main", "image": "agent:1"}],
                "volumes": [{"name": "host", "hostPath": {"path": "/srv"}}],
            },
        },
    },
)
JOB = named(
    "Job",
    "batch/v1",
    "once",
    spec={
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 2,
        "suspend": True,
        "completionMode": "NonIndexed",
        "activeDeadlineSeconds": 60,
        "selector": {"matchLabels": {"job-name": "once"}},
        "template": {
            "metadata": {"labels": {"job-name": "once"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "app:1"}]},
        },
    },
)
SPACE: Object = {
    **named("Namespace", "v1", "team"),
    "status": {
        "phase": "Terminating",
        "conditions": [
            {
                "type": "NamespaceFinalizersRemaining",
                "status": "True",
                "reason": "Some",
                "message": "there are some",
                "lastTransitionTime": OLD,
            }
        ],
    },
}
QUOTA: Object = {
    **named("ResourceQuota", "v1", "quota", spec={"hard": {"pods": "2", "cpu": "4"}}),
    "status": {"hard": {"pods": "2", "cpu": "4"}, "used": {"pods": "1"}},
}
LIMITS = named(
    "LimitRange",
    "v1",
    "limits",
    spec={"limits": [{"type": "Container", "default": {"cpu": "1"}, "max": {"cpu": "2"}}]},
)
LEASE = named(
    "Lease",
    "coordination.k8s.io/v1",
    "lock",
    spec={
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "strategy": None,
        "list": ["a", 1],
        "some": {"uid": "u"},
    },
)
POD_OF_EVENTS: Object = {
    "kind": "Pod",
    "name": "rich",
    "namespace": "web",
    "uid": "11111111-0000-4000-8000-000000000000",
}
NODE_OF_EVENTS: Object = {"kind": "Node", "name": "worker", "uid": "worker"}

WORLD: tuple[Object, ...] = (
    *(
        RICH,
        NODE,
        on_worker("a", "250m", "64Mi"),
        on_worker("b", "1", "100M", "2"),
        pod("plain", node_name="node1"),
    ),
    *(SERVICE, INGRESS, BARE_INGRESS, SECRET, MAP, CLAIM, VOLUME, DAEMONS, JOB, SPACE, QUOTA, LIMITS, LEASE),
    *(deployment("app"), stateful_set("data", 1), storage_class("block"), cron_job("probe", "0 0 1 1 *")),
    budget("app", 0),
    event("killed", {**POD_OF_EVENTS, "fieldPath": "spec.containers{main}"}, count=4, lastTimestamp=LATER),
    event("pulled", POD_OF_EVENTS),
    {**event("rebooted", NODE_OF_EVENTS), "metadata": {"name": "rebooted", "namespace": "default"}},
)

LINES = (
    "describe pod/rich pod/plain svc/front pvc/disk cm/odd secret/keys -n web",
    "describe node worker",
    "describe deploy,rs,sts,ds,job -n web",
    "describe cronjob probe -n web",
    "describe ingress -n web",
    "describe pv pv1",
    "describe ns team web",
    "describe lease -n web",
    "describe pods -n web -l app=none",
    "describe pod gone -n web",
    "describe gadget x",
    "describe pod plain -n web --show-events=false",
)
