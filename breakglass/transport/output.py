"""Output on its way from a far side to the screen and the record: raw bytes in, safe lines out.

A `Recorder` takes the output of one request as it comes, and makes of each stream, piece by piece: text
(invalid UTF-8 made visible), text without secrets, text without control characters, lines. The lines go to a
file beside the journal, named by its own SHA-256 when it is complete; what is kept in memory is the beginning
for expressions, secrets and all, the ends for the journal, and an index for whoever draws.
"""

import codecs
import hashlib
import os
import tempfile
import threading
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from breakglass.errors import UserError
from breakglass.runbook.faults import OUTPUT_LIMIT
from breakglass.site.redaction import Redaction, Redactor
from breakglass.transport.base import OutputLimitError
from breakglass.transport.sanitize import visible

if TYPE_CHECKING:
    from breakglass.transport.base import Stream

LONGEST_LINE = 4096
"""Characters of one line that are shown; the file has the whole line."""

LARGEST_TEXT = 4 * 1024 * 1024
"""Characters of one stream that expressions see."""

LONGEST_PIECE = 64 * 1024
"""Characters of a line without an end that are kept back before they are written."""

ENDS_LINES = 20
"""Lines at each end of an output that go into the journal's record."""

ENDS_CHARACTERS = 4000
"""Characters of each of these two ends."""

LATEST = 8 * 1024
"""Bytes at the end of a stream that are kept of what came past the limit."""

RESERVE = 16 * 1024 * 1024
"""Bytes that outputs leave free for the journal on the disk that it is on; of a small disk an eighth."""

LOOKED_EVERY = 1024 * 1024
"""Bytes between two looks at how much is free."""

BLOCK = 64 * 1024
"""Bytes between two entries of a line index, and that are read at a time."""


class OutputStoreError(UserError):
    """The output could not be stored. It was shown as it came, and its ends are in the journal."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A complete output. name: its file in the session's output folder; empty when there was none.

    bytes: how many came; lines: how many were made of them. head and tail: the first and the last lines; all
    of a short output is in head.
    """

    name: str
    bytes: int
    lines: int
    head: str
    tail: str


def shortened(line: str, limit: int = LONGEST_LINE) -> str:
    """A line cut to a length, with how long it really is."""
    if len(line) <= limit:
        return line
    return f"{line[:limit]}… [{len(line):,} characters]"


class Extent(NamedTuple):
    """How far a file goes. ended: whether its last line has its end."""

    size: int = 0
    newlines: int = 0
    ended: bool = True

    @property
    def line_count(self) -> int:
        return self.newlines if self.ended else self.newlines + 1


class LineFile:
    """The lines of a stored output, by number, read from the file as they are asked for.

    One thread may append while others read: what they see is `extent`, which is replaced as a whole.
    """

    def __init__(self, descriptor: int) -> None:
        self.extent = Extent()
        self._descriptor = descriptor
        self._offsets = array("Q", [0])
        self._newlines = array("Q", [0])
        """How many there are before each of the offsets."""

    @property
    def line_count(self) -> int:
        return self.extent.line_count

    def append(self, data: bytes) -> None:
        """Write bytes to the end of the file. Raises OSError, and then none of them count."""
        size, written = self.extent.size, 0
        try:
            while written < len(data):
                written += os.pwrite(self._descriptor, data[written:], size + written)
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise
        self.count(data)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def count(self, data: bytes) -> None:
        """Take note of bytes at the end of the file."""
        size, newlines, ended = self.extent
        for at in range(0, len(data), BLOCK):
            if size + at - self._offsets[-1] >= BLOCK:
                self._offsets.append(size + at)
                self._newlines.append(newlines)
            newlines += data.count(b"\n", at, at + BLOCK)
        self.extent = Extent(size + len(data), newlines, data.endswith(b"\n") if data else ended)

    def lines(self, start: int, stop: int, extent: Extent | None = None) -> list[str]:
        """Lines from `start` up to `stop`, each cut to LONGEST_LINE. Raises OSError.

        extent: how far to look, where that is not to change between two questions.
        """
        extent = extent or self.extent
        start, stop = max(start, 0), min(stop, extent.line_count)
        if start >= stop:
            return []
        mark = max(bisect_left(self._newlines, start) - 1, 0)
        offset, skip = self._offsets[mark], start - self._newlines[mark]
        wanted = stop - start
        found: list[str] = []
        line, length = b"", 0
        while offset < extent.size and len(found) < wanted:
            block = os.pread(self._descriptor, min(BLOCK, extent.size - offset), offset)
            if not block:
                break
            offset += len(block)
            *ended, rest = block.split(b"\n", skip + wanted - len(found))
            for each in ended:
                if skip:
                    skip -= 1
                else:
                    found.append(_cut(line + each[:_KEPT], length + len(each)))
                line, length = b"", 0
            line, length = line + rest[: max(_KEPT - len(line), 0)], length + len(rest)
        if length and not skip and len(found) < wanted:
            found.append(_cut(line, length))
        return found

    def __del__(self) -> None:
        os.close(self._descriptor)


_KEPT: Final = LONGEST_LINE * 4
"""Bytes of a line that are enough for LONGEST_LINE characters of UTF-8."""


def _cut(kept: bytes, length: int) -> str:
    text = kept.decode(errors="ignore")
    if len(text) <= LONGEST_LINE and length <= _KEPT:
        return text
    return f"{text[:LONGEST_LINE]}… [{length:,} bytes]"


def open_output(path: Path) -> LineFile:
    """A stored output, indexed. Reads the file once; call it in a thread. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    lines = LineFile(descriptor)
    offset = 0
    while block := os.pread(descriptor, BLOCK, offset):
        lines.count(block)
        offset += len(block)
    return lines


class _StreamText:
    """One stream on its way from bytes to lines that are safe."""

    def __init__(self, redactor: Redactor) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
        self._redaction = Redaction(redactor)
        self._return = False
        self._partial = ""
        self._kept: list[str] = []
        self._length = 0
        self.total = 0

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Whole safe lines that came to their end with this piece; all that is left, when it is the last."""
        came = self._decoder.decode(data, final)
        self._keep(came)
        text = self._redaction.feed(came)
        if final:
            text += self._redaction.end()
        text = self._partial + visible(self._line_ends(text, final))
        if final or len(text) > LONGEST_PIECE:
            self._partial = ""
            return text
        end = text.rfind("\n") + 1
        self._partial = text[end:]
        return text[:end]

    @property
    def partial(self) -> str:
        """The line that has not ended yet."""
        return self._partial

    @property
    def text(self) -> str:
        """The first LARGEST_TEXT characters, safe to draw, with the secrets that are in them."""
        return visible("".join(self._kept).replace("\r\n", "\n"))

    def _line_ends(self, text: str, final: bool) -> str:
        """Line ends as one character, also where one is cut between two pieces."""
        if self._return:
            text = "\r" + text
        self._return = text.endswith("\r") and not final
        if self._return:
            text = text[:-1]
        return text.replace("\r\n", "\n") if "\r" in text else text

    def _keep(self, text: str) -> None:
        self.total += len(text)
        if self._length < LARGEST_TEXT:
            kept = text[: LARGEST_TEXT - self._length]
            self._length += len(kept)
            self._kept.append(kept)


class Recorder:
    """The output of one request: a transport's sink, a source for whoever draws, and a file at the end.

    Feeding it raises nothing but OutputLimitError: what the disk refuses, or what would take the journal's
    room on it, is kept in memory, as far as LARGEST_TEXT bytes go, and said by `finish`. It may be fed in any
    thread; what comes after its end is dropped. Lines may be read in any thread meanwhile, without waiting
    for the piece that is being taken, or for a disk that hangs.
    """

    def __init__(
        self, folder: Path, redactor: Redactor, *, limit: int = OUTPUT_LIMIT, to_its_end: bool = False
    ) -> None:
        """limit: bytes that are taken. to_its_end: what comes past them is dropped but for its end, and not
        refused with OutputLimitError: nobody wants a change to be broken off for what it prints."""
        self.limit = limit
        self.dropped = 0
        """Bytes past the limit of which nothing was kept."""
        self._to_its_end = to_its_end
        self._latest: dict[Stream, bytes] = {}
        self._until_looked = 0
        self.finished: Finished | None = None
        self._folder = folder
        self._redactor = redactor
        self._streams: dict[Stream, _StreamText] = {
            "stdout": _StreamText(redactor),
            "stderr": _StreamText(redactor),
        }
        self._lock = threading.Lock()
        self._over = False
        self._bytes = 0
        self._fault = ""
        self._path: Path | None = None
        self._file: LineFile | None = None
        self._digest = hashlib.sha256()
        self._open: Stream | None = None
        """The stream whose last line has not ended in the file."""
        self._seen: tuple[Extent, tuple[str, ...]] = (Extent(), ())
        """What is shown: so much of the file, and the lines that have not ended yet. Replaced as a whole."""

    def __call__(self, stream: "Stream", data: bytes) -> None:
        """Take a piece of output. Blocks on the disk."""
        with self._lock:
            if self._over:
                return
            room = max(self.limit - self._bytes, 0)
            self._bytes += len(data)
            if room:
                self._take(stream, self._streams[stream].feed(data[:room]))
                self._show()
            if len(data) > room:
                self._past_the_limit(stream, data[room:])

    def _past_the_limit(self, stream: "Stream", data: bytes) -> None:
        self.dropped += len(data)
        if not self._to_its_end:
            raise OutputLimitError
        self._latest[stream] = (self._latest.get(stream, b"") + data)[-LATEST:]

    def text(self, stream: "Stream") -> str:
        """The first LARGEST_TEXT characters of a stream, safe to draw. Secrets are still in them: they are
        for expressions, and for nobody to see."""
        with self._lock:
            return self._streams[stream].text

    @property
    def truncated(self) -> bool:
        """Whether a stream is longer than what `text` gives."""
        return any(each.total > LARGEST_TEXT for each in self._streams.values())

    @property
    def line_count(self) -> int:
        """Lines so far, with those that have not ended yet."""
        extent, partials = self._seen
        return extent.line_count + len(partials)

    def lines(self, start: int, stop: int) -> list[str]:
        """Lines from `start` up to `stop`, safe to draw, each cut to LONGEST_LINE."""
        extent, partials = self._seen
        count = extent.line_count
        return [*self._read(start, stop, extent), *partials[max(start - count, 0) : max(stop - count, 0)]]

    def finish(self) -> Finished:
        """Take what was held back, put the file on disk under its name, and say what came.

        Blocks on the disk. Raises OutputStoreError when it could not be stored; `finished` is set even so.
        """
        with self._lock:
            self._over = True
            for stream, text in self._streams.items():
                self._take(stream, text.feed(b"", final=True))
                self._take_latest(stream)
            if self._open is not None:
                self._take(self._open, "\n")
            self._show()
            extent, _ = self._seen
            count = extent.line_count
            head = "\n".join(self._read(0, min(ENDS_LINES, count), extent))
            tail = "\n".join(self._read(max(count - ENDS_LINES, ENDS_LINES), count, extent))
            self.finished = Finished(
                self._stored(), self._bytes, count, head[:ENDS_CHARACTERS], tail[-ENDS_CHARACTERS:]
            )
        if self._fault:
            raise OutputStoreError(
                f"the output could not be stored in {self._folder}: {self._fault}; free space there"
            )
        return self.finished

    def _take_latest(self, stream: "Stream") -> None:
        """The last whole lines of what came past the limit, behind a word about the gap."""
        _, _, lines = self._latest.get(stream, b"").partition(b"\n")
        if not lines:
            return
        left_out = (
            f"\n[of {self._bytes:,} bytes, those past {self.limit:,} are not kept, but for the last lines]\n"
        )
        self._take(stream, left_out)
        text = _StreamText(self._redactor)
        self._take(stream, text.feed(lines, final=True))

    def discard(self) -> None:
        """Take the file away, where the request was given up and nothing will finish it."""
        with self._lock:
            self._over = True
            if self._path is not None and self.finished is None:
                self._path.unlink(missing_ok=True)

    def _show(self) -> None:
        extent = self._file.extent if self._file is not None else Extent()
        partials = tuple(shortened(each.partial) for each in self._streams.values() if each.partial)
        self._seen = (extent, partials)

    def _read(self, start: int, stop: int, extent: Extent) -> list[str]:
        try:
            return self._file.lines(start, stop, extent) if self._file is not None else []
        except OSError as error:
            self._fault = self._fault or error.strerror or str(error)
            return []

    def _take(self, stream: "Stream", text: str) -> None:
        if not text:
            return
        if self._open not in (None, stream):
            text = f"\n{text}"
        self._open = None if text.endswith("\n") else stream
        self._write(text.encode())

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        if self._file is None:
            self._file = LineFile(self._made())
        self._leave_room(len(data))
        size = self._file.extent.size
        if self._fault and size + len(data) > LARGEST_TEXT:
            return
        try:
            self._file.append(data)
        except OSError as error:
            self._fault = error.strerror or str(error)
            if size == 0:
                self._file = LineFile(os.memfd_create("output"))
                self._file.append(data[:LARGEST_TEXT])

    def _leave_room(self, more: int) -> None:
        """See to it that outputs do not take the room that the journal needs."""
        self._until_looked -= more
        if self._fault or self._path is None or self._until_looked > 0:
            return
        self._until_looked = LOOKED_EVERY
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return  # the write that follows will say what is wrong
        free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if free - more < min(RESERVE, whole // 8):
            self._fault = f"only {free // 2**20} MiB are free there, and the journal needs them"
            kept = self._file.extent if self._file is not None else Extent()
            if kept.size == 0:
                self._file = LineFile(os.memfd_create("output"))

    def _made(self) -> int:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".coming-")
        except OSError as error:
            self._fault = error.strerror or str(error)
            return os.memfd_create("output")
        self._path = Path(name)
        return descriptor

    def _stored(self) -> str:
        """Put the file in its place; its name, or nothing where nothing could be stored."""
        if self._path is None or self._file is None:
            return ""
        name = f"{self._digest.hexdigest()}.txt"
        try:
            if self._fault:
                self._path.unlink()
                return ""
            self._file.sync()
            self._path.rename(self._folder / name)
        except OSError as error:
            self._fault = error.strerror or str(error)
            return ""
        return name
