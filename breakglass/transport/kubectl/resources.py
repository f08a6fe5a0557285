"""What the words of a kubectl line stand for in the API: kinds, their paths, and their names.

The kinds that every cluster has are known here, so that a broken aggregated API, which breaks discovery,
keeps no one from looking at pods. Others are asked for, once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from breakglass.transport.kubectl.faults import KubectlFaultError, misused, refused_here
from breakglass.values import Json

AT_ONCE = 16
"""Groups that are asked for their resources at the same time."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object. `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name by which kubectl prints an object of this kind: `pod`, `deployment.apps`."""
        return f"{self.kind.lower()}.{self.group}" if self.group else self.kind.lower()

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of an object, or of the collection where there is no name. Raises FaultError for a name
        that would lead elsewhere."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(segment(name))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)


def segment(name: str) -> str:
    """One part of a path. Raises FaultError for what would be read as several, or as a way up.

    Source: `IsValidPathSegmentName` in `staging/src/k8s.io/apimachinery/pkg/api/validation/path/name.go`.
    """
    if not name or name in (".", "..") or "/" in name or "%" in name:
        raise misused(f"{name!r} cannot be the name of an object: the request was not sent")
    return quote(name, safe="")


def _kinds(group: str, *lines: str) -> list[Resource]:
    found: list[Resource] = []
    for line in lines:
        kind, plural, *short = line.split()
        clusters = kind.startswith("*")
        kind = kind.removeprefix("*")
        found.append(Resource(group, "v1", plural, kind.lower(), kind, not clusters, tuple(short)))
    return found


WELL_KNOWN: tuple[Resource, ...] = (
    *_kinds(
        "",
        *("Pod pods po", "Service services svc", "*Node nodes no", "*Namespace namespaces ns"),
        *("Secret secrets", "ConfigMap configmaps cm", "Event events ev", "Endpoints endpoints ep"),
        *("*PersistentVolume persistentvolumes pv", "PersistentVolumeClaim persistentvolumeclaims pvc"),
        *("ServiceAccount serviceaccounts sa", "LimitRange limitranges limits"),
        *("ResourceQuota resourcequotas quota", "ReplicationController replicationcontrollers rc"),
    ),
    *_kinds(
        "apps",
        *("Deployment deployments deploy", "StatefulSet statefulsets sts", "DaemonSet daemonsets ds"),
        *("ReplicaSet replicasets rs", "ControllerRevision controllerrevisions"),
    ),
    *_kinds("batch", "Job jobs", "CronJob cronjobs cj"),
    *_kinds("policy", "PodDisruptionBudget poddisruptionbudgets pdb"),
    *_kinds("networking.k8s.io", "Ingress ingresses ing", "NetworkPolicy networkpolicies netpol"),
    *_kinds("storage.k8s.io", "*StorageClass storageclasses sc", "*VolumeAttachment volumeattachments"),
    *_kinds("coordination.k8s.io", "Lease leases"),
)

YOUNG = ("cronjobs", "poddisruptionbudgets")
"""Kinds whose version v1 is younger than Kubernetes 1.21, so that the cluster is asked which it has."""

Read: TypeAlias = Callable[[str, str], Coroutine[Any, Any, dict[str, Json]]]
"""Gives the JSON at a path; the second argument says what for."""


class Resources:
    """The kinds of one cluster, asked for at most once."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[Resource, ...]] = {}
        self._everything: tuple[Resource, ...] | None = None
        self._silent: tuple[str, ...] = ()

    async def find(self, word: str, read: Read, where: str) -> Resource:
        """The kind that a word names. Raises FaultError when the cluster has none."""
        wanted = word.lower()
        name, _, qualifier = wanted.partition(".")
        found = _match(WELL_KNOWN, name, qualifier)
        if found is not None:
            return await self._served(found, read) if found.plural in YOUNG else found
        if qualifier:
            segment(qualifier)
            found = await self._in_group(name, qualifier, read)
        if found is None:
            if self._everything is None:
                self._everything = await self._ask_everything(read)
            found = _match(self._everything, name, qualifier)
        if found is None:
            silent = f"; these groups did not answer: {', '.join(self._silent)}" if self._silent else ""
            raise refused_here(
                "not-found",
                f"{where}: the server has no resource type {word!r}{silent}; is its operator installed?",
                f'error: the server doesn\'t have a resource type "{name}"',
            )
        return found

    async def _served(self, known: Resource, read: Read) -> Resource:
        """A kind that is known, in the version that this cluster has; as it is known when it cannot say."""
        try:
            return await self._in_group(known.plural, known.group, read) or known
        except KubectlFaultError as error:
            if error.status is None:
                raise
            return known

    async def _in_group(self, name: str, qualifier: str, read: Read) -> Resource | None:
        for group in (qualifier, qualifier.partition(".")[2]):
            if not group:
                continue
            if group not in self._asked:
                try:
                    self._asked[group] = await _of_group(group, read)
                except KubectlFaultError as error:
                    if error.status != 404:
                        raise
                    self._asked[group] = ()
            found = _match(self._asked[group], name, qualifier)
            if found is not None:
                return found
        return None

    async def _ask_everything(self, read: Read) -> tuple[Resource, ...]:
        core = _resources(await read("/api/v1", "read the resources of v1"), "", "v1")
        listed = await read("/apis", "read the API groups")
        groups = [
            str(each.get("name"))
            for each in _objects(listed.get("groups"))
            if isinstance(each.get("name"), str)
        ]
        turn = asyncio.Semaphore(AT_ONCE)
        silent: list[str] = []

        async def ask(group: str) -> tuple[Resource, ...]:
            async with turn:
                try:
                    return await _of_group(group, read)
                except KubectlFaultError as error:
                    if error.fault.kind not in ("server-error", "not-found", "forbidden"):
                        raise
                    silent.append(group)
                    return ()

        found = await asyncio.gather(*(ask(group) for group in groups))
        self._silent = tuple(silent)
        return (*core, *(resource for each in found for resource in each))


async def _of_group(group: str, read: Read) -> tuple[Resource, ...]:
    """The kinds of a group, each in the best version that has it: the preferred one, or the next."""
    about = await read(f"/apis/{segment(group)}", f"read the API group {group}")
    offered = [about.get("preferredVersion"), *_objects(about.get("versions"))]
    named = [str(each.get("version")) for each in offered if isinstance(each, dict)]
    found: dict[str, Resource] = {}
    for version in dict.fromkeys(named or ["v1"]):
        listed = await read(f"/apis/{segment(group)}/{segment(version)}", f"read the resources of {group}")
        for resource in _resources(listed, group, version):
            found.setdefault(resource.plural, resource)
    return tuple(found.values())


def _resources(listed: dict[str, Json], group: str, version: str) -> tuple[Resource, ...]:
    found: list[Resource] = []
    for each in _objects(listed.get("resources")):
        plural = str(each.get("name"))
        if "/" in plural:
            continue
        short = each.get("shortNames")
        found.append(
            Resource(
                group,
                version,
                plural,
                str(each.get("singularName") or each.get("kind", "")).lower(),
                str(each.get("kind")),
                each.get("namespaced") is True,
                tuple(str(name) for name in short) if isinstance(short, list) else (),
            )
        )
    return tuple(found)


def _match(resources: tuple[Resource, ...], name: str, qualifier: str) -> Resource | None:
    for resource in resources:
        if name not in (resource.plural, resource.singular, *resource.short):
            continue
        if qualifier in ("", resource.group, f"{resource.version}.{resource.group}"):
            return resource
    return None


def _objects(value: Json) -> list[dict[str, Json]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
