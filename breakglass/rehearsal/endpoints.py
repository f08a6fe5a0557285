"""Simulated HTTP services: how they answer, by their scenario's routes. `http_server` brings the requests."""

import asyncio
import base64
import json
from collections.abc import Mapping

from aiohttp import web

from breakglass.rehearsal.effects import Effects
from breakglass.rehearsal.spec.machines import EndpointSpec, HttpReply, Route
from breakglass.rehearsal.story import Event, Story
from breakglass.rehearsal.world import World, WorldFaultError, overlaid
from breakglass.runbook.expression import EvaluationError
from breakglass.runbook.template import render, render_tree
from breakglass.simulator.http_server import Handler
from breakglass.values import Json, Scope, parse_json


class SimulatedEndpoint:
    """One service, by its scenario's routes. `fallback` answers what no route does: a registry."""

    def __init__(
        self,
        name: str,
        specification: EndpointSpec,
        world: World,
        story: Story,
        effects: Effects,
        secrets: Mapping[str, str],
        fallback: Handler | None = None,
    ) -> None:
        self.name = name
        self._specification = specification
        self._world = world
        self._story = story
        self._effects = effects
        self._expected = _credentials(specification, secrets)
        self._fallback = fallback

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a request by the first route that fits, or else by the fallback."""
        known = self._expected is None or request.headers.get("Authorization") == self._expected
        seen = _seen(self.name, request, body)
        for route in self._specification.routes:
            kept = route.path.match((request.path,)) if _takes(route, request.method) else None
            if kept is None:
                continue
            data: dict[str, Json] = {**seen, "params": dict(kept)}
            scope = self._world.scope(request=data)
            try:
                if not self._world.holds(route.when, scope):
                    continue
            except EvaluationError as error:
                self._story.fault(f"{route.position}: when: {error}")
                continue
            if not known and not route.anonymous:
                return self._unauthorised()
            return await self._answer(request, route, data, scope)
        if self._fallback is not None:
            if not known and self._world_asks_for_login():
                return self._unauthorised()
            answer = await self._fallback(request, body)
            self._tell(request, seen)
            return answer
        if not known:
            return self._unauthorised()
        self._tell(request, seen)
        return web.Response(status=404, text="404 page not found\n")

    def _world_asks_for_login(self) -> bool:
        registry = self._specification.registry
        state = self._world.variables.get(registry.variable) if registry else None
        return not (isinstance(state, dict) and state.get("backend") == "wrong")

    def _unauthorised(self) -> web.Response:
        scheme = "Bearer" if self._specification.bearer else 'Basic realm="Registry"'
        return web.Response(status=401, headers={"WWW-Authenticate": scheme}, text="401 Unauthorized\n")

    async def _answer(
        self, request: web.Request, route: Route, data: dict[str, Json], scope: Scope
    ) -> web.StreamResponse:
        try:
            said = self._effects.apply(route.effect, scope, str(route.position))
            if route.effect.say is not None:
                self._story.tell_rule(f"{request.method} {request.path}", render(route.effect.say, scope))
            if not route.effect.is_empty:
                self._story.touch(_text(request, self.name))
            self._tell(request, data)
            return await self._reply(request, route.reply, overlaid(scope, **said))
        except (EvaluationError, WorldFaultError) as error:
            self._story.fault(f"{route.position}: {error}")
            return web.Response(status=500, text=f"fault in the scenario: {error}\n")

    def _tell(self, request: web.Request, data: Mapping[str, Json]) -> None:
        self._story.emit(Event((_text(request, self.name),), data))

    async def _reply(self, request: web.Request, reply: HttpReply, scope: Scope) -> web.StreamResponse:
        if reply.delay:
            await self._world.clock.sleep(reply.delay)
        if reply.hang:
            await asyncio.Event().wait()
        if reply.cut:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError
        status = render_tree(reply.status, scope)
        if not isinstance(status, int):
            raise WorldFaultError(f"status: {status!r} is not a number")
        headers = {name: render(value, scope) for name, value in reply.headers.items()}
        if reply.has_json:
            text = json.dumps(render_tree(reply.json, scope))
            headers.setdefault("Content-Type", "application/json")
            return web.Response(status=status, headers=headers, body=text.encode())
        text = render(reply.body, scope) if reply.body is not None else ""
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
        return web.Response(status=status, headers=headers, body=text.encode())


def _credentials(specification: EndpointSpec, secrets: Mapping[str, str]) -> str | None:
    """The Authorization header that requests must carry; None where none is asked for."""
    if specification.bearer is not None:
        return f"Bearer {secrets[specification.bearer]}"
    if specification.basic is not None:
        login = f"{specification.basic.user}:{secrets[specification.basic.password]}"
        return "Basic " + base64.b64encode(login.encode()).decode()
    return None


def _takes(route: Route, method: str) -> bool:
    return method in route.methods or (method == "HEAD" and "GET" in route.methods)


def _text(request: web.Request, endpoint: str) -> str:
    return f"http {request.method} {endpoint} {request.path}"


def _seen(endpoint: str, request: web.Request, body: bytes) -> dict[str, Json]:
    text = body.decode(errors="replace")
    parsed: Json = None
    if text.lstrip().startswith(("{", "[")):
        try:
            parsed = parse_json(text)
        except ValueError:
            parsed = None
    return {
        "endpoint": endpoint,
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "cookies": dict(request.cookies),
        "body": text,
        "json": parsed,
    }
