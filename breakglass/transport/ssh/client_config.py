"""`ssh_config` as OpenSSH reads it, without OpenSSH: what counts for a host, and in which line it stands.

This answers where no `ssh` is installed, and tells `site explain` the lines. Where `ssh` is there, it is
asked (`ask_openssh`). A keyword or a condition that is not understood is an error, with its name and place.
So is `CanonicalizeHostname`, which needs name servers, unless the name that came of it is known. Facts are
from ssh_config(5) and `ssh -G` of OpenSSH 9.2; a property test holds both together.
"""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from breakglass.transport.ssh.config_file import ClientConfigError, Line, lines_in_files
from breakglass.transport.ssh.config_keywords import (
    ALIASES,
    CHOICES,
    HARMLESS,
    LISTS,
    MANY_WORDS,
    MATTERS,
    NUMBERS,
    REST_OF_LINE,
    TIMES,
)
from breakglass.transport.ssh.patterns import matches_any
from breakglass.transport.ssh.tokens import EVERYWHERE, Tokens, own_name

COMMAND_DEADLINE = 5.0
"""Seconds for the command of a `Match exec`."""
DEFAULT_PORT = 22
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Value:
    """One value, in the form in which `ssh -G` prints it, and the line that it is from."""

    text: str
    line: Line | None


Found = Mapping[str, tuple[Value, ...]]
"""What is configured, by the keyword in lower case. What is not there has its default."""


@dataclass(slots=True)
class _ConfigReading:
    """The state of reading all files once or twice for one name."""

    alias: str
    host: str
    """What `Host` is compared with."""
    found: dict[str, list[Value]] = field(default_factory=dict[str, list[Value]])
    final: bool = False
    wants_final: bool = False

    def first(self, keyword: str) -> str | None:
        values = self.found.get(keyword)
        return values[0].text if values else None

    def remote_host(self) -> str:
        name = self.first("hostname")
        if self.final or name is None:
            return self.host
        return Tokens(host=self.host).expanded(name, "h", "HostName")


def read(
    alias: str, file: Path | None, user: str | None, port: int | None, canonical: str | None = None
) -> Found:
    """What is configured for a name. canonical: the name that `ssh` has made of it, where that is known.

    Runs the commands of `Match exec`. Raises ClientConfigError.
    """
    files = lines_in_files(file)
    reading = _ConfigReading(alias, alias)
    if user is not None:
        reading.found["user"] = [Value(user, None)]
    if port is not None:
        reading.found["port"] = [Value(str(port), None)]
    for lines in files:
        _read(reading, lines, True, False)
    reading.host = reading.remote_host().lower()
    canonicalizes = (reading.first("canonicalizehostname") or "false") != "false"
    if canonical is None and (canonicalizes or reading.first("canonicalizepermittedcnames")):
        values = reading.found.get("canonicalizehostname") or reading.found["canonicalizepermittedcnames"]
        place = values[0].line.place if values[0].line else ""
        raise ClientConfigError(f"{place}: only `ssh` does CanonicalizeHostname, and it is not installed")
    if canonical is not None:
        reading.host = canonical
    if canonicalizes or reading.wants_final:
        reading.final = True
        place = reading.found.get("hostname", [Value("", None)])[0].line
        reading.found["hostname"] = [Value(reading.host, place)]
        for lines in files:
            _read(reading, lines, True, False)
    elif "hostname" in reading.found:
        reading.found["hostname"] = [replace(reading.found["hostname"][0], text=reading.host)]
    for value in reading.found.get("hostkeyalias", []):
        reading.found["hostkeyalias"] = [replace(value, text=value.text.lower())]
    return {keyword: tuple(values) for keyword, values in reading.found.items()}


def _read(reading: _ConfigReading, lines: Sequence[Line], active: bool, never: bool) -> None:
    """Take what counts of a file's lines. never: a block around them does not count, whatever they say."""
    for line in lines:
        keyword = ALIASES.get(line.keyword, line.keyword)
        try:
            if keyword == "host":
                active = not never and matches_any(line.words, reading.host)
            elif keyword == "match":
                active = _holds(reading, line, never) and not never
            elif keyword == "include":
                for included in line.included:
                    _read(reading, included, active, never or not active)
            elif keyword in MATTERS:
                _take(reading, line, keyword, active)
            elif keyword not in HARMLESS and not _ignored(reading, line.keyword):
                raise ValueError(f"the option {line.keyword} is not understood")
        except ValueError as error:
            raise ClientConfigError(f"{line.place}: {error}") from error


def _ignored(reading: _ConfigReading, keyword: str) -> bool:
    return matches_any((reading.first("ignoreunknown") or "").split(","), keyword)


def _take(reading: _ConfigReading, line: Line, keyword: str, active: bool) -> None:
    """Keep a value, if it counts. Raises ValueError for one that is not right, whether or not it counts."""
    if keyword == "proxyjump":
        jump = _jump_of(line.rest)
        if active and not {"proxyjump", "proxycommand"} & reading.found.keys():
            reading.found["proxyjump"] = [Value(jump, line)]
        return
    if keyword in REST_OF_LINE:
        taken = keyword == "proxycommand" and (reading.first("proxyjump") or "none") != "none"
        if active and not taken:
            reading.found.setdefault(keyword, [Value(line.rest.lstrip("= \t"), line)])
        return
    if not line.words or not line.words[0]:
        raise ValueError(f"{line.keyword} has no value")
    if keyword in MANY_WORDS:
        if active:
            reading.found.setdefault(keyword, [Value(word, line) for word in line.words])
        return
    if len(line.words) > 1:
        raise ValueError(f"{line.keyword} takes one value")
    text = _in_form(keyword, line)
    if not active or (keyword in TIMES and text == "none"):  # so `none` leaves it to a later line
        return
    if keyword in LISTS:
        values = reading.found.setdefault(keyword, [])
        if all(each.text != text for each in values):
            values.append(Value(text, line))
    else:
        reading.found.setdefault(keyword, [Value(text, line)])


def _in_form(keyword: str, line: Line) -> str:
    """A value as `ssh -G` prints it. Raises ValueError."""
    text = line.words[0]
    if keyword in CHOICES:
        try:
            return CHOICES[keyword][text.lower()]
        except KeyError:
            there = ", ".join(CHOICES[keyword])
            raise ValueError(f"{line.keyword} is one of {there}, not {text!r}") from None
    if keyword == "port":
        return str(_port(text))
    if keyword in NUMBERS:
        if not text.isdigit():
            raise ValueError(f"{line.keyword} is a number, not {text!r}")
        return str(int(text))
    if keyword in TIMES:
        return text if text == "none" else str(_seconds(text))
    return text


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise ValueError(f"Port is not between 1 and 65535: {text}") from None


def _seconds(text: str) -> int:
    """A time such as `90`, `1m30s` or `2H`, in seconds."""
    if not re.fullmatch(r"(\d+[smhdw]?)+", text, re.IGNORECASE):
        raise ValueError(f"not a time: {text}")
    parts = re.findall(r"(\d+)([smhdw]?)", text, re.IGNORECASE)
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in parts)


def _jump_of(rest: str) -> str:
    """A ProxyJump as `ssh -G` prints it: the last hop in its full form. Raises ValueError."""
    if rest.lower() == "none":
        return "none"
    before, comma, last = rest.rpartition(",")
    for each in before.split(",") if comma else ():
        split_jump(each)
    user, address, port = split_jump(last)
    shown = f"[{address}]" if ":" in address or not address.strip("1234567890.") else address
    return f"{before}{comma}{f'{user}@' if user else ''}{shown}{f':{port}' if port else ''}"


def split_jump(text: str) -> tuple[str | None, str, int | None]:
    """User, address and port of a hop as ProxyJump writes it: `[user@]host[:port]` or an `ssh://` URL.

    Raises ValueError.
    """
    rest = text.removeprefix("ssh://").rstrip("/")
    user, at, rest = rest.rpartition("@")
    port = ""
    if rest.startswith("["):
        address, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif rest.count(":") == 1:
        address, _, port = rest.partition(":")
    else:
        address = rest
    if not address or (at and not user) or address.startswith("-") or any(each in " \t" for each in text):
        raise ValueError(f"ProxyJump {text!r} is not `[user@]host[:port]`")
    return user or None, address, _port(port) if port else None


def _holds(reading: _ConfigReading, line: Line, never: bool) -> bool:
    """Whether the conditions of a `Match` hold. Raises ValueError for one that is not understood."""
    words = list(line.words)
    holds, count = not never, 0
    while words:
        name, equals, value = words.pop(0).partition("=")
        if equals:
            words.insert(0, value)
        name = name.lower()
        negated, name = name.startswith("!"), name.removeprefix("!")
        if name == "all":
            if count > 1 or words:
                raise ValueError("Match all stands alone")
            return holds and not negated
        count += 1
        if name in ("canonical", "final"):
            reading.wants_final = reading.wants_final or name == "final"
            holds = holds and reading.final != negated
            continue
        if not words or not words[0]:
            raise ValueError(f"Match {name} needs a value")
        wanted = words.pop(0)
        match name:
            case "host":
                held = matches_any(wanted.lower().split(","), reading.remote_host().lower())
            case "originalhost":
                held = matches_any(wanted.lower().split(","), reading.alias.lower())
            case "user":
                held = matches_any(wanted.split(","), reading.first("user") or own_name())
            case "localuser":
                held = matches_any(wanted.split(","), own_name())
            case "exec":
                held = holds and _succeeds(_command(reading, wanted))
            case _:
                raise ValueError(f"the condition Match {name} is not understood")
        holds = holds and held != negated
    if not count:
        raise ValueError("Match needs a condition")
    return holds


def _command(reading: _ConfigReading, text: str) -> str:
    tokens = Tokens(
        host=reading.remote_host(),
        original=reading.alias,
        port=reading.first("port") or str(DEFAULT_PORT),
        user=reading.first("user") or own_name(),
        known_as=reading.first("hostkeyalias") or "",
    )
    return tokens.expanded(text, EVERYWHERE, "Match exec")


def _succeeds(command: str) -> bool:
    """Whether a command ends well, and soon, with the terminal out of its reach."""
    with subprocess.Popen(
        [os.environ.get("SHELL") or "/bin/sh", "-c", command],
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
