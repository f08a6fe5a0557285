"""The page of `breakglass serve`: textual-serve's terminal in a browser, one `breakglass watch` behind each.

The page is our own. The one of textual-serve waits for a font from the internet before it shows anything, and
says that the session has ended when only the view was closed.
"""

import html
import re
import shlex
import sys
from pathlib import Path
from string import Template
from typing import cast

import textual_serve
from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

PAGE = Path(__file__).with_suffix(".html")
STATIC = Path(textual_serve.__file__).parent / "static"

HEARTBEAT = 15.0
"""Seconds between two questions whether a page is still there."""

FIRST_SIZE = {"width": 80, "height": 24}
"""Of a page that does not say its own."""

OPEN = web.AppKey("open", set[web.WebSocketResponse])


class BrowserView(AppService):
    """One `breakglass watch`. With it goes its page: nobody is to take what it showed last for what is."""

    async def run(self) -> None:
        await super().run()
        await self.remote_close()


def application(session: str, title: str, word: str) -> web.Application:
    """The page of a session, its socket and its files, all of them below the word, and nothing else."""
    watch = shlex.join([sys.executable, "-P", "-m", "breakglass.cli.main", "watch", session])
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(title=html.escape(title))

    async def show_page(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    async def show_view(request: web.Request) -> web.WebSocketResponse:
        return await _show_view(request, watch)

    served = web.Application()
    served[OPEN] = set()
    served.add_routes(
        [
            web.get(f"/{word}/", show_page),
            web.get(f"/{word}/ws", show_view),
            web.static(f"/{word}/static", STATIC),
        ]
    )
    served.on_shutdown.append(_close_views)
    return served


async def _show_view(request: web.Request, watch: str) -> web.WebSocketResponse:
    connection = web.WebSocketResponse(heartbeat=HEARTBEAT)
    await connection.prepare(request)

    async def close() -> None:
        await connection.close()

    view = BrowserView(
        watch,
        write_bytes=connection.send_bytes,
        write_str=connection.send_str,
        close=close,
        download_manager=DownloadManager(),
    )
    # A view that is told its size only when it has started, may take the one it started with for the later.
    await view.start(_first(request, "width"), _first(request, "height"))
    request.app[OPEN].add(connection)
    try:
        async for message in connection:
            await _pass_on(cast(object, message.json()), view)
    finally:
        request.app[OPEN].discard(connection)
        await view.stop()
    return connection


def _first(request: web.Request, side: str) -> int:
    said = request.query.get(side, "")
    return int(said) if re.fullmatch(r"[1-9][0-9]{0,3}", said) else FIRST_SIZE[side]


async def _pass_on(message: object, view: BrowserView) -> None:
    """Keys, the mouse, the size and the focus. Keys look around: what reads them can decide nothing."""
    match message:
        case ["stdin", str(text)]:
            await view.send_bytes(text.encode())
        case ["resize", {"width": int(width), "height": int(height)}]:
            await view.set_terminal_size(width, height)
        case ["focus"]:
            await view.focus()
        case ["blur"]:
            await view.blur()
        case _:
            pass


async def _close_views(served: web.Application) -> None:
    for connection in tuple(served[OPEN]):
        await connection.close()
