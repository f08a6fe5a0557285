"""The journal: one file a session, JSON Lines, each record chained to the one before by its SHA-256.

The engine appends, and only then tells anyone. A torn last line, which a crash leaves, is cut off on
opening and said; any other break is an error that names the record. Where the disk refuses a write,
records wait in memory in their order, and `require` refuses: what must be on disk before acting is then
not acted on. A disk that failed to keep what it had taken gets all of that again.
"""

import contextlib
import fcntl
import gc
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from breakglass.errors import UserError
from breakglass.journal.events import DURABLE, Event, decode, encode
from breakglass.journal.state import Recorded
from breakglass.values import Json

FIRST = "0" * 64
"""What stands for the hash of the record before the first."""

FILE_NAME = "journal.jsonl"

LARGE = 1 << 20
"""Bytes from which the garbage collector is kept out of reading a journal."""


ASKED_AGAIN = 5
INSTANT = 0.01
"""How often the lock is tried again, and after how many seconds."""


class _Line(TypedDict):
    """What a record's line holds, beside its own hash."""

    seq: int
    time: str
    elapsed: float
    type: str
    data: dict[str, Json]
    prev: str


_first_value: Callable[[str], tuple[_Line, int]] = json.JSONDecoder().raw_decode
"""The JSON at the beginning of a text, and where it ends. `json.loads` asks each line for its encoding first,
which is a quarter of its time."""


class JournalError(UserError):
    """The journal cannot be read or written. The message names the file and what to do."""


class SessionHeldError(JournalError):
    """Another process has the session open."""


class JournalUnwritableError(JournalError):
    """A record that must be on disk could not be put there."""


@dataclass(frozen=True, slots=True)
class JournalContents:
    """A journal as found. `good_bytes` is where the last whole record ends, `torn` what follows it.

    strange: what follows is not the beginning of a record, as a crash leaves one, but something else.
    """

    records: tuple[Recorded, ...]
    last_hash: str
    good_bytes: int
    torn: int
    strange: bool = False


NOTHING = JournalContents((), FIRST, 0, 0)
"""The reading of a journal of which nothing was read yet."""


def read(path: Path) -> JournalContents:
    """Read and check a journal.

    Raises JournalError where a record is damaged, missing or out of order; a torn last line is only counted.
    """
    return read_on(path, NOTHING)


def read_on(path: Path, before: JournalContents) -> JournalContents:
    """What the journal has become since an earlier reading, for an observer of a running session.

    Only what is new is read, and checked against the chain. Raises JournalError as `read` does.
    """
    try:
        with path.open("rb") as file:
            file.seek(before.good_bytes)
            raw = file.read()
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}; see who may read it") from error
    good = raw.rfind(b"\n") + 1
    records = list(before.records)
    previous = before.last_hash
    with _no_garbage_sought() if len(raw) >= LARGE else contextlib.nullcontext():
        for number, line in enumerate(raw[:good].split(b"\n")[:-1], start=len(records) + 1):
            recorded, previous = _parse(path, number, line, previous)
            records.append(recorded)
    rest = raw[good:]
    strange = not _begins_a_record(rest, len(records) + 1)
    return JournalContents(tuple(records), previous, before.good_bytes + good, len(rest), strange)


@contextlib.contextmanager
def _no_garbage_sought() -> Generator[None]:
    """Make very many objects that stay: the collector, which would go through all of them again and again and
    find nothing, is off meanwhile, and leaves them out for ever. Without cycles they go when nobody needs
    them. What was garbage before would stay with them, so it is collected first."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _begins_a_record(rest: bytes, number: int) -> bool:
    """Whether these bytes can be what a crash left of a record: its beginning, cut before the line's end."""
    start = b'{"seq":%d,"time":"' % number
    return (rest.startswith(start) or start.startswith(rest)) and not _is_whole(rest[:-1])


def _is_whole(line: bytes) -> bool:
    body, _, claimed = line.rpartition(b',"hash":"')
    return claimed == hashlib.sha256(body).hexdigest().encode() + b'"}'


def _parse(path: Path, number: int, line: bytes, previous: str) -> tuple[Recorded, str]:
    body, separator, claimed = line.rpartition(b',"hash":"')
    digest = hashlib.sha256(body).hexdigest()
    if not separator or claimed != digest.encode() + b'"}':
        raise _damaged(path, number, "was changed or cut: its hash does not fit")
    try:
        text = line.decode()
        fields, end = _first_value(text)
        if end != len(text):
            raise ValueError(f"something follows it at character {end}")
        if fields["prev"] != previous:
            raise _damaged(path, number, "does not follow the one before: removed, moved or inserted")
        if fields["seq"] != number:
            raise _damaged(path, number, f"calls itself {fields['seq']}")
        event = decode(fields["type"], fields["data"])
        return Recorded(number, datetime.fromisoformat(fields["time"]), fields["elapsed"], event), digest
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, number, f"cannot be understood: {error}") from error


def _damaged(path: Path, number: int, how: str) -> JournalError:
    return JournalError(f"{path}:{number}: record {number} {how}")


class Journal:
    """A journal open for appending, held by a lock that ends with the process.

    nowhere: why there is no disk for it. It is in memory then, and `require` always refuses.
    """

    def __init__(self, path: Path, descriptor: int, reading: JournalContents, *, nowhere: str = "") -> None:
        self.path = path
        self.records = list(reading.records)
        self.torn = reading.torn
        self.nowhere = nowhere
        self.fault = nowhere
        """Why records are in memory alone; empty while every record is on disk."""
        self._descriptor = descriptor
        self._last_hash = reading.last_hash
        self._written = self._synced = reading.good_bytes
        """Where the file's whole records end, and up to where they are known to be on the disk itself."""
        self._unsynced: list[bytes] = []
        """Written records of which only the kernel is known to have a copy."""
        self._waiting: list[bytes] = []
        last = reading.records[-1] if reading.records else None
        gap = (datetime.now(UTC) - last.time).total_seconds() if last else 0.0
        self._origin = time.monotonic() - (last.elapsed + max(gap, 0.0) if last else 0.0)

    @property
    def last_hash(self) -> str:
        """The hash of the last record: written down elsewhere, it pins the whole journal."""
        return self._last_hash

    def append(self, event: Event) -> Recorded:
        """Put an event on record. Where the disk refuses, the record waits and `fault` says why."""
        recorded = Recorded(
            len(self.records) + 1, datetime.now(UTC), round(time.monotonic() - self._origin, 6), event
        )
        body = _serialise(recorded, self._last_hash)
        self._last_hash = hashlib.sha256(body).hexdigest()
        self.records.append(recorded)
        self._waiting.append(body + b',"hash":"' + self._last_hash.encode() + b'"}\n')
        self._flush(durable=isinstance(event, DURABLE))
        return recorded

    def require(self) -> None:
        """Raise JournalUnwritableError unless everything appended so far is on disk."""
        if self._waiting:
            self._flush(durable=True)
        if self.nowhere:
            raise JournalUnwritableError(
                f"{self.path}: {self.nowhere}; so nothing is changed in this session: make room for a "
                "record, then begin a new one"
            )
        if self.fault:
            raise JournalUnwritableError(
                f"{self.path}: cannot be written ({self.fault}); nothing will be changed until it "
                "can: free space there, then try again"
            )

    def _flush(self, *, durable: bool) -> None:
        data = memoryview(b"".join(self._waiting))
        try:
            # Each write says where it belongs, so that one that failed half-way is written over.
            done = 0
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], self._written + done)
            if durable:
                self._sync()
        except OSError as error:
            self.fault = error.strerror or str(error)
            with contextlib.suppress(OSError):  # what stays is written over by the next try
                os.ftruncate(self._descriptor, self._written)
            return
        self._written += len(data)
        self._unsynced = [] if durable else [*self._unsynced, *self._waiting]
        self._synced = self._written if durable else self._synced
        self._waiting.clear()
        self.fault = self.nowhere

    def _sync(self) -> None:
        """Put what was written on the disk. After a failure the kernel drops what it could not write, and
        says so only once: everything since the last success waits again, to be written anew."""
        try:
            os.fsync(self._descriptor)
        except OSError:
            self._waiting = [*self._unsynced, *self._waiting]
            self._unsynced = []
            self._written = self._synced
            raise

    def close(self) -> None:
        """Write what waits, if the disk takes it, and let go of the lock."""
        if self._waiting:
            self._flush(durable=True)
        os.close(self._descriptor)


def _serialise(recorded: Recorded, previous: str) -> bytes:
    head = {
        "seq": recorded.sequence,
        "time": recorded.time.isoformat(timespec="microseconds"),
        "elapsed": recorded.elapsed,
        "type": recorded.event.type,
        "data": encode(recorded.event),
        "prev": previous,
    }
    return json.dumps(head, ensure_ascii=True, separators=(",", ":")).encode()[:-1]


def open_journal(folder: Path, *, create: bool = False) -> Journal:
    """Open a session's journal for appending, cutting off a torn last line.

    Raises SessionHeldError when another process holds it, and JournalError when it is damaged or not there.
    """
    path = folder / FILE_NAME
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise JournalError(
            f"{path}: cannot be opened: {error.strerror}; see who may read and write it"
        ) from error
    try:
        _hold(descriptor)
        reading = read(path)
        if reading.torn:
            os.ftruncate(descriptor, reading.good_bytes)
        if create:
            _sync_folder(folder)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SessionHeldError(f"{folder.name} is held by {holder(folder)}; close it there first") from error
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            f"{path}: cannot be opened for writing: {error.strerror}; see who may write it"
        ) from error
    except JournalError:
        os.close(descriptor)
        raise
    _say_who_holds(folder)
    return Journal(path, descriptor, reading)


def _hold(descriptor: int) -> None:
    """Take the lock that a walker has. Raises BlockingIOError when another one has it; who only asks, in
    `is_held`, has it for an instant."""
    for _ in range(ASKED_AGAIN):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(INSTANT)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(folder: Path) -> bool:
    """Whether a program walks this session now. The kernel lets go of the lock when the program dies."""
    try:
        descriptor = os.open(folder / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def unkept_journal(folder: Path, why: str) -> Journal:
    """A journal in memory, for a session that can read and change nothing, since no disk takes its record."""
    return Journal(folder / FILE_NAME, os.memfd_create("journal", os.MFD_CLOEXEC), NOTHING, nowhere=why)


def _say_who_holds(folder: Path) -> None:
    """Write down who holds the session. The lock is what counts; on a full disk only the name is missing."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        descriptor = os.open(folder / "holder", flags, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"process {os.getpid()} on {os.uname().nodename}\n")


def holder(folder: Path) -> str:
    """Who walks the session, or walked it last, as it was written down."""
    try:
        return (folder / "holder").read_text().strip() or "another process"
    except OSError:
        return "another process"


def _sync_folder(folder: Path) -> None:
    for each in (folder, folder.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
