"""The one bridge from blocking libraries to the event loop.

Each call gets a daemon thread of its own: a call that is stuck in the kernel, on a dead NFS mount or in a
library without deadlines, costs one thread and never keeps the program from going on or from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, deadline: float | None = None) -> T:
    """Call a blocking function in a daemon thread and give what it gives, or raise what it raises.

    deadline: seconds; past it TimeoutError is raised and the thread is left to itself. Cancelling leaves it
    too: whoever calls this must see to it that what the thread still does, harms nobody.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def give(value: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if isinstance(error, StopIteration):  # a future takes any exception but this one
            answer.set_exception(RuntimeError("StopIteration"))
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)  # type: ignore[arg-type]

    def tell(value: T | None, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(give, value, error)
        except RuntimeError:
            return  # the loop ended while the call was stuck; nobody waits for the answer

    def work() -> None:
        try:
            value = function()
        except BaseException as error:  # noqa: BLE001  (whatever it is, it belongs to the caller)
            tell(None, error)
        else:
            tell(value, None)

    # What the caller may reach, its thread may reach.
    threading.Thread(
        target=copy_context().run, args=(work,), daemon=True, name=f"call of {function!r}"[:60]
    ).start()
    async with asyncio.timeout(deadline):
        return await answer
