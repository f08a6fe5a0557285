"""The text of a file that somebody wrote: bounded, ordinary, UTF-8, or a Problem that says why not."""

from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias

from breakglass.yamlio.position import InvalidFileError, Position, Problem

ReadText: TypeAlias = Callable[[Path], str]
"""`read_text`, or what does the same and takes note of it."""

LARGEST_FILE = 1024 * 1024
"""Bytes. The longest runbook anyone has walked is below 100 KiB."""


def read_text(path: Path) -> str:
    """The text of a file: at most 1 MiB of UTF-8 in an ordinary file.

    Raises InvalidFileError, for a file that is missing or must not be read as well.
    """
    start = Position(path, 1, 1)
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise InvalidFileError([Problem(start, "not an ordinary file")])
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidFileError([Problem(start, f"cannot be read: {reason}")]) from error
    if len(data) > LARGEST_FILE:
        raise InvalidFileError([Problem(start, "larger than 1 MiB, which no file of this kind needs")])
    data = data.removeprefix(BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InvalidFileError([Problem(position_of_byte(path, data, error.start), message)]) from error


def position_of_byte(path: Path, data: bytes, offset: int) -> Position:
    """Where a byte of a file stands, by line and character."""
    before = data[:offset]
    line = before[before.rfind(b"\n") + 1 :]
    return Position(path, before.count(b"\n") + 1, len(line.decode("utf-8", "replace")) + 1)
