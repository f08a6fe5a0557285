"""What an address and a method of the API ask for."""

from dataclasses import dataclass
from urllib.parse import unquote

from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.kinds import Kinds, ResourceKind


@dataclass(frozen=True, slots=True)
class Address:
    """A resource (`name` empty), an object, or a subresource of one."""

    kind: ResourceKind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse(path: str, kinds: Kinds) -> Address:
    """ApiError 404 for a path under which nothing is served."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    match parts:
        case ["api", "v1", *rest]:
            group, version = "", "v1"
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise statuses.no_such_path()
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and kinds.find(group, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    if not rest or not all(rest) or len(rest) > 3:
        raise statuses.no_such_path()
    kind = kinds.find(group, rest[0])
    if kind is None or kind.version != version:
        raise statuses.no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if (namespace and not kind.namespaced) or (name and kind.namespaced and not namespace):
        raise statuses.no_such_path()
    if subresource and subresource not in kind.subresources:
        raise statuses.no_such_path()
    return Address(kind, namespace, name, subresource)


def verb_of(method: str, address: Address, *, watch: bool) -> str:
    """The verb that access rules know the request by. ApiError 405 for a method that is not served."""
    match method:
        case "GET" if address.name:
            return "get"
        case "GET":
            return "watch" if watch else "list"
        case "POST" if not address.name or address.subresource in ("eviction", "exec", "portforward"):
            return "create"
        case "PUT" if address.name:
            return "update"
        case "PATCH" if address.name:
            return "patch"
        case "DELETE":
            return "delete" if address.name else "deletecollection"
        case _:
            raise statuses.method_not_allowed()
