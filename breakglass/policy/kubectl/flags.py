"""How kubectl reads flags: long and short, joined to their value or before it, up to a bare `--`.

Source: the behaviour of `github.com/spf13/pflag`, which kubectl uses. Flags may stand anywhere among the
arguments; short ones may be run together; a flag that takes nothing takes a value only after `=`.
"""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from breakglass.errors import NotUnderstoodError

USE_BINARY = "use `driver: binary` for it"

CLUSTER_FLAGS = frozenset(
    [
        *("--context", "--cluster", "--kubeconfig", "--server", "--user", "--token", "--as", "--as-group"),
        *("--as-uid", "--as-user-extra", "--username", "--password", "--client-certificate", "--client-key"),
        *("--certificate-authority", "--insecure-skip-tls-verify", "--tls-server-name", "-s"),
    ]
)
"""Flags that say which cluster and as whom. The site says that, and the operator sees what the site says."""

T = TypeVar("T")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class KubectlSyntaxError(NotUnderstoodError):
    """A kubectl line that the built-in driver does not carry out. `word` is the index of the one at fault."""

    def __init__(self, message: str, word: int = 0) -> None:
        super().__init__(message)
        self.word = word


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a verb. `alone` is the value of one that may stand without any."""

    name: str
    short: str = ""
    takes: Literal["value", "nothing"] = "value"
    alone: str = ""


@dataclass(frozen=True, slots=True)
class KubectlWord:
    """An argument, and where it stood."""

    text: str
    index: int


@dataclass(frozen=True, slots=True)
class KubectlLine:
    """A kubectl line after its verb: arguments, the flags given, and what stands after `--`.

    stand_ins: indexes of words that are not what will be run, only their form; their values are not looked
        at.
    """

    verb: str
    arguments: tuple[KubectlWord, ...] = ()
    flags: Mapping[str, tuple[KubectlWord, ...]] = field(default_factory=dict[str, tuple[KubectlWord, ...]])
    after: tuple[str, ...] | None = None
    stand_ins: Set[int] = frozenset()

    def has(self, name: str) -> bool:
        return name in self.flags

    def text(self, name: str, default: str = "") -> str:
        return self.flags[name][-1].text if name in self.flags else default

    def on(self, name: str, default: bool = False) -> bool:
        """A flag that is true or false. KubectlSyntaxError for another value."""
        if name not in self.flags:
            return default
        word = self.flags[name][-1]
        if word.text.lower() in ("true", "t", "1"):
            return True
        if word.text.lower() in ("false", "f", "0"):
            return False
        return self._refused(word, default, f"--{name} is true or false, not {word.text!r}")

    def whole(self, name: str) -> int | None:
        """A whole number. KubectlSyntaxError for anything else."""
        if name not in self.flags:
            return None
        word = self.flags[name][-1]
        if re.fullmatch(r"-?\d{1,18}", word.text):
            return int(word.text)
        return self._refused(word, None, f"--{name} takes a whole number, not {word.text!r}")

    def seconds(self, name: str) -> float | None:
        """A duration as Go writes it, in seconds. KubectlSyntaxError for anything else."""
        if name not in self.flags:
            return None
        word = self.flags[name][-1]
        value = go_duration(word.text)
        if value is None:
            return self._refused(word, None, f"--{name} takes a duration such as 30s, not {word.text!r}")
        return value

    def one_of(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of a few words. KubectlSyntaxError for another, naming them."""
        if name not in self.flags:
            return default
        word = self.flags[name][-1]
        if word.text in choices:
            return word.text
        return self._refused(word, default, f"--{name} is one of {', '.join(choices)}, not {word.text!r}")

    def where(self, name: str) -> int:
        return self.flags[name][-1].index if name in self.flags else 0

    def is_stand_in(self, word: KubectlWord) -> bool:
        return word.index in self.stand_ins

    def _refused(self, word: KubectlWord, default: T, message: str) -> T:
        if word.index in self.stand_ins:
            return default
        raise KubectlSyntaxError(f"{self.verb}: {message}", word.index)


def go_duration(text: str) -> float | None:
    """Seconds of a Go duration such as `1m30s` or `0`; None for anything else."""
    sign = -1.0 if text.startswith("-") else 1.0
    body = text.lstrip("+-") if len(text) - len(text.lstrip("+-")) <= 1 else ""
    if body == "0":
        return 0.0
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        return None
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def cluster_flag(argv: Sequence[str]) -> int | None:
    """The index of the first flag that would choose the cluster or the user, before any `--`."""
    for index, word in enumerate(argv):
        if word == "--":
            return None
        if word.split("=", 1)[0] in CLUSTER_FLAGS or re.match(r"-s[^-]", word):
            return index
    return None


def read_line(
    verb: str, argv: Sequence[str], start: int, known: Sequence[Flag], stand_ins: Set[int] = frozenset()
) -> KubectlLine:
    """The arguments and flags of a line whose words from `start` on belong to the verb.

    Raises KubectlSyntaxError for a flag that is not known, or whose value is missing.
    """
    by_name = {flag.name: flag for flag in known}
    by_short = {flag.short: flag for flag in known if flag.short}
    arguments: list[KubectlWord] = []
    flags: dict[str, tuple[KubectlWord, ...]] = {}
    after: tuple[str, ...] | None = None
    index = start
    while index < len(argv):
        word = argv[index]
        at = index
        index += 1
        if word == "--":
            after = tuple(argv[index:])
            break
        if not word.startswith("-") or word == "-":
            arguments.append(KubectlWord(word, at))
            continue
        for flag, joined in _flags_in(verb, word, at, by_name, by_short):
            value = KubectlWord(joined if joined is not None else flag.alone or "true", at)
            if joined is None and flag.takes == "value" and not flag.alone:
                if index >= len(argv):
                    raise KubectlSyntaxError(f"{verb}: the flag {word} needs a value", at)
                if argv[index] == "--":
                    # pflag would take it, and where the inner command begins would no longer be plain.
                    raise KubectlSyntaxError(f"{verb}: the flag {word} has no value before --", at)
                value = KubectlWord(argv[index], index)
                index += 1
            flags[flag.name] = (*flags.get(flag.name, ()), value)
    return KubectlLine(verb, tuple(arguments), flags, after, stand_ins)


def _flags_in(
    verb: str, word: str, at: int, by_name: Mapping[str, Flag], by_short: Mapping[str, Flag]
) -> list[tuple[Flag, str | None]]:
    """The flags in one word, each with the value joined to it, if any."""
    if word.startswith("--"):
        name, joined, value = word[2:].partition("=")
        if name not in by_name:
            raise _unknown(verb, f"--{name}", at)
        return [(by_name[name], value if joined else None)]
    found: list[tuple[Flag, str | None]] = []
    letters = word[1:]
    while letters:
        flag = by_short.get(letters[0])
        if flag is None:
            raise _unknown(verb, f"-{letters[0]}", at)
        letters = letters[1:]
        if flag.takes == "nothing" and not letters.startswith("="):
            found.append((flag, None))
            continue
        found.append((flag, letters.removeprefix("=") if letters else None))
        break
    return found


def _unknown(verb: str, flag: str, at: int) -> KubectlSyntaxError:
    if flag in CLUSTER_FLAGS:
        return KubectlSyntaxError(f"{flag} is the site's to say: name the cluster with `cluster:`", at)
    if flag == "--request-timeout":
        return KubectlSyntaxError("--request-timeout: the step's `timeout` is the deadline", at)
    return KubectlSyntaxError(f"kubectl {verb} {flag} is not built in: {USE_BINARY}", at)
