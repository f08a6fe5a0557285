"""Parts of Kubernetes objects, which are plain JSON, read without trusting their shape."""

from typing import TypeAlias

from breakglass.values import Json

Object: TypeAlias = dict[str, Json]
"""A Kubernetes object, or a part of one, as it stands in JSON."""


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


def name_of(value: Json) -> str:
    return text(value, "metadata", "name")


def namespace_of(value: Json) -> str:
    return text(value, "metadata", "namespace")


def uid_of(value: Json) -> str:
    return text(value, "metadata", "uid")


def labels_of(value: Json) -> dict[str, str]:
    return strings(value, "metadata", "labels")


def condition_of(value: Json, kind: str) -> Object:
    """The entry of `status.conditions` of this type, or an empty mapping. The type is compared without case,
    as `kubectl wait` does."""
    for entry in objects(value, "status", "conditions"):
        if text(entry, "type").lower() == kind.lower():
            return entry
    return {}
