"""`kubectl describe`: objects with what belongs to them and their events, for a person to read.

Source: `staging/src/k8s.io/kubectl/pkg/describe/describe.go` of Kubernetes 1.32. Pods, nodes, deployments,
replica sets, stateful sets, daemon sets, jobs, cron jobs, services, ingresses, claims, volumes, config maps,
secrets and namespaces look as they do there. What differs, on purpose:

- every other kind is shown field by field, as kubectl shows what it does not know;
- the token of a service account's secret is a size, like every value of a secret;
- what could not be read is said (`<not read: ...>`), where kubectl shows none;
- a name is a whole name, where kubectl also takes the beginning of one;
- sizes stand as the server writes them; volumes of rare kinds, such as RBD, are shown field by field, and the
  claims of ephemeral volumes are indented evenly.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from breakglass.kubernetes_objects import Object, at, mapping, name_of, namespace_of, objects, text, uid_of
from breakglass.policy.kubectl.operations import Describe, Selection, Target
from breakglass.transport.kubectl.describe import network, nodes, plain, pods, workloads
from breakglass.transport.kubectl.describe.events import add_events
from breakglass.transport.kubectl.describe.sheet import Sheet, is_controlled_by
from breakglass.transport.kubectl.faults import KubectlFaultError
from breakglass.transport.kubectl.find import many, one, selector_text
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.verb_rollout import without_hash

NODE_LEASES = "kube-node-lease"
SERVICE_NAME = "kubernetes.io/service-name"
Form: TypeAlias = Callable[[KubectlRun, Sheet, Object], Coroutine[Any, Any, None]]
"""Reads what belongs to an object, and writes its description."""


async def describe(run: KubectlRun, request: Describe) -> VerbResult:
    """Print the descriptions. Raises FaultError after what could be printed is printed."""
    found: list[tuple[Resource, Object]] = []
    failures: list[KubectlFaultError] = []
    chosen = request.selection
    for word, target in [(each.resource, each) for each in chosen.targets] or [
        (kind, None) for kind in chosen.kinds
    ]:
        resource = await run.find(word)
        try:
            values = [await one(run, resource, target)] if target else await many(run, resource, chosen)
        except KubectlFaultError as error:
            failures.append(error)
            continue
        found += [(resource, value) for value in values]
    for index, (resource, value) in enumerate(found):
        sheet = Sheet()
        await _FORMS.get((resource.group, resource.kind), _alone(plain.add_plain))(run, sheet, value)
        if request.events and (resource.group, resource.kind) not in _WITHOUT_EVENTS:
            add_events(sheet, await _events(run, resource, value))
        run.out(("\n\n" if index else "") + sheet.text())
    if not found and not failures:
        where = (
            "" if chosen.all_namespaces else f" in {await run.namespace(given=chosen.namespace)} namespace"
        )
        run.err(f"No resources found{where}.")
    for failed in failures[:-1]:
        run.err(failed.said)
    if failures:
        raise failures[-1]
    return VerbResult()


async def _listed(run: KubectlRun, kind: str, chosen: Selection) -> list[Object] | str:
    """Objects that belong to what is described, or why they cannot be read."""
    try:
        return await many(run, await run.find(kind), chosen)
    except KubectlFaultError as error:
        return error.said.removeprefix("Error from server ")


async def _events(run: KubectlRun, resource: Resource, value: Object) -> list[Object] | str:
    fields = {"involvedObject.name": name_of(value), "involvedObject.namespace": namespace_of(value)}
    if resource.kind != "Pod":
        fields["involvedObject.kind"] = resource.kind
    uids = [text(value, "metadata", "annotations", pods.MIRROR) or uid_of(value)]
    if resource.kind == "Node":
        uids.append(name_of(value))  # the kubelet gives the name in place of the uid
    found: list[Object] = []
    for uid in uids:
        wanted = ",".join(f"{name}={each}" for name, each in {**fields, "involvedObject.uid": uid}.items())
        namespace = namespace_of(value)
        chosen = Selection(
            kinds=("events",), namespace=namespace, all_namespaces=not namespace, fields=wanted
        )
        listed = await _listed(run, "events", chosen)
        if isinstance(listed, str):
            return listed
        found += listed
    return found


def _alone(add: Callable[[Sheet, Object], None]) -> Form:
    """The form of a kind to which nothing else belongs."""

    async def form(run: KubectlRun, sheet: Sheet, value: Object) -> None:
        add(sheet, value)

    return form


async def _node(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    name = name_of(value)
    fields = f"spec.nodeName={name},status.phase!=Failed,status.phase!=Succeeded"
    there = await _listed(run, "pods", Selection(kinds=("pods",), all_namespaces=True, fields=fields))
    lease: Object | str
    try:
        lease = await one(run, await run.find("leases"), Target("leases", name, NODE_LEASES))
    except KubectlFaultError as error:
        lease = error.said.removeprefix("Error from server ").partition("): ")[2] or error.said
    nodes.add_node(sheet, value, lease, f"<not read: {there}>" if isinstance(there, str) else there)


async def _own_pods(run: KubectlRun, value: Object) -> workloads.Pods:
    labels = selector_text(at(value, "spec", "selector"))
    chosen = Selection(kinds=("pods",), namespace=namespace_of(value), labels=labels)
    listed = await _listed(run, "pods", chosen)
    if isinstance(listed, str):
        return workloads.Pods(unread=listed)
    phases = [text(pod, "status", "phase") for pod in listed if is_controlled_by(pod, uid_of(value))]
    running, waiting, succeeded, failed = map(phases.count, ("Running", "Pending", "Succeeded", "Failed"))
    return workloads.Pods(running, waiting, succeeded, failed)


async def _deployment(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    labels = selector_text(at(value, "spec", "selector"))
    chosen = Selection(kinds=("replicasets",), namespace=namespace_of(value), labels=labels)
    listed = await _listed(run, "replicasets.apps", chosen)
    own = (
        [] if isinstance(listed, str) else [each for each in listed if is_controlled_by(each, uid_of(value))]
    )
    template = without_hash(mapping(value, "spec", "template"))
    new = next(
        (
            each
            for each in sorted(own, key=lambda each: text(each, "metadata", "creationTimestamp"))
            if without_hash(mapping(each, "spec", "template")) == template
        ),
        None,
    )
    workloads.add_deployment(sheet, value, [each for each in own if each is not new], new)
    if isinstance(listed, str):
        sheet.field("NewReplicaSet", f"<not read: {listed}>")


async def _replica_set(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    workloads.add_replica_set(sheet, value, await _own_pods(run, value))


async def _stateful_set(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    workloads.add_stateful_set(sheet, value, await _own_pods(run, value))


async def _daemon_set(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    workloads.add_daemon_set(sheet, value, await _own_pods(run, value))


async def _slices(run: KubectlRun, namespace: str, name: str) -> list[Object] | str:
    """The endpoint slices of a service; of a server that is too old for them, its endpoints in that form."""
    chosen = Selection(kinds=("endpointslices",), namespace=namespace, labels=f"{SERVICE_NAME}={name}")
    try:
        return await many(run, await run.find("endpointslices.discovery.k8s.io"), chosen)
    except KubectlFaultError as error:
        if error.fault.kind != "not-found":
            return error.said.removeprefix("Error from server ")
    try:
        endpoints = await one(run, await run.find("endpoints"), Target("endpoints", name, namespace))
    except KubectlFaultError as error:
        return [] if error.status == 404 else error.said.removeprefix("Error from server ")
    return [
        {
            "ports": at(subset, "ports") or [],
            "endpoints": [{"addresses": [text(each, "ip")]} for each in objects(subset, "addresses")],
        }
        for subset in objects(endpoints, "subsets")
    ]


async def _service(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    network.add_service(sheet, value, await _slices(run, namespace_of(value), name_of(value)))


async def _ingress(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    behind: dict[str, network.Behind] = {}
    for name in network.services_of(value):
        slices = await _slices(run, namespace_of(value), name)
        try:
            service = await one(
                run, await run.find("services"), Target("services", name, namespace_of(value))
            )
        except KubectlFaultError as error:
            behind[name] = network.Behind(unread=error.said.partition("): ")[2] or error.said)
            continue
        unread = slices if isinstance(slices, str) else ""
        behind[name] = network.Behind(service, [] if isinstance(slices, str) else slices, unread)
    network.add_ingress(sheet, value, behind)


async def _namespace(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    quotas = await _listed(
        run, "resourcequotas", Selection(kinds=("resourcequotas",), namespace=name_of(value))
    )
    limits = await _listed(run, "limitranges", Selection(kinds=("limitranges",), namespace=name_of(value)))
    plain.add_namespace(sheet, value, quotas, limits)


async def _claim(run: KubectlRun, sheet: Sheet, value: Object) -> None:
    listed = await _listed(run, "pods", Selection(kinds=("pods",), namespace=namespace_of(value)))
    if isinstance(listed, str):
        plain.add_persistent_claim(sheet, value, listed)
        return
    using: list[str] = []
    for pod in listed:
        claims = [
            text(each, "persistentVolumeClaim", "claimName") for each in objects(pod, "spec", "volumes")
        ]
        if name_of(value) in claims or any(
            text(owner, "uid") == uid_of(pod) for owner in objects(value, "metadata", "ownerReferences")
        ):
            using.append(name_of(pod))
    plain.add_persistent_claim(sheet, value, using)


_FORMS: Mapping[tuple[str, str], Form] = {
    ("", "Pod"): _alone(pods.add_pod),
    ("", "Node"): _node,
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("", "ConfigMap"): _alone(plain.add_config_map),
    ("", "Secret"): _alone(plain.add_secret),
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _alone(plain.add_persistent_volume),
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _alone(workloads.add_job),
    ("batch", "CronJob"): _alone(workloads.add_cron_job),
    ("networking.k8s.io", "Ingress"): _ingress,
}
_WITHOUT_EVENTS = frozenset([("", "Secret"), ("", "Namespace")])

VERBS: Verbs = {Describe: describe}
