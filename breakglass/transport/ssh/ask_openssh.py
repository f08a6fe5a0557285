"""What `ssh` would do, asked of `ssh` itself: `ssh -G`.

It reads the configuration as it would to connect. So it runs the commands of `Match exec`, and looks names up
where `CanonicalizeHostname` says so, and connects to nothing.
"""

import os
import pwd
import shutil
import signal
import subprocess
from functools import lru_cache
from pathlib import Path

from breakglass.transport.ssh.config_file import ClientConfigError

DEADLINE = 9.0
"""Seconds. Commands of `Match exec` and dead name servers may take long."""
Answer = dict[str, tuple[str, ...]]
"""The values of each keyword, in lower case, in the order and form in which `ssh -G` prints them."""


def openssh() -> str | None:
    """The program, where it can be asked: it answers nobody who has no entry in the users' database."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return None
    return shutil.which("ssh")


def ask(program: str, alias: str, file: Path | None, user: str | None, port: int | None) -> Answer:
    """What `ssh ALIAS` would use, with `-F`, `-l` and `-p` where they are given. Blocks.

    Raises ClientConfigError with what `ssh` says where it would stop.
    """
    options = {"-F": file, "-l": user, "-p": port}
    given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return _answer([program, "-G", "-T", *given, "--", alias], alias, file)


@lru_cache(maxsize=1)
def unconfigured(program: str) -> Answer:
    """What `ssh` uses where nothing is configured: what differs from it, somebody has chosen."""
    return _answer([program, "-G", "-T", "-F", "none", "--", "host"], "host", None)


def _answer(argv: list[str], alias: str, file: Path | None) -> Answer:
    where = f"{file or 'ssh_config'}: {alias}"
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ClientConfigError(f"{where}: {argv[0]} cannot be run: {error.strerror}") from error
    with process:
        try:
            out, said = process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise ClientConfigError(
                f"{where}: `ssh -G {alias}` gives no answer in {DEADLINE:.0f} s; a command of `Match exec` "
                "may hang, or a name server for CanonicalizeHostname. Give another `ssh_config` in the site"
            ) from None
    if process.returncode != 0:
        words = "; ".join(said.decode(errors="surrogateescape").splitlines())
        raise ClientConfigError(f"{where}: `ssh -G {alias}` says: {words or 'nothing'}")
    return parsed(out.decode(errors="surrogateescape"))


def parsed(text: str) -> Answer:
    """What `ssh -G` has printed."""
    found: dict[str, list[str]] = {}
    for line in text.split("\n"):
        keyword, _, value = line.partition(" ")
        if keyword:
            found.setdefault(keyword.lower(), []).append(value)
    return {keyword: tuple(values) for keyword, values in found.items()}
