"""The man page, made from what the commands say of themselves: `python -m tools.man_page`."""

import re
import sys
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterable, Iterator

from breakglass import __version__, exit_codes
from breakglass.cli.main import ABOUT, COMMANDS, EXAMPLES, load

ENVIRONMENT = {
    "BREAKGLASS_STATE": "The folder for sessions, in place of breakglass below XDG_STATE_HOME.",
    "BREAKGLASS_RUNBOOKS": "A folder of runbooks that is searched before ./runbooks and those that ship.",
    "BREAKGLASS_OPERATOR": "Who is at the keyboard, in place of the login name.",
    "EDITOR": "What opens a report; VISUAL comes first.",
    "NO_COLOR": "When not empty, nothing is coloured. Words and glyphs say the same.",
}

FILES = {
    "~/.local/state/breakglass/sessions/": "One folder a session: its journal, and the output of its steps.",
    "runbooks/NAME/runbook.yaml": "A runbook; its simulated incidents are in scenarios/ beside it.",
}


def man_page() -> str:
    """The whole page as roff, for `man`."""
    lines = [
        f'.TH BREAKGLASS 1 "" "breakglass {__version__}" "User Commands"',
        ".SH NAME",
        r"breakglass \- an interactive runbook cockpit for the terminal",
        ".SH SYNOPSIS",
        ".B breakglass",
        r"[\fB\-\-version\fR] [\fICOMMAND\fR [\fIARGUMENT\fR ...]]",
        ".SH DESCRIPTION",
        _plain(ABOUT),
        ".SH EXAMPLES",
        *_verbatim(EXAMPLES.splitlines()[1:]),
        ".SH COMMANDS",
    ]
    for name in COMMANDS:
        parser = ArgumentParser(prog=f"breakglass {name}")
        load(name, parser)
        lines += _command(name, parser)
    lines += [".SH EXIT STATUS", *_exit_codes()]
    for title, some in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        lines += [f".SH {title}"]
        for term, words in some.items():
            lines += [".TP", rf"\fB{_plain(term)}\fR", _plain(words)]
    return "\n".join(lines) + "\n"


def actions_of(parser: ArgumentParser) -> list[Action]:
    """What it takes; argparse has no public way to ask for it."""
    actions = parser._actions  # pyright: ignore[reportPrivateUsage]
    return [each for each in actions if each.help != SUPPRESS and each.dest != "help"]


def _command(name: str, parser: ArgumentParser) -> Iterator[str]:
    about, _, examples = (parser.description or "").partition("\nexamples:\n")
    known = actions_of(parser)
    yield f".SS breakglass {_plain(' '.join([name, *_synopsis(known)]))}"
    yield _plain(" ".join(about.split()))
    for action in known:
        yield ".TP"
        yield rf"\fB{_plain(term_of(action))}\fR"
        yield _plain(words_of(action))
    if examples:
        yield ".PP"
        yield from _verbatim(examples.rstrip().splitlines())


def _synopsis(known: Iterable[Action]) -> Iterator[str]:
    for action in known:
        term = action.option_strings[0] if action.option_strings else _value(action)
        if action.option_strings and action.nargs != 0:
            term = f"{term} {_value(action)}"
        if action.nargs == "*":
            term = f"{term} ..."
        yield term if action.required and action.nargs not in ("?", "*") else f"[{term}]"


def term_of(action: Action) -> str:
    if not action.option_strings:
        return _value(action)
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {_value(action)}"


def _value(action: Action) -> str:
    return action.metavar if isinstance(action.metavar, str) else action.dest.upper()


def words_of(action: Action) -> str:
    words = action.help or ""
    if action.choices is not None:
        words = f"{words}; one of {', '.join(map(str, action.choices))}".lstrip("; ")
    return f"{words[:1].upper()}{words[1:]}."


def _exit_codes() -> Iterator[str]:
    """The table of the exit codes' own module."""
    for code, words in re.findall(r"^\| (\d+) \| (.+) \|$", exit_codes.__doc__ or "", re.MULTILINE):
        yield from (".TP", rf"\fB{code}\fR", _plain(f"{words[:1].upper()}{words[1:]}."))


def _verbatim(lines: Iterable[str]) -> list[str]:
    return [".nf", ".RS", *(_plain(line.strip()) for line in lines), ".RE", ".fi"]


def _plain(text: str) -> str:
    """Text that roff takes for nothing but text."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga").replace("…", "...")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(man_page())
