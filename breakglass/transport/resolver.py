"""How the names of servers become addresses for aiohttp."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from breakglass.threads import in_thread


class ThreadResolver(AbstractResolver):
    """Names are resolved in a thread that keeps nobody waiting when the resolver is dead."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        def look() -> list[ResolveResult]:
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address[0]),
                    port=int(address[1]),
                    family=kind,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
                for kind, _, protocol, _, address in found
            ]

        return await in_thread(look)

    async def close(self) -> None:
        return None
