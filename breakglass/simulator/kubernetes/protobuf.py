"""Reading request bodies in the API's protobuf form, which newer `kubectl` programs send for built-in kinds.

Only what `kubectl create job|configmap|secret|namespace`, `auth can-i` and `drain` send is known. A field
that is not known here is refused, never dropped. Answers are always JSON, which every client takes too.

Source of the field numbers: the `generated.proto` files in `staging/src/k8s.io` of Kubernetes; of the
envelope: `staging/src/k8s.io/apimachinery/pkg/runtime/serializer/protobuf`.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from breakglass.errors import SimulatorError
from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.objects import put, timestamp
from breakglass.values import Json

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"


class ProtobufError(SimulatorError):
    """The body is not in this form, or holds a field that is not known here."""


_MESSAGES = {
    "Job": "1 metadata:ObjectMeta, 2 spec:JobSpec, 3 status:Ignored",
    "JobSpec": (
        "1 parallelism:int?, 2 completions:int?, 3 activeDeadlineSeconds:int?, 4 selector:LabelSelector, "
        "5 manualSelector:bool?, 6 template:PodTemplateSpec, 7 backoffLimit:int?, "
        "8 ttlSecondsAfterFinished:int?, 9 completionMode, 10 suspend:bool?, 14 podReplacementPolicy, "
        "15 managedBy"
    ),
    "PodTemplateSpec": "1 metadata:ObjectMeta, 2 spec:PodSpec",
    "PodSpec": (
        "1 volumes:*Volume, 2 containers:*Container, 3 restartPolicy, "
        "4 terminationGracePeriodSeconds:int?, 5 activeDeadlineSeconds:int?, 6 dnsPolicy, "
        "7 nodeSelector:{}string, 8 serviceAccountName, 9 serviceAccount, 10 nodeName, "
        "11 hostNetwork:bool, 12 hostPID:bool, 13 hostIPC:bool, 14 securityContext:PodSecurityContext, "
        "15 imagePullSecrets:*LocalObjectReference, 16 hostname, 17 subdomain, 19 schedulerName, "
        "20 initContainers:*Container, 21 automountServiceAccountToken:bool?, 22 tolerations:*Toleration, "
        "24 priorityClassName, 25 priority:int?, 27 shareProcessNamespace:bool?, 29 runtimeClassName, "
        "30 enableServiceLinks:bool?, 31 preemptionPolicy"
    ),
    "Container": (
        "1 name, 2 image, 3 command:*string, 4 args:*string, 5 workingDir, 6 ports:*ContainerPort, "
        "7 env:*EnvVar, 8 resources:ResourceRequirements, 9 volumeMounts:*VolumeMount, "
        "13 terminationMessagePath, 14 imagePullPolicy, 15 securityContext:SecurityContext, "
        "16 stdin:bool, 17 stdinOnce:bool, 18 tty:bool, 19 envFrom:*EnvFromSource, "
        "20 terminationMessagePolicy, 24 restartPolicy"
    ),
    "EnvVar": "1 name, 2 value, 3 valueFrom:EnvVarSource",
    "EnvVarSource": (
        "1 fieldRef:ObjectFieldSelector, 3 configMapKeyRef:KeySelector, 4 secretKeyRef:KeySelector"
    ),
    "ObjectFieldSelector": "1 apiVersion, 2 fieldPath",
    "KeySelector": "1 +LocalObjectReference, 2 key, 3 optional:bool?",
    "LocalObjectReference": "1 name",
    "EnvFromSource": "1 prefix, 2 configMapRef:EnvSource, 3 secretRef:EnvSource",
    "EnvSource": "1 +LocalObjectReference, 2 optional:bool?",
    "ContainerPort": "1 name, 2 hostPort:int, 3 containerPort:int, 4 protocol, 5 hostIP",
    "ResourceRequirements": "1 limits:{}Quantity, 2 requests:{}Quantity",
    "Quantity": "1 string",
    "VolumeMount": "1 name, 2 readOnly:bool, 3 mountPath, 4 subPath, 5 mountPropagation, 6 subPathExpr",
    "SecurityContext": (
        "1 capabilities:Capabilities, 2 privileged:bool?, 4 runAsUser:int?, 5 runAsNonRoot:bool?, "
        "6 readOnlyRootFilesystem:bool?, 7 allowPrivilegeEscalation:bool?, 8 runAsGroup:int?, "
        "9 procMount, 11 seccompProfile:SeccompProfile"
    ),
    "PodSecurityContext": (
        "2 runAsUser:int?, 3 runAsNonRoot:bool?, 4 supplementalGroups:*int, 5 fsGroup:int?, "
        "6 runAsGroup:int?, 9 fsGroupChangePolicy, 10 seccompProfile:SeccompProfile"
    ),
    "SeccompProfile": "1 type, 2 localhostProfile",
    "Capabilities": "1 add:*string, 2 drop:*string",
    "Volume": "1 name, 2 +VolumeSource",
    "VolumeSource": (
        "1 hostPath:HostPath, 2 emptyDir:EmptyDir, 6 secret:SecretVolume, 7 nfs:NetworkVolume, "
        "10 persistentVolumeClaim:ClaimVolume, 19 configMap:ConfigMapVolume"
    ),
    "EmptyDir": "1 medium, 2 sizeLimit:Quantity",
    "SecretVolume": "1 secretName, 2 items:*KeyToPath, 3 defaultMode:int?, 4 optional:bool?",
    "ConfigMapVolume": "1 +LocalObjectReference, 2 items:*KeyToPath, 3 defaultMode:int?, 4 optional:bool?",
    "ClaimVolume": "1 claimName, 2 readOnly:bool",
    "HostPath": "1 path, 2 type",
    "NetworkVolume": "1 server, 2 path, 3 readOnly:bool",
    "KeyToPath": "1 key, 2 path, 3 mode:int?",
    "Toleration": "1 key, 2 operator, 3 value, 4 effect, 5 tolerationSeconds:int?",
    "ConfigMap": "1 metadata:ObjectMeta, 2 data:{}string, 3 binaryData:{}bytes, 4 immutable:bool?",
    "Secret": "1 metadata:ObjectMeta, 2 data:{}bytes, 3 type, 4 stringData:{}string, 5 immutable:bool?",
    "Namespace": "1 metadata:ObjectMeta, 2 spec:NamespaceSpec, 3 status:Ignored",
    "NamespaceSpec": "1 finalizers:*string",
    "ObjectMeta": (
        "1 name, 2 generateName, 3 namespace, 4 selfLink, 5 uid, 6 resourceVersion, 7 generation:int, "
        "8 creationTimestamp:Time, 9 deletionTimestamp:Time, 10 deletionGracePeriodSeconds:int?, "
        "11 labels:{}string, 12 annotations:{}string, 13 ownerReferences:*OwnerReference, "
        "14 finalizers:*string, 17 managedFields:Ignored"
    ),
    "Time": "1 seconds:int, 2 nanos:int",
    "OwnerReference": "1 kind, 3 name, 4 uid, 5 apiVersion, 6 controller:bool?, 7 blockOwnerDeletion:bool?",
    "LabelSelector": "1 matchLabels:{}string, 2 matchExpressions:*LabelSelectorRequirement",
    "LabelSelectorRequirement": "1 key, 2 operator, 3 values:*string",
    "DeleteOptions": (
        "1 gracePeriodSeconds:int?, 2 preconditions:Preconditions, 3 orphanDependents:bool?, "
        "4 propagationPolicy, 5 dryRun:*string"
    ),
    "Preconditions": "1 uid, 2 resourceVersion",
    "SelfSubjectAccessReview": "1 metadata:ObjectMeta, 2 spec:AccessReviewSpec, 3 status:Ignored",
    "AccessReviewSpec": "1 resourceAttributes:ResourceAttributes, 2 nonResourceAttributes:PathAttributes",
    "ResourceAttributes": "1 namespace, 2 verb, 3 group, 4 version, 5 resource, 6 subresource, 7 name",
    "PathAttributes": "1 path, 2 verb",
    "SelfSubjectRulesReview": "1 metadata:ObjectMeta, 2 spec:NamespaceOnly, 3 status:Ignored",
    "NamespaceOnly": "1 namespace",
    "Eviction": "1 metadata:ObjectMeta, 2 deleteOptions:DeleteOptions",
}
"""The fields of each message: number, name and type (`string` where none is given). `*` is a list, `{}` a
mapping by string, `+` a message whose fields stand in the one around it. `?`: a zero is meant, because an
absent value is not sent; elsewhere a zero is how an absent value is sent."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    type: str
    shape: str
    keeps_zero: bool


def _fields(message: str) -> dict[int, _Field]:
    fields: dict[int, _Field] = {}
    for entry in _MESSAGES[message].split(","):
        number, _, rest = entry.strip().partition(" ")
        name, _, written = rest.partition(":")
        if name.startswith("+"):
            fields[int(number)] = _Field("", name[1:], "+", False)
            continue
        shape = next((mark for mark in ("*", "{}") if written.startswith(mark)), "")
        kind = written.removeprefix(shape).removesuffix("?") or "string"
        fields[int(number)] = _Field(name, kind, shape, written.endswith("?"))
    return fields


def decode(body: bytes) -> Object:
    """The object in a request body. ProtobufError where it cannot be read."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes protobuf does")
    version, kind, raw = "", "", b""
    for number, content in _parts(body[len(MAGIC) :]):
        if number == 1 and isinstance(content, bytes):
            about = {key: value for key, value in _parts(content) if isinstance(value, bytes)}
            version, kind = about.get(1, b"").decode(), about.get(2, b"").decode()
        elif number == 2 and isinstance(content, bytes):
            raw = content
    if kind not in _MESSAGES:
        raise ProtobufError(f"the simulated API does not read {kind or 'this kind'} from protobuf")
    value: Object = {"apiVersion": version, "kind": kind}
    return value | _message(kind, raw)


def _message(name: str, content: bytes) -> Object:
    fields = _fields(name)
    value: Object = {}
    for number, part in _parts(content):
        field = fields.get(number)
        if field is None:
            raise ProtobufError(f"the simulated API does not read field {number} of {name} from protobuf")
        if field.type == "Ignored":
            continue
        if field.shape == "+":
            value |= _message(field.type, _bytes(part))
        elif field.shape == "*":
            before = value.get(field.name)
            entry = _value(field.type, part)
            value[field.name] = [*before, entry] if isinstance(before, list) else [entry]
        elif field.shape == "{}":
            pair = dict(_parts(_bytes(part)))
            put(value, _value(field.type, pair.get(2, b"")), field.name, _bytes(pair.get(1, b"")).decode())
        else:
            entry = _value(field.type, part)
            if field.keeps_zero or (entry not in ("", 0, False, None)):
                value[field.name] = entry
    return value


def _value(type: str, part: int | bytes) -> Json:
    match type:
        case "string":
            return _bytes(part).decode()
        case "bytes":
            return base64.b64encode(_bytes(part)).decode()
        case "int":
            number = _number(part)
            return number - (1 << 64) if number >> 63 else number
        case "bool":
            return bool(_number(part))
        case "Quantity":
            return _message("Quantity", _bytes(part)).get("string", "0")
        case "Time":
            seconds = _message("Time", _bytes(part)).get("seconds")
            if not isinstance(seconds, int):
                return None
            return timestamp(datetime.fromtimestamp(seconds, UTC))
        case _:
            return _message(type, _bytes(part))


def _bytes(part: int | bytes) -> bytes:
    if isinstance(part, int):
        raise ProtobufError("a number stands where a message should")
    return part


def _number(part: int | bytes) -> int:
    if isinstance(part, bytes):
        raise ProtobufError("a message stands where a number should")
    return part


def _parts(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message as they stand on the wire: a number, or a length of bytes."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        match tag & 7:
            case 0:
                number, position = _varint(content, position)
                yield tag >> 3, number
            case 2:
                length, position = _varint(content, position)
                if position + length > len(content):
                    raise ProtobufError("the body ends in the middle of a field")
                yield tag >> 3, content[position : position + length]
                position += length
            case _:
                raise ProtobufError(f"wire type {tag & 7} does not occur in Kubernetes objects")


def _varint(content: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while position < len(content) and shift < 70:
        byte = content[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return number, position
    raise ProtobufError("the body ends in the middle of a number")
