"""Commands in containers: their streams, how they end, and what is known when they do not."""

import asyncio

import pytest

from breakglass.policy.kubectl.parse import understood
from breakglass.simulator.kubernetes.access import ADMIN, RbacRule, User
from breakglass.simulator.kubernetes.hooks import ExecAnswer, PodBirth, ServerFault
from breakglass.transport.base import Delivery, KubectlRequest
from tests.simulator.kubernetes.conftest import Start
from tests.simulator.kubernetes.support import TestHooks, deployment, pod
from tests.transport.kubectl.support import Output, client, relay


async def test_both_outputs_and_the_exit_status_come_back(start: Start) -> None:
    hooks = TestHooks(answers={"df": ExecAnswer(b"full\n", b"warning\n", exit=3)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- df -k /dev/shm")
        named = await run("exec -n web front -c main -- df -k")
    assert (came.result.exit, came.fault, came.delivery) == (3, "exit", Delivery.ANSWERED)
    assert came.out == "full\n"
    assert came.err == "warning\ncommand terminated with exit code 3\n"
    assert hooks.calls[0].argv == ("df", "-k", "/dev/shm")
    assert (named.result.exit, hooks.calls[1].container) == (3, "main")


async def test_a_command_reads_its_input_to_the_end(start: Start) -> None:
    cluster = await start(deployment("front"))
    content = bytes(range(256)) * 800
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -i -n web deploy/front -- cat", stdin=content)
        empty = await run("exec -i -n web deploy/front -- cat")
    assert (came.result.exit, bytes(came.output.stdout)) == (0, content)
    assert (empty.result.exit, empty.output.size) == (0, 0)


async def test_output_that_is_no_text_comes_as_it_is(start: Start) -> None:
    hooks = TestHooks(answers={"dump": ExecAnswer(b"\xff\xfe\x00ok\x1b[31m")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- dump")
    assert bytes(came.output.stdout) == b"\xff\xfe\x00ok\x1b[31m"


async def test_twenty_megabytes_come_in_pieces(start: Start) -> None:
    hooks = TestHooks(answers={"dump": ExecAnswer([b"x" * 1_000_000] * 20)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- dump")
    assert (came.result.exit, came.output.size) == (0, 20_000_000)
    assert came.output.largest <= 1_000_000


async def test_a_command_that_never_returns_is_unknown_at_the_deadline(start: Start) -> None:
    hooks = TestHooks(answers={"sleep": ExecAnswer(b"begun\n", then="hang")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- sleep", timeout=0.8)
        after = await run("get pods -n web -o name")
    assert (came.delivery, came.fault) == (Delivery.UNKNOWN, "timeout")
    assert "exec in pod front, container main: no answer within 0.8 s" in came.message
    assert after.out == "pod/front\n"


async def test_a_cancelled_command_ends_at_once_and_leaves_the_client_usable(start: Start) -> None:
    hooks = TestHooks(answers={"sleep": ExecAnswer(then="hang")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        request = KubectlRequest("main", understood(("exec", "-n", "web", "front", "--", "sleep")), 600.0)
        task = asyncio.create_task(run.kubectl.send(request, Output()))
        async with asyncio.timeout(20):
            while not hooks.calls:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await run("get pods -n web -o name")).fault == ""


async def test_a_command_whose_connection_is_lost_is_unknown(start: Start) -> None:
    hooks = TestHooks(answers={"sleep": ExecAnswer(b"begun\n", then="hang")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with (
        relay(cluster.server.address) as between,
        client(cluster.server.kubeconfig, server=between.url) as run,
    ):
        going = asyncio.create_task(run("exec -n web front -- sleep"))
        async with asyncio.timeout(20):
            while not hooks.calls:
                await asyncio.sleep(0.01)
        between.cut()
        came = await going
    assert (came.delivery, came.fault) == (Delivery.UNKNOWN, "disconnected")
    assert len(hooks.calls) == 1


async def test_a_refused_command_did_not_run_and_says_why(start: Start) -> None:
    hooks = TestHooks()
    cluster = await start(
        pod("front", node_name="node1"),
        hooks=hooks,
        users=(User("oncall", (RbacRule(("get",), ("pods",)),)),),
    )
    async with client(cluster.server.kubeconfig) as run:
        forbidden = await run("exec -n web front -- df")
        missing = await run("exec -n web gone -- df")
    assert (forbidden.delivery, forbidden.fault) == (Delivery.ANSWERED, "forbidden")
    assert 'User "oncall" cannot' in forbidden.message
    assert (missing.delivery, missing.fault) == (Delivery.ANSWERED, "not-found")
    assert hooks.calls == []


async def test_a_command_in_a_pod_that_does_not_run_is_refused(start: Start) -> None:
    hooks = TestHooks(births={"front": PodBirth(delay=None)})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- df")
    assert "container not found" in came.message
    assert hooks.calls == []


async def test_a_server_that_fails_in_the_handshake_is_a_fault(start: Start) -> None:
    hooks = TestHooks()
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)

    def fail_exec(request: object) -> None:
        if getattr(request, "subresource", "") == "exec":
            hooks.faults["get"] = ServerFault("answer", 503, "ServiceUnavailable", "no kubelet")

    hooks.on_request = fail_exec
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- df")
    assert (came.delivery, came.fault) == (Delivery.ANSWERED, "server-error")
    assert "no kubelet" in came.message


async def test_a_command_cut_off_without_its_status_is_unknown(start: Start) -> None:
    hooks = TestHooks(answers={"half": ExecAnswer(b"begun\n", then="cut")})
    cluster = await start(pod("front", node_name="node1"), hooks=hooks)
    async with client(cluster.server.kubeconfig) as run:
        came = await run("exec -n web front -- half")
    assert (came.delivery, came.fault, came.out) == (Delivery.UNKNOWN, "disconnected", "begun\n")
    assert len(hooks.calls) == 1


def only(verb: str) -> tuple[User, ...]:
    """Users of whom one may look at pods, and open an exec with one verb only."""
    rules = (RbacRule(("get", "list"), ("pods",)), RbacRule((verb,), ("pods/exec",)))
    return ADMIN, User("oncall", rules)


@pytest.mark.parametrize("verb", ["get", "create"])
async def test_a_role_that_allows_one_way_of_exec_is_enough(start: Start, verb: str) -> None:
    hooks = TestHooks(answers={"df": ExecAnswer(b"full\n" * 50_000, b"warning\n", exit=3)})
    cluster = await start(pod("front", node_name="node1"), users=only(verb), hooks=hooks)
    content = bytes(range(256)) * 800
    async with client(cluster.server.kubeconfigs["oncall"]) as run:
        came = await run("exec -n web front -- df -k")
        read = await run("exec -i -n web front -- cat", stdin=content)
    assert (came.result.exit, came.fault, came.delivery) == (3, "exit", Delivery.ANSWERED)
    assert (came.out, came.err) == ("full\n" * 50_000, "warning\ncommand terminated with exit code 3\n")
    assert (read.result.exit, bytes(read.output.stdout)) == (0, content)
    assert [call.argv[0] for call in hooks.calls] == ["df", "cat"]


async def test_a_connection_over_spdy_that_is_cut_is_unknown(start: Start) -> None:
    hooks = TestHooks(answers={"sleep": ExecAnswer(b"begun\n", then="cut")})
    cluster = await start(pod("front", node_name="node1"), users=only("create"), hooks=hooks)
    async with client(cluster.server.kubeconfigs["oncall"]) as run:
        came = await run("exec -n web front -- sleep")
    assert (came.delivery, came.fault) == (Delivery.UNKNOWN, "disconnected")


async def test_a_role_that_allows_no_exec_is_refused_by_what_it_lacks(start: Start) -> None:
    cluster = await start(pod("front"), users=only("list"))
    async with client(cluster.server.kubeconfigs["oncall"]) as run:
        came = await run("exec -n web front -- reboot")
    assert (came.delivery, came.fault) == (Delivery.ANSWERED, "forbidden")
    assert "pods/exec" in came.message
