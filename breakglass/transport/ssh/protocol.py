"""paramiko's client with its ears open to what it drops: how a command was killed, why one was refused."""

import logging
import socket
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import paramiko
from paramiko.common import MSG_CHANNEL_FAILURE, MSG_CHANNEL_REQUEST, cMSG_CHANNEL_DATA
from paramiko.kex_curve25519 import KexCurve25519

from breakglass.transport.ssh import chacha

QUIET = "breakglass.transport.ssh"
"""Where paramiko logs. Nobody listens: a line on the terminal would land in the cockpit."""
logging.getLogger(QUIET).addHandler(logging.NullHandler())
logging.getLogger(QUIET).propagate = False


CURVE25519 = "curve25519-sha256"
"""As RFC 8731 calls it. paramiko has it only by the name that it had before."""


def _with_curve(names: Sequence[str]) -> tuple[str, ...]:
    """Put it after what is safe from quantum computers, and before all else."""
    return tuple(sorted((CURVE25519, *names), key=lambda each: "mlkem" not in each))


class Client(paramiko.Transport):
    """An SSH connection. `killed` and `refused` are by channel number."""

    _kex_info: ClassVar[Mapping[str, object]] = {
        **cast("Mapping[str, object]", paramiko.Transport._kex_info),  # pyright: ignore
        CURVE25519: KexCurve25519,
    }
    _cipher_info: ClassVar[Mapping[str, Mapping[str, object]]] = {
        **cast("Mapping[str, Mapping[str, object]]", paramiko.Transport._cipher_info),  # pyright: ignore
        chacha.NAME: {
            "class": chacha.ChaChaPoly,
            "block-size": 8,
            "iv-size": 12,
            "key-size": chacha.KEY_SIZE,
            "is_aead": True,
        },
    }
    usual_kex: ClassVar[tuple[str, ...]] = _with_curve(paramiko.Transport._preferred_kex)  # pyright: ignore

    def __init__(self, wire: socket.socket | paramiko.Channel) -> None:
        super().__init__(wire, packetizer_class=chacha.ChaChaPacketizer)
        self.set_log_channel(QUIET)
        self.killed: dict[int, str] = {}
        """The signal that ended a channel's command, without `SIG`."""
        self.refused: set[int] = set()
        """Channels whose request the far side has turned down."""
        self.farewell = ""
        """What the far side said as it closed the connection; mostly nothing."""
        self._preferred_kex = self.usual_kex
        self.host_key_algorithms = tuple(super().preferred_keys)
        self.offered: dict[str, list[str]] = {}
        """What the far side offers, by the option of `ssh_config`; known once it has greeted."""
        self._channel_handler_table = {  # pyright: ignore
            **paramiko.Transport._channel_handler_table,  # pyright: ignore
            MSG_CHANNEL_REQUEST: self._channel_request,
            MSG_CHANNEL_FAILURE: self._channel_failure,
        }

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self.host_key_algorithms

    def _parse_kex_init(self, m: paramiko.Message) -> None:
        start = m.packet.tell()
        parsed = cast("dict[str, list[str]]", self._really_parse_kex_init(m))  # pyright: ignore
        m.packet.seek(start)
        self.offered = {
            "KexAlgorithms": [
                each for each in parsed["kex_algo_list"] if not each.startswith(("ext-info-", "kex-strict-"))
            ],
            "HostKeyAlgorithms": parsed["server_key_algo_list"],
            "Ciphers": parsed["server_encrypt_algo_list"],
            "MACs": parsed["server_mac_algo_list"],
        }
        cipher = next((each for each in self.preferred_ciphers if each in self.offered["Ciphers"]), "")
        if self._cipher_info.get(cipher, {}).get("is_aead"):  # pyright: ignore
            # Such a cipher needs no MAC, and OpenSSH agrees on none; paramiko wants one in common.
            theirs = self.offered.pop("MACs")
            unused = self._mac_info["hmac-sha2-256"]  # pyright: ignore
            self._mac_info = {**dict.fromkeys(theirs, unused), **self._mac_info}  # pyright: ignore
            self._preferred_macs = tuple(dict.fromkeys((*self._preferred_macs, *theirs)))  # pyright: ignore
        super()._parse_kex_init(m)  # pyright: ignore

    def _channel_request(self, channel: paramiko.Channel, message: paramiko.Message) -> None:
        start = message.packet.tell()
        if message.get_text() == "exit-signal":
            message.get_boolean()
            self.killed[channel.chanid] = message.get_text()
        message.packet.seek(start)
        channel._handle_request(message)  # pyright: ignore

    def _channel_failure(self, channel: paramiko.Channel, message: paramiko.Message) -> None:
        self.refused.add(channel.chanid)
        channel._request_failed(message)  # pyright: ignore

    def _parse_disconnect(self, m: paramiko.Message) -> None:
        m.get_int()
        self.farewell = m.get_text()

    def _parse_channel_open_failure(self, m: paramiko.Message) -> None:
        start = m.packet.tell()
        m.get_int()
        m.get_int()
        said = m.get_text()
        m.packet.seek(start)
        super()._parse_channel_open_failure(m)  # pyright: ignore
        if isinstance(self.saved_exception, paramiko.ChannelException):
            # paramiko keeps its own words for the reason's number; the server's say more.
            prohibited = self.saved_exception.code == 1
            self.saved_exception.text = f"{said} (prohibited)" if prohibited else said


def feed(client: Client, channel: paramiko.Channel, data: bytes) -> None:
    """Give a command its input and the end of it. Blocks while the far side does not read.

    paramiko's own `send` and `shutdown_write` let go of the channel before the packet has left. Then the
    answer to the far side's goodbye can overtake it, and OpenSSH drops the whole connection, with all that
    runs on it, for a packet on a channel that it has forgotten.
    """
    left = memoryview(data)
    while left:
        with channel.lock:
            size: int = channel._wait_for_send_window(len(left))  # pyright: ignore
            if size == 0:
                return
            message = paramiko.Message()
            message.add_byte(cMSG_CHANNEL_DATA)
            message.add_int(channel.remote_chanid)
            message.add_string(bytes(left[:size]))
            client._send_user_message(message)  # pyright: ignore
        left = left[size:]
    with channel.lock:
        if not channel.closed:
            ending: paramiko.Message | None = channel._send_eof()  # pyright: ignore
            if ending is not None:
                client._send_user_message(ending)  # pyright: ignore
