"""One read on many hosts through the program's own transport: `python -m bench.read_hosts PLACES`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

from bench.ssh_step import NoSecrets
from breakglass.site.model import Host, Site
from breakglass.transport.base import SshRequest
from breakglass.transport.ssh import Ssh


async def main(places: dict[str, str], ports: list[int]) -> None:
    hosts = {
        str(port): Host(
            str(port),
            places["address"],
            port,
            places["user"],
            Path(places["key"]),
            known_hosts=Path(places["known_hosts"]),
            ssh_config=Path("/dev/null"),
            connections_per_minute=6000.0,
        )
        for port in ports
    }
    ssh = Ssh(Site("bench", hosts=hosts), NoSecrets(), None)
    try:
        results = await asyncio.gather(
            *(
                ssh.send(SshRequest(name, places["command"], 300.0), lambda stream, data: None)
                for name in hosts
            )
        )
    finally:
        await ssh.close()
    faults = [result.fault.message for result in results if result.fault is not None]
    if faults:
        sys.exit(f"{len(faults)} of {len(results)} failed: {faults[0]}")


if __name__ == "__main__":
    read = json.loads(Path(sys.argv[1]).read_text())
    asyncio.run(main(cast("dict[str, str]", read), cast("list[int]", read["ports"])))
