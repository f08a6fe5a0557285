"""Frames of SPDY/3.1, the protocol that `kubectl exec` spoke before WebSockets. Pure: bytes in, frames out.
The driver falls back on it, and the simulated API server speaks it.

Source: the SPDY protocol drafts 3 and 3.1 (Belshe, Peon; 2012-2013). Flow control is not enforced, as the
client does not enforce it either.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from breakglass.errors import BreakglassError

VERSION = 3
FINISHED = 0x01
"""The flag of a frame after which its sender sends nothing more on the stream."""

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
LARGEST_FRAME = 1 << 24
PROTOCOL_ERROR, CANCEL = 1, 5

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges "
    "age allow authorization cache-control connection content-base content-encoding content-language "
    "content-length content-location content-md5 content-range content-type date etag expect expires from "
    "host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location "
    "max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer "
    "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status"
)
_MORE_WORDS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.encode() for word in (*_NAMES.split(), *_MORE_WORDS))
    + _TAIL.encode()
)
"""What both sides feed their header compression first (draft 3, section 2.6.10.1)."""


class SpdyError(BreakglassError):
    """The far side sent something that is not SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """The client opens a stream. `finished`: it will send no data on it."""

    stream: int
    headers: Mapping[str, str]
    finished: bool = False


@dataclass(frozen=True, slots=True)
class SynReply:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """A stream is over, with a status such as `CANCEL`."""

    stream: int
    status: int = CANCEL


@dataclass(frozen=True, slots=True)
class Ping:
    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    stream: int
    more: int


@dataclass(frozen=True, slots=True)
class Settings:
    values: Mapping[int, int] = field(default_factory=dict[int, int])


Frame: TypeAlias = SynStream | SynReply | Data | Reset | Ping | GoAway | WindowUpdate | Settings


class FrameReader:
    """Cuts what arrives into frames, and unpacks headers with the connection's one decompressor."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._headers = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are now complete. SpdyError for what is not SPDY."""
        self._received += data
        while len(self._received) >= 8:
            first, second = struct.unpack_from(">II", self._received)
            length = second & 0xFFFFFF
            if len(self._received) < 8 + length:
                return
            content = bytes(self._received[8 : 8 + length])
            del self._received[: 8 + length]
            frame = self._frame(first, second >> 24, content)
            if frame is not None:
                yield frame

    def _frame(self, first: int, flags: int, content: bytes) -> Frame | None:
        finished = bool(flags & FINISHED)
        if not first >> 31:
            return Data(first, content, finished)
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != VERSION:
            raise SpdyError(f"a frame of SPDY version {version}")
        try:
            return self._control(kind, content, finished)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a broken frame of type {kind}: {error}") from error

    def _control(self, kind: int, content: bytes, finished: bool) -> Frame | None:
        match kind:
            case 1:
                (stream,) = struct.unpack_from(">I", content)
                return SynStream(stream & 0x7FFFFFFF, self._unpacked(content[10:]), finished)
            case 2:
                (stream,) = struct.unpack_from(">I", content)
                return SynReply(stream & 0x7FFFFFFF, self._unpacked(content[4:]), finished)
            case 3:
                return Reset(*struct.unpack(">II", content))
            case 4:
                (count,) = struct.unpack_from(">I", content)
                pairs = [struct.unpack_from(">II", content, 4 + 8 * index) for index in range(count)]
                return Settings({key & 0xFFFFFF: value for key, value in pairs})
            case 6:
                return Ping(*struct.unpack(">I", content))
            case 7:
                return GoAway(*struct.unpack(">II", content))
            case 8:
                # The compression has one state for the connection, so these are unpacked though not needed.
                self._unpacked(content[4:])
                return None
            case 9:
                return WindowUpdate(*struct.unpack(">II", content))
            case _:
                return None

    def _unpacked(self, packed: bytes) -> dict[str, str]:
        content = self._headers.decompress(packed, LARGEST_FRAME)
        (count,) = struct.unpack_from(">I", content)
        position = 4
        headers: dict[str, str] = {}
        for _ in range(count):
            parts: list[str] = []
            for _ in range(2):
                (length,) = struct.unpack_from(">I", content, position)
                position += 4
                parts.append(content[position : position + length].decode())
                position += length
            headers[parts[0]] = parts[1]
        return headers


class FrameWriter:
    """Turns frames into bytes, with the connection's one compressor."""

    def __init__(self) -> None:
        self._headers = zlib.compressobj(zdict=DICTIONARY)

    def write(self, frame: Frame) -> bytes:
        match frame:
            case SynStream():
                head = struct.pack(">IIBB", frame.stream, 0, 0, 0)
                return _control(SYN_STREAM, head + self._packed(frame.headers), finished=frame.finished)
            case SynReply():
                head = struct.pack(">I", frame.stream)
                return _control(SYN_REPLY, head + self._packed(frame.headers), finished=frame.finished)
            case Data():
                flags = FINISHED if frame.finished else 0
                return struct.pack(">II", frame.stream, flags << 24 | len(frame.data)) + frame.data
            case Reset():
                return _control(RST_STREAM, struct.pack(">II", frame.stream, frame.status))
            case Ping():
                return _control(PING, struct.pack(">I", frame.number))
            case GoAway():
                return _control(GOAWAY, struct.pack(">II", frame.last_stream, frame.status))
            case WindowUpdate():
                return _control(WINDOW_UPDATE, struct.pack(">II", frame.stream, frame.more))
            case Settings():
                pairs = b"".join(struct.pack(">II", key, value) for key, value in frame.values.items())
                return _control(SETTINGS, struct.pack(">I", len(frame.values)) + pairs)

    def _packed(self, headers: Mapping[str, str]) -> bytes:
        content = struct.pack(">I", len(headers))
        for pair in headers.items():
            for part in pair:
                content += struct.pack(">I", len(part.encode())) + part.encode()
        return self._headers.compress(content) + self._headers.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, content: bytes, *, finished: bool = False) -> bytes:
    flags = FINISHED if finished else 0
    return struct.pack(">II", 1 << 31 | VERSION << 16 | kind, flags << 24 | len(content)) + content
