"""What the server says about itself: versions, groups, resources, and just enough OpenAPI for `kubectl`.

The OpenAPI documents hold no schemas. They name, for each resource, the query parameters `dryRun` and
`fieldValidation` of its patch: that is what `kubectl` looks up before it asks for a server-side dry run.
"""

from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.kinds import Kinds, ResourceKind
from breakglass.values import Json

VERSION: Object = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.2",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-11-11T19:00:00Z",
    "goVersion": "go1.24.9",
    "compiler": "gc",
    "platform": "linux/amd64",
}

PROTOBUF_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PROTOBUF_SENT = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Clients ask by a name that is not a valid media type, and refuse it in an answer."""

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_PARAMETERS = ("dryRun", "fieldValidation")


def core_versions(address: str) -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(kinds: Kinds) -> Object:
    groups: list[Json] = [group(name, version) for name, version in kinds.groups().items()]
    for entry in groups:
        if isinstance(entry, dict):
            del entry["kind"], entry["apiVersion"]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str, version: str) -> Object:
    known: Object = {"groupVersion": f"{name}/{version}", "version": version}
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": [known],
        "preferredVersion": known,
    }


def resource_list(kinds: Kinds, name: str, version: str) -> Object:
    resources: list[Json] = []
    for kind in kinds:
        if (kind.group, kind.version) == (name, version):
            resources.append(_resource(kind))
            resources += [_subresource(kind, subresource) for subresource in kind.subresources]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{name}/{version}" if name else version,
        "resources": resources,
    }


def _resource(kind: ResourceKind) -> Object:
    entry: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(_VERBS) if kind.stored else ["create"],
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.in_all:
        entry["categories"] = ["all"]
    return entry


def _subresource(kind: ResourceKind, name: str) -> Object:
    entry: Object = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["get", "patch", "update"],
    }
    match name:
        case "scale":
            entry |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        case "eviction":
            entry |= {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]}
        case "exec":
            entry |= {"kind": "PodExecOptions", "verbs": ["create", "get"]}
        case "portforward":
            entry |= {"kind": "PodPortForwardOptions", "verbs": ["create", "get"]}
        case "log":
            entry["verbs"] = ["get"]
        case _:
            pass
    return entry


def _path(kind: ResourceKind) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"


def _group_version_kind(kind: ResourceKind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def openapi_v3_index(kinds: Kinds) -> Object:
    roots = ["api/v1", *(f"apis/{name}/{version}" for name, version in kinds.groups().items())]
    return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}}


def openapi_v3(kinds: Kinds, name: str, version: str) -> Object:
    paths: Object = {}
    for kind in kinds:
        if (kind.group, kind.version) == (name, version):
            parameters: list[Json] = [
                {"name": parameter, "in": "query", "schema": {"type": "string"}} for parameter in _PARAMETERS
            ]
            operation: Object = {
                "parameters": parameters,
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": _group_version_kind(kind),
            }
            paths[_path(kind) + "/{name}"] = {"patch": operation}
    return {"openapi": "3.0.0", "info": _INFORMATION, "paths": paths, "components": {"schemas": {}}}


_INFORMATION: Object = {"title": "Kubernetes", "version": "v1.34.2"}


def openapi_v2(kinds: Kinds) -> Object:
    paths: Object = {}
    for kind in kinds:
        parameters: list[Json] = [
            {"name": parameter, "in": "query", "type": "string", "uniqueItems": True}
            for parameter in _PARAMETERS
        ]
        operation: Object = {
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": _group_version_kind(kind),
        }
        paths[_path(kind) + "/{name}"] = {"patch": operation}
    return {"swagger": "2.0", "info": _INFORMATION, "paths": paths, "definitions": {}}


def openapi_v2_protobuf(kinds: Kinds) -> bytes:
    """The same document in the protobuf form of `gnostic` (openapiv2/OpenAPIv2.proto), which is the only
    one that older `kubectl` programs take."""
    paths = b""
    for kind in kinds:
        fields = _group_version_kind(kind)
        extension = "".join(f"{key}: {value or chr(34) * 2}\n" for key, value in fields.items())
        any_value = _message(2, extension.encode())
        named = _message(1, b"x-kubernetes-group-version-kind") + _message(2, any_value)
        operation = b""
        for parameter in _PARAMETERS:
            query = _message(2, b"query") + _message(4, parameter.encode()) + _message(6, b"string")
            operation += _message(8, _message(1, _message(2, _message(3, query))))
        operation += _message(13, named)
        item = _message(8, operation)
        paths += _message(2, _message(1, (_path(kind) + "/{name}").encode()) + _message(2, item))
    information = _message(1, b"Kubernetes") + _message(2, b"v1.34.2")
    return _message(1, b"2.0") + _message(2, information) + _message(8, paths) + _message(9, b"")


def _message(field: int, content: bytes) -> bytes:
    """One length-delimited protobuf field."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
