"""What a server packed although it was asked not to: unpacked in small pieces, and only so much of it.

64 KB of gzip can hold 64 MB, and gzip within gzip any amount.
"""

import zlib
from collections.abc import Callable, Iterator

import httpx

LARGEST_UNPACKED = 64 * 1024 * 1024
"""Bytes of one answer that was packed."""

PIECE = 64 * 1024

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""How zlib is told the form (RFC 9110, section 8.4.1)."""


def unpacker_of(coding: str) -> Callable[[bytes], Iterator[bytes]]:
    """What makes the content of an answer from its bytes as they come. `coding` is its `Content-Encoding`.

    Raises httpx.DecodingError for what is packed otherwise, twice, or not as it says, and past
    LARGEST_UNPACKED.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return lambda raw: iter((raw,))
    if coding not in _WINDOW:
        raise httpx.DecodingError(f"it was asked for `identity`, and packs as {coding!r}")
    packed = zlib.decompressobj(_WINDOW[coding])
    size = 0

    def unpack(raw: bytes) -> Iterator[bytes]:
        nonlocal size
        while raw:
            try:
                part = packed.decompress(raw, PIECE)
            except zlib.error as error:
                raise httpx.DecodingError(f"it says {coding}, and is not: {error}") from error
            size += len(part)
            if size > LARGEST_UNPACKED:
                raise httpx.DecodingError(f"unpacked it is larger than {LARGEST_UNPACKED >> 20} MiB")
            if part:
                yield part
            raw = b"" if packed.eof else packed.unconsumed_tail

    return unpack
