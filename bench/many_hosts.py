"""One read on 200 hosts at once, each an sshd of its own on loopback, with no connection made before.

Every side is a program of its own, which starts, reads and ends. Ansible and pyinfra take long, so there is
one round of them; what varies between rounds is far less than what lies between the sides.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Line, Sample, by_turns, compared, program
from bench.peers import peer
from bench.places import Places
from tests.support.openssh import SSHD, USER, known_hosts_line, make_key

HOSTS = 200
ADDRESS = "127.0.0.1"
FIRST_PORT = 22000
COMMAND = "uptime"
ASYNCSSH = """
import asyncio, json, sys, asyncssh

async def read(port, places):
    async with asyncssh.connect(
        places["address"], port, username=places["user"], client_keys=[places["key"]],
        known_hosts=places["known_hosts"], config=None, agent_path=None,
    ) as connection:
        await connection.run(places["command"], check=True)

async def main():
    places = json.load(open(sys.argv[1]))
    await asyncio.gather(*(read(port, places) for port in places["ports"]))

asyncio.run(main())
"""


def measure(work: Path) -> list[Line]:
    with many_sshds(work, HOSTS) as places:
        return compared(
            f"one read on {HOSTS} hosts",
            by_turns(sides(places), 1, unseen=0),
            "breakglass",
            {"ansible, 50 forks": 0.2, "pyinfra": None, "asyncssh": 1.5},
            cpu=True,
        )


def sides(places: Places) -> dict[str, Callable[[], Sample]]:
    folder = places.key.parent
    description = folder / "places.json"
    places.write(description)
    (folder / "plain.py").write_text(ASYNCSSH)
    ssh = f"-F none -o UserKnownHostsFile={places.known_hosts}"
    (folder / "inventory.ini").write_text(
        "[all]\n"
        + "".join(
            f"h{port} ansible_host={ADDRESS} ansible_port={port} ansible_user={USER} "
            f"ansible_python_interpreter={sys.executable}\n"
            for port in places.ports
        )
    )
    (folder / "inventory.py").write_text(
        "hosts = [\n"
        + "".join(
            f"('h{port}', {{'ssh_hostname': {ADDRESS!r}, 'ssh_port': {port}}}),\n" for port in places.ports
        )
        + "]\n"
    )
    (folder / "group_data").mkdir()
    (folder / "group_data" / "all.py").write_text(
        f"ssh_user = {USER!r}\nssh_key = {str(places.key)!r}\n"
        f"ssh_known_hosts_file = {str(places.known_hosts)!r}\nssh_config_file = '/dev/null'\n"
    )
    ansible = [
        peer("ansible"),
        "all",
        "-i",
        folder / "inventory.ini",
        "-f",
        "50",
        "--private-key",
        places.key,
    ]
    home = {"HOME": str(folder), "ANSIBLE_HOME": str(folder / "ansible"), "ANSIBLE_SSH_ARGS": ssh}
    return {
        "breakglass": lambda: program([sys.executable, "-m", "bench.read_hosts", description]),
        "ansible, 50 forks": lambda: program([*ansible, "-m", "command", "-a", COMMAND], home),
        "pyinfra": lambda: program(
            [peer("pyinfra"), "-y", "--chdir", folder, folder / "inventory.py", "exec", "--", COMMAND], home
        ),
        "asyncssh": lambda: program([peer("asyncssh", "python"), folder / "plain.py", description]),
    }


@contextmanager
def many_sshds(folder: Path, count: int) -> Generator[Places]:
    """Start many sshds that share their keys; each has a port."""
    key, host_key = make_key(folder / "client"), make_key(folder / "host")
    ports = tuple(range(FIRST_PORT, FIRST_PORT + count))
    public = folder / "host.pub"
    known_hosts = folder / "known_hosts"
    known_hosts.write_text("".join(known_hosts_line(ADDRESS, port, public) for port in ports))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "sshd_config").write_text(
        f"HostKey {host_key}\nAuthorizedKeysFile {folder / 'client.pub'}\nPidFile none\nStrictModes no\n"
        "UsePAM no\nPermitRootLogin yes\nPrintMotd no\nPrintLastLog no\n"
        f"SetEnv HOME={folder}\n"
    )
    argv = [SSHD, "-D", "-q", "-f", str(folder / "sshd_config"), "-o"]
    servers = [
        subprocess.Popen([*argv, f"ListenAddress={ADDRESS}:{port}"], stderr=subprocess.DEVNULL)
        for port in ports
    ]
    try:
        _until_all_listen(ports)
        yield Places(ADDRESS, ports, key, known_hosts, USER, COMMAND)
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def _until_all_listen(ports: tuple[int, ...]) -> None:
    wanted = {f"0100007F:{port:04X}" for port in ports}
    for _ in range(600):
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if wanted <= {words[1] for words in lines if words[3] == "0A"}:
            return
        time.sleep(0.1)
    raise RuntimeError("not every sshd listens after a minute")
