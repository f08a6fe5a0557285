"""Real users of this machine, one for each login shell, behind one sshd. Only root can make them."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from breakglass.site.model import Site
from tests.support.openssh import OpenSsh, openssh

SHELLS: Mapping[str, str] = {
    "sh": "/bin/sh",
    "dash": "/bin/dash",
    "bash": "/bin/bash",
    "zsh": "/usr/bin/zsh",
    "fish": "/usr/bin/fish",
    "tcsh": "/usr/bin/tcsh",
    "csh": "/usr/bin/tcsh",
    "ash": "/bin/busybox",
}
"""A program is the shell that it is called as: tcsh is csh too, and busybox is ash."""

SHOW = '#!/bin/sh\nfor each; do printf "%s\\0" "$each"; done\n'


@dataclass(frozen=True, slots=True)
class LoginShells:
    """The site's hosts are named by their login shell.

    show: a program there that prints each of its arguments with a NUL after it. open: a folder in which
    everybody may write.
    """

    site: Site
    server: OpenSsh
    show: Path
    open: Path


@contextlib.contextmanager
def login_shells() -> Generator[LoginShells]:
    """One sshd, and a user for each of SHELLS; all are taken away at the end."""
    assert os.getuid() == 0, "only root can make users with other login shells; run this test as root"
    absent = [path for path in SHELLS.values() if not Path(path).exists()]
    assert not absent, f"{absent} not installed; run tools/debian-packages.sh"
    folder = Path(tempfile.mkdtemp(prefix="login-shells-", dir="/tmp"))
    users = {name: f"bg{os.getpid()}-{name}" for name in SHELLS}
    try:
        folder.chmod(0o755)
        home = folder / "home"
        show = folder / "show"
        show.write_text(SHOW)
        show.chmod(0o755)
        for name, user in users.items():
            shell = folder / name
            shell.symlink_to(SHELLS[name])
            _run("useradd", "-M", "--no-log-init", "-d", str(home), "-s", str(shell), "-p", "*", user)
        with openssh(home) as server:
            server.folder.chmod(0o777)
            (server.folder / "authorized_keys").chmod(0o644)
            hosts = {name: server.host(name, user=user) for name, user in users.items()}
            yield LoginShells(Site("shells", hosts=hosts), server, show, server.folder)
    finally:
        for user in users.values():
            subprocess.run(["userdel", user], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
