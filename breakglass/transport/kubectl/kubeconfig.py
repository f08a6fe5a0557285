"""Which kubeconfig counts, and what of it: one context, its cluster and its user; nothing else is judged.

Source: the rules of `k8s.io/client-go/tools/clientcmd`: a path given wins over `KUBECONFIG`, a list whose
first file to name a thing wins, and that over `~/.kube/config`. Paths in a file are relative to it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from breakglass.site.model import Cluster
from breakglass.transport.kubectl.faults import KubectlFaultError, misused
from breakglass.values import Json

Section = dict[str, Json]
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen context, taken apart. Paths in `cluster` and `user` are absolute."""

    context: str
    namespace: str
    user_name: str
    cluster: Section
    user: Section
    user_file: Path
    """The file that describes the user; a plugin's relative command is relative to its folder."""


def files_of(cluster: Cluster, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that kubectl would read for this cluster."""
    if cluster.kubeconfig is not None:
        return (cluster.kubeconfig.expanduser(),)
    listed = environment.get("KUBECONFIG", "")
    if listed:
        return tuple(Path(each).expanduser() for each in listed.split(os.pathsep) if each)
    return (Path("~/.kube/config").expanduser(),)


def choose(cluster: Cluster, environment: Mapping[str, str]) -> Choice:
    """The context of a cluster. Raises FaultError, naming the file and what is wrong in it."""
    paths = files_of(cluster, environment)
    read: list[tuple[Path, Section]] = []
    broken: list[KubectlFaultError] = []
    for path in paths:
        try:
            read.append((path, _read(cluster, path)))
        except KubectlFaultError as error:
            broken.append(error)
    if not read:
        raise broken[0]
    where = f"cluster {cluster.name}: kubeconfig {', '.join(str(path) for path, _ in read)}"
    name = cluster.context or next(
        (str(found["current-context"]) for _, found in read if found.get("current-context")), ""
    )
    if not name:
        raise misused(f"{where} has no current-context; name one with `context` in the site")
    context_entry = _named(read, "contexts", "context", name)
    if context_entry is None:
        there = ", ".join(sorted(_names(read, "contexts"))) or "none"
        also = "".join(f"; {error}" for error in broken)
        raise misused(f"{where} has no context {name!r}; it has: {there}{also}")
    _, context = context_entry
    cluster_name, user_name = str(context.get("cluster") or ""), str(context.get("user") or "")
    cluster_entry = _named(read, "clusters", "cluster", cluster_name)
    if cluster_entry is None:
        raise misused(f"{where}: context {name} names the cluster {cluster_name!r}, which is not described")
    user_file, user = paths[0], cast(Section, {})
    if user_name:
        user_entry = _named(read, "users", "user", user_name)
        if user_entry is None:
            raise misused(f"{where}: context {name} names the user {user_name!r}, who is not described")
        user_file, user = user_entry
    described = _absolute(cluster_entry[1], cluster_entry[0], _CLUSTER_PATHS)
    if cluster.server:
        described["server"] = cluster.server
    if cluster.proxy:
        described["proxy-url"] = cluster.proxy
    server = described.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise misused(f"{where}: cluster {cluster_name} has no server URL; give `server` in the site")
    return Choice(
        name,
        str(context.get("namespace") or "default"),
        user_name,
        described,
        _absolute(user, user_file, _USER_PATHS),
        user_file,
    )


def check_tls(cluster: Cluster, choice: Choice) -> None:
    """Raise FaultError for a kubeconfig that leaves out what the site wants: to know who answers."""
    if cluster.verify_tls and choice.cluster.get("insecure-skip-tls-verify"):
        raise misused(
            f"cluster {cluster.name}: the kubeconfig's context {choice.context} leaves out TLS verification "
            "(insecure-skip-tls-verify), and the site does not; put the cluster's CA into the kubeconfig, or "
            "say `verify_tls: false` in the site"
        )


def check_tls_of_kubectl(cluster: Cluster, environment: Mapping[str, str]) -> None:
    """The same before the kubectl program runs; whatever else is wrong, kubectl says itself."""
    try:
        choice = choose(cluster, environment)
    except KubectlFaultError:
        return
    check_tls(cluster, choice)


def _read(cluster: Cluster, path: Path) -> Section:
    where = f"cluster {cluster.name}: kubeconfig {path}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise misused(f"{where} is not there; give `kubeconfig` in the site, or set KUBECONFIG") from None
    except (OSError, UnicodeDecodeError) as error:
        raise misused(f"{where} cannot be read: {error}") from None
    try:
        found: object = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise misused(f"{where}{line} is not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(found, dict):
        raise misused(f"{where} is no kubeconfig: it holds no mapping")
    return cast(Section, found)


def _entries(found: Section, section: str) -> list[Section]:
    listed = found.get(section)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _names(read: list[tuple[Path, Section]], section: str) -> set[str]:
    return {str(entry.get("name")) for _, found in read for entry in _entries(found, section)}


def _named(
    read: list[tuple[Path, Section]], section: str, key: str, name: str
) -> tuple[Path, Section] | None:
    for path, found in read:
        for entry in _entries(found, section):
            value = entry.get(key)
            if entry.get("name") == name:
                return path, value if isinstance(value, dict) else {}
    return None


def _absolute(section: Section, file: Path, keys: tuple[str, ...]) -> Section:
    folder = file.absolute().parent
    paths = {key: str(folder / str(section[key])) for key in keys if section.get(key)}
    return {**section, **paths}
