import asyncio
import socket
from pathlib import Path

import paramiko
import pytest

from tests.rehearsal.support import connected, run, run_once, running, said

PVE = """\
world:
  vms: {"203": {status: running, resets: 0}}
  up: true
  locked: true
hosts:
  pve:
    commands:
      - match: qm status {vmid}
        when: request.match.vmid in world.vms
        reply: "status: ${{ world.vms[request.match.vmid].status }}"
      - match: qm status {vmid}
        reply: {stderr: "Configuration file '${{ request.match.vmid }}.conf' does not exist", exit: 2}
      - match: qm stop {vmid}
        set: {"vms.${{ request.match.vmid }}.status": stopped}
        reply: ""
      - {match: hang, reply: {hang: true, stdout: "begun"}}
      - {match: stuck, reply: {stuck: true}}
      - {match: slow, reply: {stdout: late, delay: 30s}}
      - {match: gone, reply: {close: true}}
      - {match: cat, stdin: true, reply: "read ${{ string(size(request.stdin)) }}"}
      - {match: "whoami", when: request.sudo, reply: root}
      - {match: "whoami", reply: ops}
    files:
      /proc/mounts: |
        192.168.1.127:/srv/nfs /mnt/a nfs4 rw 0 0
        ${{ world.up ? '192.168.1.127:/srv/nfs /mnt/b nfs4 rw 0 0' : '' }}
rules:
  - {name: stopped, on: "ssh pve qm stop {vmid}", say: "VM ${{ event.match.vmid }} is off."}
"""


async def test_a_command_is_answered_by_its_rule_and_changes_the_world(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        host = rehearsal.site.hosts["pve"]
        before = await asyncio.to_thread(run_once, host, "qm status 203")
        stopped = await asyncio.to_thread(run_once, host, "sudo -n -- qm stop 203")
        after = await asyncio.to_thread(run_once, host, "qm status 203")
        assert (before.stdout, before.exit) == ("status: running\n", 0)
        assert stopped.exit == 0
        assert after.stdout == "status: stopped\n"
        assert rehearsal.touched == ["ssh pve qm stop 203"]
        assert said(rehearsal)["stopped"] == "VM 203 is off."


async def test_a_command_has_its_exit_status_and_its_standard_error(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        ran = await asyncio.to_thread(run_once, rehearsal.site.hosts["pve"], "qm status 999")
        assert ran.exit == 2
        assert "999.conf" in ran.stderr
        assert ran.stdout == ""


async def test_an_unknown_command_is_not_found(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        ran = await asyncio.to_thread(run_once, rehearsal.site.hosts["pve"], "frobnicate --now")
        assert ran.exit == 127
        assert "frobnicate: command not found" in ran.stderr
        assert rehearsal.touched == []


async def test_files_are_read_as_the_world_stands(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        host = rehearsal.site.hosts["pve"]
        assert (await asyncio.to_thread(run_once, host, "cat /proc/mounts")).stdout.count("nfs4") == 2
        found = await asyncio.to_thread(run_once, host, "grep -c mnt/b /proc/mounts")
        assert (found.stdout, found.exit) == ("1\n", 0)
        absent = await asyncio.to_thread(run_once, host, "grep zzz /proc/mounts")
        assert (absent.stdout, absent.exit) == ("", 1)
        missing = await asyncio.to_thread(run_once, host, "cat /etc/nothing")
        assert missing.exit == 1
        assert "No such file" in missing.stderr


async def test_a_timeout_around_a_command_ends_it_with_124(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        host = rehearsal.site.hosts["pve"]
        hung = await asyncio.to_thread(run_once, host, "timeout 5 hang")
        assert (hung.stdout, hung.exit) == ("begun\n", 124)
        slow = await asyncio.to_thread(run_once, host, "timeout -k 1 5 slow")
        assert (slow.stdout, slow.exit) == ("", 124)
        patient = await asyncio.to_thread(run_once, host, "timeout 60 slow")
        assert (patient.stdout, patient.exit) == ("late\n", 0)


async def test_a_command_stuck_in_the_kernel_does_not_end_for_a_timeout(tmp_path: Path) -> None:
    async with running(tmp_path, PVE, speed=2000) as rehearsal:
        client = await asyncio.to_thread(connected, rehearsal.site.hosts["pve"])
        try:
            _, out, _ = await asyncio.to_thread(client.exec_command, "timeout 5 stuck")
            other = await asyncio.to_thread(run, client, "timeout 300 slow")
            assert other.exit == 0, "another channel of the connection still answers, far later"
            assert not out.channel.exit_status_ready()
        finally:
            client.close()


async def test_many_channels_of_one_connection_run_side_by_side(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        client = await asyncio.to_thread(connected, rehearsal.site.hosts["pve"])
        try:
            ran = await asyncio.gather(
                *(asyncio.to_thread(run, client, "qm status 203") for _ in range(5)),
                *(asyncio.to_thread(run, client, "cat", "x" * 70_000) for _ in range(2)),
            )
        finally:
            client.close()
        assert {each.stdout for each in ran[:5]} == {"status: running\n"}
        assert {each.stdout for each in ran[5:]} == {"read 70000\n"}


async def test_a_lost_connection_gives_no_exit_status(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        client = await asyncio.to_thread(connected, rehearsal.site.hosts["pve"])
        try:
            ran = await asyncio.to_thread(run, client, "gone")
        finally:
            client.close()
        assert ran.exit == -1


async def test_sudo_is_seen_by_rules(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        host = rehearsal.site.hosts["pve"]
        assert (await asyncio.to_thread(run_once, host, "whoami")).stdout == "ops\n"
        assert (await asyncio.to_thread(run_once, host, "sudo -n whoami")).stdout == "root\n"


async def test_a_host_whose_sudo_asks_for_a_password_refuses_and_changes_nothing(tmp_path: Path) -> None:
    body = """\
    world: {stopped: false}
    hosts:
      node:
        user: ops
        sudo: password
        commands:
          - {match: systemctl stop kubelet, set: {stopped: true}}
    """
    async with running(tmp_path, body) as rehearsal:
        ran = await asyncio.to_thread(
            run_once, rehearsal.site.hosts["node"], "sudo -n -- systemctl stop kubelet"
        )
        assert (ran.exit, ran.stderr) == (1, "sudo: a password is required\n")
        assert rehearsal.variables["stopped"] is False
        assert rehearsal.touched == []


async def test_an_unknown_and_a_changed_host_key_are_refused_by_a_strict_client(tmp_path: Path) -> None:
    body = """\
    hosts:
      new: {host_key: unknown}
      swapped: {host_key: changed}
    """
    async with running(tmp_path, body) as rehearsal:
        with pytest.raises(paramiko.SSHException, match="not found in known_hosts"):
            await asyncio.to_thread(connected, rehearsal.site.hosts["new"])
        with pytest.raises(paramiko.BadHostKeyException):
            await asyncio.to_thread(connected, rehearsal.site.hosts["swapped"])


async def test_a_key_that_is_not_accepted_gets_nobody_in(tmp_path: Path) -> None:
    async with running(tmp_path, "hosts: {pve: {login: refused}}\n") as rehearsal:
        with pytest.raises(paramiko.AuthenticationException):
            await asyncio.to_thread(connected, rehearsal.site.hosts["pve"])


async def test_a_host_that_refuses_has_nothing_listening(tmp_path: Path) -> None:
    async with running(tmp_path, "hosts: {pve: {refuse: true}}\n") as rehearsal:
        port = rehearsal.site.hosts["pve"].port
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("fault", ["hang: true", "reachable: world.up"])
async def test_a_host_that_hangs_accepts_and_says_nothing(tmp_path: Path, fault: str) -> None:
    async with running(tmp_path, f"world: {{up: false}}\nhosts: {{pve: {{{fault}}}}}\n") as rehearsal:
        reader, writer = await asyncio.open_connection("127.0.0.1", rehearsal.site.hosts["pve"].port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        writer.close()


async def test_a_host_that_goes_away_leaves_its_commands_hanging(tmp_path: Path) -> None:
    body = """\
    world: {up: true}
    hosts:
      node:
        reachable: world.up
        commands:
          - {match: reboot, set: {up: false}, reply: {delay: 1s}}
          - {match: uptime, reply: up}
    """
    async with running(tmp_path, body) as rehearsal:
        client = await asyncio.to_thread(connected, rehearsal.site.hosts["node"])
        try:
            assert (await asyncio.to_thread(run, client, "uptime")).stdout == "up\n"
            _, out, _ = await asyncio.to_thread(client.exec_command, "reboot")
            out.channel.settimeout(0.5)
            with pytest.raises(socket.timeout):
                await asyncio.to_thread(out.channel.recv, 1)
            assert not out.channel.exit_status_ready()
        finally:
            client.close()


async def test_the_real_openssh_client_gets_in_with_what_the_folder_holds(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        host = rehearsal.site.hosts["pve"]
        process = await asyncio.create_subprocess_exec(
            "ssh",
            *("-F", str(host.ssh_config), "-i", str(host.identity), "-p", str(host.port)),
            *("-o", f"UserKnownHostsFile={host.known_hosts}", "-o", "GlobalKnownHostsFile=none"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
            f"{host.user}@{host.address}",
            "qm status 203; exit",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 127, error
        assert out == b""
        assert b"not found" in error


async def test_closing_ends_connections_and_frees_the_port(tmp_path: Path) -> None:
    async with running(tmp_path, PVE) as rehearsal:
        host = rehearsal.site.hosts["pve"]
        client = await asyncio.to_thread(connected, host)
        transport = client.get_transport()
        assert transport is not None
    await asyncio.to_thread(transport.join, 5)
    assert not transport.is_active()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", host.port)
    client.close()


async def test_keys_and_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    body = PVE + "site: {secrets: {token: abc}}\n"
    async with running(tmp_path, body) as rehearsal:
        files = [path for path in rehearsal.folder.iterdir() if path.is_file()]
        assert files
        assert {path.stat().st_mode & 0o077 for path in files} == {0}
