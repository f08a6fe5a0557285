"""`ssh_config` as OpenSSH reads it.

paramiko looks values up; what it lacks is added to the text before it sees it: `Include`, comments at the end
of a line, and conditions that it would take for true because it does not know them. Facts about the format
are from ssh_config(5) of OpenSSH 9.2.
"""

import glob
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import paramiko
from paramiko.ssh_exception import ConfigParseError, CouldNotCanonicalize

from breakglass.errors import UserError

SYSTEM_FILE = Path("/etc/ssh/ssh_config")
DEEPEST_INCLUDE = 16
COMMAND_DEADLINE = 5.0
"""Seconds for the command of a `Match exec`."""
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$")
_COMMENT = re.compile(r"\s#[^'\"]*$")
_WITHOUT_VALUE = ("all", "canonical", "final")
_WITH_VALUE = ("host", "originalhost", "user", "localuser", "exec")
_NEVER = "originalhost !*"


class ClientConfigError(UserError):
    """A configuration file cannot be used. The message names it."""


Settings = Mapping[str, str | list[str] | None]
"""Keywords in lower case. Only `identityfile` is a list here."""


class _Config(paramiko.SSHConfig):
    """Runs the commands of `Match exec` itself: paramiko would let them read and write the terminal."""

    def _does_match(
        self,
        match_list: list[dict[str, str | bool]],
        target_hostname: str,
        canonical: bool,
        final: bool,
        options: object,
    ) -> object:
        commands = [each for each in match_list if each["type"] == "exec"]
        others = [each for each in match_list if each["type"] != "exec"]
        if others or not commands:
            held: object = super()._does_match(  # pyright: ignore
                others, target_hostname, canonical, final, options
            )
            if not held:
                return False
        return all(
            _succeeds(
                self._tokenize(options, target_hostname, "match-exec", each["param"])  # pyright: ignore
            )
            != each["negate"]
            for each in commands
        )


def _succeeds(command: str) -> bool:
    """Whether a command ends well, and soon, with the terminal out of its reach."""
    with subprocess.Popen(
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(COMMAND_DEADLINE) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return False


def settings_of(alias: str, file: Path | None, given: Sequence[tuple[str, str]]) -> Settings:
    """What `ssh ALIAS` would read.

    file: a configuration file in place of the user's and the system's. given: keywords and values that come
    before all files, as from a command line. Raises ClientConfigError.
    """
    lines = [*(f"{keyword} {value}" for keyword, value in given), *lines_of(file)]
    try:
        return _Config.from_text("\n".join(lines)).lookup(alias)
    except (ConfigParseError, CouldNotCanonicalize, ValueError, KeyError, ImportError, OSError) as error:
        raise ClientConfigError(f"{file or '~/.ssh/config'}: cannot be read for {alias}: {error}") from error


def lines_of(file: Path | None) -> list[str]:
    """The lines that count of a configuration file, with its includes in place; of the user's and the
    system's where none is named. Raises ClientConfigError."""
    try:
        if file is not None:
            return list(_lines(file, _user_folder(), "", 0))
        lines: list[str] = []
        user = _user_folder() / "config"
        if user.exists():
            lines += _lines(user, user.parent, "", 0)
        if SYSTEM_FILE.exists():
            lines += [_block(""), *_lines(SYSTEM_FILE, SYSTEM_FILE.parent, "", 0)]
        return lines
    except OSError as error:
        raise ClientConfigError(f"{error.filename}: {error.strerror}") from error


def _user_folder() -> Path:
    return Path("~/.ssh").expanduser()


def _lines(file: Path, folder: Path, enclosing: str, depth: int) -> Iterator[str]:
    """The lines of a file with its includes in place. `enclosing` is the condition of the include itself."""
    if depth > DEEPEST_INCLUDE:
        raise ClientConfigError(f"{file}: included more than {DEEPEST_INCLUDE} deep; it may include itself")
    block = enclosing
    text = file.read_text(errors="surrogateescape")
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(_COMMENT.sub("", line))
        if match is None or line.lstrip().startswith("#"):
            continue
        keyword, value = match[1].lower(), match[2]
        try:
            if keyword == "host":
                block = _both(enclosing, f"originalhost {shlex.quote(','.join(shlex.split(value)))}")
                yield _block(block)
            elif keyword == "match":
                block = _both(enclosing, _criteria(value))
                yield _block(block)
            elif keyword == "include":
                for included in _included(value, folder):
                    yield from _lines(included, folder, block, depth + 1)
                    yield _block(block)
            elif value:
                yield f"{keyword} {value}"
        except ValueError as error:
            raise ClientConfigError(f"{file}:{number}: {error}") from error


def _block(criteria: str) -> str:
    return f"Match {criteria or 'all'}"


def _both(one: str, other: str) -> str:
    return f"{one} {other}".strip()


def _criteria(value: str) -> str:
    """The conditions of a `Match` line, in the form that paramiko takes."""
    words = shlex.split(value)
    kept: list[str] = []
    while words:
        name, equals, rest = words.pop(0).partition("=")
        if equals:
            words.insert(0, rest)
        name = name.lower()
        plain = name.removeprefix("!")
        if plain in _WITHOUT_VALUE:
            if plain != "all":
                kept.append(name)
            continue
        if not words:
            raise ValueError(f"Match {name} needs a value")
        pattern = words.pop(0)
        if plain not in _WITH_VALUE:
            return _NEVER  # a condition that cannot be judged must not be taken for true
        kept += [name, shlex.quote(pattern)]
    return " ".join(kept)


def _included(value: str, folder: Path) -> Iterator[Path]:
    for pattern in shlex.split(value):
        path = Path(pattern).expanduser()
        for found in sorted(glob.glob(str(path if path.is_absolute() else folder / path))):  # noqa: PTH207
            if Path(found).is_file():
                yield Path(found)
