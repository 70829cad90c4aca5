from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.audio import WireFormat
from realtime_client.simulator import sing
from realtime_client.simulator.speech import AudioPiece, TextPiece, padding, sung, words, written

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXT)
def test_words_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text
    assert "".join(piece.text for piece in written(text)) == text


def test_words_keep_the_space_before_them() -> None:
    assert words(" Hello,  you\n") == [" Hello,", "  you", "\n"]
    assert words("") == []


@given(TEXT, st.sampled_from([8_000, 24_000]))
def test_pieces_of_a_song_are_the_song(text: str, rate: int) -> None:
    clip, pieces = sung(text, WireFormat("audio/pcm", rate))
    assert np.array_equal(clip.samples, sing(text, rate))
    parts = [piece for piece in pieces if isinstance(piece, AudioPiece)]
    edges = [0, *(part.last for part in parts)]
    assert [part.first for part in parts] == edges[:-1]
    assert edges[-1] == len(clip.samples)
    assert all(part.first < part.last for part in parts)
    assert "".join(p.text for p in pieces if isinstance(p, TextPiece)) == text
    times = [piece.at for piece in pieces]
    assert times == sorted(times)


def test_the_transcript_begins_first_and_stays_ahead() -> None:
    text = "one two three four five six seven eight nine ten"
    clip, pieces = sung(text, WireFormat("audio/pcm", 24_000))
    assert isinstance(pieces[0], TextPiece)
    assert isinstance(pieces[1], AudioPiece)
    shown = sent = 0
    for piece in pieces:
        if isinstance(piece, TextPiece):
            shown += len(piece.text)
        else:
            sent = piece.last
            # A character takes 60 ms; what plays by now has been shown.
            assert shown >= min((piece.first / 24_000) / 0.06 - 1, len(text)) - len(" seven")
    assert sent == len(clip.samples)
    assert pieces[-1] == max(pieces, key=lambda piece: piece.at)
    assert isinstance(pieces[-1], AudioPiece)


@pytest.mark.parametrize(("delta", "length"), [("Your", 12), (" is", 13), ("x" * 40, 0)])
def test_padding_fills_up_to_sixteen(delta: str, length: int) -> None:
    assert len(padding(delta)) == length
