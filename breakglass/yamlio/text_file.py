"""The text of a file that somebody wrote: bounded, ordinary, UTF-8, or a Problem that says why not."""

import grp
import os
import pwd
import stat
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
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
    return _read(path, lambda _: "")


def read_trusted_text(path: Path) -> str:
    """As `read_text`, of a file that decides what runs: only its owner may have written it.

    Raises InvalidFileError, also for a file that somebody else owns or may write, with what mends it. The
    file that is read is the one that was looked at.
    """
    return _read(path, lambda facts: whose_problem(path, facts))


def whose_problem(path: Path, facts: os.stat_result) -> str:
    """Why a file is not to be trusted, by its owner and mode and by its folder's; empty where it is.

    A group that is its owner's alone may write, as distributions with umask 002 give it. A file of root is
    everybody's to use. OpenSSH asks the same of its files.
    """
    if facts.st_uid not in (os.getuid(), 0):
        return (
            f"belongs to {_user(facts.st_uid)}, who could change what runs: sudo chown {os.getuid()} {path}"
        )
    if facts.st_mode & stat.S_IWOTH:
        return f"others may write it, and so change what runs: chmod go-w {path}"
    if facts.st_mode & stat.S_IWGRP and not _is_private(facts.st_gid, facts.st_uid):
        return f"its group may write it, and so change what runs: chmod go-w {path}"
    # A link can be replaced where it stands, and what it leads to where that is.
    for folder in (path.absolute().parent, path.resolve().parent):
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"others may put another file in its place: chmod o-w {folder}"
    return ""


def _is_private(group: int, owner: int) -> bool:
    """Whether a group has its owner for its only member."""
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(owner)
    except KeyError:
        return False
    return user.pw_gid == group and entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _near(path: Path) -> str:
    """The file beside it whose name is most like that of a file that is not there."""
    from difflib import get_close_matches

    try:
        beside = [each.name for each in path.parent.iterdir() if each.suffix in (".yaml", ".yml")]
    except OSError:
        return ""
    found = get_close_matches(path.name, beside, n=1)
    return f"; did you mean {path.parent / found[0]}?" if found else ""


def _read(path: Path, objection: Callable[[os.stat_result], str]) -> str:
    start = Position(path, 1, 1)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidFileError([Problem(start, "not an ordinary file")])
        with path.open("rb") as file:
            wrong = objection(os.fstat(file.fileno()))
            if wrong:
                raise InvalidFileError([Problem(start, wrong)])
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        near = _near(path) if isinstance(error, FileNotFoundError) else ""
        raise InvalidFileError([Problem(start, f"cannot be read: {reason}{near}")]) from error
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
