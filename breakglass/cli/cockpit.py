"""Open the cockpit: on one session, or on the library when no command was given."""

import os
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from breakglass.engine.session import Request, Session

SLOW_FRAMES = "10"
"""Frames a second over SSH."""


def open_library() -> int:
    """The library: find a runbook, rehearse it, run it, go on with a session. Returns the exit code."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        from breakglass.exit_codes import ExitCode

        print("the library needs a terminal; see breakglass --help for what works without", file=sys.stderr)
        return ExitCode.USAGE
    if os.environ.get("TERM") == "dumb":
        from breakglass.exit_codes import ExitCode

        print("this terminal (TERM=dumb) shows no full screen; see breakglass list, and run", file=sys.stderr)
        return ExitCode.USAGE
    return open_cockpit(None)


def open_cockpit(request: "Request | None") -> int:
    """Open the cockpit on a session, or on the library. Returns the exit code.

    Raises UserError when the session cannot be opened.
    """
    prepare_environment(os.environ)
    from breakglass.tui.app import Cockpit

    app = Cockpit(_code_of, request)
    code = app.run()
    if app.failure is not None:
        raise app.failure
    if code is None:
        from breakglass.exit_codes import ExitCode

        return ExitCode.INTERRUPTED
    return code


def _code_of(session: "Session") -> int:
    from breakglass.cli.session_exit_code import code_of

    return code_of(session)


def prepare_environment(environment: MutableMapping[str, str]) -> None:
    """Set what the screen library reads when it is imported: few frames over SSH, and never a movement.

    An empty NO_COLOR does not count, as https://no-color.org says.
    """
    environment["TEXTUAL_ANIMATIONS"] = "none"
    if environment.get("SSH_CONNECTION"):
        environment.setdefault("TEXTUAL_FPS", SLOW_FRAMES)
    if environment.get("NO_COLOR") == "":
        del environment["NO_COLOR"]
