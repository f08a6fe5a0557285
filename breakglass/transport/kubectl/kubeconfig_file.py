"""One kubeconfig file, read as strictly as kubectl reads it, and where in it each value stands.

Source: `k8s.io/client-go/tools/clientcmd/api/v1/types.go`, and how Go reads YAML and JSON into it: a value of
another type than the field's breaks the whole file, what is not known is passed over, and null is nothing.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, cast

import yaml

from breakglass.transport.kubectl.faults import misused
from breakglass.values import Json

Section = dict[str, Json]
Part: TypeAlias = Literal["cluster", "user", "context"]
Shape: TypeAlias = "str | list[Shape] | Mapping[str, Shape]"
"""A field: `text`, `truth`, `data` (base64), `any`; a list of one shape; the fields of an object, where `*`
is any name."""

_EXTENSIONS: Shape = [{"name": "text", "extension": "any"}]
_SHAPES: Mapping[Part, Mapping[str, Shape]] = {
    "cluster": {
        "server": "text",
        "tls-server-name": "text",
        "insecure-skip-tls-verify": "truth",
        "certificate-authority": "text",
        "certificate-authority-data": "data",
        "proxy-url": "text",
        "disable-compression": "truth",
        "extensions": _EXTENSIONS,
    },
    "user": {
        "client-certificate": "text",
        "client-certificate-data": "data",
        "client-key": "text",
        "client-key-data": "data",
        "token": "text",
        "tokenFile": "text",
        "as": "text",
        "as-uid": "text",
        "as-groups": ["text"],
        "as-user-extra": {"*": ["text"]},
        "username": "text",
        "password": "text",
        "auth-provider": {"name": "text", "config": {"*": "text"}},
        "exec": {
            "command": "text",
            "args": ["text"],
            "env": [{"name": "text", "value": "text"}],
            "apiVersion": "text",
            "installHint": "text",
            "provideClusterInfo": "truth",
            "interactiveMode": "text",
        },
        "extensions": _EXTENSIONS,
    },
    "context": {"cluster": "text", "user": "text", "namespace": "text", "extensions": _EXTENSIONS},
}
_FILE: Mapping[str, Shape] = {
    "apiVersion": "text",
    "kind": "text",
    "current-context": "text",
    "preferences": {"colors": "truth", "extensions": _EXTENSIONS},
    "extensions": _EXTENSIONS,
    **{f"{part}s": [{"name": "text", part: shape}] for part, shape in _SHAPES.items()},
}


class _GoLoader(yaml.CSafeLoader):
    """Reads plain values as Go's YAML does: a date is a text, `1e3` and `0o7` are numbers, `12:30` is
    none."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


def _resolves(tag: str, pattern: str, first: str) -> None:
    _GoLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))  # pyright: ignore[reportUnknownMemberType]


_resolves("bool", r"(?:[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE)$", "yYnNtTfF")
_resolves("bool", r"(?:on|On|ON|off|Off|OFF)$", "oO")
_resolves("int", r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)$", "-+0123456789")
_resolves(
    "float", r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"
)
_resolves("float", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+.")
_resolves("merge", r"<<$", "<")
_GoLoader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
    "tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


def _number(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> int | float:
    """A number of an extension; no field of a kubeconfig is one."""
    text = str(node.value).replace("_", "").lower()
    for base in (0, 8):
        try:
            return int(text, base)
        except ValueError:
            continue
    return float(re.sub(r"\.(inf|nan)$", r"\1", text))


_GoLoader.bool_values = {**yaml.CSafeLoader.bool_values, "y": True, "n": False}
for _tag in ("int", "float"):
    _GoLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _number)  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, slots=True)
class KubeconfigFile:
    """A file that kubectl would take. Values of `data` fields are base64 in one line."""

    path: Path
    current: str
    parts: Mapping[Part, Mapping[str, Section]]
    root: yaml.Node | None

    @property
    def describes_nothing(self) -> bool:
        return not self.current and not any(self.parts.values())

    def place(self, part: Part, name: str, key: str) -> str:
        """The file and line of a value: of its key, of the entry where it is not given, or the file alone."""
        line = _line(self.root, part, name, key)
        return f"{self.path}:{line}" if line else str(self.path)

    @property
    def current_place(self) -> str:
        found = _under(self.root, "current-context")
        return f"{self.path}:{found.start_mark.line + 1}" if found is not None else str(self.path)


def read_file(path: Path, where: str) -> KubeconfigFile:
    """Read one file. Raises FileNotFoundError where there is none, and KubectlFaultError for what kubectl
    would not take. where: the cluster, for the message."""
    where = f"{where}: kubeconfig {path}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise misused(f"{where} cannot be read: {error}") from None
    try:
        root, found = _composed(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise misused(f"{where}{line} is not YAML: {getattr(error, 'problem', None) or error}") from None
    except (ValueError, RecursionError) as error:
        raise misused(f"{where} is not YAML: {error}") from None
    if found is None:
        found = {}
    if not isinstance(found, dict):
        raise misused(f"{where} is no kubeconfig: it holds no mapping")
    try:
        return _file(path, root, cast(Section, _shaped(cast(Json, found), _FILE, "")))
    except ValueError as error:
        raise misused(f"{where}: {error}") from None


def content_of(section: Section, name: str) -> bytes | None:
    """What stands in the file or the data of a name, such as `certificate-authority`. Raises OSError."""
    if data := section.get(f"{name}-data"):
        return base64.b64decode(str(data))
    path = section.get(name)
    return Path(str(path)).read_bytes() if path else None


def _composed(content: bytes) -> tuple[yaml.Node | None, object]:
    """The first document of a file, as a tree with places and as values."""
    loader = _GoLoader(content)
    try:
        if not loader.check_node():
            return None, None
        root = cast("yaml.Node", loader.get_node())
        return root, cast(object, loader.construct_document(root))  # pyright: ignore[reportUnknownMemberType]
    finally:
        loader.dispose()


def _file(path: Path, root: yaml.Node | None, found: Section) -> KubeconfigFile:
    version, kind = str(found.get("apiVersion") or "v1"), str(found.get("kind") or "Config")
    if (version, kind) != ("v1", "Config"):
        raise ValueError(f"no kubeconfig: it is a {kind} of {version}")
    parts: dict[Part, Mapping[str, Section]] = {}
    for part in _SHAPES:
        entries: dict[str, Section] = {}
        for entry in cast("list[Section]", found.get(f"{part}s") or []):
            name = str(entry.get("name") or "")
            if name in entries:
                raise ValueError(f"duplicate name {name!r} in {part}s")
            entries[name] = cast(Section, entry.get(part) or {})
        parts[part] = entries
    return KubeconfigFile(path, str(found.get("current-context") or ""), parts, root)


def _shaped(value: Json, shape: Shape, name: str) -> Json:
    """The value with what is null left out. Raises ValueError where it is of another type."""
    if isinstance(shape, str):
        return _simple(value, shape, name)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(f"{name} is no list")
        return [
            _shaped({} if each is None else each, shape[0], name)
            if not isinstance(shape[0], str)
            else _simple("" if each is None else each, shape[0], name)
            for each in value
        ]
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no mapping")
    kept: Section = {}
    for key, each in value.items():
        key = str(key)
        wanted = shape.get(key, shape.get("*"))
        if wanted is not None and each is not None:
            kept[key] = _shaped(each, wanted, f"{name}.{key}" if name else key)
    return kept


def _simple(value: object, shape: str, name: str) -> Json:
    if isinstance(value, bytes):  # `!!binary`: what it stands for
        value = value.decode("utf-8", "replace")
    match shape:
        case "any":
            return cast(Json, value)
        case "truth":
            if not isinstance(value, bool):
                raise ValueError(f"{name} is neither true nor false")
            return value
        case _:
            if not isinstance(value, str):
                raise ValueError(f"{name} is no text; put it in quotes")
    if shape == "text":
        return value
    packed = value.replace("\r", "").replace("\n", "")
    try:
        base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{name} is not base64") from None
    return packed


def _under(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    found = None
    for name, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        if isinstance(name, yaml.ScalarNode) and name.value == key:
            found = value  # the last one counts
    return found


def _entries(root: yaml.Node | None, part: Part) -> Iterator[yaml.Node]:
    listed = _under(root, f"{part}s")
    if isinstance(listed, yaml.SequenceNode):
        yield from cast("list[yaml.Node]", listed.value)


def _line(root: yaml.Node | None, part: Part, name: str, key: str) -> int:
    for entry in _entries(root, part):
        named = _under(entry, "name")
        if isinstance(named, yaml.ScalarNode) and named.value == name:
            found = _under(_under(entry, part), key) or entry
            return found.start_mark.line + 1
    return 0
