"""What makes pods: deployments, their replica sets, stateful sets, daemon sets, jobs and cron jobs."""

from dataclasses import dataclass

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object, at, flag, mapping, number, objects, text
from breakglass.transport.kubectl.describe.pods import add_template
from breakglass.transport.kubectl.describe.sheet import NONE, UNSET, Sheet, controller_of, joined, when
from breakglass.transport.kubectl.describe.volumes import add_claim_templates
from breakglass.transport.kubectl.event_times import moment
from breakglass.transport.kubectl.find import selector_text

LONGEST_INDEXES = 50


@dataclass(frozen=True, slots=True)
class Pods:
    """How many pods of a workload are in which phase; `unread` says why they cannot be counted."""

    running: int = 0
    waiting: int = 0
    succeeded: int = 0
    failed: int = 0
    unread: str = ""

    @property
    def words(self) -> str:
        if self.unread:
            return f"error in fetching pods: {self.unread}"
        begun = f"{self.running} Running / {self.waiting} Waiting"
        return f"{begun} / {self.succeeded} Succeeded / {self.failed} Failed"


def add_deployment(sheet: Sheet, value: Object, old: list[Object], new: Object | None) -> None:
    spec, status = mapping(value, "spec"), mapping(value, "status")
    _add_names(sheet, value)
    sheet.field("CreationTimestamp", when(at(value, "metadata", "creationTimestamp")))
    _add_marks(sheet, value)
    sheet.field("Selector", selector_text(at(spec, "selector")))
    counts = ("updated", "total", "available", "unavailable")
    fields = ("updatedReplicas", "replicas", "availableReplicas", "unavailableReplicas")
    numbers = [f"{number(status, field)} {name}" for name, field in zip(counts, fields, strict=True)]
    sheet.field("Replicas", " | ".join([f"{number(spec, 'replicas', default=1)} desired", *numbers]))
    sheet.field("StrategyType", text(spec, "strategy", "type"))
    sheet.field("MinReadySeconds", number(spec, "minReadySeconds"))
    rolling = mapping(spec, "strategy", "rollingUpdate")
    if rolling:
        words = f"{at(rolling, 'maxUnavailable')} max unavailable, {at(rolling, 'maxSurge')} max surge"
        sheet.field("RollingUpdateStrategy", words)
    add_template(sheet, mapping(spec, "template"))
    _add_conditions(sheet, status)
    if old or new:
        sheet.field("OldReplicaSets", ", ".join(map(_replica_set, old)) or NONE)
        sheet.field("NewReplicaSet", _replica_set(new) if new else NONE)


def _replica_set(value: Object) -> str:
    wanted, there = number(value, "spec", "replicas", default=1), number(value, "status", "replicas")
    return f"{text(value, 'metadata', 'name')} ({there}/{wanted} replicas created)"


def add_replica_set(sheet: Sheet, value: Object, pods: Pods) -> None:
    spec, status = mapping(value, "spec"), mapping(value, "status")
    _add_names(sheet, value)
    sheet.field("Selector", selector_text(at(spec, "selector")) or NONE)
    _add_marks(sheet, value)
    _add_controller(sheet, value)
    wanted = number(spec, "replicas", default=1)
    sheet.field("Replicas", f"{number(status, 'replicas')} current / {wanted} desired")
    sheet.field("Pods Status", pods.words)
    add_template(sheet, mapping(spec, "template"))
    _add_conditions(sheet, status)


def add_stateful_set(sheet: Sheet, value: Object, pods: Pods) -> None:
    spec = mapping(value, "spec")
    _add_names(sheet, value)
    sheet.field("CreationTimestamp", when(at(value, "metadata", "creationTimestamp")))
    sheet.field("Selector", selector_text(at(spec, "selector")))
    _add_marks(sheet, value)
    wanted, there = number(spec, "replicas", default=1), number(value, "status", "replicas")
    sheet.field("Replicas", f"{wanted} desired | {there} total")
    sheet.field("Update Strategy", text(spec, "updateStrategy", "type"))
    rolling = mapping(spec, "updateStrategy", "rollingUpdate")
    if "partition" in rolling:
        sheet.field("Partition", rolling["partition"], 1)
        if "maxUnavailable" in rolling:
            sheet.field("MaxUnavailable", rolling["maxUnavailable"], 1)
    sheet.field("Pods Status", pods.words)
    add_template(sheet, mapping(spec, "template"))
    add_claim_templates(sheet, objects(spec, "volumeClaimTemplates"))


def add_daemon_set(sheet: Sheet, value: Object, pods: Pods) -> None:
    spec, status = mapping(value, "spec"), mapping(value, "status")
    _add_names(sheet, value)
    sheet.field("Selector", selector_text(at(spec, "selector")))
    sheet.field("Node-Selector", joined(at(spec, "template", "spec", "nodeSelector")))
    _add_marks(sheet, value)
    for title, name in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        sheet.add(f"{title}: {number(status, name)}")
    sheet.field("Pods Status", pods.words)
    add_template(sheet, mapping(spec, "template"))


def add_job(sheet: Sheet, value: Object) -> None:
    spec, status = mapping(value, "spec"), mapping(value, "status")
    _add_names(sheet, value)
    sheet.field("Selector", selector_text(at(spec, "selector")))
    _add_marks(sheet, value)
    _add_controller(sheet, value)
    if "parallelism" in spec:
        sheet.field("Parallelism", spec["parallelism"])
    sheet.field("Completions", UNSET if at(spec, "completions") is None else spec["completions"])
    for title, name in (
        ("Completion Mode", "completionMode"),
        ("Suspend", "suspend"),
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ):
        if at(spec, name) is not None:
            sheet.field(title, spec[name])
    began, ended = text(status, "startTime"), text(status, "completionTime")
    if began:
        sheet.field("Start Time", when(began))
    if ended:
        sheet.field("Completed At", when(ended))
    first, last = moment(began), moment(ended)
    if first is not None and last is not None:
        sheet.field("Duration", human_duration((last - first).total_seconds()))
    if at(spec, "activeDeadlineSeconds") is not None:
        sheet.field("Active Deadline Seconds", f"{spec['activeDeadlineSeconds']}s")
    ready = at(status, "ready")
    active = f"{number(status, 'active')} Active" + ("" if ready is None else f" ({ready} Ready)")
    counts = f"{number(status, 'succeeded')} Succeeded / {number(status, 'failed')} Failed"
    sheet.field("Pods Statuses", f"{active} / {counts}")
    if text(spec, "completionMode") == "Indexed":
        sheet.field("Completed Indexes", _indexes(text(status, "completedIndexes")))
    add_template(sheet, mapping(spec, "template"))


def _indexes(found: str) -> str:
    end = found.find(",", LONGEST_INDEXES)
    return f"{found[: end + 1]}..." if end >= 0 else found or NONE


def add_cron_job(sheet: Sheet, value: Object) -> None:
    spec, status = mapping(value, "spec"), mapping(value, "status")
    _add_names(sheet, value)
    _add_marks(sheet, value)
    sheet.field("Schedule", text(spec, "schedule"))
    sheet.field("Concurrency Policy", text(spec, "concurrencyPolicy"))
    suspended = "True" if flag(spec, "suspend") else "False"
    sheet.field("Suspend", UNSET if at(spec, "suspend") is None else suspended)
    sheet.field("Time Zone", text(spec, "timeZone") or UNSET)
    for title, name, unit in (
        ("Successful Job History Limit", "successfulJobsHistoryLimit", ""),
        ("Failed Job History Limit", "failedJobsHistoryLimit", ""),
        ("Starting Deadline Seconds", "startingDeadlineSeconds", "s"),
    ):
        sheet.field(title, UNSET if at(spec, name) is None else f"{spec[name]}{unit}")
    job = mapping(spec, "jobTemplate", "spec")
    sheet.field("Selector", selector_text(job["selector"]) if "selector" in job else UNSET)
    for title in ("Parallelism", "Completions"):
        found = at(job, title.lower())
        sheet.field(title, UNSET if found is None else found)
    if at(job, "activeDeadlineSeconds") is not None:
        sheet.field("Active Deadline Seconds", f"{job['activeDeadlineSeconds']}s")
    add_template(sheet, mapping(job, "template"))
    last = text(status, "lastScheduleTime")
    sheet.field("Last Schedule Time", when(last) if last else UNSET)
    running = [text(each, "name") for each in objects(status, "active")]
    sheet.field("Active Jobs", ", ".join(running) or NONE)


def _add_names(sheet: Sheet, value: Object) -> None:
    sheet.field("Name", text(value, "metadata", "name"))
    sheet.field("Namespace", text(value, "metadata", "namespace"))


def _add_marks(sheet: Sheet, value: Object) -> None:
    sheet.labels("Labels", at(value, "metadata", "labels"))
    sheet.annotations(at(value, "metadata", "annotations"))


def _add_controller(sheet: Sheet, value: Object) -> None:
    if controller_of(value):
        sheet.field("Controlled By", controller_of(value))


def _add_conditions(sheet: Sheet, status: Object) -> None:
    found = objects(status, "conditions")
    if found:
        sheet.add("Conditions:")
        sheet.add("Type\tStatus\tReason", 1)
        sheet.add("----\t------\t------", 1)
    for each in found:
        sheet.add(f"{text(each, 'type')} \t{text(each, 'status')}\t{text(each, 'reason')}", 1)
