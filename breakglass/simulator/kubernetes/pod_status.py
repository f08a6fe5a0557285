"""The READY, STATUS and RESTARTS of a pod, as `kubectl get pods` shows them.

Source: `printPod` in `pkg/printers/internalversion/printers.go` of Kubernetes 1.34.
"""

from datetime import datetime

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object, condition_of, flag, mapping, number, objects, text
from breakglass.simulator.kubernetes.objects import is_finished, is_going, moment
from breakglass.values import Json


def pod_ready(pod: Object) -> str:
    running = [
        entry
        for entry in objects(pod, "status", "containerStatuses")
        if flag(entry, "ready") and "running" in mapping(entry, "state")
    ]
    return f"{len(running)}/{len(objects(pod, 'spec', 'containers'))}"


def pod_status(pod: Object) -> str:
    reason = text(pod, "status", "reason") or text(pod, "status", "phase")
    initializing = _initializing(pod)
    if initializing:
        reason = initializing
    else:
        running = False
        for entry in reversed(objects(pod, "status", "containerStatuses")):
            waiting = text(entry, "state", "waiting", "reason")
            ended = mapping(entry, "state", "terminated")
            if waiting:
                reason = waiting
            elif ended:
                reason = _ended(ended)
            elif flag(entry, "ready") and "running" in mapping(entry, "state"):
                running = True
        if reason == "Completed" and running:
            reason = "Running" if condition_of(pod, "Ready").get("status") == "True" else "NotReady"
    if is_going(pod):
        if text(pod, "status", "reason") == "NodeLost":
            return "Unknown"
        if not is_finished(pod):
            return "Terminating"
    return reason


def _ended(ended: Object) -> str:
    if reason := text(ended, "reason"):
        return reason
    if signal := number(ended, "signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{number(ended, 'exitCode')}"


def _initializing(pod: Object) -> str:
    """What the first unfinished init container is at; empty when there is none."""
    entries = objects(pod, "status", "initContainerStatuses")
    for index, entry in enumerate(entries):
        ended = mapping(entry, "state", "terminated")
        if ended and number(ended, "exitCode") == 0:
            continue
        if ended:
            return f"Init:{_ended(ended)}"
        waiting = text(entry, "state", "waiting", "reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{index}/{len(objects(pod, 'spec', 'initContainers'))}"
    return ""


def pod_restarts(pod: Object, now: datetime) -> Json:
    entries = objects(pod, "status", "containerStatuses")
    restarts = sum(number(entry, "restartCount") for entry in entries)
    ends = [moment(text(entry, "lastState", "terminated", "finishedAt")) for entry in entries]
    last = max((end for end in ends if end is not None), default=None)
    if restarts and last is not None:
        return f"{restarts} ({human_duration((now - last).total_seconds())} ago)"
    return str(restarts)
