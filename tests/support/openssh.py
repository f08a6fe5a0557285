"""Real OpenSSH servers on loopback, each with keys, a configuration and a port of its own.

A server is started in the foreground by root, as sshd wants it, and ended with all that it started.
"""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from breakglass.site.model import Host

SSHD = "/usr/sbin/sshd"
START_WITHIN = 20.0
USER = pwd.getpwuid(os.getuid()).pw_name


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "", comment: str = "test") -> Path:
    """A key pair in OpenSSH's form at `path` and `path.pub`."""
    run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", comment, "-f", str(path))
    return path


def run(*argv: str, **environment: str) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=30, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def fingerprint(key: Path) -> str:
    """As `ssh-keygen` shows it, of a key file or a public key file."""
    return run("ssh-keygen", "-lf", str(key)).split()[1]


@dataclass(slots=True)
class OpenSsh:
    """A running server. `folder` holds its keys; `client_key` gets in; `known_hosts` knows it."""

    folder: Path
    address: str
    port: int
    process: "subprocess.Popen[bytes]"
    host_keys: tuple[Path, ...]
    client_key: Path
    known_hosts: Path
    ssh_config: Path
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "log"

    def host(self, name: str = "box", **changes: object) -> Host:
        """The server as a host of a site. It may be connected to as often as a test wants."""
        values: dict[str, object] = {
            "name": name,
            "address": self.address,
            "port": self.port,
            "user": USER,
            "identity": self.client_key,
            "known_hosts": self.known_hosts,
            "ssh_config": self.ssh_config,
            "connections_per_minute": 6000.0,
        }
        return Host(**{**values, **changes})  # type: ignore[arg-type]

    def logins(self) -> int:
        """How many connections have been logged in so far."""
        return self.log.read_text().count("Accepted publickey")

    def cut(self) -> None:
        """Kill the processes of all connections and then what they run, as a crash would."""
        for process in reversed(descendants(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the processes of all connections: they stay connected and say nothing any more."""
        for process in descendants(self.process.pid):
            os.kill(process, signal.SIGSTOP)

    def authorize(self, public: Path, options: str = "") -> None:
        """Let a key in, with options of its own before it."""
        line = f"{options} {public.read_text().strip()}".strip()
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(line + "\n")


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and those that they have, deepest first."""
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
    found: list[int] = []
    level = [process]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found = level + found
    return found


def known_hosts_line(address: str, port: int, public: Path) -> str:
    kind, key = public.read_text().split()[:2]
    name = address if port == 22 else f"[{address}]:{port}"
    return f"{name} {kind} {key}\n"


@contextlib.contextmanager
def openssh(
    folder: Path,
    *,
    options: Sequence[str] = (),
    kinds: Sequence[str] = ("ed25519",),
    address: str = "127.0.0.1",
    port: int = 0,
    namespace: str = "",
) -> Generator[OpenSsh]:
    """Start an sshd in `folder`; stop it at the end.

    options: lines of sshd_config, before the ones that are always there. namespace: a network namespace for
    the server to be in; then `address` and `port` are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    assert Path(SSHD).exists(), "sshd is not installed; run tools/debian-packages.sh"
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host_keys = tuple(make_key(folder / f"host_{kind}", kind=kind) for kind in kinds)
    client_key = make_key(folder / "client", comment="right key")
    (folder / "authorized_keys").write_text((folder / "client.pub").read_text())
    (folder / "ssh_config").write_text("")
    for _ in range(5):
        chosen = port or _free_port(address)
        process = _start(folder, options, host_keys, address, chosen, namespace)
        if _listens(process, folder / "log"):
            break
        process.wait(timeout=10)
    else:
        raise AssertionError(f"sshd did not start: {(folder / 'log').read_text()}")
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(
        "".join(known_hosts_line(address, chosen, key.with_name(key.name + ".pub")) for key in host_keys)
    )
    server = OpenSsh(
        folder, address, chosen, process, host_keys, client_key, known_hosts, folder / "ssh_config"
    )
    try:
        yield server
    finally:
        server.cut()
        process.kill()
        process.wait(timeout=10)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _start(
    folder: Path, options: Sequence[str], host_keys: Sequence[Path], address: str, port: int, namespace: str
) -> "subprocess.Popen[bytes]":
    lines = [
        *options,
        f"ListenAddress {address}:{port}",
        *(f"HostKey {key}" for key in host_keys),
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        "LogLevel VERBOSE",
        "MaxStartups 100",
        # The login shell must not read what the person who runs the tests has in its home.
        f"SetEnv HOME={folder}",
        "PrintMotd no",
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    (folder / "log").write_text("")
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    argv = [*inside, SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _listens(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    until = time.monotonic() + START_WITHIN
    while time.monotonic() < until:
        if "Server listening" in log.read_text():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    process.kill()
    return False
