"""`describe` beside the program's, for the same objects; and what it says where the program is silent."""

import base64
import re

import pytest

from breakglass.kubernetes_objects import Object
from breakglass.simulator.kubernetes.access import RbacRule, User
from breakglass.transport.kubectl.describe.sheet import Sheet
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import pod
from tests.transport.kubectl.describe_world import LINES, WORLD, event
from tests.transport.kubectl.support import client
from tests.transport.kubectl.test_parity import program as program

YOUNG = (
    *("Namespace: +web", "Time Zone:", " +Kube-Proxy Version:", " +LABEL:", r".* (front:80|gone:a) \("),
    *(r" +(Host )?Ports:.*TCP", ".*about killed"),
)
"""Lines that a kubectl of 1.32 has not, or in another form, and a younger one has as they are here."""
YOUNGER_THAN_DEBIANS = (
    *("Service Account:", "SeccompProfile:", "Topology Spread", " +Node-Selectors:", " +Tolerations:"),
    *("Completion Mode:", "Suspend:", "Backoff Limit:", "Pods Statuses:", "Internal Traffic", "Labels:"),
    *("Ingress Class:", "Default backend:", r" +\* +\* ", " +Namespace +Name .*A(ge|GE)$", "Endpoints:"),
    *("BinaryData|====|raw: 3 bytes", "$"),
)
"""The same of Debian's kubectl, 1.20."""
WITHOUT_CRON_JOBS = "the server could not find the requested resource"


def comparable(out: str, left_out: tuple[str, ...], *, blanks: bool) -> list[str]:
    """The lines, but for those that are left out, without ages. blanks: whether the columns' widths count."""
    lines = [line for line in out.splitlines() if not any(re.match(each, line) for each in left_out)]
    lines = [re.sub(r" +\d+[smhd]$", " AGE", line) for line in lines]
    return lines if blanks else [re.sub(" +", " ", line).strip() for line in lines]


async def test_descriptions_are_those_of_the_program(
    start: Start, program: object, request: pytest.FixtureRequest
) -> None:
    debian = "debian" in request.node.name
    left_out = YOUNG + YOUNGER_THAN_DEBIANS if debian else YOUNG
    cluster = await start(*WORLD)
    async with client(cluster.server.kubeconfig) as run:
        await run("rollout status deployment/app -n web")
        await run("rollout status statefulset/data -n web")
        for line in LINES:
            native, binary = await run(line), await run(line, binary=True)
            if debian and WITHOUT_CRON_JOBS in binary.err and "cronjob" in line:
                continue
            found = [comparable(each.out, left_out, blanks=not debian) for each in (native, binary)]
            assert found[0] == found[1], (line, native.err, binary.err)
            assert native.result.exit == binary.result.exit


async def test_no_value_of_a_secret_is_shown(start: Start) -> None:
    token = base64.b64encode(b"the-token").decode()
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "robot", "namespace": "web"},
        "data": {"token": token, "empty": "", "odd": "not base64!"},
    }
    cluster = await start(secret)
    async with client(cluster.server.kubeconfig) as run:
        shown = (await run("describe secret robot -n web")).out
    assert "token:  9 bytes" in shown and "empty:  0 bytes" in shown
    assert "the-token" not in shown and token not in shown and "not base64" not in shown


async def test_what_may_not_be_read_is_said_and_not_shown_as_none(start: Start) -> None:
    user = User("oncall", (RbacRule(("get",), ("pods", "nodes", "services", "persistentvolumeclaims")),))
    cluster = await start(*WORLD, users=(user,))
    async with client(cluster.server.kubeconfig) as run:
        of_pod = await run("describe pod rich -n web")
        of_node = await run("describe node worker")
        of_claim = await run("describe pvc disk -n web")
    assert of_pod.result.exit == 0
    assert re.search(r"^Events: +<not read: \(Forbidden\): events is forbidden", of_pod.out, re.M)
    assert re.search(r"^Pods: +<not read: \(Forbidden\): pods is forbidden", of_node.out, re.M)
    assert re.search(r"^Lease: +Failed to get lease: leases", of_node.out, re.M)
    assert re.search(r"^Used By: +<not read: \(Forbidden\)", of_claim.out, re.M)
    assert "<none>" not in re.findall("^Events:.*$", of_pod.out + of_node.out + of_claim.out, re.M)


async def test_a_name_is_a_whole_name_and_those_that_are_there_are_shown(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"))
    async with client(cluster.server.kubeconfig) as run:
        part = await run("describe pod fro -n web")
        both = await run("describe pod gone front -n web")
    assert (part.out, part.fault) == ("", "not-found")
    assert both.out.startswith("Name:             front\n") and both.fault == "not-found"


async def test_without_events_none_are_asked_for(start: Start) -> None:
    cluster = await start(pod("front", node_name="node1"), event("pulled", {"name": "front"}))
    asked: list[str] = []
    cluster.hooks.on_request = lambda request: asked.append(request.plural)
    async with client(cluster.server.kubeconfig) as run:
        shown = await run("describe pod front -n web --show-events=false")
    assert shown.fault == "" and "Events:" not in shown.out
    assert "pods" in asked and "events" not in asked


def test_columns_are_as_wide_as_their_widest_cell_and_end_with_a_line_that_has_none() -> None:
    sheet = Sheet()
    for line in ("a:\tb", "long name:\tc\td", "x", "e:\tf", "\x1b[31m:\tred\rg"):
        sheet.add(line)
    assert sheet.text().splitlines() == [
        "a:          b",
        "long name:  c  d",
        "x",
        "e:       f",
        "^[[31m:  red\\rg",
    ]
