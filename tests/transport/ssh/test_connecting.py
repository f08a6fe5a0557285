"""Everything that can go wrong before a command is sent: each a fault with words, and nothing was sent."""

import asyncio
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from breakglass.site.model import Host
from breakglass.transport.base import Delivery
from breakglass.transport.ssh.rate_limit import BURST, REFUSED_LOGIN_WINDOW, REFUSED_LOGINS, ConnectionBudget
from tests.support.openssh import OpenSsh, make_key, openssh
from tests.transport.ssh.support import Ran, run, transport


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Generator[int]:
    """A TCP server that treats each connection in its own way. Gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            answer(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for each in kept:
            each.close()


def plain_host(folder: Path, port: int, **changes: object) -> Host:
    config = folder / "ssh_config"
    config.write_text("")
    values: dict[str, object] = {
        "name": "box",
        "address": "127.0.0.1",
        "port": port,
        "user": "ops",
        "identity": folder / "id",
        "known_hosts": folder / "known_hosts",
        "ssh_config": config,
        "connections_per_minute": 6000.0,
    }
    return Host(**{**values, **changes})  # type: ignore[arg-type]


async def tried(host: Host, *others: Host, timeout: float = 20.0) -> Ran:
    async with transport(host, *others) as ssh:
        ran = await run(ssh, "true", host.name, timeout)
    assert ran.delivery is Delivery.NOT_SENT
    return ran


async def test_a_refused_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    ran = await tried(plain_host(tmp_path, port))
    assert ran.fault == "refused"
    assert f"box (ops@127.0.0.1:{port}): connection refused; look whether sshd runs" in ran.message


async def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    ran = await tried(plain_host(tmp_path, 22, address="no-such-host.invalid"))
    assert ran.fault == "dns"
    assert "no-such-host.invalid" in ran.message and "give an IP address" in ran.message


@pytest.mark.parametrize("address", ["a..b", "x" * 70 + ".example"])
async def test_a_name_that_cannot_be_one(tmp_path: Path, address: str) -> None:
    ran = await tried(plain_host(tmp_path, 22, address=address))
    assert ran.fault == "dns"


@pytest.mark.parametrize(
    ("options", "cipher"),
    [
        (["LogLevel DEBUG1"], "aes128-gcm@openssh.com"),
        (["LogLevel DEBUG1", "Ciphers aes256-ctr"], "aes256-ctr"),
    ],
)
async def test_the_quickest_cipher_that_the_server_has_is_agreed_on(
    tmp_path: Path, options: list[str], cipher: str
) -> None:
    with openssh(tmp_path, options=options) as server:
        async with transport(server.host()) as ssh:
            assert (await run(ssh, "echo in")).stdout == b"in\n"
        assert f"cipher: {cipher} " in server.log.read_text()


async def test_an_address_without_a_route(tmp_path: Path) -> None:
    ran = await tried(plain_host(tmp_path, 22, address="255.255.255.255"))
    assert ran.fault == "unreachable"


async def test_a_server_that_accepts_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("breakglass.transport.ssh.connect.HANDSHAKE", 0.3)
    with listening(lambda connection: None) as port:
        ran = await tried(plain_host(tmp_path, port))
    assert ran.fault == "timeout"
    assert "accepts connections and says nothing" in ran.message


async def test_a_step_with_less_time_than_a_silent_server_takes_hears_what_was_waited_for(
    tmp_path: Path,
) -> None:
    with listening(lambda connection: None) as port:
        ran = await asyncio.wait_for(tried(plain_host(tmp_path, port), timeout=1.5), 20)
    assert ran.fault == "timeout"
    assert f"waiting for box (ops@127.0.0.1:{port}) to greet" in ran.message
    assert "nothing was sent" in ran.message


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-1.5-ancient\r\n",
        b"SSH-2.0-x\r\n" + bytes(range(256)) * 4,
        b"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14" + b"\xff" * 40,
        b"\xff\xfe\x00" * 50 + b"\r\n",
    ],
)
async def test_a_server_that_does_not_speak_ssh(
    tmp_path: Path, said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)

    with listening(answer) as port:
        ran = await tried(plain_host(tmp_path, port))
    assert ran.fault in ("disconnected", "malformed")
    assert "box (ops@127.0.0.1" in ran.message
    assert capfd.readouterr() == ("", "")


async def test_a_host_that_the_site_does_not_have(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        ran = await run(ssh, "true", "elsewhere")
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "configuration")
    assert "no host 'elsewhere'; it has: box" in ran.message


async def test_a_configuration_file_that_is_not_there(server: OpenSsh, tmp_path: Path) -> None:
    ran = await tried(server.host(ssh_config=tmp_path / "missing"))
    assert ran.fault == "configuration"
    assert str(tmp_path / "missing") in ran.message


async def test_a_failed_connection_is_shared_by_all_that_wait_for_it(server: OpenSsh, tmp_path: Path) -> None:
    wrong = make_key(tmp_path / "wrong")
    async with transport(server.host(identity=wrong)) as ssh:
        ran = await asyncio.gather(*(run(ssh, "true") for _ in range(10)))
    assert {each.fault for each in ran} == {"authentication"}
    assert server.log.read_text().count("Connection from") == 1


async def test_one_that_gives_up_does_not_take_the_connection_from_the_others(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        patient = asyncio.create_task(run(ssh, "echo here"))
        hasty = asyncio.create_task(run(ssh, "echo gone"))
        await asyncio.sleep(0)
        hasty.cancel()
        assert (await patient).stdout == b"here\n"
    assert server.logins() == 1


async def test_one_that_comes_when_the_last_has_just_given_up_connects_anew(server: OpenSsh) -> None:
    async with transport(server.host()) as ssh:
        first = asyncio.create_task(run(ssh, "echo gone"))
        while server.log.read_text().count("Connection from") == 0:
            await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(run(ssh, "echo here"))
        assert (await second).stdout == b"here\n"
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_logins_are_not_tried_until_the_door_is_shut(server: OpenSsh, tmp_path: Path) -> None:
    wrong = make_key(tmp_path / "wrong")
    async with transport(server.host(identity=wrong)) as ssh:
        ran = [await run(ssh, "true") for _ in range(REFUSED_LOGINS + 2)]
    assert {(each.delivery, each.fault) for each in ran} == {(Delivery.NOT_SENT, "authentication")}
    assert "login refused" in ran[0].message and str(wrong) in ran[0].message
    assert "not tried again for" in ran[-1].message
    assert server.log.read_text().count("Connection from") == REFUSED_LOGINS


async def test_new_connections_stay_within_what_the_host_allows(server: OpenSsh) -> None:
    async with transport(server.host(connections_per_minute=0.5)) as ssh:
        for _ in range(BURST):
            assert (await run(ssh, "echo in")).stdout == b"in\n"
            server.cut()
        ran = await run(ssh, "true", timeout=1.0)
    assert (ran.delivery, ran.fault) == (Delivery.NOT_SENT, "timeout")
    assert "the next connection is allowed in" in ran.message and "0.5 a minute" in ran.message
    assert server.log.read_text().count("Connection from") == BURST


async def test_a_connection_that_must_wait_is_made_when_it_may(server: OpenSsh) -> None:
    async with transport(server.host(connections_per_minute=120.0)) as ssh:
        for _ in range(BURST + 1):
            assert (await run(ssh, "echo in")).stdout == b"in\n"
            server.cut()
    assert server.logins() == BURST + 1


def test_a_budget_fills_again_with_time() -> None:
    budget = ConnectionBudget(6.0)
    assert [_taken(budget, 100.0) for _ in range(BURST)] == [0.0] * BURST
    assert budget.wait(100.0) == pytest.approx(10.0)
    assert budget.wait(105.0) == pytest.approx(5.0)
    assert budget.wait(110.0) == 0.0
    assert _taken(budget, 1000.0) == 0.0
    assert budget.wait(1000.0) == 0.0


def _taken(budget: ConnectionBudget, now: float) -> float:
    pause = budget.wait(now)
    budget.take(now)
    return pause


def test_a_connection_without_an_answer_empties_the_budget() -> None:
    budget = ConnectionBudget(6.0)
    budget.take(100.0)
    budget.no_answer(100.0)
    assert budget.wait(100.0) == pytest.approx(10.0)


def test_refused_logins_are_forgotten_after_a_while() -> None:
    budget = ConnectionBudget(6.0)
    for second in range(REFUSED_LOGINS):
        assert budget.login_wait(100.0 + second) == 0.0
        budget.login_refused(100.0 + second)
    assert budget.login_wait(110.0) == pytest.approx(REFUSED_LOGIN_WINDOW - 10.0)
    assert budget.login_wait(100.0 + REFUSED_LOGIN_WINDOW) == 0.0
