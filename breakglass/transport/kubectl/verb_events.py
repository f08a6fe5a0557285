"""`kubectl events`: what the cluster has noted down, the oldest first.

Source: `staging/src/k8s.io/kubectl/pkg/cmd/events` of Kubernetes 1.34.
"""

from datetime import UTC, datetime

from breakglass.kubernetes_objects import Object, mapping, namespace_of, text
from breakglass.policy.kubectl.operations import Events, Selection
from breakglass.transport.kubectl.event_times import interval, moment
from breakglass.transport.kubectl.find import many
from breakglass.transport.kubectl.printing import table
from breakglass.transport.kubectl.run import KubectlRun, VerbResult, Verbs

HEADER = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")


async def events(run: KubectlRun, request: Events) -> VerbResult:
    """Print the events. Raises FaultError."""
    fields = ""
    if request.of is not None:
        kind = (await run.find(request.of.resource)).kind
        fields = f"involvedObject.kind={kind},involvedObject.name={request.of.name}"
    wanted = Selection(
        kinds=("events",), namespace=request.namespace, all_namespaces=request.all_namespaces, fields=fields
    )
    types = {each.lower() for each in request.types}
    found = [
        event
        for event in await many(run, await run.find("events"), wanted)
        if not types or text(event, "type").lower() in types
    ]
    if not found:
        where = (
            "" if request.all_namespaces else f" in {await run.namespace(given=request.namespace)} namespace"
        )
        run.err(f"No events found{where}.")
        return VerbResult()
    now = datetime.now(UTC)
    rows = [_row(event, now, request.all_namespaces) for event in sorted(found, key=_last)]
    header = [*(["NAMESPACE"] if request.all_namespaces else []), *HEADER]
    run.out(table([header, *rows] if request.headers else rows))
    return VerbResult()


def _row(event: Object, now: datetime, with_namespace: bool) -> list[str]:
    about = mapping(event, "involvedObject")
    return [
        *([namespace_of(event)] if with_namespace else []),
        interval(event, now),
        text(event, "type"),
        text(event, "reason"),
        f"{text(about, 'kind')}/{text(about, 'name')}",
        text(event, "message").strip(),
    ]


def _last(event: Object) -> float:
    """When it was seen last, as a UNIX time; 0 where that is not said."""
    named = (
        text(event, "series", "lastObservedTime") or text(event, "lastTimestamp") or text(event, "eventTime")
    )
    at = moment(named)
    return at.timestamp() if at is not None else 0.0


VERBS: Verbs = {Events: events}
