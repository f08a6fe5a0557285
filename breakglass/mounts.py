"""Which file system a path is on, from the kernel's list, without touching one that may not answer.

A call on a network file system whose server is gone comes back never, and its process cannot be killed. So a
path is followed part by part, symbolic links too, and no part is looked at that is on one.
"""

import re
from pathlib import Path

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "ceph", "fuse.glusterfs", "afs"}
)
MOST_LINKS = 40
"""Symbolic links that are followed in one path, as many as Linux follows (path_resolution(7))."""


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the network file system that holds a path; empty when it is a local one, or not known."""
    kinds = _kinds(mounts)
    at, left, links = Path("/"), list(path.absolute().parts), 0
    while kinds.get(at, "") not in NETWORK_FILE_SYSTEMS:
        if not left or links > MOST_LINKS:
            return ""
        part = left.pop(0)
        below = at.parent if part == ".." else at / part
        target = "" if kinds.get(below, "") in NETWORK_FILE_SYSTEMS else _link(below)
        if target:
            links += 1
            left = [*Path(target).parts, *left]
        else:
            at = below
    return kinds[at]


def _link(path: Path) -> str:
    """Where a symbolic link leads; empty for anything else."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _kinds(mounts: Path) -> dict[Path, str]:
    """The type of what is mounted at each place; of several, the last one."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    rows = [line.split(" ") for line in lines]
    return {Path(_unescaped(row[1])): row[2] for row in rows if len(row) > 2}


def _unescaped(place: str) -> str:
    """A mount's place as it is; the kernel writes blanks and the like in octal (proc(5))."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), place)
