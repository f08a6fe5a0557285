"""paramiko's client with its ears open to what it drops: how a command was killed, why one was refused."""

import logging
import socket

import paramiko
from paramiko.common import MSG_CHANNEL_FAILURE, MSG_CHANNEL_REQUEST, cMSG_CHANNEL_DATA

QUIET = "breakglass.transport.ssh"
"""Where paramiko logs. Nobody listens: a line on the terminal would land in the cockpit."""
logging.getLogger(QUIET).addHandler(logging.NullHandler())
logging.getLogger(QUIET).propagate = False


class Client(paramiko.Transport):
    """An SSH connection. `killed` and `refused` are by channel number."""

    def __init__(self, wire: socket.socket | paramiko.Channel) -> None:
        super().__init__(wire)
        self.set_log_channel(QUIET)
        self.killed: dict[int, str] = {}
        """The signal that ended a channel's command, without `SIG`."""
        self.refused: set[int] = set()
        """Channels whose request the far side has turned down."""
        self.farewell = ""
        """What the far side said as it closed the connection; mostly nothing."""
        self._channel_handler_table = {  # pyright: ignore
            **paramiko.Transport._channel_handler_table,  # pyright: ignore
            MSG_CHANNEL_REQUEST: self._channel_request,
            MSG_CHANNEL_FAILURE: self._channel_failure,
        }

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
