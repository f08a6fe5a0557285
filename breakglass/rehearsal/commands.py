"""What a command line really runs: past `sudo`, `timeout`, `env`, `nice` and `sh -c`."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from breakglass.policy.commands import handed_on
from breakglass.policy.login_shell import argv_of
from breakglass.runbook.shell_text import with_values

WRAPPERS = ("sudo", "timeout", "nice", "ionice", "env")
"""Programs that run the command behind them on the same machine. Their options stand in `policy/programs`."""

_OPERATORS = re.compile(r"[|;&<>`\n]|\$\(")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command as a simulated machine sees it.

    texts: how it can be written, for patterns to match: as it came, and with the wrappers and quotes taken
    off. words: of the innermost command; empty where that needs a shell.
    sudo: asks for root. limit: seconds that an inner `timeout` gives it, None without one.
    """

    texts: tuple[str, ...]
    words: tuple[str, ...]
    sudo: bool = False
    limit: float | None = None

    @property
    def text(self) -> str:
        """The innermost form."""
        return self.texts[-1]


def read_line(line: str) -> CommandLine:
    """A command line as the login shell of an SSH server receives it."""
    try:
        words = shlex.split(line)
    except ValueError:
        return _reader(line.strip())
    argv = argv_of(words)
    return _reader(line.strip()) if argv == tuple(words) else read_words(argv)


def read_words(words: Sequence[str]) -> CommandLine:
    """A command as a container receives it, in words."""
    return _unwrapped(shlex.join(words), list(words))


def _reader(text: str) -> CommandLine:
    if _OPERATORS.search(_without_quotes(text)):
        return CommandLine((text,), ())
    try:
        words = shlex.split(text)
    except ValueError:
        return CommandLine((text,), ())
    return _unwrapped(text, words)


def _unwrapped(text: str, words: list[str]) -> CommandLine:
    sudo = False
    limit: float | None = None
    rest = list(words)
    inner: CommandLine | None = None
    while rest:
        head = rest[0].rpartition("/")[2]
        behind = _behind(rest) if head in WRAPPERS else []
        if behind:
            sudo = sudo or head == "sudo"
            if head == "timeout":
                limit = _shorter(limit, _seconds(rest[-len(behind) - 1]))
            rest = behind
        elif head in ("sh", "bash", "ash") and len(rest) >= 3 and rest[1] in ("-c", "-ec", "-lc"):
            inner = _reader(with_values(rest[2], rest[4:]).strip())
            break
        else:
            break
    if inner is not None:
        texts = (text, " ".join(words), *inner.texts)
        return CommandLine(_different(texts), inner.words, sudo or inner.sudo, _shorter(limit, inner.limit))
    return CommandLine(_different((text, " ".join(words), " ".join(rest))), tuple(rest), sudo, limit)


def _different(texts: Sequence[str]) -> tuple[str, ...]:
    """Each text once; where one repeats, its last place counts, so that the innermost stays last."""
    return tuple(reversed(dict.fromkeys(reversed([each for each in texts if each] or [""]))))


def _shorter(one: float | None, other: float | None) -> float | None:
    limits = [each for each in (one, other) if each is not None]
    return min(limits) if limits else None


def _behind(words: list[str]) -> list[str]:
    """The command that a wrapper runs, which is what stands at its end; empty where it runs none."""
    for each in handed_on(words):
        if words[-len(each) :] == list(each):
            return list(each)
    return []


def _seconds(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else None


def _without_quotes(text: str) -> str:
    return re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"", "", text)
