"""Follow a session in a second terminal, read-only, from its journal.

Nothing can be decided or changed here, and the session does not notice. Output is shown when it is complete.

examples:
  breakglass watch last
  breakglass watch 20260418T0311
  breakglass watch last --plain        lines as they come, until the session ends
"""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace

from breakglass.cli.cockpit import prepare_environment
from breakglass.cli.terminal_input import is_dumb, on_a_terminal
from breakglass.cli.walk_output import tell
from breakglass.exit_codes import ExitCode
from breakglass.journal import events as e
from breakglass.journal.folders import SessionFolder, state_folder
from breakglass.journal.follow import EVERY, follower
from breakglass.journal.sessions import find_session
from breakglass.journal.state import Recorded, State
from breakglass.transport.sanitize import visible_line


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("session", nargs="?", default="last", help="a session's name, or `last`")
    parser.add_argument("--plain", action="store_true", help="no full screen: lines as they come")
    parser.add_argument("--json", action="store_true", help="every event as a JSON line")


def run(arguments: Namespace) -> int:
    folder = find_session(state_folder(), arguments.session)
    # In a browser there is no terminal: `breakglass serve` names the driver that speaks to the page.
    on_a_screen = (on_a_terminal() and not is_dumb()) or bool(os.environ.get("TEXTUAL_DRIVER"))
    if arguments.plain or arguments.json or not on_a_screen:
        return asyncio.run(tell_all(folder, as_json=arguments.json))
    prepare_environment(os.environ)
    from breakglass.tui.watch import WatchCockpit

    code = WatchCockpit(follower(folder)).run()
    return ExitCode.INTERRUPTED if code is None else code


async def tell_all(folder: SessionFolder, *, as_json: bool) -> int:
    """Every event as a line, those of the past first, until the session ends or its walker is gone."""
    following = follower(folder)

    def told(recorded: Recorded, state: State) -> None:
        asked = recorded.event
        if as_json or not isinstance(asked, e.Asked):
            tell(recorded, as_json=as_json)
        else:
            _waits(recorded, state)

    for recorded in following.state.timeline:
        tell(recorded, as_json=as_json)
    if following.state.waiting is not None and following.state.last is not None and not as_json:
        _waits(following.state.last, following.state)
    following.subscribe(told)
    while following.state.ended is None:
        await following.look()
        if following.walker_gone:
            words = f"its walker is gone: {following.walker_gone}. {following.goes_on}"
            print(f"{folder.name}: {words}", file=sys.stderr)
            return ExitCode.STOPPED
        await asyncio.sleep(EVERY)
    if not as_json:
        print(f"{folder.name}: {following.state.ended.result}", file=sys.stderr)
    return ExitCode.DONE


def _waits(recorded: Recorded, state: State) -> None:
    """Whom the walk waits for, and for what."""
    asked = state.waiting
    if asked is not None:
        words = visible_line(f"waiting for {state.operator}: {asked.text or asked.question}")
        print(f"{recorded.time:%H:%M:%S}  {asked.step:20} {words}", flush=True)
