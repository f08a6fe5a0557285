"""`chacha20-poly1305@openssh.com`, which paramiko lacks, for servers that take nothing else.

As PROTOCOL.chacha20poly1305 of OpenSSH has it: one key for the length of a packet and one for the rest, the
packet's number as the nonce, and a tag over both as they are sent. paramiko's path for AES-GCM leaves the
length as it is; what differs is done where a packet is written and where its beginning is read.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.poly1305 import Poly1305
from paramiko import SSHException
from paramiko.packet import Packetizer

NAME = "chacha20-poly1305@openssh.com"
KEY_SIZE = 64
TAG_SIZE = 16
LONGEST = 256 * 1024
"""Bytes of a packet; OpenSSH takes no longer one."""


class ChaChaPoly:
    """The cipher of one direction. Its two methods are those that paramiko calls of AES-GCM."""

    def __init__(self, key: bytes) -> None:
        self._packet_key, self._length_key = key[: KEY_SIZE // 2], key[KEY_SIZE // 2 :]
        self.number: Callable[[], int] = lambda: 0
        """The number of the packet that is at hand."""
        self.sent_length = b""
        """The length of that packet, as it stands on the wire."""

    def _stream(self, key: bytes, block: int, data: bytes) -> bytes:
        nonce = block.to_bytes(8, "little") + self.number().to_bytes(8, "big")
        return Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor().update(data)

    def _authenticator(self) -> Poly1305:
        return Poly1305(self._stream(self._packet_key, 0, bytes(32)))

    def turned_length(self, length: bytes) -> bytes:
        """A length encrypted, or one that is encrypted made plain."""
        return self._stream(self._length_key, 0, length)

    def encrypt(self, nonce: bytes, packet: bytes, length: bytes) -> bytes:
        self.sent_length = self.turned_length(length)
        sealed = self._stream(self._packet_key, 1, packet)
        tag = self._authenticator()
        tag.update(self.sent_length + sealed)
        return sealed + tag.finalize()

    def decrypt(self, nonce: bytes, packet: bytes, length: bytes) -> bytes:
        sealed, theirs = packet[:-TAG_SIZE], packet[-TAG_SIZE:]
        tag = self._authenticator()
        tag.update(self.sent_length + sealed)
        try:
            tag.verify(theirs)
        except InvalidSignature as error:
            raise SSHException("Mismatched MAC") from error
        return self._stream(self._packet_key, 1, sealed)


class ChaChaPacketizer(Packetizer):
    """paramiko's, which knows of packets whose length is encrypted as well."""

    _out: ChaChaPoly | None = None
    _in: ChaChaPoly | None = None

    def set_outbound_cipher(self, block_engine: object, *given: object, **named: object) -> None:
        self._out = block_engine if isinstance(block_engine, ChaChaPoly) else None
        if self._out is not None:
            self._out.number = lambda: int(self._Packetizer__sequence_number_out)  # pyright: ignore
        super().set_outbound_cipher(block_engine, *given, **named)  # pyright: ignore

    def set_inbound_cipher(self, block_engine: object, *given: object, **named: object) -> None:
        self._in = block_engine if isinstance(block_engine, ChaChaPoly) else None
        if self._in is not None:
            self._in.number = lambda: int(self._Packetizer__sequence_number_in)  # pyright: ignore
        super().set_inbound_cipher(block_engine, *given, **named)  # pyright: ignore

    def write_all(self, out: bytes) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self._out is not None:
            out = self._out.sent_length + out[4:]
        super().write_all(out)  # pyright: ignore

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """The first bytes of a packet are the ones that are read with `check_rekey`."""
        read: bytes = super().read_all(n, check_rekey)  # pyright: ignore
        if self._in is None or not check_rekey:
            return read
        self._in.sent_length = read[:4]
        length = self._in.turned_length(read[:4])
        if int.from_bytes(length, "big") > LONGEST:
            raise SSHException("a packet is longer than it may be")
        return length + read[4:]
