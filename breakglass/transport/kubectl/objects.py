"""Parts of Kubernetes objects, read without trusting their shape."""

from breakglass.values import Json

Object = dict[str, Json]


def at(value: Json, *path: str | int) -> Json:
    """What stands at a path, or None."""
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def text(value: Json, *path: str | int) -> str:
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Json, *path: str | int, default: int = 0) -> int:
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def mapping(value: Json, *path: str | int) -> Object:
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def objects(value: Json, *path: str | int) -> list[Object]:
    found = at(value, *path)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def name_of(value: Json) -> str:
    return text(value, "metadata", "name")


def namespace_of(value: Json) -> str:
    return text(value, "metadata", "namespace")


def uid_of(value: Json) -> str:
    return text(value, "metadata", "uid")


def condition(value: Json, kind: str) -> Object | None:
    """A condition of an object's status; its type is compared without case, as kubectl does."""
    for each in objects(value, "status", "conditions"):
        if text(each, "type").lower() == kind.lower():
            return each
    return None


def selector_text(selector: Json) -> str:
    """A label selector of an object's spec in the form of a query."""
    parts = [f"{name}={value}" for name, value in sorted(mapping(selector, "matchLabels").items())]
    for each in objects(selector, "matchExpressions"):
        values = at(each, "values")
        listed = ",".join(str(value) for value in values) if isinstance(values, list) else ""
        key = text(each, "key")
        match text(each, "operator"):
            case "In":
                parts.append(f"{key} in ({listed})")
            case "NotIn":
                parts.append(f"{key} notin ({listed})")
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
            case _:
                pass
    return ",".join(parts)
