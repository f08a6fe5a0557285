"""The `breakglass` program: finds the command, runs it, and turns every expected error into one clear line.

Commands are imported when they are asked for, so that `--version` and `list` cost no more than they use.
"""

import errno
import gc
import os
import sys
from io import TextIOWrapper

from breakglass import __version__

TYPE_CHECKING = False
"""As in `typing`, whose import takes longer than all that `--version` needs."""

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Sequence
    from typing import Protocol

    class CommandModule(Protocol):
        """One command's module."""

        def add_arguments(self, parser: ArgumentParser) -> None: ...
        def run(self, arguments: Namespace) -> int: ...


COMMANDS = {
    "list": "list the runbooks",
    "show": "show one runbook, step by step",
    "triage": "find the runbook that fits: run all their checks on a site",
    "run": "walk a runbook on a real site, or dry-run it there",
    "rehearse": "walk a runbook against a simulated incident",
    "doctor": "check that everything a runbook needs is in place",
    "exec": "run one action that is in no runbook",
    "resume": "resume an interrupted session",
    "watch": "follow a session in a second terminal, read-only",
    "serve": "show a session in a browser on this machine, read-only",
    "sessions": "list the sessions on record: what, where, when, how each ended",
    "report": "print the post-mortem draft of a session",
    "verify": "check that a session's journal is complete and untampered",
    "site": "write a first site file, or explain how one gets in somewhere",
    "lint": "check runbooks, sites and scenarios",
    "new": "begin a runbook: a folder with a runbook, scenarios and a line of test",
    "import": "turn pages of Markdown into drafts of runbooks",
    "test": "test runbooks: every scenario, every trap, every dry run, every command failing",
    "risk": "say what a command may do, and which word decides",
    "schema": "print the JSON Schema of a runbook, site or scenario",
    "help": "read the documentation, offline",
    "completion": "print shell completion for commands and names",
}

MODULES = {"import": "import_page"}
"""Modules of commands whose names are words of Python."""

ABOUT = "An interactive runbook cockpit for the terminal. Without a command: the library."


EXAMPLES = """\
examples:
  breakglass                                        open the library
  breakglass rehearse outpost-shm-purge             walk it against its recorded incident
  breakglass triage --site site.yaml                which of the runbooks is it? changes nothing
  breakglass run outpost-shm-purge --site site.yaml --dry-run
  breakglass run outpost-shm-purge --site site.yaml
  breakglass resume last
"""

EXIT_CODES = """\
Exit codes: 0 done and verified, 1 not recovered, 2 usage or lint, 3 unreachable, 4 permission, 5 stopped,
6 outcome unknown, 130 interrupted.
"""


COLLECT_AFTER = (5_000, 10, 10)
"""How many new objects there are until garbage is sought, and how often further back. Nearly all that a
command makes stays until it ends, and with Python's own 700 the search takes a tenth of checking runbooks."""


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run the program; the return value is the exit code."""
    gc.set_threshold(*COLLECT_AFTER)
    _open_standard_streams()
    if "HOME" not in os.environ:
        _give_a_home()
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end a walk.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if "_ARGCOMPLETE" in os.environ:
        from breakglass.cli.completion import complete

        complete(program(*os.environ["COMP_LINE"].split()))
    return _guarded(lambda: _run(words))


def _give_a_home() -> None:
    """For a user who has no home at all, as in a container with any uid: the one that containers give. What
    cannot be kept there is said where it is kept; without it, every `~` would end the program."""
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ["HOME"] = "/"


def _open_standard_streams() -> None:
    """Put the null device in place of standard streams that are closed. Otherwise the first file that is
    opened would be one of them, and what is meant for a terminal would get into a record."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _run(words: "Sequence[str]") -> int:
    if list(words) == ["--version"]:
        print(f"breakglass {__version__}")
        return 0
    if words:
        name = next((word for word in words if not word.startswith("-")), "")
        if words[0] == name and name not in COMMANDS:
            return _no_command(name)
        arguments = program(*{name} & COMMANDS.keys()).parse_args(words)
        run: Callable[[Namespace], int] | None = getattr(arguments, "run", None)
        if "BREAKGLASS_RUNBOOKS" in os.environ:
            _say_missing_folders()
        if run is not None:
            return run(arguments)
    from breakglass.cli.cockpit import open_library

    return open_library()


def _no_command(name: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    meant = f"; did you mean `breakglass {near[0]}`?" if near else "; `breakglass --help` lists them"
    print(f"no command is called {name!r}{meant}", file=sys.stderr)
    return _code("USAGE")


def _say_missing_folders() -> None:
    from breakglass.runbook.library import missing_folders

    for folder in missing_folders():
        print(
            f"BREAKGLASS_RUNBOOKS: there is no folder {folder}; its runbooks are missing here",
            file=sys.stderr,
        )


def program(*loaded: str) -> "ArgumentParser":
    """The whole command line; the commands that are named have their arguments."""
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    parser = ArgumentParser(
        prog="breakglass",
        description=f"{ABOUT}\n\n{EXAMPLES}",
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"breakglass {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name, words in COMMANDS.items():
        sub = commands.add_parser(name, help=words, formatter_class=RawDescriptionHelpFormatter)
        if name in loaded:
            load(name, sub)
    return parser


def load(name: str, parser: "ArgumentParser") -> None:
    """Give a parser what the command's module says: its description, its arguments, and what to run."""
    command = _command(name)
    parser.description = command.__doc__
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


def _command(name: str) -> "CommandModule":
    from importlib import import_module
    from typing import cast

    return cast("CommandModule", import_module(f"breakglass.cli.{MODULES.get(name, name)}"))


def _guarded(run: "Callable[[], int]") -> int:
    from breakglass.errors import BreakglassError

    try:
        code = run()
        sys.stdout.flush()
        return code
    except BreakglassError as error:
        print(error, file=sys.stderr)
        return _code("USAGE")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _code("INTERRUPTED")
    except BrokenPipeError:
        sys.stderr.close()
        return _code("DONE")
    except OSError as error:
        # Of a file that cannot be written its own part of the program tells; only a stream has no name.
        if error.errno not in (errno.ENOSPC, errno.EIO) or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python would fail once more as it ends
        try:
            print(f"standard output cannot be written: {error.strerror}", file=sys.stderr)
        except OSError:
            os.dup2(1, 2)
        return _code("NOT_RECOVERED")


def _code(name: str) -> int:
    from breakglass.exit_codes import ExitCode

    return ExitCode[name]


if __name__ == "__main__":
    sys.exit(main())
