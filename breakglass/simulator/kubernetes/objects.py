"""Reading and writing inside Kubernetes objects, which are plain JSON, without trusting their shape."""

from datetime import UTC, datetime
from typing import TypeAlias

from breakglass.values import Json

Object: TypeAlias = dict[str, Json]
"""A Kubernetes object, or a part of one, as it stands in JSON."""

NOTHING: Object = {}


def at(value: Json, *path: str | int) -> Json:
    """What stands at a path of keys and indices; None where the path leads nowhere."""
    for part in path:
        if isinstance(part, int):
            if not isinstance(value, list) or not -len(value) <= part < len(value):
                return None
            value = value[part]
        else:
            if not isinstance(value, dict):
                return None
            value = value.get(part)
    return value


def text(value: Json, *path: str | int, default: str = "") -> str:
    found = at(value, *path)
    return found if isinstance(found, str) else default


def number(value: Json, *path: str | int, default: int = 0) -> int:
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def flag(value: Json, *path: str | int, default: bool = False) -> bool:
    found = at(value, *path)
    return found if isinstance(found, bool) else default


def mapping(value: Json, *path: str | int) -> Object:
    """The mapping at a path; a new empty one, not attached to the object, where there is none."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def strings(value: Json, *path: str | int) -> dict[str, str]:
    """The string entries of the mapping at a path, such as labels."""
    return {key: entry for key, entry in mapping(value, *path).items() if isinstance(entry, str)}


def objects(value: Json, *path: str | int) -> list[Object]:
    """The mappings in the list at a path."""
    found = at(value, *path)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def texts(value: Json, *path: str | int) -> list[str]:
    """The strings in the list at a path."""
    found = at(value, *path)
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def put(target: Object, value: Json, *path: str) -> None:
    """Set what stands at a path of keys, making the mappings on the way."""
    for part in path[:-1]:
        inner = target.get(part)
        if not isinstance(inner, dict):
            inner = {}
            target[part] = inner
        target = inner
    target[path[-1]] = value


def remove(target: Object, *path: str) -> None:
    """Take away what stands at a path of keys, if anything does."""
    mapping(target, *path[:-1]).pop(path[-1], None)


def copied(value: Object) -> Object:
    """A copy that shares nothing. Much quicker than `copy.deepcopy`, which is ready for more than JSON."""
    return {key: _copied(entry) for key, entry in value.items()}


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_copied(entry) for entry in value]
    return value


def name_of(value: Json) -> str:
    return text(value, "metadata", "name")


def namespace_of(value: Json) -> str:
    return text(value, "metadata", "namespace")


def uid_of(value: Json) -> str:
    return text(value, "metadata", "uid")


def labels_of(value: Json) -> dict[str, str]:
    return strings(value, "metadata", "labels")


def is_going(value: Json) -> bool:
    """Whether deletion has begun."""
    return at(value, "metadata", "deletionTimestamp") is not None


def owner_of(value: Json) -> Object:
    """The controlling owner reference, or an empty mapping."""
    owners = objects(value, "metadata", "ownerReferences")
    return next((owner for owner in owners if flag(owner, "controller")), NOTHING.copy())


def timestamp(moment: datetime) -> str:
    """A moment as the API writes it: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(written: Json) -> datetime | None:
    """The moment that an API timestamp stands for; None for anything else."""
    if not isinstance(written, str):
        return None
    try:
        read = datetime.fromisoformat(written.replace("Z", "+00:00"))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def condition_of(value: Json, kind: str) -> Object:
    """The entry of `status.conditions` of this type, or an empty mapping."""
    conditions = objects(value, "status", "conditions")
    return next((entry for entry in conditions if entry.get("type") == kind), NOTHING.copy())


def set_condition(
    target: Object, kind: str, status: bool, now: datetime, reason: str = "", message: str = ""
) -> None:
    """Set an entry of `status.conditions`; the transition time moves only when the status does."""
    wanted = "True" if status else "False"
    status_part = target.setdefault("status", {})
    assert isinstance(status_part, dict)
    conditions = status_part.setdefault("conditions", [])
    assert isinstance(conditions, list)
    old = condition_of(target, kind)
    since = text(old, "lastTransitionTime") if old.get("status") == wanted else ""
    entry: Object = {"type": kind, "status": wanted, "lastTransitionTime": since or timestamp(now)}
    if reason:
        entry["reason"] = reason
    if message:
        entry["message"] = message
    if old:
        conditions[conditions.index(old)] = entry
    else:
        conditions.append(entry)


def is_ready(pod: Json) -> bool:
    return condition_of(pod, "Ready").get("status") == "True" and not is_going(pod)


def is_finished(pod: Json) -> bool:
    return text(pod, "status", "phase") in ("Succeeded", "Failed")
