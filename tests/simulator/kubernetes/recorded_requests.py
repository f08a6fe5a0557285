"""Requests to which a real API server's answers are kept in `recorded.jsonl`, in the order of their sending.

`python -m tools.record_kubernetes FOLDER` sends them to a real one and writes the answers anew;
`test_recorded.py` sends them to the simulated one and compares.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from breakglass.kubernetes_objects import Object
from breakglass.values import Json

PLACE = "recorded"
"""The namespace in which all of it happens. It is made first and deleted last."""
UID = "00000000-0000-4000-8000-000000000000"
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. user: `admin`, who may do all, or `oncall`, who may nothing. text: a body as it is."""

    name: str
    method: str
    path: str
    body: Json = None
    content: str = JSON
    accept: str = JSON
    user: str = "admin"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind, an object of it, and a change to it as a merge patch."""

    api: str
    plural: str
    kind: str
    spec: Object
    change: Object
    namespaced: bool = True

    @property
    def folder(self) -> str:
        root = f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"
        return f"{root}/namespaces/{PLACE}/{self.plural}" if self.namespaced else f"{root}/{self.plural}"

    def object(self, name: str, **metadata: Json) -> Object:
        return {
            "apiVersion": self.api,
            "kind": self.kind,
            "metadata": {"name": name, "labels": {"app": name}, **metadata},
            **self.spec,
        }


POD: Object = {"containers": [{"name": "main", "image": "lab/busybox:1", "imagePullPolicy": "Never"}]}
TEMPLATE: Object = {"metadata": {"labels": {"app": "x"}}, "spec": POD}
SELECTOR: Object = {"matchLabels": {"app": "x"}}
NOWHERE: Object = {**POD, "nodeSelector": {"recorded": "nowhere"}}
"""A pod that no node takes, so that it stays as it is."""

KINDS = (
    Kind("v1", "configmaps", "ConfigMap", {"data": {"a": "b"}}, {"data": {"c": "d"}}),
    Kind("v1", "secrets", "Secret", {"data": {"a": "Yg=="}}, {"data": {"c": "ZA=="}}),
    Kind(
        "v1",
        "services",
        "Service",
        {"spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}},
        {"spec": {"selector": {"app": "y"}}},
    ),
    Kind("v1", "pods", "Pod", {"spec": NOWHERE}, {"metadata": {"annotations": {"c": "d"}}}),
    Kind(
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "none",
            }
        },
        {"metadata": {"annotations": {"c": "d"}}},
    ),
    Kind("v1", "serviceaccounts", "ServiceAccount", {}, {"metadata": {"annotations": {"c": "d"}}}),
    Kind(
        "apps/v1",
        "deployments",
        "Deployment",
        {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}},
        {"spec": {"minReadySeconds": 3}},
    ),
    Kind(
        "apps/v1",
        "statefulsets",
        "StatefulSet",
        {"spec": {"replicas": 0, "serviceName": "x", "selector": SELECTOR, "template": TEMPLATE}},
        {"metadata": {"annotations": {"c": "d"}}},
    ),
    Kind(
        "apps/v1",
        "daemonsets",
        "DaemonSet",
        {"spec": {"selector": SELECTOR, "template": {**TEMPLATE, "spec": NOWHERE}}},
        {"spec": {"minReadySeconds": 3}},
    ),
    Kind(
        "batch/v1",
        "jobs",
        "Job",
        {"spec": {"parallelism": 0, "template": {"spec": {**POD, "restartPolicy": "Never"}}}},
        {"spec": {"activeDeadlineSeconds": 99}},
    ),
    Kind(
        "networking.k8s.io/v1",
        "ingresses",
        "Ingress",
        {"spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}},
        {"metadata": {"annotations": {"c": "d"}}},
    ),
    Kind(
        "coordination.k8s.io/v1",
        "leases",
        "Lease",
        {"spec": {"holderIdentity": "a"}},
        {"spec": {"holderIdentity": "b"}},
    ),
    Kind(
        "storage.k8s.io/v1",
        "storageclasses",
        "StorageClass",
        {"provisioner": "csi.lab.example"},
        {"allowVolumeExpansion": True},
        namespaced=False,
    ),
    Kind(
        "v1",
        "persistentvolumes",
        "PersistentVolume",
        {
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/srv"},
                "storageClassName": "none",
            }
        },
        {"metadata": {"annotations": {"c": "d"}}},
        namespaced=False,
    ),
)


def requests() -> Iterator[Asked]:
    """All requests. Each name stands once."""
    space: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}}
    yield Asked("the namespace is made", "POST", "/api/v1/namespaces", space)
    yield from _about_the_server()
    for kind in KINDS:
        for asked in _of_a_kind(kind):
            yield replace(asked, name=f"{kind.plural}: {asked.name}")
    yield from _refused()
    yield from _scaled()
    yield from _applied()
    yield from _in_pages()
    yield Asked("the namespace is deleted", "DELETE", f"/api/v1/namespaces/{PLACE}")


def _about_the_server() -> Iterator[Asked]:
    for path in ("/healthz", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/apis/batch/v1"):
        yield Asked(f"GET {path}", "GET", path)
    for path in ("/apis/coordination.k8s.io/v1", "/apis/networking.k8s.io/v1", "/apis/storage.k8s.io/v1"):
        yield Asked(f"GET {path}", "GET", path)
    for path in ("/nothing", "/apis/nothing", "/apis/apps/v9", "/api/v1/gadgets", "/apis/apps/v1/gadgets"):
        yield Asked(f"GET {path}", "GET", path)
    for verb, group, resource, name in (
        ("get", "", "pods", ""),
        ("delete", "apps", "deployments", "x"),
        ("create", "", "pods/exec", ""),
    ):
        where: Object = {"namespace": PLACE, "verb": verb, "group": group, "name": name}
        resource, _, part = resource.partition("/")
        where |= {"resource": resource, "subresource": part}
        review: Object = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": where},
        }
        for user in ("admin", "oncall"):
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            yield Asked(f"may {user} {verb} {resource} {part}", "POST", path, review, user=user)


def _of_a_kind(kind: Kind) -> Iterator[Asked]:
    """The life of one object, and what is refused on the way."""
    folder, here = kind.folder, f"{kind.folder}/one"
    one = kind.object("one")
    version: Object = {"metadata": {"resourceVersion": "1"}}
    stale = kind.object("one", resourceVersion="1")
    yield Asked("get one that is not there", "GET", here)
    yield Asked("delete one that is not there", "DELETE", here)
    yield Asked("patch one that is not there", "PATCH", here, kind.change, MERGE)
    yield Asked("list none", "GET", f"{folder}?labelSelector=app%3Done")
    yield Asked("create as a dry run", "POST", f"{folder}?dryRun=All", one)
    yield Asked("the dry run made none", "GET", here)
    yield Asked("create", "POST", folder, one)
    yield Asked("create again", "POST", folder, one)
    yield Asked("create without a name", "POST", folder, {**one, "metadata": {}})
    yield Asked("create with a name that is none", "POST", folder, kind.object("No Name"))
    yield Asked("create of another kind", "POST", folder, {**one, "kind": "Gadget"})
    yield Asked("create with a label that is none", "POST", folder, kind.object("two", labels={"a": "b c"}))
    yield Asked("get", "GET", here)
    yield Asked("list by label", "GET", f"{folder}?labelSelector=app%3Done")
    yield Asked("list by name", "GET", f"{folder}?fieldSelector=metadata.name%3Done")
    yield Asked("list by a field that there is not", "GET", f"{folder}?fieldSelector=spec.nothing%3Done")
    yield Asked("list by a label that is none", "GET", f"{folder}?labelSelector=a%3D%3D%3Db")
    yield Asked("get as a table", "GET", here, accept=TABLE)
    yield Asked("patch as a dry run", "PATCH", f"{here}?dryRun=All", kind.change, MERGE)
    yield Asked("merge patch", "PATCH", here, kind.change, MERGE)
    yield Asked("strategic patch", "PATCH", here, {"metadata": {"labels": {"e": "f"}}}, STRATEGIC)
    operations: Json = [{"op": "add", "path": "/metadata/labels/g", "value": "h"}]
    yield Asked("JSON patch", "PATCH", here, operations, JSON_PATCH)
    missing: Json = [{"op": "remove", "path": "/metadata/labels/nothing"}]
    yield Asked("JSON patch that leads nowhere", "PATCH", here, missing, JSON_PATCH)
    yield Asked("patch of an old version", "PATCH", here, version, MERGE)
    yield Asked("patch of another uid", "PATCH", here, {"metadata": {"uid": UID}}, MERGE)
    yield Asked("patch of no known form", "PATCH", here, kind.change, "application/json")
    yield Asked("patch that is no JSON", "PATCH", here, None, MERGE, text="{")
    yield Asked("update of an old version", "PUT", here, stale)
    yield Asked("update under another name", "PUT", here, kind.object("two"))
    yield Asked("get is not allowed", "GET", here, user="oncall")
    yield Asked("list is not allowed", "GET", folder, user="oncall")
    yield Asked("delete is not allowed", "DELETE", here, user="oncall")
    yield Asked("delete of another uid", "DELETE", here, {"preconditions": {"uid": UID}})
    yield Asked("delete as a dry run", "DELETE", here, {"dryRun": ["All"]})
    yield Asked("delete", "DELETE", here, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})


def _refused() -> Iterator[Asked]:
    maps, pods = f"/api/v1/namespaces/{PLACE}/configmaps", f"/api/v1/namespaces/{PLACE}/pods"
    settings: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"a": "b"},
    }
    yield Asked("a body that is no JSON", "POST", maps, text="{")
    yield Asked("a body in a form that is not known", "POST", maps, content="text/csv", text="a,b")
    yield Asked("a value of the wrong type", "POST", maps, {**settings, "data": {"a": 1}})
    yield Asked("a namespace that is not there", "POST", "/api/v1/namespaces/gone/configmaps", settings)
    elsewhere: Object = {**settings, "metadata": {"name": "settings", "namespace": "default"}}
    yield Asked("another namespace than that of the path", "POST", maps, elsewhere)
    yield Asked("a method that is not allowed", "PUT", maps, settings)
    yield Asked("a dry run that is misspelt", "POST", f"{maps}?dryRun=Some", settings)
    yield Asked(
        "a pod without containers",
        "POST",
        pods,
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {}},
    )
    yield Asked("the log of a pod that is not there", "GET", f"{pods}/gone/log")
    eviction: Object = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "gone"}}
    yield Asked("the eviction of a pod that is not there", "POST", f"{pods}/gone/eviction", eviction)


def _scaled() -> Iterator[Asked]:
    kind = next(each for each in KINDS if each.plural == "deployments")
    scale = f"{kind.folder}/scaled/scale"
    yield Asked("scale: create", "POST", kind.folder, kind.object("scaled"))
    yield Asked("scale: get", "GET", scale)
    yield Asked("scale: patch as a dry run", "PATCH", f"{scale}?dryRun=All", {"spec": {"replicas": 2}}, MERGE)
    yield Asked("scale: below nothing", "PATCH", scale, {"spec": {"replicas": -1}}, MERGE)
    yield Asked("scale: of the wrong type", "PATCH", scale, {"spec": {"replicas": "many"}}, MERGE)
    yield Asked("scale: of an old version", "PATCH", scale, {"metadata": {"resourceVersion": "1"}}, MERGE)
    yield Asked("scale: of one that is not there", "GET", f"{kind.folder}/gone/scale")
    yield Asked("scale: not allowed", "PATCH", scale, {"spec": {"replicas": 1}}, MERGE, user="oncall")
    yield Asked("scale: delete", "DELETE", f"{kind.folder}/scaled")


def _applied() -> Iterator[Asked]:
    """Server-side apply: by one manager, then by another."""
    here = f"/api/v1/namespaces/{PLACE}/configmaps/applied"

    def wanted(**data: Json) -> Object:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}

    def apply(name: str, query: str, body: Object) -> Asked:
        return Asked(f"apply: {name}", "PATCH", f"{here}{query}", body, APPLY)

    yield apply("without a manager", "", wanted(a="1"))
    yield apply("as a dry run", "?fieldManager=one&dryRun=All", wanted(a="1"))
    yield apply("one that is not there", "?fieldManager=one", wanted(a="1", b="2"))
    yield apply("the same again", "?fieldManager=one", wanted(a="1", b="2"))
    yield apply("without a field of before", "?fieldManager=one", wanted(a="1", c="3"))
    yield apply("a field of another", "?fieldManager=two", wanted(a="9"))
    yield apply("a field of another, with force", "?fieldManager=two&force=true", wanted(a="9"))
    yield apply("the same value as another", "?fieldManager=one", wanted(a="9", c="3"))
    yield apply("not what another has as well", "?fieldManager=one", wanted(c="3"))
    yield apply("under another name", "?fieldManager=one", {**wanted(a="1"), "metadata": {"name": "other"}})
    yield apply(
        "of another uid", "?fieldManager=one", {**wanted(a="1"), "metadata": {"name": "applied", "uid": UID}}
    )
    yield Asked("apply: get", "GET", here)
    yield Asked(
        "apply: not allowed", "PATCH", f"{here}?fieldManager=one", wanted(a="1"), APPLY, user="oncall"
    )
    kind = next(each for each in KINDS if each.plural == "deployments")
    there = f"{kind.folder}/applied?fieldManager=one"
    two: Object = {"containers": [{"name": "main", "image": "a:1"}, {"name": "side", "image": "b:1"}]}
    one: Object = {"containers": [{"name": "main", "image": "a:2"}]}
    for name, spec in (("with two containers", two), ("with one container", one)):
        body = kind.object("applied")
        body["spec"] = {"replicas": 0, "selector": SELECTOR, "template": {**TEMPLATE, "spec": spec}}
        yield Asked(f"apply: a deployment {name}", "PATCH", there, body, APPLY)


def _in_pages() -> Iterator[Asked]:
    folder = f"/api/v1/namespaces/{PLACE}/configmaps"
    for number in range(3):
        body: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"page{number}", "labels": {"in": "pages"}},
        }
        yield Asked(f"pages: create {number}", "POST", folder, body)
    yield Asked("pages: the first two", "GET", f"{folder}?labelSelector=in%3Dpages&limit=2")
    yield Asked("pages: a token that is none", "GET", f"{folder}?limit=2&continue=none")
    yield Asked("pages: a limit that is none", "GET", f"{folder}?limit=many")
    yield Asked("pages: delete them", "DELETE", f"{folder}?labelSelector=in%3Dpages")
    yield Asked("pages: none is left", "GET", f"{folder}?labelSelector=in%3Dpages")
