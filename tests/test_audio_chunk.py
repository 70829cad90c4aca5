from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_client.audio import Chunker


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_pieces_have_one_size_and_no_byte_is_lost(parts: list[bytes], size: int) -> None:
    chunker = Chunker(size)
    pieces: list[bytes] = []
    for part in parts:
        pieces += chunker.push(part)
        assert chunker.held < size
    assert all(len(piece) == size for piece in pieces)
    pieces += chunker.flush()
    assert b"".join(pieces) == b"".join(parts)
    assert chunker.held == 0
    assert chunker.flush() == []


def test_what_is_cleared_is_gone() -> None:
    chunker = Chunker(4)
    assert chunker.push(b"abcdef") == [b"abcd"]
    chunker.clear()
    assert chunker.push(b"ghij") == [b"ghij"]


def test_one_piece_can_be_shorter_and_the_next_is_not() -> None:
    chunker = Chunker(4)
    chunker.shorten(1)
    assert (chunker.missing, chunker.held) == (3, 0)
    assert chunker.push(b"abcdefgh") == [b"abc", b"defg"]
    assert (chunker.missing, chunker.held) == (3, 1)
    chunker.shorten(1)  # something is held: too late
    assert chunker.push(b"ijkl") == [b"hijk"]
    assert chunker.flush() == [b"l"]


def test_the_end_of_a_turn_makes_pieces_whole_again() -> None:
    chunker = Chunker(4)
    for end in (chunker.flush, chunker.clear):
        chunker.shorten(1)
        end()
        assert chunker.push(b"abc") == []
        end()


def test_a_piece_has_at_least_one_byte() -> None:
    chunker = Chunker(4)
    chunker.shorten(9)
    assert chunker.push(b"ab") == [b"a"]
