"""Which kubeconfig counts, and what of it: one context, its cluster and its user; nothing else is judged.

Source: `k8s.io/client-go/tools/clientcmd`: a path given wins over `KUBECONFIG`, a list whose first file to
name a thing wins, and that over `~/.kube/config`. A file of the list that is not there is passed over; one
that is broken ends it, since what it would have said may be another cluster. Paths in a file are relative to
it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from breakglass.site.model import Cluster
from breakglass.transport.kubectl.faults import KubectlFaultError, misused
from breakglass.transport.kubectl.in_cluster import ACCOUNT, InCluster, in_cluster, namespace_of_pod
from breakglass.transport.kubectl.kubeconfig_file import KubeconfigFile, Part, Section, read_file

_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen context, taken apart. Paths in `cluster` and `user` are absolute, data is base64.

    place: says in which file and line the context, cluster or user has a value.
    """

    context: str
    namespace: str
    user_name: str
    cluster: Section
    user: Section
    place: Callable[[Part, str], str]
    current_place: str
    """The file and line that choose the context, where the site does not."""

    @property
    def impersonated(self) -> "Impersonated | None":
        """Whom the user acts as."""
        if not self.user.get("as"):
            return None
        extra = cast("Mapping[str, Sequence[str]]", self.user.get("as-user-extra") or {})
        return Impersonated(
            str(self.user["as"]),
            str(self.user.get("as-uid") or ""),
            tuple(cast("Sequence[str]", self.user.get("as-groups") or ())),
            {name: tuple(values) for name, values in extra.items()},
        )


@dataclass(frozen=True, slots=True)
class Impersonated:
    """Whom a user acts as. Without it, the user acts with all rights of its own."""

    user: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What every request carries. Source: `impersonatingRoundTripper` in
        `k8s.io/client-go/transport/round_trippers.go`."""
        given = [("Impersonate-User", self.user)]
        if self.uid:
            given.append(("Impersonate-Uid", self.uid))
        given += [("Impersonate-Group", group) for group in self.groups]
        for name, values in self.extra.items():
            given += [(f"Impersonate-Extra-{_escaped(name)}", value) for value in values]
        return tuple(given)


_HEADER_BYTES = frozenset(b"!#$&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""Bytes of a header's name, without the percent sign, which escapes the others."""


def _escaped(name: str) -> str:
    return "".join(chr(byte) if byte in _HEADER_BYTES else f"%{byte:02X}" for byte in name.encode())


def files_of(cluster: Cluster, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that kubectl would read for this cluster. Raises FaultError where none can be named."""
    if cluster.kubeconfig is not None:
        return (_in_home(cluster.kubeconfig, cluster, environment),)
    listed = environment.get("KUBECONFIG", "")
    if listed:
        return tuple(dict.fromkeys(Path(each) for each in listed.split(os.pathsep) if each))
    return (_in_home(Path("~/.kube/config"), cluster, environment),)


def _in_home(path: Path, cluster: Cluster, environment: Mapping[str, str]) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise misused(
            f"cluster {cluster.name}: {path}: there is no HOME, and this user has no entry in passwd; "
            "set HOME or KUBECONFIG"
        ) from None


def choose(cluster: Cluster, environment: Mapping[str, str]) -> Choice:
    """The context of a cluster, or the pod's own account where there is no kubeconfig and the program runs
    in a pod. Raises FaultError, naming the file and what is wrong in it."""
    where = f"cluster {cluster.name}"
    try:
        paths = files_of(cluster, environment)
    except KubectlFaultError:
        account = in_cluster(environment)
        if cluster.kubeconfig is not None or account is None:
            raise
        return _pods_own(cluster, account)
    read: list[KubeconfigFile] = []
    for path in paths:
        try:
            read.append(read_file(path, where))
        except FileNotFoundError:
            continue
    account = in_cluster(environment)
    if account is not None and cluster.kubeconfig is None and all(file.describes_nothing for file in read):
        return _pods_own(cluster, account)
    if not read:
        named = ", ".join(map(str, paths))
        raise misused(
            f"{where}: kubeconfig {named} is not there; give `kubeconfig` in the site, or set KUBECONFIG"
        )
    return _chosen(cluster, read, environment)


def _chosen(cluster: Cluster, read: Sequence[KubeconfigFile], environment: Mapping[str, str]) -> Choice:
    where = f"cluster {cluster.name}: kubeconfig {', '.join(str(file.path) for file in read)}"
    name = cluster.context or next((file.current for file in read if file.current), "")
    if not name:
        raise misused(f"{where} has no current-context; name one with `context` in the site")
    context_entry = _named(read, "context", name)
    if context_entry is None:
        there = ", ".join(sorted({each for file in read for each in file.parts["context"]})) or "none"
        raise misused(f"{where} has no context {name!r}; it has: {there}")
    context_file, context = context_entry
    cluster_name, user_name = str(context.get("cluster") or ""), str(context.get("user") or "")
    cluster_entry = _named(read, "cluster", cluster_name)
    if cluster_entry is None:
        raise misused(f"{where}: context {name} names the cluster {cluster_name!r}, which is not described")
    cluster_file, described = (
        cluster_entry[0],
        _absolute(cluster_entry[1], cluster_entry[0].path, _CLUSTER_PATHS),
    )
    user_file, user = context_file, cast(Section, {})
    if user_name:
        user_entry = _named(read, "user", user_name)
        if user_entry is None:
            raise misused(f"{where}: context {name} names the user {user_name!r}, who is not described")
        user_file, user = user_entry[0], _absolute(user_entry[1], user_entry[0].path, _USER_PATHS)
    _check_cluster(described, f"{where}: cluster {cluster_name}", bool(cluster.server))
    user = _acting_as(cluster, _with_plugins_path(user, user_file.path))
    _check_user(user, f"{where}: user {user_name}")
    files = {
        "context": (context_file, name),
        "cluster": (cluster_file, cluster_name),
        "user": (user_file, user_name),
    }

    def place(part: Part, key: str) -> str:
        file, entry = files[part]
        return file.place(part, entry, key)

    return Choice(
        name,
        str(context.get("namespace") or "") or namespace_of_pod(environment) or "default",
        user_name,
        _as_the_site_says(cluster, described),
        user,
        place,
        next((file.current_place for file in read if file.current), ""),
    )


def _pods_own(cluster: Cluster, account: InCluster) -> Choice:
    if cluster.context:
        raise misused(
            f"cluster {cluster.name}: there is no kubeconfig with the context {cluster.context!r}; give "
            f"`kubeconfig`"
            " in the site, or set KUBECONFIG"
        )
    described: Section = {"server": account.server, "certificate-authority": str(ACCOUNT / "ca.crt")}
    user: Section = {"tokenFile": str(ACCOUNT / "token")}
    return Choice(
        "in-cluster",
        account.namespace,
        "the pod's service account",
        _as_the_site_says(cluster, described),
        _acting_as(cluster, user),
        lambda part, key: str(ACCOUNT),
        str(ACCOUNT),
    )


def _as_the_site_says(cluster: Cluster, described: Section) -> Section:
    """The cluster with what the site puts in place of it. The name on the certificate stays: another address
    is another way to the same server."""
    given = dict(described)
    if cluster.server:
        given["server"] = cluster.server
    if cluster.proxy:
        given["proxy-url"] = cluster.proxy
    return given


def _acting_as(cluster: Cluster, user: Section) -> Section:
    """The user as `kubectl --as` leaves it: groups and the rest stay those of the kubeconfig."""
    return {**user, "as": cluster.impersonate} if cluster.impersonate else user


def _check_cluster(described: Section, where: str, other_server: bool) -> None:
    """Source: `validateClusterInfo` in `validation.go` of clientcmd."""
    if described.get("certificate-authority") and described.get("certificate-authority-data"):
        raise misused(f"{where} has both certificate-authority and certificate-authority-data; take one away")
    if not described.get("server") and not other_server:
        raise misused(f"{where} has no server URL; give `server` in the site")


def _check_user(user: Section, where: str) -> None:
    """What kubectl refuses. Source: `validateAuthInfo` in `validation.go` of clientcmd."""
    for name in ("client-certificate", "client-key"):
        if user.get(name) and user.get(f"{name}-data"):
            raise misused(f"{where} has both {name} and {name}-data; take one away")
    has_key = user.get("client-key") or user.get("client-key-data")
    if (user.get("client-certificate") or user.get("client-certificate-data")) and not has_key:
        raise misused(f"{where} has a client certificate without its key; give client-key")
    if user.get("token") and (user.get("username") or user.get("password")):
        raise misused(f"{where} has a token and a password; take one away")
    if not user.get("as") and any(user.get(name) for name in ("as-uid", "as-groups", "as-user-extra")):
        raise misused(f"{where} has as-uid, as-groups or as-user-extra, and no `as`; give the user to act as")
    plugin = user.get("exec")
    if isinstance(plugin, dict):
        if user.get("auth-provider"):
            raise misused(f"{where} has both exec and auth-provider; take one away")
        if not plugin.get("command"):
            raise misused(f"{where}: the kubeconfig names no command for its credential plugin")
        version, mode = str(plugin.get("apiVersion") or ""), plugin.get("interactiveMode")
        if not version:
            raise misused(f"{where}: exec has no apiVersion")
        modes = ("Never", "IfAvailable", "Always")
        if mode not in modes and (mode or not version.endswith(("v1alpha1", "v1beta1"))):
            raise misused(f"{where}: exec has no interactiveMode; give one of {', '.join(modes)}")


def check_tls(cluster: Cluster, choice: Choice) -> None:
    """Raise FaultError for a kubeconfig that leaves out what the site wants: to know who answers."""
    if cluster.verify_tls and choice.cluster.get("insecure-skip-tls-verify"):
        raise misused(
            f"cluster {cluster.name}: the kubeconfig's context {choice.context} leaves out TLS verification "
            "(insecure-skip-tls-verify), and the site does not; put the cluster's CA into the kubeconfig, or "
            "say `verify_tls: false` in the site"
        )


def _named(read: Sequence[KubeconfigFile], part: Part, name: str) -> tuple[KubeconfigFile, Section] | None:
    return next(((file, file.parts[part][name]) for file in read if name in file.parts[part]), None)


def _absolute(section: Section, file: Path, keys: Sequence[str]) -> Section:
    return {**section, **{key: _beside(str(section[key]), file) for key in keys if section.get(key)}}


def _with_plugins_path(user: Section, file: Path) -> Section:
    """A plugin's command is a name to look for, or a path relative to the file that names it."""
    plugin = user.get("exec")
    if not isinstance(plugin, dict) or os.sep not in str(plugin.get("command") or ""):
        return user
    return {**user, "exec": {**plugin, "command": _beside(str(plugin["command"]), file)}}


def _beside(path: str, file: Path) -> str:
    return os.path.normpath(file.absolute().parent / path)
