"""The addresses of a name, side by side and within one deadline."""

import socket
from collections.abc import Generator
from contextlib import ExitStack, suppress

import pytest

from breakglass.transport.ssh import dial as dialling
from breakglass.transport.ssh.dial import Origin, dial

SILENT = ("192.0.2.1", 22)
"""An address that neither answers nor refuses."""


class Addresses:
    """What a name resolves to, and one socket for each silent address that is tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ends: ExitStack) -> None:
        self.found: list[tuple[socket.AddressFamily, tuple[str, int]]] = []
        self.tried: list[tuple[str, int]] = []
        self.silent: list[socket.socket] = []
        begun = dialling._begun  # pyright: ignore[reportPrivateUsage]

        def looked_up(*_: object) -> list[tuple[socket.AddressFamily, int, int, str, tuple[str, int]]]:
            return [(family, socket.SOCK_STREAM, 0, "", address) for family, address in self.found]

        def beginning(to: tuple[socket.AddressFamily, tuple[str, int]], origin: Origin) -> socket.socket:
            self.tried.append(to[1])
            if to[1] != SILENT:
                return begun(to, origin)
            ours, theirs = socket.socketpair()
            ends.enter_context(theirs)
            ours.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    ours.send(bytes(65_536))
            self.silent.append(ours)
            return ours

        monkeypatch.setattr(dialling.socket, "getaddrinfo", looked_up)
        monkeypatch.setattr(dialling, "_begun", beginning)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Generator[Addresses]:
    with ExitStack() as ends:
        yield Addresses(monkeypatch, ends)


@pytest.fixture
def listening() -> Generator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture
def closed() -> tuple[str, int]:
    """An address that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: tuple[str, int] = server.getsockname()
    return address


def test_an_address_that_says_nothing_keeps_no_other_from_answering(
    addresses: Addresses, listening: tuple[str, int]
) -> None:
    addresses.found = [(socket.AF_INET, SILENT), (socket.AF_INET, listening)]
    with dial("box", 22, Origin(), 60.0) as made:
        assert made.getpeername() == listening
        assert made.gettimeout() is None
    assert addresses.tried == [SILENT, listening]
    assert addresses.silent[0].fileno() == -1, "what was tried in vain is closed"


def test_an_address_that_refuses_is_followed_by_the_next_and_the_first_failure_is_told(
    addresses: Addresses, listening: tuple[str, int], closed: tuple[str, int]
) -> None:
    addresses.found = [(socket.AF_INET, closed), (socket.AF_INET, listening)]
    with dial("box", 22, Origin(), 60.0) as made:
        assert made.getpeername() == listening
    addresses.found = [(socket.AF_INET, closed)]
    with pytest.raises(ConnectionRefusedError):
        dial("box", 22, Origin(), 60.0)


def test_there_is_one_deadline_for_all(addresses: Addresses) -> None:
    addresses.found = [(socket.AF_INET, SILENT)]
    with pytest.raises(TimeoutError):
        dial("box", 22, Origin(), 0.05)
    assert addresses.silent[0].fileno() == -1


def test_the_two_families_take_turns(addresses: Addresses, closed: tuple[str, int]) -> None:
    sixth = [(f"::{number}", 1) for number in (1, 2, 3)]
    addresses.found = [*((socket.AF_INET6, each) for each in sixth), (socket.AF_INET, closed)]
    with pytest.raises(OSError):  # there may be no IPv6 at all
        dial("box", 22, Origin(), 60.0)
    assert addresses.tried == [sixth[0], closed, *sixth[1:]]


def test_only_the_family_of_the_configuration_is_looked_up() -> None:
    with pytest.raises(socket.gaierror):
        dial("127.0.0.1", 22, Origin(family="inet6"), 60.0)


def test_one_connects_from_the_address_of_the_configuration(listening: tuple[str, int]) -> None:
    with dial(*listening, Origin(address="127.0.0.2"), 60.0) as made:
        assert made.getsockname()[0] == "127.0.0.2"
