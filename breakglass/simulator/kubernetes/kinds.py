"""Which resources the simulated API serves. Source: the discovery documents of Kubernetes 1.34."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from breakglass.kubernetes_objects import Object, text


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """One resource of the API.

    group: empty for the core group. plural: the path segment, such as `pods`. kind: `Pod`.
    subresources: names below an object, such as `status`, `scale`, `log`.
    stored: False for reviews, which are only ever created and answered.
    columns: of `kubectl get` between name and age, for a scenario's own resource: title and path.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    in_all: bool = False
    stored: bool = True
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name as errors write it: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_custom(self) -> bool:
        """Whether it would be defined by a CustomResourceDefinition on a real server."""
        return "." in self.group and not self.group.endswith(".k8s.io")

    @property
    def singular(self) -> str:
        return self.kind.lower()


NAMESPACED, CLUSTER = True, False
STATUS = ("status",)
SCALED = ("scale", "status")
PARTS_OF_A_POD = ("eviction", "exec", "log", "portforward", "status")

BUILT_IN: tuple[ResourceKind, ...] = (
    ResourceKind("", "v1", "configmaps", "ConfigMap", NAMESPACED, ("cm",)),
    ResourceKind("", "v1", "endpoints", "Endpoints", NAMESPACED, ("ep",)),
    ResourceKind("", "v1", "events", "Event", NAMESPACED, ("ev",)),
    ResourceKind("", "v1", "limitranges", "LimitRange", NAMESPACED, ("limits",)),
    ResourceKind("", "v1", "namespaces", "Namespace", CLUSTER, ("ns",), STATUS),
    ResourceKind("", "v1", "nodes", "Node", CLUSTER, ("no",), STATUS),
    ResourceKind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", NAMESPACED, ("pvc",), STATUS),
    ResourceKind("", "v1", "persistentvolumes", "PersistentVolume", CLUSTER, ("pv",), STATUS),
    ResourceKind("", "v1", "pods", "Pod", NAMESPACED, ("po",), PARTS_OF_A_POD, in_all=True),
    ResourceKind("", "v1", "replicationcontrollers", "ReplicationController", NAMESPACED, ("rc",), SCALED),
    ResourceKind("", "v1", "resourcequotas", "ResourceQuota", NAMESPACED, ("quota",), STATUS),
    ResourceKind("", "v1", "secrets", "Secret"),
    ResourceKind("", "v1", "serviceaccounts", "ServiceAccount", NAMESPACED, ("sa",)),
    ResourceKind("", "v1", "services", "Service", NAMESPACED, ("svc",), STATUS, in_all=True),
    ResourceKind("apps", "v1", "controllerrevisions", "ControllerRevision"),
    ResourceKind("apps", "v1", "daemonsets", "DaemonSet", NAMESPACED, ("ds",), STATUS, in_all=True),
    ResourceKind("apps", "v1", "deployments", "Deployment", NAMESPACED, ("deploy",), SCALED, in_all=True),
    ResourceKind("apps", "v1", "replicasets", "ReplicaSet", NAMESPACED, ("rs",), SCALED, in_all=True),
    ResourceKind("apps", "v1", "statefulsets", "StatefulSet", NAMESPACED, ("sts",), SCALED, in_all=True),
    ResourceKind(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        CLUSTER,
        stored=False,
    ),
    ResourceKind(
        "authorization.k8s.io",
        "v1",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        CLUSTER,
        stored=False,
    ),
    ResourceKind("batch", "v1", "cronjobs", "CronJob", NAMESPACED, ("cj",), STATUS, in_all=True),
    ResourceKind("batch", "v1", "jobs", "Job", NAMESPACED, (), STATUS, in_all=True),
    ResourceKind("coordination.k8s.io", "v1", "leases", "Lease"),
    ResourceKind("networking.k8s.io", "v1", "ingresses", "Ingress", NAMESPACED, ("ing",), STATUS),
    ResourceKind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", NAMESPACED, ("netpol",)),
    ResourceKind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", NAMESPACED, ("pdb",), STATUS),
    ResourceKind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", CLUSTER),
    ResourceKind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", CLUSTER),
    ResourceKind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    ResourceKind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    ResourceKind("storage.k8s.io", "v1", "csidrivers", "CSIDriver", CLUSTER),
    ResourceKind("storage.k8s.io", "v1", "csinodes", "CSINode", CLUSTER),
    ResourceKind("storage.k8s.io", "v1", "storageclasses", "StorageClass", CLUSTER, ("sc",)),
    ResourceKind("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", CLUSTER, (), STATUS),
)


class Kinds:
    """The resources that one server serves: the built-in ones and a scenario's own."""

    def __init__(self, extra: Iterable[ResourceKind] = ()) -> None:
        self._by_plural: dict[tuple[str, str], ResourceKind] = {}
        self._by_kind: dict[tuple[str, str], ResourceKind] = {}
        for kind in (*BUILT_IN, *extra):
            self.add(kind)

    def add(self, kind: ResourceKind) -> None:
        self._by_plural[kind.group, kind.plural] = kind
        self._by_kind[kind.group, kind.kind] = kind

    def __iter__(self) -> Iterator[ResourceKind]:
        return iter(self._by_plural.values())

    def find(self, group: str, plural: str) -> ResourceKind | None:
        return self._by_plural.get((group, plural))

    def named(self, kind: str, group: str | None = None) -> ResourceKind:
        """The resource of a kind such as `Pod`. KeyError where there is none."""
        if group is not None:
            return self._by_kind[group, kind]
        return next(found for (_, name), found in self._by_kind.items() if name == kind)

    def of(self, value: Object) -> ResourceKind:
        """The resource that an object belongs to, by its `apiVersion` and `kind`. KeyError where none."""
        group, _, _ = text(value, "apiVersion").rpartition("/")
        return self._by_kind[group, text(value, "kind")]

    def groups(self) -> dict[str, str]:
        """Each named group with its version."""
        return {kind.group: kind.version for kind in self._by_plural.values() if kind.group}


def custom_kind(
    group: str,
    version: str,
    plural: str,
    kind: str,
    *,
    namespaced: bool = True,
    short_names: tuple[str, ...] = (),
    columns: tuple[tuple[str, str], ...] = (),
) -> ResourceKind:
    """A resource of a scenario's own, such as `external-secrets.io` `externalsecrets`."""
    return ResourceKind(group, version, plural, kind, namespaced, short_names, STATUS, columns=columns)
