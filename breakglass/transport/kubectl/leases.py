"""A Kubernetes Lease as a sign on the door: whoever works here shows it, and sees who else does.

It keeps nobody out. It is written only with the version that was read, so that two who come at once do not
both take it; one that is not renewed runs out. Source of the fields: `LeaseSpec` in
`staging/src/k8s.io/api/coordination/v1/types.go` of Kubernetes 1.34.
"""

from datetime import UTC, datetime, timedelta

from breakglass.site.model import Cluster
from breakglass.transport.kubectl.api import Api, Method, Sending
from breakglass.transport.kubectl.faults import KubectlFaultError
from breakglass.values import Json

LASTS = 60
"""Seconds for which a Lease counts after it was last renewed."""
TRIES = 3
"""How often a Lease that changes while it is being written is read anew."""


class Lease:
    """One Lease, as one holder sees it. Close it in the end.

    holder: who shows it, in words for the others.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, holder: str) -> None:
        self._api = Api(cluster)
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._holder = holder
        self.held = False
        """Whether it was ours when it was last written."""

    async def look(self) -> str:
        """Who else holds it; empty where nobody does. Reads only. Raises FaultError."""
        found = await self._read()
        return _other(found, self._holder) if found is not None else ""

    async def take(self) -> str:
        """Take or renew it, unless somebody else holds it: then who. Raises FaultError."""
        for left in range(TRIES - 1, -1, -1):
            found = await self._read()
            other = _other(found, self._holder) if found is not None else ""
            if other:
                self.held = False
                return other
            try:
                await self._write(found, self._holder, LASTS)
            except KubectlFaultError as error:
                if error.fault.kind != "conflict" or not left:
                    raise
            else:
                self.held = True
                break
        return ""

    async def release(self) -> None:
        """Let go of it, where it is ours. Raises FaultError."""
        found = await self._read() if self.held else None
        if found is not None and _spec(found).get("holderIdentity") == self._holder:
            await self._write(found, "", 1)
        self.held = False

    async def close(self) -> None:
        await self._api.close()

    async def _read(self) -> dict[str, Json] | None:
        try:
            return await self._api.json("GET", f"{self._folder}/{self._name}", Sending("read the Lease"))
        except KubectlFaultError as error:
            if error.fault.kind == "not-found":
                return None
            raise

    async def _write(self, found: dict[str, Json] | None, holder: str, lasts: int) -> None:
        now = f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        spec: dict[str, Json] = {"holderIdentity": holder, "leaseDurationSeconds": lasts, "renewTime": now}
        metadata: Json = {"name": self._name}
        method: Method = "POST"
        path = self._folder
        if found is not None:
            method, path, metadata = "PUT", f"{self._folder}/{self._name}", found.get("metadata")
            spec = {**_spec(found), **spec}
        if found is None or _spec(found).get("holderIdentity") != holder:
            spec["acquireTime"] = now
        body: Json = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": spec,
        }
        await self._api.json(method, path, Sending("write the Lease"), body=body)


def _spec(lease: dict[str, Json]) -> dict[str, Json]:
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}


def _other(lease: dict[str, Json], holder: str) -> str:
    """Who else holds a Lease that has not run out. One whose times cannot be read counts as held."""
    spec = _spec(lease)
    other = spec.get("holderIdentity")
    if not isinstance(other, str) or not other or other == holder:
        return ""
    renewed, lasts = spec.get("renewTime"), spec.get("leaseDurationSeconds")
    if not isinstance(renewed, str) or not isinstance(lasts, int):
        return other
    try:
        ends = datetime.fromisoformat(renewed) + timedelta(seconds=lasts)
    except (ValueError, OverflowError):
        return other
    return other if ends.tzinfo is None or ends > datetime.now(UTC) else ""
