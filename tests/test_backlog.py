"""The newest audio of a connection, and what was said in each turn: bytes against a slow model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client import backlog
from realtime_client.backlog import Backlog, KeptAudio
from realtime_client.ruler import PCM, Form

ULAW = Form("audio/pcmu", 8_000, 1)


def kept_bytes(audio: Backlog) -> int:
    return sum(map(len, audio._chunks))


# -- what may have to be said again ---------------------------------------------------------


@given(
    limit=st.integers(1, 40),
    steps=st.lists(st.one_of(st.integers(0, 25), st.tuples(st.integers(-5, 120))), max_size=30),
)
def test_it_is_the_newest_of_what_was_put_and_nobody_has_forgotten(
    limit: int, steps: list[Any]
) -> None:
    """A number puts so many bytes, a tuple forgets up to a position."""
    audio, everything, start = Backlog(limit), b"", 0
    for step in steps:
        if isinstance(step, int):
            piece = bytes((len(everything) + index) % 256 for index in range(step))
            audio.put(piece)
            everything += piece
            start = max(start, len(everything) - limit)
        else:
            audio.forget(step[0])
            start = max(start, min(step[0], len(everything)))
        assert audio.end == len(everything)
        assert kept_bytes(audio) == len(everything) - audio.start <= limit
        assert audio.start == start
        assert audio.between(0, audio.end) == everything[start:]
        for first, last in ((start, start + 3), (start + 2, audio.end - 1), (-3, start), (5, 5)):
            wanted = everything[max(first, start) : max(last, 0)] if first < last else b""
            assert audio.between(first, last) == wanted


def test_one_chunk_longer_than_the_limit_is_cut() -> None:
    audio = Backlog(4)
    audio.put(b"0123456789")
    assert (audio.start, audio.end, audio.between(0, 99)) == (6, 10, b"6789")


def test_what_is_forgotten_beyond_the_end_does_not_hide_what_comes() -> None:
    audio = Backlog(100)
    audio.put(b"ab")
    audio.forget(50)
    audio.put(b"cd")
    assert (audio.start, audio.between(0, 99)) == (2, b"cd")


def test_empty_chunks_do_not_pile_up() -> None:
    audio = Backlog(100)
    for _ in range(50):
        audio.put(b"")
    assert len(audio._chunks) == 0


# -- what was said in a turn -----------------------------------------------------------------


def test_it_is_found_by_its_message_until_that_is_forgotten() -> None:
    kept = KeptAudio()
    kept.put("a", b"one", PCM)
    kept.put("b", b"two", PCM)
    assert (kept.get("a", PCM), kept.get("b", PCM), kept.get("c", PCM)) == (b"one", b"two", None)
    kept.forget("a")
    kept.forget("a")
    kept.forget("unknown")
    assert (kept.get("a", PCM), kept.get("b", PCM)) == (None, b"two")


def test_in_another_format_it_is_noise() -> None:
    kept = KeptAudio()
    kept.put("a", b"one", ULAW)
    assert kept.get("a", ULAW) == b"one"
    assert kept.get("a", PCM) is None
    assert kept.get("a", ULAW._replace(kind="audio/pcma")) is None


def test_past_the_bound_the_oldest_goes_and_never_more_than_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog, "MOST_KEPT", 10)
    kept = KeptAudio()
    kept.put("a", bytes(4), PCM)
    kept.put("b", bytes(4), PCM)
    kept.put("a", bytes(4), PCM)  # again, and as the newest
    kept.put("c", bytes(2), PCM)
    assert [kept.get(name, PCM) is not None for name in "abc"] == [True, True, True]
    kept.put("d", bytes(1), PCM)
    assert [kept.get(name, PCM) is not None for name in "abcd"] == [True, False, True, True]
    kept.put("e", bytes(11), PCM)
    assert [kept.get(name, PCM) is not None for name in "abcde"] == [False] * 5
    kept.put("f", bytes(10), PCM)
    assert kept.get("f", PCM) == bytes(10), "what has gone leaves its room"
