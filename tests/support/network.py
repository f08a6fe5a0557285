"""Machines that reach each other only in a row: network namespaces with a link from one to the next.

Needs root and Debian's iproute2. Names and addresses are of each chain's own, and all of it is taken down at
the end. The addresses are from 198.18.0.0/15, which RFC 2544 keeps for tests of networks.
"""

import contextlib
import random
import subprocess
from collections.abc import Generator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chain:
    """Two namespaces. This machine reaches `near`, and only `near` reaches `far`."""

    near: str
    near_address: str
    far: str
    far_address: str


@contextlib.contextmanager
def chain() -> Generator[Chain]:
    """Make the namespaces and the links between them."""
    number = random.SystemRandom().randrange(2**15)
    net = f"198.{18 + (number >> 14)}.{(number >> 6) & 255}"
    low = (number & 31) * 8  # two networks of four addresses each
    mark = f"bg{number:x}"
    near, far = f"{mark}-near", f"{mark}-far"
    here, near_up, near_down, far_up = f"{mark}h", f"{mark}u", f"{mark}d", f"{mark}f"
    made = Chain(near, f"{net}.{low + 2}", far, f"{net}.{low + 6}")
    commands = [
        f"ip netns add {near}",
        f"ip netns add {far}",
        f"ip link add {here} type veth peer name {near_up} netns {near}",
        f"ip -n {near} link add {near_down} type veth peer name {far_up} netns {far}",
        f"ip addr add {net}.{low + 1}/30 dev {here}",
        f"ip -n {near} addr add {made.near_address}/30 dev {near_up}",
        f"ip -n {near} addr add {net}.{low + 5}/30 dev {near_down}",
        f"ip -n {far} addr add {made.far_address}/30 dev {far_up}",
        f"ip link set {here} up",
        *(f"ip -n {near} link set {each} up" for each in ("lo", near_up, near_down)),
        *(f"ip -n {far} link set {each} up" for each in ("lo", far_up)),
        # What is behind the first is not to be looked for elsewhere.
        f"ip route add unreachable {net}.{low + 4}/30",
    ]
    undo = [
        f"ip route del unreachable {net}.{low + 4}/30",
        f"ip link del {here}",
        f"ip netns del {near}",
        f"ip netns del {far}",
    ]
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}: {done.stderr}"
        yield made
    finally:
        for command in undo:
            subprocess.run(command.split(), capture_output=True, check=False)
