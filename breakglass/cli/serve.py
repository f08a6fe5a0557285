"""Show a session in a browser on this machine: what `breakglass watch` shows, read-only, on loopback.

Each page that is opened runs a `breakglass watch` of its own, so nothing can be decided or changed in a
browser either. The address holds a word that only this terminal is told; without it, others on the machine
see nothing. It needs the extra `serve`.

examples:
  breakglass serve last
  breakglass serve 20260418T0311 --port 8400
  ssh -L 8400:127.0.0.1:8400 ops1      the address then opens on the machine that you sit at, too
"""

import secrets
import socket
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from breakglass.errors import UserError
from breakglass.exit_codes import ExitCode
from breakglass.journal.folders import state_folder
from breakglass.journal.follow import follower
from breakglass.journal.sessions import find_session

if TYPE_CHECKING:
    from aiohttp import web

LOOPBACK = "127.0.0.1"

PATIENCE = 5.0
"""Seconds that the open views get to end in when the program is told to end."""


class NotServedError(UserError):
    """The session cannot be shown as it was asked for."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", default="last", help="a session's name, or `last`")
    parser.add_argument("--port", type=_port, default=0, help="the port to listen on, in place of a free one")
    parser.add_argument(
        "--host", default=LOOPBACK, help=f"the address to listen on; {LOOPBACK}, and no other"
    )


def run(arguments: Namespace) -> int:
    if arguments.host != LOOPBACK:
        raise NotServedError(
            f"--host {arguments.host}: a session is served on {LOOPBACK} only: who gets there reads it; "
            f"from another machine, forward a port: ssh -L PORT:{LOOPBACK}:PORT, and serve --port PORT"
        )
    folder = find_session(state_folder(), arguments.session)
    # What keeps a session from being followed is told here, and not in an empty page.
    title = f"{follower(folder).runbook.title} · {folder.name}"
    word = secrets.token_urlsafe(16)
    application = _application(folder.name, title, word)
    listening = _listen(arguments.port)
    print(f"{folder.name}, read-only, until Ctrl+C, for whoever has this address on this machine:")
    print(f"http://{LOOPBACK}:{listening.getsockname()[1]}/{word}/", flush=True)

    from aiohttp import web

    web.run_app(application, sock=listening, print=None, access_log=None, shutdown_timeout=PATIENCE)
    return ExitCode.DONE


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ArgumentTypeError(f"{text} is no port; ports are 1 to 65535")
    return int(text)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise NotServedError(
            f"cannot listen on {LOOPBACK}:{port}: {error.strerror}; without --port, a free one is taken"
        ) from error


def _application(session: str, title: str, word: str) -> "web.Application":
    try:
        from breakglass.cli.serve_page import application
    except ModuleNotFoundError as error:
        raise NotServedError(
            f"serve needs {error.name}, which is not installed: pip install 'breakglass[serve]'"
        ) from error
    return application(session, title, word)
