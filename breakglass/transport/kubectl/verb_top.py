"""`kubectl top`: what pods and nodes use, as the metrics server has measured it.

Source: `staging/src/k8s.io/kubectl/pkg/{cmd/top,metricsutil}` of Kubernetes 1.34.
"""

from decimal import ROUND_CEILING, Decimal

from breakglass.kubernetes_objects import Object, mapping, name_of, namespace_of, objects
from breakglass.policy.kubectl.operations import Selection, Target, Top
from breakglass.transport.kubectl.faults import KubectlFaultError, refused_here
from breakglass.transport.kubectl.find import NODES, many, one, place
from breakglass.transport.kubectl.printing import table
from breakglass.transport.kubectl.resources import Resource
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs
from breakglass.transport.kubectl.sorting import quantity
from breakglass.values import Json

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
MEASURED_PODS = Resource(GROUP, VERSION, "pods", "pod", "PodMetrics", True)
MEASURED_NODES = Resource(GROUP, VERSION, "nodes", "node", "NodeMetrics", False)
MIB = 1024 * 1024


async def top(run: KubectlRun, request: Top) -> VerbResult:
    """Print what is used. Raises FaultError, saying so where nothing measures it."""
    try:
        rows = await (_nodes(run, request) if request.of_nodes else _pods(run, request))
    except KubectlFaultError as error:
        if (error.status == 404 and error.reason != "NotFound") or error.status == 503:
            message = f"{run.where}: nothing measures here: is the metrics server running?"
            raise refused_here("not-found", message, "error: Metrics API not available") from None
        raise
    # kubectl ends each cell, also the last one, with its padding.
    run.out(table([[*row, ""] for row in rows]))
    return VerbResult()


async def _measured(run: KubectlRun, request: Top, resource: Resource) -> list[Object]:
    selection = request.selection
    if selection.target is None:
        return await many(run, resource, selection)
    name = selection.target.name
    path = resource.path(await place(run, resource, selection.target.namespace), name)
    return [await run.read(path, f"get the metrics of {resource.plural} {name}")]


async def _pods(run: KubectlRun, request: Top) -> list[list[str]]:
    found = await _measured(run, request, MEASURED_PODS)
    everywhere = request.selection.all_namespaces
    if not found:
        where = (
            "" if everywhere else f" in {await run.namespace(given=request.selection.namespace)} namespace"
        )
        run.err(f"No resources found{where}.")
        return []
    header = [*(["NAMESPACE"] if everywhere else [])]
    header += ["POD", "NAME"] if request.containers else ["NAME"]
    rows = [[*header, "CPU(cores)", "MEMORY(bytes)"]] if request.headers else []
    for each in sorted(found, key=lambda one: (namespace_of(one), name_of(one))):
        before = [*([namespace_of(each)] if everywhere else []), name_of(each)]
        usages = [
            (str(part.get("name") or ""), mapping(part, "usage")) for part in objects(each, "containers")
        ]
        if request.containers:
            rows += [[*before, name, *_used([usage])] for name, usage in usages]
        else:
            rows.append([*before, *_used([usage for _, usage in usages])])
    return rows


async def _nodes(run: KubectlRun, request: Top) -> list[list[str]]:
    measured = {
        name_of(each): mapping(each, "usage") for each in await _measured(run, request, MEASURED_NODES)
    }
    target = request.selection.target
    nodes = (
        [await one(run, NODES, Target("nodes", target.name))]
        if target is not None
        else await many(run, NODES, Selection(kinds=("nodes",), labels=request.selection.labels))
    )
    room = {name_of(node): mapping(node, "status", "allocatable") for node in nodes}
    rows = [["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]] if request.headers else []
    for name in sorted(measured):
        cpu, memory = _used([measured[name]])
        shares = [
            _share(measured[name].get(what), room.get(name, {}).get(what)) for what in ("cpu", "memory")
        ]
        rows.append([name, cpu, shares[0], memory, shares[1]])
    rows += [[name, *(["<unknown>"] * 4)] for name in sorted(room.keys() - measured.keys())]
    return rows


def _used(usages: list[Object]) -> tuple[str, str]:
    """Processor in thousandths, rounded up, and memory in whole MiB."""
    cpu = sum((quantity(each.get("cpu")) or Decimal() for each in usages), Decimal())
    memory = sum((quantity(each.get("memory")) or Decimal() for each in usages), Decimal())
    return f"{(cpu * 1000).to_integral_value(ROUND_CEILING)}m", f"{int(memory) // MIB}Mi"


def _share(used: Json, there: Json) -> str:
    whole = quantity(there)
    if not whole:
        return "<unknown>"
    return f"{int((quantity(used) or Decimal()) * 100 / whole)}%"


VERBS: Verbs = {Top: top}
