"""What the nodes do: bring pods up and down as the scenario says, run jobs, and fall silent when down."""

import hashlib
from datetime import datetime

from breakglass.kubernetes_objects import (
    Object,
    condition_of,
    flag,
    mapping,
    name_of,
    namespace_of,
    number,
    objects,
    text,
    uid_of,
)
from breakglass.simulator.kubernetes import deletion
from breakglass.simulator.kubernetes.controllers.context import ControllerContext
from breakglass.simulator.kubernetes.hooks import PodBirth
from breakglass.simulator.kubernetes.objects import (
    copied,
    is_finished,
    is_going,
    owner_of,
    put,
    set_condition,
    timestamp,
)

EVICTED_AFTER = 300.0
"""Seconds after which the pods of a node that is down are deleted; they stay Terminating until it is back."""
NODE_DOWN = "NodeNotReady"


def reconcile(world: ControllerContext) -> None:
    for pod in world.store.of_kind("Pod"):
        node = text(pod, "spec", "nodeName")
        if not node:
            if is_going(pod):
                _finish(world, namespace_of(pod), name_of(pod), uid_of(pod))
        elif not world.node_is_up(node):
            _out_of_reach(world, pod)
        else:
            world.cancel(f"evict {uid_of(pod)}")
            _tend(world, pod)


def _tend(world: ControllerContext, pod: Object) -> None:
    if is_going(pod):
        _end(world, pod)
    elif is_finished(pod):
        return
    elif not text(pod, "status", "startTime"):
        _begin(world, pod)
    elif condition_of(pod, "Ready").get("reason") == NODE_DOWN:
        _reached_again(world, pod)
    elif f"birth {uid_of(pod)}" not in world.timers:
        if _is_starting(pod) and uid_of(pod) not in world.passed:
            _bring_up(world, pod)
        elif owner_of(pod).get("kind") == "Job" and text(pod, "status", "phase") == "Running":
            _run_job(world, pod)


def _is_starting(pod: Object) -> bool:
    entries = objects(pod, "status", "containerStatuses")
    return any(text(entry, "state", "waiting", "reason") == "ContainerCreating" for entry in entries)


def _begin(world: ControllerContext, pod: Object) -> None:
    """The node takes a pod. One that the scenario gave a state keeps it."""
    given = mapping(pod, "status")
    put(pod, text(pod, "metadata", "creationTimestamp") or timestamp(world.now()), "status", "startTime")
    if world.settled:
        put(pod, timestamp(world.now()), "status", "startTime")
    put(pod, _host_address(world, pod), "status", "hostIP")
    if given.get("phase") not in (None, "Pending") or "containerStatuses" in given:
        if "containerStatuses" not in given:
            phase = text(pod, "status", "phase")
            _reach(pod, PodBirth(phase=phase, ready=phase == "Running"), world.now())
        elif not condition_of(pod, "Ready"):
            entries = objects(pod, "status", "containerStatuses")
            _set_ready(pod, all(flag(entry, "ready") for entry in entries), world.now())
        if text(pod, "status", "phase") == "Running" and not text(pod, "status", "podIP"):
            put(pod, pod_address(pod), "status", "podIP")
        world.passed.add(uid_of(pod))
        world.save(pod)
        return
    put(pod, "Pending", "status", "phase")
    set_condition(pod, "PodScheduled", True, world.now())
    set_condition(pod, "Initialized", True, world.now())
    _set_ready(pod, False, world.now())
    waiting: Object = {"waiting": {"reason": "ContainerCreating"}}
    put(pod, [*_container_statuses(pod, waiting, ready=False)], "status", "containerStatuses")
    _bring_up(world, world.save(pod))


def _bring_up(world: ControllerContext, pod: Object) -> None:
    birth = world.hooks.pod_birth(pod)
    world.passed.add(uid_of(pod))
    if birth.delay is None:
        return
    place = (namespace_of(pod), name_of(pod), uid_of(pod))
    if world.settled:
        world.after(f"birth {uid_of(pod)}", birth.delay, lambda: _born(world, place, birth))
    else:
        _born(world, place, birth)


def _born(world: ControllerContext, place: tuple[str, str, str], birth: PodBirth) -> None:
    pod = world.find("Pod", place[0], place[1])
    if pod is None or uid_of(pod) != place[2] or is_going(pod):
        return
    if not world.node_is_up(text(pod, "spec", "nodeName")):
        world.passed.discard(uid_of(pod))
        return
    _reach(pod, birth, world.now())
    if not world.settled:
        # It has been up since it was made, not since the scenario began.
        began = text(pod, "status", "startTime")
        for entry in objects(pod, "status", "containerStatuses"):
            if mapping(entry, "state", "running"):
                put(entry, began, "state", "running", "startedAt")
    world.save(pod)
    if birth.waiting:
        world.event(pod, "Warning", "BackOff", birth.message or birth.waiting, "kubelet")
    else:
        for container in objects(pod, "spec", "containers"):
            world.event(pod, "Normal", "Started", f"Started container {text(container, 'name')}", "kubelet")


def _reach(pod: Object, birth: PodBirth, now: datetime) -> None:
    """Put the pod into the state that its birth leads to."""
    status = mapping(pod, "status")
    status["phase"] = birth.phase
    if birth.statuses is not None:
        status["containerStatuses"] = [copied(entry) for entry in birth.statuses]
    else:
        state: Object
        if birth.waiting:
            state = {"waiting": {"reason": birth.waiting, "message": birth.message}}
        elif birth.phase in ("Succeeded", "Failed"):
            state = {"terminated": _terminated(0 if birth.phase == "Succeeded" else 1, birth.terminated, now)}
        elif birth.phase == "Running":
            state = {"running": {"startedAt": timestamp(now)}}
        else:
            state = {"waiting": {"reason": "ContainerCreating"}}
        entries = _container_statuses(pod, state, ready=birth.ready and "running" in state)
        for entry in entries:
            entry["restartCount"] = birth.restarts
            if birth.terminated and birth.phase == "Running":
                code = 137 if birth.terminated == "OOMKilled" else 1
                entry["lastState"] = {"terminated": _terminated(code, birth.terminated, now)}
        status["containerStatuses"] = [*entries]
    if birth.phase == "Running":
        status["podIP"] = birth.address or text(status, "podIP") or pod_address(pod)
        status["podIPs"] = [{"ip": status["podIP"]}]
    set_condition(pod, "PodScheduled", True, now)
    set_condition(pod, "Initialized", True, now)
    _set_ready(pod, birth.ready and birth.phase == "Running" and not birth.waiting, now)


def _set_ready(pod: Object, ready: bool, now: datetime, reason: str = "") -> None:
    names = " ".join(text(container, "name") for container in objects(pod, "spec", "containers"))
    why = "" if ready else reason or "ContainersNotReady"
    message = "" if ready or reason else f"containers with unready status: [{names}]"
    set_condition(pod, "Ready", ready, now, why, message)
    set_condition(pod, "ContainersReady", ready, now, why, message)


def _container_statuses(pod: Object, state: Object, *, ready: bool) -> list[Object]:
    entries: list[Object] = []
    for container in objects(pod, "spec", "containers"):
        name = text(container, "name")
        mark = hashlib.sha256(f"{uid_of(pod)}{name}".encode()).hexdigest()
        entry: Object = {
            "name": name,
            "image": container.get("image"),
            "imageID": "",
            "ready": ready,
            "started": "running" in state,
            "restartCount": 0,
            "state": copied(state),
            "lastState": {},
        }
        if "running" in state or "terminated" in state:
            entry["containerID"] = f"containerd://{mark}"
            entry["imageID"] = f"{text(container, 'image')}@sha256:{mark[::-1]}"
        entries.append(entry)
    return entries


def _terminated(code: int, reason: str, now: datetime) -> Object:
    return {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "startedAt": timestamp(now),
        "finishedAt": timestamp(now),
    }


def pod_address(pod: Object) -> str:
    """An address in the pod network that stays the same for a pod."""
    digest = hashlib.sha256(uid_of(pod).encode()).digest()
    return f"10.10.{digest[0]}.{digest[1] % 253 + 1}"


def _host_address(world: ControllerContext, pod: Object) -> str:
    node = world.find("Node", "", text(pod, "spec", "nodeName"))
    addresses = objects(node, "status", "addresses")
    return next((text(entry, "address") for entry in addresses if entry.get("type") == "InternalIP"), "")


def _end(world: ControllerContext, pod: Object) -> None:
    """Grace runs: the pod ends when the scenario says, at the latest when the grace is over. One that hangs
    in the kernel never does."""
    grace = number(pod, "metadata", "deletionGracePeriodSeconds")
    key = f"end {uid_of(pod)} {grace}"
    world.cancel(f"birth {uid_of(pod)}")
    if key in world.timers or key in world.passed:
        return
    world.passed.add(key)
    for container in objects(pod, "spec", "containers"):
        world.event(pod, "Normal", "Killing", f"Stopping container {text(container, 'name')}", "kubelet")
    ending = world.hooks.pod_ending(pod)
    if ending.seconds is None:
        return
    namespace, name, uid = namespace_of(pod), name_of(pod), uid_of(pod)
    world.after(key, min(ending.seconds, grace), lambda: _finish(world, namespace, name, uid))


def _finish(world: ControllerContext, namespace: str, name: str, uid: str) -> None:
    pod = world.find("Pod", namespace, name)
    if pod is None or uid_of(pod) != uid or not world.node_is_up(text(pod, "spec", "nodeName")):
        return
    deletion.finish(world.store, world.store.kinds.named("Pod", ""), pod)


def _run_job(world: ControllerContext, pod: Object) -> None:
    key = f"run {uid_of(pod)}"
    if key in world.timers or key in world.passed:
        return
    world.passed.add(key)
    run = world.hooks.job_run(pod)
    if run.seconds is None:
        return
    namespace, name, uid = namespace_of(pod), name_of(pod), uid_of(pod)

    def ended() -> None:
        fresh = world.find("Pod", namespace, name)
        if fresh is None or uid_of(fresh) != uid or is_finished(fresh) or is_going(fresh):
            return
        put(fresh, "Succeeded" if run.exit == 0 else "Failed", "status", "phase")
        state: Object = {"terminated": _terminated(run.exit, run.reason, world.now())}
        put(fresh, [*_container_statuses(fresh, state, ready=False)], "status", "containerStatuses")
        _set_ready(fresh, False, world.now(), "PodCompleted" if run.exit == 0 else "PodFailed")
        world.save(fresh)

    world.after(key, run.seconds, ended)


def _out_of_reach(world: ControllerContext, pod: Object) -> None:
    """The node is down: its pods count as not ready, and after a while they are deleted, but do not go. Those
    that were starting start again when it is back."""
    if _is_starting(pod):
        world.cancel(f"birth {uid_of(pod)}")
        world.passed.discard(uid_of(pod))
    grace = number(pod, "metadata", "deletionGracePeriodSeconds")
    key = f"end {uid_of(pod)} {grace}"
    world.cancel(key)
    world.passed.discard(key)
    if condition_of(pod, "Ready").get("status") == "True":
        _set_ready(pod, False, world.now(), NODE_DOWN)
        world.save(pod)
    if is_going(pod) or is_finished(pod) or owner_of(pod).get("kind") in ("DaemonSet", "Node"):
        return
    namespace, name, uid = namespace_of(pod), name_of(pod), uid_of(pod)

    def evict() -> None:
        fresh = world.find("Pod", namespace, name)
        if fresh is not None and uid_of(fresh) == uid and not is_going(fresh):
            world.event(
                fresh, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {namespace}/{name}"
            )
            world.delete(fresh)

    world.after(f"evict {uid_of(pod)}", EVICTED_AFTER, evict)


def _reached_again(world: ControllerContext, pod: Object) -> None:
    entries = objects(pod, "status", "containerStatuses")
    _set_ready(pod, all(flag(entry, "ready") for entry in entries), world.now())
    world.save(pod)
