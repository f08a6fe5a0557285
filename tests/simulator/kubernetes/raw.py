"""Plain HTTPS requests to a simulated cluster, for what no client program asks of it."""

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import aiohttp

from breakglass.kubernetes_objects import text
from breakglass.values import Json
from tests.simulator.kubernetes.support import Cluster


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    body: Json
    text: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Requests as one user, whose kubeconfig holds a token."""

    session: aiohttp.ClientSession
    url: str
    context: ssl.SSLContext
    token: str

    def headers(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        return ({"Authorization": f"Bearer {self.token}"} if self.token else {}) | (extra or {})

    async def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        async with self.session.request(
            method,
            self.url + path,
            json=body if data is None else None,
            data=data,
            headers=self.headers(headers),
            ssl=self.context,
        ) as answer:
            content = await answer.text()
        try:
            return Reply(answer.status, cast(Json, json.loads(content)), content)
        except ValueError:
            return Reply(answer.status, None, content)

    @asynccontextmanager
    async def lines(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The lines of an answer as they come."""
        async with self.session.get(self.url + path, headers=self.headers(), ssl=self.context) as answer:
            yield answer.content.__aiter__()


@asynccontextmanager
async def raw(cluster: Cluster, user: str = "", token: str | None = None) -> AsyncGenerator[Raw]:
    """As a user of the cluster, or with a token of one's own; empty for none."""
    if token is None:
        kubeconfig = cast(Json, json.loads(cluster.server.kubeconfigs[user].read_text()))
        token = text(kubeconfig, "users", 0, "user", "token")
    context = ssl.create_default_context(cafile=str(cluster.server.authority))
    async with aiohttp.ClientSession() as session:
        yield Raw(session, cluster.server.url, context, token)
