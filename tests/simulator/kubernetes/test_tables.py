"""What `kubectl get` prints for objects in unusual states."""

from datetime import UTC, datetime, timedelta

import pytest

from breakglass.kubectl_age import human_duration
from breakglass.kubernetes_objects import Object, at
from breakglass.simulator.kubernetes.columns import columns_of
from breakglass.simulator.kubernetes.kinds import BUILT_IN, ResourceKind
from breakglass.simulator.kubernetes.objects import timestamp
from breakglass.simulator.kubernetes.pod_status import pod_ready, pod_restarts, pod_status
from breakglass.simulator.kubernetes.tables import table
from breakglass.values import Json

NOW = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (47 * 3600, "47h"),
        (50 * 3600, "2d2h"),
        (31 * 86400, "31d"),
        (3 * 365 * 86400, "3y"),
        (9 * 365 * 86400 + 86400, "9y"),
    ],
)
def test_a_length_of_time_is_written_as_kubectl_writes_it(seconds: float, shown: str) -> None:
    assert human_duration(seconds) == shown


def pod(*statuses: Object, phase: str = "Running", going: bool = False) -> Object:
    metadata: Object = {"name": "front"}
    if going:
        metadata["deletionTimestamp"] = timestamp(NOW)
    containers: list[Json] = [{"name": "a"}, {"name": "b"}]
    return {
        "metadata": metadata,
        "spec": {"containers": containers},
        "status": {"phase": phase, "containerStatuses": list(statuses)},
    }


RUNNING: Object = {"name": "a", "ready": True, "state": {"running": {}}}
CREATING: Object = {"name": "b", "state": {"waiting": {"reason": "ContainerCreating"}}}
LOOPING: Object = {
    "name": "b",
    "restartCount": 6,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"finishedAt": timestamp(NOW - timedelta(minutes=3))}},
}
KILLED: Object = {"name": "b", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
BARE: Object = {"name": "b", "state": {"terminated": {"exitCode": 2}}}


@pytest.mark.parametrize(
    ("value", "ready", "status"),
    [
        (pod(RUNNING, CREATING), "1/2", "ContainerCreating"),
        (pod(RUNNING, LOOPING), "1/2", "CrashLoopBackOff"),
        (pod(RUNNING, KILLED), "1/2", "OOMKilled"),
        (pod(RUNNING, BARE), "1/2", "ExitCode:2"),
        (pod(RUNNING, RUNNING), "2/2", "Running"),
        (pod(RUNNING, LOOPING, going=True), "1/2", "Terminating"),
        (pod(phase="Failed", going=True), "0/2", "Failed"),
        (pod(phase="Pending"), "0/2", "Pending"),
    ],
)
def test_a_pod_shows_what_its_containers_are_at(value: Object, ready: str, status: str) -> None:
    assert (pod_ready(value), pod_status(value)) == (ready, status)


def test_restarts_say_when_the_last_one_was() -> None:
    assert pod_restarts(pod(RUNNING, LOOPING), NOW) == "6 (3m ago)"


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: str(kind.qualified))
def test_every_kind_can_be_printed_even_when_it_is_empty(kind: ResourceKind) -> None:
    columns = columns_of(kind)
    printed = table([{"kind": kind.kind, "metadata": {"name": "thing"}}], columns, NOW, metadata={})
    cells = at(printed, "rows", 0, "cells")
    assert isinstance(cells, list)
    assert len(cells) == len(columns)
    assert "thing" in cells
