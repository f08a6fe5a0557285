"""A walk with nobody at the keyboard."""

import sys
from collections.abc import Callable

from breakglass.cli.session_exit_code import code_of
from breakglass.cli.signals import ending_on_signals
from breakglass.cli.walk_output import runbook_words, tell, tell_the_end, telling_of_the_disk
from breakglass.engine.autopilot import Script, walk
from breakglass.engine.expected import unexpected
from breakglass.engine.opening import open_session
from breakglass.engine.session import Request, Session, operator_name
from breakglass.transport.sanitize import visible

ScriptOf = Callable[[Session], Script]


async def walk_headless(request: Request, script_of: ScriptOf, *, as_json: bool) -> int:
    """Walk with nobody at the keyboard, telling the events as they come."""
    async with open_session(request) as session:
        engine = session.engine
        print(visible(runbook_words(session)), file=sys.stderr, flush=True)
        for recorded in engine.state.timeline:
            tell(recorded, as_json=as_json)
        engine.subscribe(lambda recorded, _: tell(recorded, as_json=as_json))
        if engine.changed is not None and not as_json:
            print(visible(engine.changed.shown), flush=True)
        engine.subscribe(telling_of_the_disk(engine))
        with ending_on_signals(engine):
            await walk(engine, script_of(session), operator_name())
        code = code_of(session)
        if not as_json:
            tell_the_end(session, code)
        elif session.engine.state.mode == "rehearsal":
            for each in unexpected(session):
                print(visible(f"not as expected: {each}"), file=sys.stderr)
        return code
