"""Jobs, which run pods until enough have succeeded, and CronJobs, which make Jobs as time passes.

A container that fails is not restarted in place, whatever the restart policy: the pod fails and the Job
makes another, which comes to the same for an operator.
"""

from datetime import datetime, timedelta

from breakglass.kubernetes_objects import (
    Object,
    at,
    condition_of,
    flag,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    number,
    objects,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes.controllers.context import ControllerContext, owner_reference
from breakglass.simulator.kubernetes.controllers.cron import CronScheduleError, next_after
from breakglass.simulator.kubernetes.objects import (
    copied,
    is_finished,
    is_going,
    is_ready,
    moment,
    owner_of,
    put,
    remove,
    set_condition,
    timestamp,
)

FIRST_RETRY = 10.0
"""Seconds before the first failed pod is replaced; doubled each time, up to six minutes."""
LAST_RETRY = 360.0


def reconcile(world: ControllerContext) -> None:
    for cron_job in world.store.of_kind("CronJob", group="batch"):
        if not is_going(cron_job):
            _cron_job(world, cron_job)
    for job in world.store.of_kind("Job", group="batch"):
        if not is_going(job):
            _job(world, job)


def is_over(job: Object) -> bool:
    return any(condition_of(job, kind).get("status") == "True" for kind in ("Complete", "Failed"))


def _job(world: ControllerContext, job: Object) -> None:
    if is_over(job):
        _forget_later(world, job)
        return
    pods = world.owned_pods(job)
    active = [pod for pod in pods if not is_finished(pod) and not is_going(pod)]
    ended = {
        phase: max(
            sum(1 for pod in pods if text(pod, "status", "phase") == phase),
            number(job, "status", phase.lower()),
        )
        for phase in ("Succeeded", "Failed")
    }
    suspended = flag(job, "spec", "suspend")
    completions = number(job, "spec", "completions", default=1)
    changed = copied(job)
    if not suspended and not text(job, "status", "startTime"):
        put(changed, timestamp(world.now()), "status", "startTime")
    if failure := _failure(world, job, ended["Failed"]):
        reason, message = failure
        _end(world, active)
        set_condition(changed, "FailureTarget", True, world.now(), reason, message)
        set_condition(changed, "Failed", True, world.now(), reason, message)
        world.event(job, "Warning", reason, message)
        active = []
    elif ended["Succeeded"] >= completions:
        _end(world, active)
        message = "Reached expected number of succeeded pods"
        set_condition(changed, "SuccessCriteriaMet", True, world.now(), "CompletionsReached", message)
        set_condition(changed, "Complete", True, world.now(), "CompletionsReached", message)
        put(changed, timestamp(world.now()), "status", "completionTime")
        world.event(job, "Normal", "Completed", "Job completed")
        active = []
    elif suspended:
        _end(world, active)
        set_condition(changed, "Suspended", True, world.now(), "JobSuspended", "Job suspended")
        remove(changed, "status", "startTime")
        active = []
    else:
        if condition_of(job, "Suspended").get("status") == "True":
            set_condition(changed, "Suspended", False, world.now(), "JobResumed", "Job resumed")
        active = _more_pods(world, job, active, completions, ended["Succeeded"], ended["Failed"])
    status: Object = {
        "active": len(active),
        "ready": sum(1 for pod in active if is_ready(pod)),
        "succeeded": ended["Succeeded"],
        "failed": ended["Failed"],
        "terminating": 0,
    }
    changed["status"] = mapping(changed, "status") | {key: value for key, value in status.items() if value}
    for key, value in status.items():
        if not value:
            remove(changed, "status", key)
    if changed != job:
        world.save(changed)


def _failure(world: ControllerContext, job: Object, failed: int) -> tuple[str, str] | None:
    if failed > number(job, "spec", "backoffLimit", default=6):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    allowed = at(job, "spec", "activeDeadlineSeconds")
    began = moment(at(job, "status", "startTime"))
    if isinstance(allowed, int) and began is not None:
        left = (began + timedelta(seconds=allowed) - world.now()).total_seconds()
        if left <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        world.after(f"job deadline {uid_of(job)}", left, lambda: None)
    return None


def _end(world: ControllerContext, pods: list[Object]) -> None:
    for pod in pods:
        world.delete(pod)


def _more_pods(
    world: ControllerContext, job: Object, active: list[Object], completions: int, succeeded: int, failed: int
) -> list[Object]:
    wanted = min(number(job, "spec", "parallelism", default=1), completions - succeeded)
    if len(active) >= wanted:
        return active
    retry = f"retry {uid_of(job)} {failed}"
    if failed and retry not in world.passed:
        seconds = min(FIRST_RETRY * 2 ** (failed - 1), LAST_RETRY)
        world.after(retry, seconds, lambda: world.passed.add(retry))
        return active
    made = list(active)
    while len(made) < wanted:
        name = world.free_name(f"{name_of(job)}-", namespace_of(job))
        made.append(world.create_pod(job, name, mapping(job, "spec", "template"), {}))
    return made


def _forget_later(world: ControllerContext, job: Object) -> None:
    allowed = at(job, "spec", "ttlSecondsAfterFinished")
    if not isinstance(allowed, int):
        return
    ends = [
        moment(condition_of(job, kind).get("lastTransitionTime"))
        for kind in ("Complete", "Failed")
        if condition_of(job, kind)
    ]
    ended = next((end for end in ends if end is not None), world.now())
    left = (ended + timedelta(seconds=allowed) - world.now()).total_seconds()

    def forget() -> None:
        fresh = world.find("Job", namespace_of(job), name_of(job))
        if fresh is not None and uid_of(fresh) == uid_of(job):
            world.delete(fresh)

    world.after(f"forget {uid_of(job)}", left, forget)


def _cron_job(world: ControllerContext, cron_job: Object) -> None:
    jobs = [
        job
        for job in world.store.of_kind("Job", namespace_of(cron_job), "batch")
        if owner_of(job).get("uid") == uid_of(cron_job)
    ]
    _drop_history(world, cron_job, jobs)
    active: list[Object] = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": name_of(job),
            "namespace": namespace_of(job),
            "uid": uid_of(job),
        }
        for job in jobs
        if not is_over(job)
    ]
    ends = [text(job, "status", "completionTime") for job in jobs]
    changed = copied(cron_job)
    put(changed, [*active], "status", "active")
    if not active:
        remove(changed, "status", "active")
    if last := max([*ends, text(cron_job, "status", "lastSuccessfulTime")]):
        put(changed, last, "status", "lastSuccessfulTime")
    if changed != cron_job:
        world.save(changed)
    schedule = text(cron_job, "spec", "schedule")
    key = f"tick {uid_of(cron_job)}"
    if flag(cron_job, "spec", "suspend") or world.schedules.get(key, schedule) != schedule:
        world.cancel(key)
    if flag(cron_job, "spec", "suspend") or not world.settled:
        return
    world.schedules[key] = schedule
    try:
        tick = next_after(schedule, world.now())
    except CronScheduleError as error:
        world.event(cron_job, "Warning", "UnparseableSchedule", f"unparseable schedule: {error}")
        return
    left = (tick - world.now()).total_seconds()
    world.after(key, left, lambda: _tick(world, namespace_of(cron_job), name_of(cron_job), tick))


def _tick(world: ControllerContext, namespace: str, name: str, tick: datetime) -> None:
    cron_job = world.find("CronJob", namespace, name)
    if cron_job is None or is_going(cron_job):
        return
    job_name = f"{name}-{int(tick.timestamp()) // 60}"
    kind = world.store.kinds.named("Job", "batch")
    if world.store.find(kind, namespace, job_name) is not None:
        return
    active = objects(cron_job, "status", "active")
    match text(cron_job, "spec", "concurrencyPolicy"):
        case "Forbid" if active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            world.event(cron_job, "Normal", "JobAlreadyActive", message)
            return
        case "Replace":
            for entry in active:
                job = world.find("Job", namespace, text(entry, "name"))
                if job is not None:
                    world.delete(job)
        case _:
            pass
    template = mapping(cron_job, "spec", "jobTemplate")
    metadata: Object = {
        "name": job_name,
        "namespace": namespace,
        "labels": {**labels_of(template)},
        "annotations": {
            **mapping(template, "metadata", "annotations"),
            "batch.kubernetes.io/cronjob-scheduled-timestamp": timestamp(tick),
        },
        "ownerReferences": [owner_reference(cron_job)],
    }
    job = world.store.create(kind, {"metadata": metadata, "spec": copied(mapping(template, "spec"))})
    put(cron_job, timestamp(tick), "status", "lastScheduleTime")
    world.save(cron_job)
    world.event(cron_job, "Normal", "SuccessfulCreate", f"Created job {name_of(job)}")


def _drop_history(world: ControllerContext, cron_job: Object, jobs: list[Object]) -> None:
    for kind, field in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        over = [job for job in jobs if condition_of(job, kind).get("status") == "True"]
        over.sort(key=lambda job: text(job, "status", "startTime"))
        for job in over[: max(0, len(over) - number(cron_job, "spec", field))]:
            world.delete(job)
            jobs.remove(job)
