"""One read on many hosts through the program's own transport: `python -m bench.read_hosts PLACES`."""

import asyncio
import sys
from pathlib import Path

from bench.places import Places, places_in
from bench.ssh_step import NoSecrets
from breakglass.site.model import Host, Site
from breakglass.transport.base import SshRequest
from breakglass.transport.ssh import Ssh


async def read_all(places: Places, count: int) -> None:
    """Read on so many of the hosts at once. Raises RuntimeError when one of them cannot be read."""
    hosts = {
        str(port): Host(
            str(port),
            places.address,
            port,
            places.user,
            places.key,
            known_hosts=places.known_hosts,
            ssh_config=Path("/dev/null"),
            connections_per_minute=6000.0,
        )
        for port in places.ports[:count]
    }
    ssh = Ssh(Site("bench", hosts=hosts), NoSecrets(), None)
    try:
        requests = [SshRequest(name, tuple(places.command.split()), 300.0) for name in hosts]
        results = await asyncio.gather(*(ssh.send(each, lambda stream, data: None) for each in requests))
    finally:
        await ssh.close()
    faults = [result.fault.message for result in results if result.fault is not None]
    if faults:
        raise RuntimeError(f"{len(faults)} of {len(results)} failed: {faults[0]}")


if __name__ == "__main__":
    given = places_in(Path(sys.argv[1]))
    asyncio.run(read_all(given, len(given.ports)))
