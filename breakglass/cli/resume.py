"""Resume an interrupted session. No change is repeated without asking again.

examples:
  breakglass resume last
  breakglass resume 20260418T0311
"""

from argparse import ArgumentParser, Namespace

from breakglass.cli.walk_command import add_walk_arguments, walk_with
from breakglass.engine.autopilot import Script
from breakglass.engine.session import Request


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", default="last", help="a session's name, or `last`")
    add_walk_arguments(parser)


def run(arguments: Namespace) -> int:
    request = Request(resume=arguments.session)
    return walk_with(request, arguments, lambda _: Script(confirms=False), headless=False)
