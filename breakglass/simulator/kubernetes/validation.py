"""What the API refuses in an object, as far as an operator meets it: names, types, immutable fields.

There is no schema behind this. Fields that are not named here are stored as they come.
"""

import base64
import re
from collections.abc import Callable
from typing import TypeAlias

from breakglass.kubernetes_objects import (
    Object,
    at,
    labels_of,
    mapping,
    name_of,
    number,
    objects,
    text,
    texts,
)
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.kinds import ResourceKind
from breakglass.simulator.kubernetes.objects import copied, is_going, remove
from breakglass.simulator.kubernetes.selectors import selects
from breakglass.values import Json

Cause: TypeAlias = "tuple[str, str, str]"
"""Field, reason, message."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)

_CONTAINER_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_PLAIN_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")
SCALE = ResourceKind("autoscaling", "v1", "scales", "Scale")

_WHOLE_NUMBERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "replicas"), ("spec", "revisionHistoryLimit"), ("spec", "minReadySeconds")),
    "ReplicaSet": (("spec", "replicas"),),
    "StatefulSet": (("spec", "replicas"), ("spec", "minReadySeconds")),
    "Job": (("spec", "parallelism"), ("spec", "completions"), ("spec", "backoffLimit")),
    "CronJob": (("spec", "successfulJobsHistoryLimit"), ("spec", "failedJobsHistoryLimit")),
    "Pod": (("spec", "terminationGracePeriodSeconds"),),
    "Scale": (("spec", "replicas"),),
}
_FLAGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "paused"),),
    "Job": (("spec", "suspend"),),
    "CronJob": (("spec", "suspend"),),
    "Node": (("spec", "unschedulable"),),
}


def check_types(kind: str, api_version: str, value: Object) -> None:
    """ApiError 400 where a well-known field is not of its type, as the decoder of the API answers."""
    why = wrong_type(kind, value)
    if why is not None:
        version = api_version.rpartition("/")[2]
        raise statuses.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


def wrong_type(kind: str, value: Object) -> str | None:
    """What the decoder says of the first well-known field that is not of its type."""
    for wanted, table in (("int32", _WHOLE_NUMBERS), ("bool", _FLAGS)):
        for path in table.get(kind, ()):
            found = at(value, *path)
            fits = isinstance(found, bool) if wanted == "bool" else type(found) is int
            if found is not None and not fits:
                where = f"{kind}{path[0].title()}.{'.'.join(path)}"
                return _cannot(found, where, wanted)
    for part in ("labels", "annotations"):
        for entry in mapping(value, "metadata", part).values():
            if not isinstance(entry, str):
                return _cannot(entry, f"ObjectMeta.metadata.{part}", "string")
    if kind in ("ConfigMap", "Secret"):
        for entry in mapping(value, "data").values():
            if not isinstance(entry, str):
                return _cannot(entry, f"{kind}.data", "string" if kind == "ConfigMap" else "[]uint8")
            if kind == "Secret" and not _is_base64(entry):
                return "illegal base64 data at input byte 0"
    return None


def _cannot(found: Json, where: str, wanted: str) -> str:
    return f"json: cannot unmarshal {_json_type(found)} into Go struct field {where} of type {wanted}"


def _is_base64(entry: str) -> bool:
    try:
        base64.b64decode(entry, validate=True)
    except ValueError:
        return False
    return True


def _json_type(value: Json) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if isinstance(value, float) else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def check_scale(name: str, scale: Object) -> None:
    """ApiError 422 for fewer than no replicas."""
    replicas = number(scale, "spec", "replicas")
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise statuses.invalid(SCALE, name, [("spec.replicas", "FieldValueInvalid", why)])


def check_new(kind: ResourceKind, value: Object) -> None:
    """ApiError 422 where an object cannot be created as it stands."""
    causes: list[Cause] = []
    name = name_of(value)
    if not name:
        causes.append(
            ("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
        )
    elif len(name) > 253 or not _NAME.fullmatch(name):
        causes.append(("metadata.name", "FieldValueInvalid", f'Invalid value: "{name}": {_NAME_RULE}'))
    causes += _contents(kind, value)
    if causes:
        raise statuses.invalid(kind, name, causes)


def check_changed(kind: ResourceKind, value: Object, before: Object) -> None:
    """ApiError 422 where an object cannot become what is asked."""
    causes = [*_new_finalizers(value, before), *_contents(kind, value)]
    for check in _IMMUTABLE.get(kind.kind, ()):
        causes += check(value, before)
    if causes:
        raise statuses.invalid(kind, name_of(value), causes)


def _new_finalizers(value: Object, before: Object) -> list[Cause]:
    """Nothing more may hold what is being deleted."""
    known = texts(before, "metadata", "finalizers")
    more = [entry for entry in texts(value, "metadata", "finalizers") if entry not in known]
    if not is_going(before) or not more:
        return []
    listed = ", ".join(f'"{entry}"' for entry in more)
    why = (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        f"[]string{{{listed}}}"
    )
    return [("metadata.finalizers", "FieldValueForbidden", why)]


def _contents(kind: ResourceKind, value: Object) -> list[Cause]:
    causes = _metadata(value)
    for path in _WHOLE_NUMBERS.get(kind.kind, ()):
        found = at(value, *path)
        if isinstance(found, int) and found < 0:
            why = f"Invalid value: {found}: must be greater than or equal to 0"
            causes.append((".".join(path), "FieldValueInvalid", why))
    if kind.kind == "Pod":
        causes += _containers(mapping(value, "spec"), "spec")
    if kind.kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"):
        causes += _containers(mapping(value, "spec", "template", "spec"), "spec.template.spec")
    if kind.kind == "Job" and text(value, "spec", "template", "spec", "restartPolicy") in ("", "Always"):
        causes.append(_job_restarts(text(value, "spec", "template", "spec", "restartPolicy")))
    if kind.kind == "CronJob":
        causes += _schedule(text(value, "spec", "schedule"))
    if kind.kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        if not mapping(value, "spec", "selector"):
            causes.append(("spec.selector", "FieldValueRequired", "Required value"))
        elif not selects(at(value, "spec", "selector"), labels_of(at(value, "spec", "template"))):
            labels = ", ".join(
                f'"{key}":"{entry}"'
                for key, entry in sorted(labels_of(at(value, "spec", "template")).items())
            )
            why = f"Invalid value: map[string]string{{{labels}}}: `selector` does not match template `labels`"
            causes.append(("spec.template.metadata.labels", "FieldValueInvalid", why))
    return causes


def _metadata(value: Object) -> list[Cause]:
    causes: list[Cause] = []
    for key, entry in mapping(value, "metadata", "labels").items():
        if not _KEY_NAME.fullmatch(key.rpartition("/")[2]):
            causes.append(("metadata.labels", "FieldValueInvalid", f'Invalid value: "{key}": {_KEY_RULE}'))
        if isinstance(entry, str) and (len(entry) > 63 or not _LABEL_VALUE.fullmatch(entry)):
            rule = _LABEL_RULE if len(entry) <= 63 else "must be no more than 63 characters"
            causes.append(("metadata.labels", "FieldValueInvalid", f'Invalid value: "{entry}": {rule}'))
    for index, finalizer in enumerate(texts(value, "metadata", "finalizers")):
        if "/" not in finalizer and finalizer not in _PLAIN_FINALIZERS:
            why = f'Invalid value: "{finalizer}": name is neither a standard finalizer name nor is it fully '
            causes.append((f"metadata.finalizers[{index}]", "FieldValueInvalid", f"{why}qualified"))
    return causes


def _containers(spec: Object, path: str) -> list[Cause]:
    containers = objects(spec, "containers")
    if not containers:
        return [(f"{path}.containers", "FieldValueRequired", "Required value")]
    causes: list[Cause] = []
    for index, container in enumerate(containers):
        here = f"{path}.containers[{index}]"
        name = container.get("name")
        if not name:
            causes.append((f"{here}.name", "FieldValueRequired", "Required value"))
        elif not isinstance(name, str) or not _LABEL.fullmatch(name):
            causes.append(
                (f"{here}.name", "FieldValueInvalid", f'Invalid value: "{name}": {_CONTAINER_RULE}')
            )
        if not container.get("image"):
            causes.append((f"{here}.image", "FieldValueRequired", "Required value"))
    return causes


def _job_restarts(policy: str) -> Cause:
    where, valid = "spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'
    if policy:
        return where, "FieldValueNotSupported", f'Unsupported value: "{policy}": supported {valid[6:]}'
    return where, "FieldValueRequired", f"Required value: {valid}"


def _schedule(schedule: str) -> list[Cause]:
    fields = schedule.split()
    if not fields:
        return [("spec.schedule", "FieldValueRequired", "Required value")]
    if schedule.startswith("@") or len(fields) == 5:
        return []
    why = f'Invalid value: "{schedule}": expected exactly 5 fields, found {len(fields)}: [{" ".join(fields)}]'
    return [("spec.schedule", "FieldValueInvalid", why)]


def _same_except(value: Object, before: Object, *free: tuple[str, ...]) -> bool:
    left, right = copied(mapping(value, "spec")), copied(mapping(before, "spec"))
    for path in free:
        remove(left, *path)
        remove(right, *path)
    return left == right


def _pod_fixed(value: Object, before: Object) -> list[Cause]:
    left, right = copied(mapping(value, "spec")), copied(mapping(before, "spec"))
    for spec in (left, right):
        for container in [*objects(spec, "containers"), *objects(spec, "initContainers")]:
            container.pop("image", None)
        for field in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
            spec.pop(field, None)
    if left == right:
        return []
    why = (
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
        "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
        "previously negative)"
    )
    return [("spec", "FieldValueForbidden", why)]


def _stateful_set_fixed(value: Object, before: Object) -> list[Cause]:
    free = (
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    )
    if _same_except(value, before, *((field,) for field in free)):
        return []
    named = ", ".join(f"'{field}'" for field in free[:-1])
    why = (
        f"Forbidden: updates to statefulset spec for fields other than {named} and '{free[-1]}' are forbidden"
    )
    return [("spec", "FieldValueForbidden", why)]


def _selector_fixed(value: Object, before: Object) -> list[Cause]:
    if at(value, "spec", "selector") == at(before, "spec", "selector"):
        return []
    return [("spec.selector", "FieldValueInvalid", "Invalid value: field is immutable")]


def _job_fixed(value: Object, before: Object) -> list[Cause]:
    if at(value, "spec", "template") == at(before, "spec", "template"):
        return []
    return [("spec.template", "FieldValueInvalid", "Invalid value: field is immutable")]


def _claim_fixed(value: Object, before: Object) -> list[Cause]:
    bound = at(before, "spec", "volumeName") is not None
    free = [("resources", "requests"), ("volumeAttributesClassName",)]
    if not bound:
        free.append(("volumeName",))
    if _same_except(value, before, *free):
        return []
    why = (
        "Forbidden: spec is immutable after creation except resources.requests and "
        "volumeAttributesClassName for bound claims"
    )
    return [("spec", "FieldValueForbidden", why)]


def _secret_fixed(value: Object, before: Object) -> list[Cause]:
    if before.get("immutable") is True and value.get("data") != before.get("data"):
        return [("data", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")]
    return []


def _cluster_ip_fixed(value: Object, before: Object) -> list[Cause]:
    now, was = text(value, "spec", "clusterIP"), text(before, "spec", "clusterIP")
    if now == was or not was or text(value, "spec", "type") == "ExternalName":
        return []
    why = f'Invalid value: []string{{"{now}"}}: may not change once set'
    return [("spec.clusterIPs[0]", "FieldValueInvalid", why)]


_IMMUTABLE: dict[str, tuple[Callable[[Object, Object], list[Cause]], ...]] = {
    "Pod": (_pod_fixed,),
    "StatefulSet": (_stateful_set_fixed,),
    "Deployment": (_selector_fixed,),
    "ReplicaSet": (_selector_fixed,),
    "DaemonSet": (_selector_fixed,),
    "Job": (_selector_fixed, _job_fixed),
    "PersistentVolumeClaim": (_claim_fixed,),
    "Service": (_cluster_ip_fixed,),
    "Secret": (_secret_fixed,),
    "ConfigMap": (_secret_fixed,),
}
