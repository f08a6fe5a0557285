"""Where the many hosts are, and what is read on each of them."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    address: str
    ports: tuple[int, ...]
    key: Path
    known_hosts: Path
    user: str
    command: str

    def write(self, path: Path) -> None:
        """Write them down for a program that reads JSON."""
        words = {"key": str(self.key), "known_hosts": str(self.known_hosts)}
        plain = {"address": self.address, "ports": self.ports, "user": self.user, "command": self.command}
        path.write_text(json.dumps({**words, **plain}))


def places_in(path: Path) -> Places:
    """Where the hosts are, as it was written down."""
    read = json.loads(path.read_text())
    return Places(
        address=read["address"],
        ports=tuple(read["ports"]),
        key=Path(read["key"]),
        known_hosts=Path(read["known_hosts"]),
        user=read["user"],
        command=read["command"],
    )
