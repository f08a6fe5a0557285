"""`kubectl events`: what the cluster has noted down, the oldest first.

Source: `staging/src/k8s.io/kubectl/pkg/cmd/events` of Kubernetes 1.34.
"""

from datetime import UTC, datetime

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object, mapping, namespace_of, number, text
from breakglass.policy.kubectl.operations import Events, Selection
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
        _interval(event, now),
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
    at = _time(named)
    return at.timestamp() if at is not None else 0.0


def _interval(event: Object, now: datetime) -> str:
    first = _since(text(event, "eventTime") or text(event, "firstTimestamp"), now)
    series, count = mapping(event, "series"), number(event, "count")
    if series:
        return f"{_since(text(series, 'lastObservedTime'), now)} (x{number(series, 'count')} over {first})"
    if count > 1:
        return f"{_since(text(event, 'lastTimestamp'), now)} (x{count} over {first})"
    return first


def _since(written: str, now: datetime) -> str:
    at = _time(written)
    return human_duration((now - at).total_seconds()) if at is not None else "<unknown>"


def _time(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(written) if written else None
    except ValueError:
        return None


VERBS: Verbs = {Events: events}
