"""SPDY frames, however the network cuts them."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakglass.spdy import (
    DICTIONARY,
    Data,
    Frame,
    FrameReader,
    FrameWriter,
    GoAway,
    Ping,
    Reset,
    Settings,
    SpdyError,
    SynReply,
    SynStream,
    WindowUpdate,
)

NUMBERS = st.integers(1, 2**31 - 1)
HEADERS = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=3)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(SynStream, NUMBERS, HEADERS, st.booleans()),
    st.builds(SynReply, NUMBERS, HEADERS, st.booleans()),
    st.builds(Data, NUMBERS, st.binary(max_size=64), st.booleans()),
    st.builds(Reset, NUMBERS, st.integers(1, 11)),
    st.builds(Ping, NUMBERS),
    st.builds(GoAway, NUMBERS, st.integers(0, 2)),
    st.builds(WindowUpdate, NUMBERS, NUMBERS),
    st.builds(Settings, st.dictionaries(st.integers(1, 8), NUMBERS, max_size=3)),
)


def test_the_dictionary_is_the_one_that_the_protocol_names() -> None:
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@given(st.lists(FRAMES, max_size=8), st.integers(1, 40))
def test_frames_are_read_as_they_were_written_however_they_are_cut(frames: list[Frame], cut: int) -> None:
    writer, reader = FrameWriter(), FrameReader()
    sent = b"".join(writer.write(frame) for frame in frames)
    pieces = [sent[start : start + cut] for start in range(0, len(sent), cut)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


@pytest.mark.parametrize(
    "sent",
    [
        b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01",
        b"\x80\x03\x00\x06\x00\x00\x00\x02\x00\x00",
        b"\x80\x03\x00\x01\x00\x00\x00\x0cnot packed!!",
    ],
)
def test_what_is_not_spdy_is_refused(sent: bytes) -> None:
    with pytest.raises(SpdyError):
        list(FrameReader().feed(sent))


def test_a_frame_of_an_unknown_kind_is_passed_over() -> None:
    reader = FrameReader()
    unknown = b"\x80\x03\x00\x63\x00\x00\x00\x01x"
    assert list(reader.feed(unknown + FrameWriter().write(Ping(7)))) == [Ping(7)]
