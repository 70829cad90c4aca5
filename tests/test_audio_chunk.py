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
