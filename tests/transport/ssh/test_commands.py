"""What a command gives and how its end is judged, over a real sshd."""

import asyncio
import socket
import threading
import time
import tracemalloc
from pathlib import Path

import paramiko
import paramiko.common
import pytest
from paramiko.common import MSG_CHANNEL_EOF

from breakglass.transport.base import Delivery, SshRequest
from breakglass.transport.ssh.protocol import Client
from tests.support.openssh import OpenSsh, openssh
from tests.transport.ssh.support import run, transport

MEGABYTE = 1024 * 1024


async def test_output_and_exit_status_come_back(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "echo out; echo err >&2; exit 3")
        assert (ran.stdout, ran.stderr, ran.result.exit) == (b"out\n", b"err\n", 3)
        assert (ran.delivery, ran.fault) == (Delivery.ANSWERED, "exit")
        assert "box" in ran.message and "exit status 3" in ran.message
        good = await run(ssh, "true")
        assert (good.result.exit, good.result.fault) == (0, None)


async def test_many_commands_share_one_connection(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        for number in range(5):
            assert (await run(ssh, f"echo {number}")).stdout == f"{number}\n".encode()
    assert server.logins() == 1


async def test_thirty_commands_at_once_share_one_connection(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await asyncio.gather(*(run(ssh, f"echo {number}") for number in range(30)))
    assert [each for each in ran if each.fault] == []
    assert [each.stdout for each in ran] == [f"{number}\n".encode() for number in range(30)]
    assert server.logins() == 1


async def test_a_server_that_gives_few_sessions_gets_the_commands_one_after_the_other(tmp_path: Path) -> None:
    with openssh(tmp_path, options=["MaxSessions 2"]) as server:
        async with transport(server.host()) as ssh:
            ran = await asyncio.gather(*(run(ssh, f"echo {number}") for number in range(8)))
        assert [each.stdout for each in ran] == [f"{number}\n".encode() for number in range(8)]
        assert server.logins() == 1


async def test_a_session_that_a_stuck_command_takes_up_is_replaced_by_a_new_connection(
    tmp_path: Path,
) -> None:
    with openssh(tmp_path, options=["MaxSessions 1"]) as server:
        async with transport(server.host()) as ssh:
            await run(ssh, "true")  # so that the second below is the command's alone
            stuck = await run(ssh, "trap '' HUP TERM; sleep 60", timeout=1.0)
            after = await run(ssh, "echo again")
        assert (stuck.fault, after.stdout) == ("timeout", b"again\n")
        assert server.logins() == 2


async def test_a_server_that_gives_no_session_at_all_is_said(tmp_path: Path) -> None:
    with openssh(tmp_path, options=["MaxSessions 0"]) as server:
        async with transport(server.host()) as ssh:
            ran = await run(ssh, "true")
        assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "disconnected")
        assert "MaxSessions" in ran.message


async def test_bytes_that_are_no_text_pass_unchanged(server: OpenSsh) -> None:
    everything = bytes(range(256)) * 3
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "cat", stdin=everything)
        errors = await run(ssh, "cat >&2", stdin=everything)
    assert ran.stdout == everything
    assert errors.stderr == everything


async def test_a_command_without_input_sees_the_end_of_it(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "cat; echo over")).stdout == b"over\n"


async def test_much_input_and_output_flow_at_once(server: OpenSsh) -> None:
    data = bytes(range(251)) * 130_000
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "cat", stdin=data, timeout=60)
    assert (ran.stdout == data, ran.result.exit) == (True, 0)


async def test_the_end_of_the_input_never_comes_after_the_end_of_the_command(
    server: OpenSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSH drops the connection, with all that runs on it, for a packet on a channel that has ended."""
    send = paramiko.Transport._send_user_message  # pyright: ignore

    def late(client: Client, message: paramiko.Message) -> None:
        if message.asbytes()[0] == MSG_CHANNEL_EOF:
            time.sleep(0.1)
        send(client, message)

    monkeypatch.setattr(Client, "_send_user_message", late)
    async with transport(server.host()) as ssh:
        ran = await asyncio.gather(*(run(ssh, "exit 0", stdin=stdin) for stdin in (None, b"x") * 3))
    assert [each.result.exit for each in ran] == [0] * 6
    assert "nonexistent channel" not in server.log.read_text()


async def test_input_that_is_not_read_harms_nothing(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "exec true", stdin=b"x" * (8 * MEGABYTE))
        assert ran.result.exit == 0
        assert (await run(ssh, "echo still")).stdout == b"still\n"


async def test_much_output_flows_in_little_memory(server: OpenSsh) -> None:
    amount = 60 * MEGABYTE
    received = 0

    def sink(stream: str, data: bytes) -> None:
        nonlocal received
        received += len(data)

    async with transport(server.host()) as ssh:
        await run(ssh, "true")
        tracemalloc.start()
        try:
            result = await ssh.send(
                SshRequest("box", ("sh", "-c", f"head -c {amount} /dev/zero"), 60.0), sink
            )
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (received, result.exit, result.fault) == (amount, 0, None)
    assert peak < 24 * MEGABYTE


async def test_output_reaches_the_sink_while_the_command_runs(server: OpenSsh) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def sink(stream: str, data: bytes) -> None:
        loop.call_soon_threadsafe(begun.set)

    async with transport(server.host()) as ssh:
        request = SshRequest("box", ("sh", "-c", "echo begun; sleep 60"), 20.0)
        running = asyncio.create_task(ssh.send(request, sink))
        await asyncio.wait_for(begun.wait(), 20)
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await run(ssh, "echo after")).stdout == b"after\n"
    assert server.logins() == 1


async def test_the_event_loop_goes_on_while_the_sink_holds_the_far_side_up(server: OpenSsh) -> None:
    let_go = threading.Event()
    held_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    kept: list[bytes] = []

    def sink(stream: str, data: bytes) -> None:
        loop.call_soon_threadsafe(held_up.set)
        assert let_go.wait(20)
        kept.append(data)

    async with transport(server.host()) as ssh:
        sending = asyncio.create_task(
            ssh.send(SshRequest("box", ("sh", "-c", f"head -c {MEGABYTE} /dev/zero"), 20.0), sink)
        )
        await asyncio.wait_for(held_up.wait(), 20)
        assert (await run(ssh, "echo other")).stdout == b"other\n"
        let_go.set()
        assert (await sending).exit == 0
    assert len(b"".join(kept)) == MEGABYTE


async def test_the_two_streams_come_one_piece_at_a_time(server: OpenSsh) -> None:
    within = threading.Lock()
    at_once: list[str] = []
    received = {"stdout": 0, "stderr": 0}

    def sink(stream: str, data: bytes) -> None:
        if not within.acquire(blocking=False):
            at_once.append(stream)
            return
        received[stream] += len(data)
        time.sleep(0)
        within.release()

    command = f"head -c {2 * MEGABYTE} /dev/zero & head -c {2 * MEGABYTE} /dev/zero >&2; wait"
    async with transport(server.host()) as ssh:
        await ssh.send(SshRequest("box", ("sh", "-c", command), 20.0), sink)
    assert (at_once, received) == ([], {"stdout": 2 * MEGABYTE, "stderr": 2 * MEGABYTE})


async def test_a_sink_that_never_comes_back_holds_no_deadline_and_no_cancelling_up(server: OpenSsh) -> None:
    never = threading.Event()
    held_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    kept: list[bytes] = []

    def sink(stream: str, data: bytes) -> None:
        kept.append(data)
        loop.call_soon_threadsafe(held_up.set)
        never.wait(60)

    async with transport(server.host()) as ssh:
        try:
            result = await asyncio.wait_for(ssh.send(SshRequest("box", ("sh", "-c", "yes"), 1.0), sink), 20)
            held_up.clear()
            cancelled = asyncio.create_task(ssh.send(SshRequest("box", ("sh", "-c", "yes"), 60.0), sink))
            await asyncio.wait_for(held_up.wait(), 20)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(cancelled, 20)
        finally:
            never.set()
        assert (result.delivery, result.fault and result.fault.kind) == (Delivery.UNKNOWN, "timeout")
        assert (await run(ssh, "echo usable")).stdout == b"usable\n"
    assert len(kept) == 2, "what was read after the end is dropped"


@pytest.mark.parametrize(
    "command",
    [
        "sleep 60",
        "trap '' HUP INT TERM PIPE; while :; do sleep 1; done",
        "kill -STOP $$",
        "yes",
        "exec >&- 2>&-; sleep 60",
    ],
)
async def test_a_command_that_never_ends_is_left_at_its_deadline(server: OpenSsh, command: str) -> None:
    async with transport(server.host()) as ssh:
        await run(ssh, "true")
        ran = await asyncio.wait_for(run(ssh, command, timeout=1.0), 20)
        assert (ran.delivery, ran.fault, ran.result.exit) == (Delivery.UNKNOWN, "timeout", None)
        assert "may still run" in ran.message
        assert (await run(ssh, "echo usable")).stdout == b"usable\n"
    assert server.logins() == 1


async def test_a_server_that_freezes_holds_nobody_up_and_is_left_for_a_new_connection(
    server: OpenSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakglass.transport.ssh.connection.PING", 0.3)
    async with transport(server.host()) as ssh:
        await run(ssh, "true")
        server.freeze()
        held = await run(ssh, "true", timeout=0.5)
        assert (held.delivery, held.fault) == (Delivery.NOT_SENT, "timeout")
        assert (await run(ssh, "echo anew")).stdout == b"anew\n"
    assert server.logins() == 2


async def test_a_server_that_freezes_within_a_command_leaves_the_outcome_unknown(
    server: OpenSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakglass.transport.ssh.connection.PING", 0.3)
    async with transport(server.host()) as ssh:
        request = SshRequest("box", ("sh", "-c", "echo begun; sleep 60"), 2.0)
        result = await ssh.send(request, lambda stream, data: server.freeze())
        assert (result.delivery, result.fault and result.fault.kind) == (Delivery.UNKNOWN, "timeout")
        assert (await run(ssh, "echo anew")).stdout == b"anew\n"
    assert server.logins() == 2


async def test_a_command_goes_on_when_another_finds_the_connection_too_slow(
    server: OpenSsh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakglass.transport.ssh.connection.FRESH", 0.0)
    monkeypatch.setattr("breakglass.transport.ssh.connection.PING", 0.0)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def sink(stream: str, data: bytes) -> None:
        loop.call_soon_threadsafe(begun.set)

    async with transport(server.host()) as ssh:
        command = f"echo begun; until [ -e {server.folder}/go ]; do sleep 0.05; done"
        request = SshRequest("box", ("sh", "-c", command), 20.0)
        slow = asyncio.create_task(ssh.send(request, sink))
        await asyncio.wait_for(begun.wait(), 20)
        assert (await run(ssh, f"touch {server.folder}/go; echo other")).stdout == b"other\n"
        result = await slow
    assert (result.exit, result.fault) == (0, None)
    assert server.logins() == 2


async def test_every_thread_lets_the_program_end(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        await run(ssh, "sleep 60", timeout=1.0)
        others = [each for each in threading.enumerate() if each is not threading.main_thread()]
        assert [each.name for each in others if "ssh" in each.name.lower() and not each.daemon] == []


async def test_an_end_with_output_still_open_is_known_by_its_status(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "sleep 60 & echo begun", timeout=1.5)
    assert (ran.delivery, ran.result.exit, ran.fault) == (Delivery.ANSWERED, 0, "timeout")
    assert "keeps its output open" in ran.message


async def test_a_command_that_a_signal_ends_is_said_with_the_signal(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "kill -KILL $$")
    assert (ran.delivery, ran.result.exit, ran.fault) == (Delivery.ANSWERED, None, "exit")
    assert "signal KILL" in ran.message


async def test_a_connection_cut_within_the_output_leaves_the_outcome_unknown(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        await run(ssh, "true")
        request = SshRequest("box", ("sh", "-c", "echo begun; sleep 60"), 30.0)
        seen = bytearray()

        def sink(stream: str, data: bytes) -> None:
            seen.extend(data)
            server.cut()

        result = await ssh.send(request, sink)
        assert (result.delivery, result.exit, bytes(seen)) == (Delivery.UNKNOWN, None, b"begun\n")
        assert result.fault is not None and result.fault.kind == "disconnected"
        assert "look what it did before trying again" in result.fault.message


async def test_a_connection_that_died_between_commands_is_made_anew(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        await run(ssh, "true")
        server.cut()
        assert (await run(ssh, "echo back")).stdout == b"back\n"
    assert server.logins() == 2


async def test_the_same_command_is_never_sent_twice(server: OpenSsh, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with transport(server.host()) as ssh:
        ran = await run(ssh, f"echo x >> {mark}; kill -KILL $PPID; sleep 60")
        assert ran.delivery is Delivery.UNKNOWN
        await run(ssh, "true")
    assert mark.read_text() == "x\n"


class RefusesCommands(paramiko.ServerInterface):
    """Lets everybody in and runs nothing."""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED


async def test_a_server_that_refuses_to_run_commands_is_said(server: OpenSsh) -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        there = paramiko.Transport(connection)
        there.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(server.host_keys[0])))
        there.start_server(server=RefusesCommands(), event=threading.Event())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        port = int(listener.getsockname()[1])
        server.known_hosts.write_text(server.known_hosts.read_text().replace(str(server.port), str(port)))
        async with transport(server.host(port=port)) as ssh:
            ran = await run(ssh, "true")
    assert (ran.delivery, ran.fault, ran.result.exit) == (Delivery.ANSWERED, "forbidden", None)
    assert "refuses to run commands" in ran.message


async def test_a_command_that_is_no_text_is_not_sent(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "echo \ud800")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "configuration")


async def test_a_host_with_a_forced_command_gets_the_bare_verb(server: OpenSsh) -> None:
    verbs = server.folder / "verbs"
    verbs.write_text(
        '#!/bin/sh\necho "verb=$SSH_ORIGINAL_COMMAND"\n[ "$SSH_ORIGINAL_COMMAND" = status ] || exit 2\n'
    )
    verbs.chmod(0o755)
    server.folder.joinpath("authorized_keys").write_text("")
    server.authorize(server.client_key.with_name("client.pub"), f'restrict,command="{verbs}"')
    async with transport(server.host(forced_command=True)) as ssh:
        right = await run(ssh, ["status"])
        wrong = await run(ssh, ["reset"])
        assert (right.stdout, right.result.exit) == (b"verb=status\n", 0)
        assert (wrong.stdout, wrong.result.exit, wrong.fault) == (b"verb=reset\n", 2, "exit")
        for words in (
            ["status", "now"],
            ["sudo", "-n", "--", "status"],
            ["status;reset"],
            ["'status'"],
            ["-x"],
            [""],
        ):
            refused = await run(ssh, words)
            assert (refused.delivery, refused.fault) == (Delivery.NOT_SENT, "configuration")
            assert "one bare verb" in refused.message


SUDO_AS_NOBODY = 'ForceCommand su -s /bin/sh nobody -c "$SSH_ORIGINAL_COMMAND"'
"""The real sudo, asked by a user whom it does not know without a password."""


async def test_a_sudo_that_would_ask_for_a_password_is_forbidden_and_nothing_ran(tmp_path: Path) -> None:
    with openssh(tmp_path, options=[SUDO_AS_NOBODY]) as server:
        async with transport(server.host()) as ssh:
            alone = await run(ssh, ["sudo", "-n", "--", "systemctl", "restart", "kubelet"])
            within = await run(ssh, "id -u; sudo -n -- id -u")
    assert (alone.delivery, alone.fault, alone.result.exit) == (Delivery.ANSWERED, "forbidden", 1)
    assert "sudo would ask" in alone.message and "NOPASSWD" in alone.message
    assert b"a password is required" in alone.stderr
    assert within.fault == "exit", "what came before the sudo did run, so this is no refusal"
    assert "sudo would ask" in within.message


async def test_a_sudo_that_needs_no_password_runs(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        assert (await run(ssh, "sudo -n -- id -u")).stdout == b"0\n"


async def test_a_command_that_merely_speaks_of_sudo_is_judged_by_its_status(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "echo 'sudo: a password is required' >&2; exit 1")
        assert ran.fault == "exit"
