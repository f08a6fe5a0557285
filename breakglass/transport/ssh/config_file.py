"""The files of `ssh_config`, line by line: words, includes, and where each line stands.

What a line means is not known here: see `client_config`. Facts about the format are from ssh_config(5) and
from what `ssh -G` of OpenSSH 9.2 does with it.
"""

import glob
import os
import pwd
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from breakglass.errors import UserError

SYSTEM_FILE = Path("/etc/ssh/ssh_config")
DEEPEST_INCLUDE = 16
_LINE = re.compile(r"\s*([^\s=\"#][^\s=\"]*)\s*=?\s*(.*?)\s*$")


class ClientConfigError(UserError):
    """A configuration file cannot be used, or `ssh` cannot be asked. The message names the file."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that counts. keyword: in lower case. rest: what follows it, as it is written. words: that, with
    quotes and a comment at its end taken off. included: of an `Include`, the lines of each file."""

    file: Path
    number: int
    keyword: str
    rest: str
    words: tuple[str, ...]
    included: tuple[tuple["Line", ...], ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"


def home() -> Path:
    """The home of whoever runs this, as `ssh` has it: from the users' database and not from `HOME`. Only for
    a user who has no entry there, `HOME` counts."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path(os.environ.get("HOME") or "/")


def at_home(path: str) -> Path:
    """A path of `ssh_config`, with `~` and `~user` for the homes that they mean."""
    name, slash, rest = path.partition("/")
    if name == "~":
        return home() / rest if slash else home()
    if name.startswith("~"):
        try:
            return Path(pwd.getpwnam(name[1:]).pw_dir) / rest
        except KeyError as error:
            raise ClientConfigError(f"{path}: there is no user {name[1:]!r}") from error
    return Path(path)


def user_file() -> Path:
    return home() / ".ssh" / "config"


def lines_in_files(file: Path | None) -> tuple[tuple[Line, ...], ...]:
    """The lines of each file that counts: of the one that is named, or else of the user's and the system's,
    as far as they are there. Raises ClientConfigError."""
    if file is not None:
        return (_lines(file, user_file().parent, 0),)
    found = [(user_file(), user_file().parent), (SYSTEM_FILE, SYSTEM_FILE.parent)]
    return tuple(_lines(each, folder, 0) for each, folder in found if each.exists())


def lines_of(file: Path | None) -> Iterator[str]:
    """What counts of a configuration, as text, with includes in place. Raises ClientConfigError."""
    for lines in lines_in_files(file):
        yield from _texts(lines)


def _texts(lines: tuple[Line, ...]) -> Iterator[str]:
    for line in lines:
        yield f"{line.keyword} {line.rest}"
        for included in line.included:
            yield from _texts(included)


def _lines(file: Path, folder: Path, depth: int) -> tuple[Line, ...]:
    if depth > DEEPEST_INCLUDE:
        raise ClientConfigError(f"{file}: included more than {DEEPEST_INCLUDE} deep; it may include itself")
    try:
        if depth or file == user_file():
            _trusted(file)
        text = file.read_text(errors="surrogateescape")
    except OSError as error:
        raise ClientConfigError(f"{file}: {error.strerror}") from error
    found: list[Line] = []
    for number, written in enumerate(text.split("\n"), 1):
        match = _LINE.match(written)
        if match is None:
            continue
        keyword, rest = match[1].lower(), match[2]
        try:
            words = split_words(rest)
        except ValueError as error:
            raise ClientConfigError(f"{file}:{number}: {error}") from error
        if not rest:
            raise ClientConfigError(f"{file}:{number}: {match[1]} has no value")
        included: tuple[tuple[Line, ...], ...] = ()
        if keyword == "include":
            included = tuple(_lines(each, folder, depth + 1) for each in _included(words, folder))
        found.append(Line(file, number, keyword, rest, words, included))
    return tuple(found)


def _trusted(file: Path) -> None:
    """Refuse what others may write, as `ssh` does. Raises ClientConfigError and OSError."""
    status = file.stat()
    if status.st_uid not in (0, os.getuid()) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ClientConfigError(
            f"{file}: others own it or may write it, so `ssh` refuses it; chmod go-w {file}"
        )


def _included(patterns: tuple[str, ...], folder: Path) -> Iterator[Path]:
    for pattern in patterns:
        path = at_home(pattern)
        for found in sorted(glob.glob(str(path if path.is_absolute() else folder / path))):  # noqa: PTH207
            yield Path(found)


def split_words(text: str) -> tuple[str, ...]:
    """The words of a line, as OpenSSH splits them. Raises ValueError for a quote that does not end."""
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        if text[at] == "#":
            break
        word, at = _word(text, at)
        words.append(word)
    return tuple(words)


def _word(text: str, at: int) -> tuple[str, int]:
    """The word that begins at a place, and where it ends."""
    found: list[str] = []
    quote = ""
    while at < len(text):
        one, following = text[at], text[at + 1 : at + 2]
        if one == "\\" and following and (following in "'\"\\" or (following == " " and not quote)):
            found.append(following)
            at += 1
        elif not quote and one in " \t":
            break
        elif not quote and one in "'\"":
            quote = one
        elif one == quote:
            quote = ""
        else:
            found.append(one)
        at += 1
    if quote:
        raise ValueError("a quote does not end")
    return "".join(found), at
