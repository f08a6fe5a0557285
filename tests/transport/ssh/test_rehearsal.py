"""The same transport against the simulated hosts of a rehearsal."""

import asyncio
from pathlib import Path

from breakglass.rehearsal.rehearsal import Rehearsal
from breakglass.transport.base import Delivery
from breakglass.transport.ssh import Ssh
from tests.rehearsal.support import running
from tests.transport.ssh.support import NoSecrets, Prompt, run

WORLD = """\
world: {up: true, stopped: false}
hosts:
  pve:
    commands:
      - {match: qm status 203, reply: "status: running"}
      - {match: qm stop 203, set: {stopped: true}, reply: {stderr: "no such VM", exit: 2}}
      - {match: hang, reply: {hang: true, stdout: "begun"}}
      - {match: gone, reply: {close: true}}
      - {match: cat, stdin: true, reply: "read ${{ string(size(request.stdin)) }}"}
      - {match: whoami, when: request.sudo, reply: root}
      - {match: shutdown now, set: {up: false}, reply: {delay: 1s}}
    reachable: world.up
  asking: {sudo: password, user: ops}
  strange: {host_key: unknown}
  swapped: {host_key: changed}
  locked: {login: refused}
  closed: {refuse: true}
  silent: {hang: true}
"""


def transport_of(rehearsal: Rehearsal, prompt: Prompt | None = None) -> Ssh:
    return Ssh(rehearsal.site, NoSecrets(), prompt)


async def test_simulated_commands_give_what_the_scenario_says(tmp_path: Path) -> None:
    async with running(tmp_path, WORLD) as rehearsal:
        ssh = transport_of(rehearsal)
        read = await run(ssh, "qm status 203", "pve")
        assert (read.stdout, read.result.exit, read.fault) == (b"status: running\n", 0, "")
        changed = await run(ssh, "sudo -n -- qm stop 203", "pve")
        assert (changed.stderr, changed.result.exit, changed.fault) == (b"no such VM\n", 2, "exit")
        assert rehearsal.variables["stopped"] is True
        assert (await run(ssh, "sudo -n -- whoami", "pve")).stdout == b"root\n"
        assert (await run(ssh, "cat", "pve", stdin=b"abc")).stdout == b"read 3\n"
        assert (await run(ssh, "unheard", "pve")).result.exit == 127
        await ssh.close()


async def test_many_simulated_commands_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, WORLD) as rehearsal:
        ssh = transport_of(rehearsal)
        ran = await asyncio.gather(*(run(ssh, "qm status 203", "pve") for _ in range(20)))
        assert {each.stdout for each in ran} == {b"status: running\n"}
        await ssh.close()


async def test_simulated_faults_are_the_faults_of_real_hosts(tmp_path: Path) -> None:
    async with running(tmp_path, WORLD) as rehearsal:
        ssh = transport_of(rehearsal)
        expected = {
            "strange": "host-key",
            "swapped": "host-key",
            "locked": "authentication",
            "closed": "refused",
            "silent": "timeout",
        }
        ran = {
            name: await run(ssh, "true", name, timeout=1.0 if fault == "timeout" else 20.0)
            for name, fault in expected.items()
        }
        assert {name: each.fault for name, each in ran.items()} == expected
        assert {each.delivery for each in ran.values()} == {Delivery.NOT_SENT}
        asks = await run(ssh, ["sudo", "-n", "--", "systemctl", "stop", "kubelet"], "asking")
        assert (asks.fault, asks.delivery) == ("forbidden", Delivery.ANSWERED)
        await ssh.close()


async def test_an_unknown_key_of_a_simulated_host_can_be_accepted(tmp_path: Path) -> None:
    async with running(tmp_path, WORLD) as rehearsal:
        prompt = Prompt(True, [])
        ssh = transport_of(rehearsal, prompt)
        assert (await run(ssh, "true", "strange")).result.exit is not None
        assert [each.host for each in prompt.asked] == ["strange"]
        await ssh.close()


async def test_simulated_commands_that_hang_or_cut_leave_the_outcome_unknown(tmp_path: Path) -> None:
    async with running(tmp_path, WORLD) as rehearsal:
        ssh = transport_of(rehearsal)
        hung = await run(ssh, "hang", "pve", timeout=1.5)
        assert (hung.stdout, hung.fault, hung.delivery) == (b"begun\n", "timeout", Delivery.UNKNOWN)
        gone = await run(ssh, "gone", "pve")
        assert (gone.fault, gone.delivery) == ("disconnected", Delivery.UNKNOWN)
        assert (await run(ssh, "qm status 203", "pve")).stdout == b"status: running\n"
        down = await run(ssh, "shutdown now", "pve", timeout=1.0)
        assert (down.fault, down.delivery) == ("timeout", Delivery.UNKNOWN)
        await ssh.close()
