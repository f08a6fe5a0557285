"""What checks of runbooks and scenarios found, kept from one `list` or `lint` to the next.

What a check finds follows from the texts that it reads, from where included files really are, and from the
program. It is kept with the digest of each text and holds while all of them are the same; the whole file is
sealed with a mark of the program's own code. A check that found an error is never kept, so that whatever
cannot be used is looked at anew each time; nor is that of a site, which says where secrets are found.

Only `list` and `lint` look here (import-linter holds them to it). What runs, rehearses, shows, judges or
resumes a runbook reads it and checks it whole, so that nothing in this file can change what is done.

A file that is missing, damaged, too large, somebody else's or another program's is as good as an empty one.
Where nothing can be written, nothing is kept. Neither is an error.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple, cast

from breakglass.mounts import network_file_system
from breakglass.yamlio.position import InvalidFileError, Position, Problem
from breakglass.yamlio.text_file import read_text

if TYPE_CHECKING:
    from breakglass.runbook.model import Runbook

FILE_NAME = "checks.json"

LARGEST_CACHE = 8 * 1024 * 1024
"""Bytes; a check without warnings takes about 400."""

MOST_CHECKS = 2_000
"""Of more, the newest stay."""

PACKAGE = Path(__file__).parent.parent


class Head(NamedTuple):
    """What a list says of a runbook. `steps` is how many it has."""

    name: str
    title: str
    severity: str
    owner: str
    steps: int

    @classmethod
    def of(cls, runbook: "Runbook") -> "Head":
        return cls(runbook.name, runbook.title, runbook.severity, runbook.owner, len(runbook.steps))


class Checked(NamedTuple):
    """What a check found: its warnings, or errors too; and the head of a runbook that can be used."""

    problems: list[Problem]
    head: Head | None = None


class FileReader:
    """Reads the files of one check, each once, and keeps their texts; the first is what is checked."""

    def __init__(self) -> None:
        self.texts: dict[Path, str] = {}

    def __call__(self, path: Path) -> str:
        """As `read_text`."""
        if path not in self.texts:
            self.texts[path] = read_text(path)
        return self.texts[path]


class CheckCache:
    """The checks that the program with this mark keeps in a file; without a file, none."""

    def __init__(self, file: Path | None = None, program: bytes = b"") -> None:
        self._file = file
        self._program = program
        self._kept = _stored(file, program) if file is not None else dict[str, object]()
        self._new: dict[str, object] = {}

    def find(self, path: Path) -> Checked | None:
        """What the check of a file found, when it would find the same now."""
        try:
            kept = self._kept.get(_key(path))
            return _still_true(kept) if kept is not None else None
        except (InvalidFileError, OSError, ValueError, TypeError, LookupError):
            return None

    def keep(self, reading: FileReader, checked: Checked) -> None:
        """Keep what a check found, unless that is an error."""
        if self._file is None or any(not problem.warning for problem in checked.problems):
            return
        paths = list(reading.texts)
        with suppress(OSError):
            self._new[_key(paths[0])] = {
                "files": [[str(path), _digest(text)] for path, text in reading.texts.items()],
                "places": _places(paths),
                "warnings": [[str(at.file), at.line, at.column, words] for at, words, _ in checked.problems],
                "head": checked.head,
            }

    def save(self) -> None:
        """Write what is new, together with what was there of files that still exist."""
        if self._file is None or not self._new:
            return
        old = {key: kept for key, kept in self._kept.items() if key not in self._new and _exists(key)}
        newest = list({**old, **self._new}.items())[-MOST_CHECKS:]
        body = json.dumps(dict(newest)).encode()
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._file, _seal(self._program, body) + b"\n" + body)


def open_cache() -> CheckCache:
    """The user's own; one that keeps nothing where there is no place for it, or no source to take a mark of.
    A network file system is none: it may be what is down.

    To be opened before the code that checks is imported, so that code which changes meanwhile does not fit
    the mark.
    """
    folder = cache_folder()
    if folder is not None and not network_file_system(folder):
        with suppress(OSError):
            return CheckCache(folder / FILE_NAME, program_mark())
    return CheckCache()


def cache_folder() -> Path | None:
    """`breakglass` below the XDG cache directory; None when there is no home either.

    The rule is written out, because `platformdirs` takes a tenth of the time of a whole `list`.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path("~/.cache").expanduser()
        except RuntimeError:
            return None
    return base / "breakglass" if base.is_absolute() else None


def program_mark() -> bytes:
    """A digest that changes with the program: this Python, the sources of breakglass, and the folders that
    packages are installed in, whose times an installation, an upgrade or a removal changes.

    Raises OSError where the sources are not files.
    """
    facts: list[object] = [sys.version, sorted(_sources(str(PACKAGE)))]
    for place in sys.path:
        with suppress(OSError):
            facts.append((place, Path(place).stat().st_mtime_ns))
    return sha256(repr(facts).encode("utf-8", "surrogatepass")).digest()


def _sources(folder: str) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                facts = entry.stat()
                yield entry.path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)


def _key(path: Path) -> str:
    """The path as it was given, which messages repeat; a relative one belongs to its working directory."""
    return f"{'' if path.is_absolute() else Path.cwd()}\0{path}"


def _exists(key: str) -> bool:
    folder, _, name = key.partition("\0")
    try:
        return Path(folder, name).exists()
    except OSError:
        return False


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _places(paths: list[Path]) -> list[str]:
    """Where the folder of the runbooks and each file really are, on which it depends what may be included."""
    if len(paths) == 1:
        return []
    return [os.path.realpath(path) for path in (paths[0].absolute().parent.parent, *paths)]


def _still_true(kept: object) -> Checked | None:
    """What was found, or None when it need not hold any more. Raises TypeError for what was not kept here."""
    entry = _mapping(kept)
    digests = dict(_file(each) for each in _list(entry["files"]))
    if any(_digest(read_text(path)) != digest for path, digest in digests.items()):
        return None
    if _places(list(digests)) != entry["places"]:
        return None
    return Checked([_warning(each) for each in _list(entry["warnings"])], _head(entry["head"]))


def _mapping(kept: object) -> dict[str, object]:
    if not isinstance(kept, dict):
        raise TypeError
    return cast("dict[str, object]", kept)


def _list(kept: object) -> list[object]:
    if not isinstance(kept, list):
        raise TypeError
    return cast("list[object]", kept)


def _file(kept: object) -> tuple[Path, str]:
    match kept:
        case [str(name), str(digest)]:
            return Path(name), digest
        case _:
            raise TypeError


def _warning(kept: object) -> Problem:
    match kept:
        case [str(file), int(line), int(column), str(message)]:
            return Problem(Position(Path(file), line, column), message, warning=True)
        case _:
            raise TypeError


def _head(kept: object) -> Head | None:
    match kept:
        case None:
            return None
        case [str(name), str(title), str(severity), str(owner), int(steps)]:
            return Head(name, title, severity, owner, steps)
        case _:
            raise TypeError


def _stored(file: Path, program: bytes) -> dict[str, object]:
    """What is in a file that this user's same program wrote; nothing of any other."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            facts = os.fstat(descriptor)
            ours = facts.st_uid == os.getuid() and not facts.st_mode & 0o077
            if not ours or not S_ISREG(facts.st_mode) or facts.st_size > LARGEST_CACHE:
                return {}
            seal, _, body = stream.read(LARGEST_CACHE).partition(b"\n")
        return _mapping(json.loads(body)) if seal == _seal(program, body) else {}
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def _seal(program: bytes, body: bytes) -> bytes:
    return sha256(program + body).hexdigest().encode()


def _replace(file: Path, data: bytes) -> None:
    """Put a whole new file, for its owner only, in the place of another. Raises OSError."""
    from tempfile import mkstemp

    descriptor, name = mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink()
        raise
