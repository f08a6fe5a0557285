"""What `run`, `rehearse` and `resume` have in common: their options, and which front a session gets:
the cockpit, plain lines, or none."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace

from breakglass.cli.headless import ScriptOf, walk_headless
from breakglass.cli.terminal_input import is_dumb, on_a_terminal
from breakglass.engine.session import Request
from breakglass.exit_codes import ExitCode


def add_walk_arguments(parser: ArgumentParser) -> None:
    """Options of every command that walks a runbook."""
    parser.add_argument(
        "--input", action="append", default=[], metavar="NAME=VALUE", help="an input of the runbook"
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="no full screen: lines and numbered choices; by itself where TERM is dumb",
    )
    parser.add_argument("--json", action="store_true", help="headless, every event as a JSON line")


def given_inputs(arguments: Namespace) -> dict[str, str]:
    """`--input NAME=VALUE` as a mapping. Exits with a usage error when there is no `=`."""
    pairs: dict[str, str] = {}
    for each in arguments.input:
        name, separator, value = each.partition("=")
        if not separator:
            print(f"--input {each}: write NAME=VALUE", file=sys.stderr)
            raise SystemExit(ExitCode.USAGE)
        pairs[name] = value
    return pairs


def walk_with(request: Request, arguments: Namespace, script_of: ScriptOf, *, headless: bool) -> int:
    """Walk in the cockpit, in plain lines, or headless where nobody can be asked."""
    if headless or arguments.json or not (on_a_terminal() or arguments.plain):
        return asyncio.run(walk_headless(request, script_of, as_json=arguments.json))
    if arguments.plain or is_dumb():
        from breakglass.cli.plain import walk_plain

        return asyncio.run(walk_plain(request))
    from breakglass.cli.cockpit import open_cockpit

    return open_cockpit(request)
