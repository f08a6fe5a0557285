"""Where sessions are kept: the state directory, its rights, and whether it can be trusted to keep a record.

`XDG_STATE_HOME` rules. A network file system may be the thing that is down, so it is said, and a local folder
is named instead.
"""

import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from breakglass.errors import UserError
from breakglass.mounts import network_file_system


class StateFolderError(UserError):
    """The state directory cannot be used. The message names it, why, and which one could be."""


class NowhereToWriteError(StateFolderError):
    """Neither the state directory nor a local one takes a file, so no record can be kept."""


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """One session's folder: `journal.jsonl`, `output/`, `held/`, and in a rehearsal `world/`."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def output(self) -> Path:
        return self.path / "output"

    @property
    def baseline(self) -> Path:
        """The texts of the runbook and the site that the session holds to, by their SHA-256."""
        return self.path / "held"

    @property
    def world(self) -> Path:
        return self.path / "world"


def state_folder() -> Path:
    """The folder for state, from `BREAKGLASS_STATE`, or `breakglass` below the XDG state directory."""
    chosen = os.environ.get("BREAKGLASS_STATE")
    return Path(chosen) if chosen else Path(platformdirs.user_state_dir("breakglass"))


def local_alternative() -> Path:
    """A folder on this machine's own disk, for when the state directory is elsewhere or full."""
    return Path("/var/tmp") / f"breakglass-{os.getuid()}"


def prepare(folder: Path) -> Path:
    """Make the state folder if need be and check it.

    Raises StateFolderError when it is on a network file system, owned by someone else, open to others, or
    cannot be written.
    """
    kind = network_file_system(folder)
    if kind:
        raise _unusable(folder, f"is on a network file system ({kind}), which may be what is down")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for each in (folder, folder / "sessions"):
            each.mkdir(mode=0o700, exist_ok=True)
        for each in (folder, folder / "sessions"):
            _check_rights(each)
    except OSError as error:
        raise _unwritable(folder, f"cannot be made or read: {error.strerror}") from error
    if not os.access(folder / "sessions", os.W_OK):
        raise _unwritable(folder, "cannot be written")
    return folder


def _check_rights(folder: Path) -> None:
    """Raises StateFolderError for a folder that is somebody else's, or in which others can read."""
    facts = folder.stat()
    if facts.st_uid != os.getuid():
        raise _unusable(folder, f"belongs to user id {facts.st_uid}, not to you")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise _unusable(folder, f"is open to others (mode {stat.S_IMODE(facts.st_mode):04o}); chmod 700 it")


def _unwritable(folder: Path, why: str) -> StateFolderError:
    alternative = local_alternative()
    try:
        alternative.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=alternative) as file:
            file.write(b"0" * 4096)
    except OSError as error:
        return NowhereToWriteError(f"{folder}: {why}; nor does {alternative} take a file: {error.strerror}")
    return _unusable(folder, why)


def _unusable(folder: Path, why: str) -> StateFolderError:
    return StateFolderError(f"{folder}: {why}. Use a local one: BREAKGLASS_STATE={local_alternative()}")


def name_session(state: Path, runbook: str) -> SessionFolder:
    """Where a new session would be, named after the moment and the runbook."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return SessionFolder(state / "sessions" / f"{stamp}-{runbook}-{secrets.token_hex(2)}")


def new_session(state: Path, runbook: str) -> SessionFolder:
    """A new, empty session folder. Raises StateFolderError."""
    folder = name_session(state, runbook)
    try:
        folder.path.mkdir(mode=0o700)
        folder.output.mkdir(mode=0o700)
    except OSError as error:
        raise _unwritable(state, f"cannot be written: {error.strerror}") from error
    return folder


def all_sessions(state: Path) -> list[SessionFolder]:
    """Every session folder that holds a journal, oldest first."""
    folder = state / "sessions"
    if not folder.is_dir():
        return []
    return [SessionFolder(path) for path in sorted(folder.iterdir()) if (path / "journal.jsonl").is_file()]
