"""Ask a real NFS client what the probe of `nfs-node-reboot` comes to, healthy and in each form of harm.

    python -m tools.nfs_mounts LAB      LAB is the folder of the lab with the guest in QEMU, built and up

Writes `tests/runbooks/nfs_mounts.json`, which the tests hold the runbook and its simulated worlds to. The
command is the runbook's own, with the options and the source put in.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from breakglass.runbook.actions import SshAction
from breakglass.runbook.load import load_runbook

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "runbooks" / "nfs_mounts.json"
RUNBOOK = ROOT / "runbooks" / "nfs-node-reboot" / "runbook.yaml"
SERVER = "10.0.2.2:/export"
LIMIT = 60.0
"""Seconds that the probe gets, as the step has it."""
FULL_PORT = 2052
"""A port of this machine whose connections hang half open."""


@dataclass(frozen=True)
class Row:
    """What one probe came to. `exit` is None where it was still running after its limit."""

    form: str
    options: str
    exit: int | None
    stdout: str
    stderr: str
    hung: list[str]
    """The mounts in D afterwards: state and where the kernel waits."""


class Guest:
    """The guest, over ssh."""

    def __init__(self, lab: Path, vmid: str = "201") -> None:
        self._base = base = Path(os.environ.get("VMLAB_BASE", "/tmp/vmlab"))
        self._lab = lab
        self._vmid = vmid
        self._ssh = ["ssh", "-F", str(base / "ssh_config"), f"node{vmid}"]

    def run(self, text: str, limit: float = LIMIT) -> tuple[int | None, str, str]:
        process = subprocess.Popen(
            [*self._ssh, text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = process.communicate(timeout=limit)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            code = None
        return code, out.decode(), err.decode()

    def lab(self, script: str, *arguments: str) -> None:
        """Run one of the lab's scripts."""
        subprocess.run([str(self._lab / script), *arguments], check=True, stdin=subprocess.DEVNULL)

    def reset(self) -> None:
        """Back to a client that is well."""
        self.lab("unwedge.sh")
        qm = self._base / "hv" / "bin" / "qm"
        environment = {**os.environ, "VMLAB_BASE": str(self._base)}
        subprocess.run([str(qm), "stop", self._vmid], check=True, env=environment)
        self.lab("up.sh", self._vmid)

    def probe(self, form: str, options: str, source: str = SERVER) -> Row:
        place = f"/run/nfsprobe-{form}-{options.partition(',')[0]}"
        code, out, err = self.run(probe_text(options, source, place))
        _, processes, _ = self.run("ps -eo stat,wchan:32,args", 30)
        hung = [
            " ".join(line.split()[:2])
            for line in processes.splitlines()
            if line.startswith("D") and "mount.nfs" in line and place in line
        ]
        out = out.replace(f":{FULL_PORT}", ":2049")
        row = Row(form, options, code, out, err.replace(place, "PLACE"), hung)
        sys.stderr.write(f"{row}\n")
        return row


def probe_text(options: str, source: str, place: str) -> str:
    """The command of the step `probe-default`, with its values put in."""
    action = load_runbook(RUNBOOK).step("probe-default").action
    assert isinstance(action, SshAction)
    (text,) = (word.source for word in action.words)
    values = {"probe_options": options, "source": source}
    for name, value in values.items():
        text = text.replace(f"${{{{ {name} }}}}", value)
    if "port=" in options:
        text = text.replace(":2049", f":{options.rpartition('port=')[2]}")
    return text.replace("/run/nfsprobe-default", place)


@contextmanager
def half_open() -> Generator[None]:
    """A port whose queue is full: the kernel drops what wants to connect."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", FULL_PORT))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", FULL_PORT))
        yield
        for each in waiting:
            each.close()


def rows(guest: Guest) -> Generator[Row]:
    guest.run("modprobe nfsv4; timeout 20 ls /mnt/nfs")
    for version in ("4", "4.1", "4.2"):
        yield guest.probe("healthy", f"nfsvers={version}")
    yield guest.probe("without-statd", "nfsvers=3")
    yield guest.probe("no-such-path", "nfsvers=4", f"{SERVER}/nothing")
    yield guest.probe("port-closed", "nfsvers=4,port=2051")
    with half_open():
        yield guest.probe("half-open", f"nfsvers=4,port={FULL_PORT}")
    guest.run("mv /sbin/mount.nfs /sbin/mount.nfs.away")
    yield guest.probe("no-helper", "nfsvers=4")
    guest.run("mv /sbin/mount.nfs.away /sbin/mount.nfs")
    guest.lab("wedge.sh", "201", "stop")
    for version in ("4", "4.1", "4.2"):
        yield guest.probe("stop", f"nfsvers={version}")
    guest.run("pkill -KILL mount.nfs")
    yield guest.probe("stop-killed", "nfsvers=4.1")
    guest.reset()
    guest.lab("wedge.sh", "201", "moved")
    yield guest.probe("moved", "nfsvers=4.1", "nfs.lab:/export")
    yield guest.probe("moved-old-address", "nfsvers=4.1")
    guest.reset()
    guest.lab("wedge.sh", "201", "stale")
    yield guest.probe("stale", "nfsvers=4.1")
    guest.reset()


def main() -> None:
    found = [asdict(row) for row in rows(Guest(Path(sys.argv[1])))]
    TABLE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
