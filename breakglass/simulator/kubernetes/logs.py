"""The log of a container: the scenario gives all lines, and the options of the request choose among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from breakglass.kubernetes_objects import Object, mapping, name_of, number, objects, text
from breakglass.simulator.kubernetes import statuses
from breakglass.simulator.kubernetes.exec import check_reachable, chosen_container
from breakglass.simulator.kubernetes.hooks import LogLine
from breakglass.simulator.kubernetes.objects import moment
from breakglass.simulator.kubernetes.store import ObjectStore


@dataclass(frozen=True, slots=True)
class LogRequest:
    """since: the earliest time of a line. tail: how many of the last lines. limit: bytes."""

    pod: Object
    container: str
    previous: bool
    follow: bool
    timestamps: bool
    since: datetime | None
    tail: int | None
    limit: int | None


def log_request(store: ObjectStore, namespace: str, name: str, query: Mapping[str, str]) -> LogRequest:
    """ApiError 400, 404, 422 or 500 where there is no such log."""
    pod = store.get(store.kinds.named("Pod", ""), namespace, name)
    container = chosen_container(pod, query.get("container", ""))
    tail, limit = _whole(name, query, "tailLines"), _whole(name, query, "limitBytes", 1)
    ago = _whole(name, query, "sinceSeconds", 1)
    since = moment(query.get("sinceTime"))
    if ago is not None:
        since = store.clock.now() - timedelta(seconds=ago)
    previous = query.get("previous") in ("true", "1")
    check_reachable(store, pod)
    _check_written(pod, container, previous=previous)
    return LogRequest(
        pod,
        container,
        previous,
        query.get("follow") in ("true", "1"),
        query.get("timestamps") in ("true", "1"),
        since,
        tail,
        limit,
    )


def _whole(name: str, query: Mapping[str, str], key: str, least: int = 0) -> int | None:
    if key not in query:
        return None
    try:
        number = int(query[key])
    except ValueError:
        message = f'strconv.ParseInt: parsing "{query[key]}": invalid syntax'
        raise statuses.bad_request(message) from None
    if number < least:
        rule = "must be greater than 0" if least else "must be greater than or equal to 0"
        raise statuses.invalid_log_options(name, key, f"Invalid value: {number}: {rule}")
    return number


def _check_written(pod: Object, container: str, *, previous: bool) -> None:
    entries = [*objects(pod, "status", "containerStatuses"), *objects(pod, "status", "initContainerStatuses")]
    entry = next((entry for entry in entries if entry.get("name") == container), Object())
    if previous:
        if not number(entry, "restartCount") and not mapping(entry, "lastState", "terminated"):
            message = f'previous terminated container "{container}" in pod "{name_of(pod)}" not found'
            raise statuses.bad_request(message)
        return
    reason = text(entry, "state", "waiting", "reason")
    if reason and not number(entry, "restartCount"):
        what = "waiting to start: " + (reason if reason != "ErrImagePull" else "image can't be pulled")
        raise statuses.bad_request(f'container "{container}" in pod "{name_of(pod)}" is {what}')


def chosen_lines(request: LogRequest, lines: Sequence[LogLine | str]) -> bytes:
    """The bytes that answer a request for these lines, oldest first."""
    began = _began(request)
    entries = [line if isinstance(line, LogLine) else LogLine(line) for line in lines]
    if request.since is not None:
        start = request.since
        entries = [entry for entry in entries if (entry.time or began or start) >= start]
    if request.tail is not None:
        entries = entries[len(entries) - min(request.tail, len(entries)) :]
    output = b"".join(written(request, entry) for entry in entries)
    return output if request.limit is None else output[: request.limit]


def _began(request: LogRequest) -> datetime | None:
    for entry in objects(request.pod, "status", "containerStatuses"):
        if entry.get("name") == request.container and (
            began := moment(text(entry, "state", "running", "startedAt"))
        ):
            return began
    return moment(text(request.pod, "status", "startTime"))


def written(request: LogRequest, line: LogLine | str) -> bytes:
    """One line as it is sent."""
    entry = line if isinstance(line, LogLine) else LogLine(line)
    when = entry.time or _began(request)
    mark = when.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ") if request.timestamps and when else ""
    return f"{mark}{entry.text}\n".encode("utf-8", "surrogateescape")
