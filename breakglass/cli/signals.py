"""Signals end a walk as a person would."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress

from breakglass.engine.commands import Stop
from breakglass.engine.walk import Engine
from breakglass.errors import CommandRefusedError


@contextmanager
def ending_on_signals(engine: Engine) -> Generator[None]:
    """Let SIGTERM and SIGHUP end the walk as a person would: a read is given up, the outcome of a change is
    waited for and recorded."""
    loop = asyncio.get_running_loop()

    def end(received: signal.Signals) -> None:
        with suppress(CommandRefusedError):
            engine.command(Stop(f"the program was told to end ({received.name})", engine.state.operator))

    received = (signal.SIGTERM, signal.SIGHUP)
    for each in received:
        loop.add_signal_handler(each, end, each)
    try:
        yield
    finally:
        for each in received:
            loop.remove_signal_handler(each)
