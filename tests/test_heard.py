"""The words that were heard, with a voice whose every character has a known end as the truth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client.audio import WireFormat
from realtime_client.heard import LEAD_MS, PACE_MS, Piece, heard_text, settled
from realtime_client.simulator.speech import TextPiece, sung
from realtime_client.simulator.voice import character_ends_ms, duration_ms

TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps until the evening."
FRENCH = "Où est la bibliothèque ? Là-bas, près de l'hôtel."
CHINESE = "今天天气很好，我们去公园散步吧。"
MIXED = "Der ICE nach 東京 fährt um 12:30 Uhr 🚄 von Gleis 7."


def whole(text: str, heard_ms: float, total_ms: float) -> str:
    return heard_text([Piece(text)], heard_ms, total_ms, is_whole=True)


def growing(*pieces: tuple[str, float], heard_ms: float, received_ms: float) -> str:
    said = [Piece(*piece) for piece in pieces]
    return heard_text(said, heard_ms, received_ms, is_whole=False)


def timed(*pieces: tuple[str, object], heard_ms: float, total_ms: float = 9000) -> str:
    said = [Piece(text, 0.0, start) for text, start in pieces]
    return heard_text(said, heard_ms, total_ms, is_whole=True)


# -- whole messages ------------------------------------------------------------------------


def test_the_text_takes_as_long_as_its_audio() -> None:
    text = "one two three four five"  # 23 letters
    assert whole(text, 1000 + LEAD_MS, 2300) == "one two"
    assert whole(text, 700 + LEAD_MS, 2300) == "one two"
    assert whole(text, 699 + LEAD_MS, 2300) == "one"
    assert whole(text, 1299 + LEAD_MS, 2300) == "one two"
    assert whole(text, 1300 + LEAD_MS, 2300) == "one two three"


def test_nothing_and_all() -> None:
    assert whole("one two", 0, 700) == ""
    assert whole("one two", LEAD_MS, 700) == ""
    assert whole("one two", 700, 700) == "one two"
    assert whole("one two", 701, 700) == "one two"
    assert whole("one two", 0.5, 0.5) == "one two"
    assert whole("one two ", 699.9, 700) == "one"
    assert whole("", 300, 700) == ""
    assert heard_text([], 300, 700, is_whole=True) == ""
    assert heard_text([], 300, 700, is_whole=False) == ""
    assert whole("one", 0, 0) == ""


def test_the_last_millisecond_of_a_whole_message_is_its_last_word() -> None:
    for text in (TEXT, CHINESE):
        total = duration_ms(text)
        cut = whole(text, total - 0.01, total)
        assert cut != text
        assert text.startswith(cut)


@pytest.mark.parametrize("text", [TEXT, FRENCH, CHINESE, MIXED])
def test_never_more_than_was_heard_of_a_whole_message(text: str) -> None:
    """And never less than what was heard `LEAD_MS` and two symbols ago, word for word."""
    total, character_ends = duration_ms(text), character_ends_ms(text)
    for heard_ms in range(0, total, 7):
        cut = whole(text, heard_ms, total)
        assert text.startswith(cut)
        assert not cut or character_ends[len(cut) - 1] <= heard_ms
        surely = sum(end <= heard_ms - LEAD_MS - 120 for end in character_ends)
        assert len(cut) >= len(text[: surely + 1].rpartition(" ")[0].rstrip())


@given(st.text(min_size=1, max_size=60), st.floats(0, 1))
def test_never_more_than_was_heard_whatever_the_text(text: str, share: float) -> None:
    text = text.encode("utf-8", "replace").decode()
    heard_ms = share * duration_ms(text) * 0.999
    cut = whole(text, heard_ms, duration_ms(text))
    assert text.startswith(cut)
    assert not cut or character_ends_ms(text)[len(cut) - 1] <= heard_ms


def test_a_lone_surrogate_is_no_accident() -> None:
    assert whole("a\ud800b cd ef", 1000, 1200) == "a\ud800b cd"


# -- messages that are still growing -------------------------------------------------------


def test_the_pace_is_taken_to_be_slow() -> None:
    pace = PACE_MS
    text = ("one two three", 0.0)
    assert growing(text, heard_ms=7 * pace + LEAD_MS, received_ms=1000) == "one two"
    assert growing(text, heard_ms=7 * pace + LEAD_MS - 1, received_ms=1000) == "one"


def test_a_pace_that_is_slower_shows() -> None:
    """13 letters for 2.6 s: the text is not behind its audio, so they take 200 ms each."""
    text = ("one two three", 0.0)
    assert growing(text, heard_ms=1400 + LEAD_MS, received_ms=2600) == "one two"
    assert growing(text, heard_ms=1399 + LEAD_MS, received_ms=2600) == "one"


def test_a_pace_that_is_known() -> None:
    pieces = [Piece("one two three")]
    cut = heard_text(pieces, 7 * 120 + LEAD_MS, 1000, is_whole=False, pace_ms=120)
    assert cut == "one two"
    cut = heard_text(pieces, 7 * 120 + LEAD_MS - 1, 1000, is_whole=False, pace_ms=120)
    assert cut == "one"


def test_words_that_came_when_more_audio_had_come_than_was_heard_are_spoken_later() -> None:
    pieces = (("a b ", 0.0), ("c ", 900.0), ("d ", 1000.0))
    assert growing(*pieces, heard_ms=899, received_ms=1000) == "a b"
    assert growing(*pieces, heard_ms=900, received_ms=1000) == "a b c"


def test_the_end_of_what_came_is_no_end_of_a_word() -> None:
    assert growing(("one tw", 0.0), heard_ms=5000, received_ms=5000) == "one"
    assert growing(("one two ", 0.0), heard_ms=5000, received_ms=5000) == "one two"


@pytest.mark.parametrize("text", [TEXT, FRENCH, CHINESE, MIXED])
def test_never_more_than_was_heard_while_it_grows(text: str) -> None:
    """A transcript that comes twice as fast as its audio; and at least half of what was said."""
    clip, pieces = sung(text, WireFormat("audio/pcmu", 8_000))
    character_ends = character_ends_ms(text)
    told = true = 0
    for heard_ms in range(0, clip.duration_ms - 500, 13):
        # As late as possible: nothing had come that was not needed for what was heard.
        came, received_ms = _came(pieces, heard_ms / 1000)
        cut = heard_text(came, heard_ms, max(received_ms, heard_ms), is_whole=False)
        assert text.startswith(cut)
        assert not cut or character_ends[len(cut) - 1] <= heard_ms
        told += len(cut)
        true += sum(end <= heard_ms for end in character_ends)
    assert told >= true * 0.5


def _came(pieces: Sequence[object], until: float) -> tuple[list[Piece], float]:
    came: list[Piece] = []
    received_ms = 0.0
    for piece in pieces:
        at: float = piece.at  # type: ignore[attr-defined]  # both kinds have it
        if at > until:
            break
        if isinstance(piece, TextPiece):
            came.append(Piece(piece.text, received_ms))
        else:
            received_ms = piece.last / 8  # type: ignore[attr-defined]  # the other kind
    return came, received_ms


# -- start times ---------------------------------------------------------------------------


def test_a_word_ends_where_the_next_begins() -> None:
    for words in (["one ", "two ", "three"], ["one", " two", " three"]):
        pieces = list(zip(words, [0.2, 1.0, 2.5], strict=True))
        assert timed(*pieces, heard_ms=999.9) == ""
        assert timed(*pieces, heard_ms=1000.1) == "one"
        assert timed(*pieces, heard_ms=2499.9) == "one"
        assert timed(*pieces, heard_ms=2500.1) == "one two"
        assert timed(*pieces, heard_ms=8999.9) == "one two"
        assert timed(*pieces, heard_ms=9000) == "one two three"


def test_several_words_in_a_piece_share_its_time() -> None:
    pieces = (("aa bb ", 1.0), ("cc dd", 3.0))
    assert timed(*pieces, heard_ms=1900) == ""
    assert timed(*pieces, heard_ms=2000) == "aa"
    assert timed(*pieces, heard_ms=3000) == "aa bb"
    assert timed(*pieces, heard_ms=6000) == "aa bb cc"


def test_after_the_last_time_the_pace_is_slow() -> None:
    pieces = [Piece("aa ", 0.0, 0.0), Piece("bb cc ", 5000.0, 1.0)]
    for ms, cut in ((1000 + 2 * PACE_MS - 1, "aa"), (1000 + 2 * PACE_MS, "aa bb")):
        assert heard_text(pieces, ms, 5000, is_whole=False) == cut
    assert heard_text(pieces, 1240, 5000, is_whole=False, pace_ms=120) == "aa bb"
    assert heard_text(pieces, 1239, 5000, is_whole=False, pace_ms=120) == "aa"


def test_pieces_without_a_time_share_that_of_the_one_before() -> None:
    pieces = (("aa ", 1.0), ("bb ", None), ("cc", 3.0))
    assert timed(*pieces, heard_ms=1999) == ""
    assert timed(*pieces, heard_ms=2000) == "aa"


def test_a_time_that_goes_backwards_says_nothing() -> None:
    pieces = (("aa ", 3.0), ("bb ", 1.0), ("cc ", 3.0), ("dd", 6.0))
    assert timed(*pieces, heard_ms=3999) == ""
    assert timed(*pieces, heard_ms=4000) == "aa"
    assert timed(*pieces, heard_ms=6000) == "aa bb cc"


def test_a_time_beyond_the_end_is_not_reached() -> None:
    assert timed(("aa ", 1.0), ("bb", 20.0), heard_ms=8999) == ""
    assert timed(("aa ", 1.0), ("bb", 9.0), heard_ms=8999) == ""
    assert timed(("aa ", 1.0), ("bb ", 2.0), ("cc", 20.0), heard_ms=8999) == "aa"


@pytest.mark.parametrize("no_time", [None, "1.0", True, -1.0, float("nan"), float("inf"), 0, 0.0])
def test_what_is_no_time_is_not_one(no_time: object) -> None:
    """Without a time other than 0, it is as if there were none."""
    pieces = (("one two ", no_time), ("three four five", no_time))
    assert timed(*pieces, heard_ms=1000 + LEAD_MS, total_ms=2300) == "one two"


def test_a_start_time_is_in_seconds() -> None:
    assert Piece("a", 0.0, 1).start_ms == 1000.0
    assert Piece("a", 0.0, 0.25).start_ms == 250.0
    assert Piece("a").start_ms is None


WORDS = st.lists(
    st.tuples(st.text("abc.é", min_size=1, max_size=9), st.floats(0.01, 3)), min_size=2, max_size=12
)


@settings(max_examples=200, deadline=None)
@given(words=WORDS, share=st.floats(0, 1), leading=st.booleans())
def test_with_times_it_is_exact_however_uneven_the_pace(
    words: list[tuple[str, float]], share: float, leading: bool
) -> None:
    ends = list(accumulate(seconds for _, seconds in words))
    starts = [0.0, *ends]
    pieces = [
        Piece((" " if leading and index else "") + word + ("" if leading else " "), 0.0, start)
        for index, ((word, _), start) in enumerate(zip(words, starts, strict=False))
    ]
    heard_ms = share * ends[-1] * 1000 * 0.999
    cut = heard_text(pieces, heard_ms, ends[-1] * 1000, is_whole=True)
    true = sum(end * 1000 <= heard_ms for end in ends)
    near = any(abs(end * 1000 - heard_ms) < 1e-6 for end in ends)
    assert near or cut.split() == [word for word, _ in words[:true]]


# -- words ---------------------------------------------------------------------------------


def test_scripts_without_spaces_are_cut_between_characters() -> None:
    total = 3 * 60 * len(CHINESE)
    cuts = [whole(CHINESE, ms, total) for ms in range(0, total + 1, 10)]
    assert {len(cut) for cut in cuts} == set(range(len(CHINESE) + 1))


@pytest.mark.parametrize(
    "sign",
    ["か\u3099", "👍🏽", "👩\u200d🚀", "한\u0301", "⌚\ufe0f", "中\u0903", "字\u20dd"],
)
def test_one_sign_is_not_cut_in_two(sign: str) -> None:
    text = "ab " + sign + " cd"
    size = len(text.encode()) * 100
    for ms in range(0, size, 10):
        assert whole(text, ms, size) in ("", "ab", "ab " + sign)


def test_a_wide_character_ends_a_word_before_and_after_it() -> None:
    text = "ab東cd ef"
    cuts = {whole(text, ms, 1200) for ms in range(0, 1200, 10)}
    assert cuts == {"", "ab", "ab東", "ab東cd"}


def test_white_space_is_not_a_word() -> None:
    text = "one  \n two three"
    cuts = {whole(text, ms, 1600) for ms in range(0, 1600, 10)}
    assert cuts == {"", "one", "one  \n two"}


@given(st.lists(st.tuples(st.text(), st.floats(0, 5000)), max_size=8), st.floats(0, 6000),
       st.floats(1, 6000), st.booleans())  # fmt: skip
def test_it_is_always_a_beginning_and_grows_with_what_was_heard(
    said: list[tuple[str, float]], heard_ms: float, received_ms: float, is_whole: bool
) -> None:
    pieces = [Piece(text, came) for text, came in said]
    text = "".join(piece.text for piece in pieces)
    steps = [heard_ms * share for share in (0, 0.3, 0.9, 1)]
    cuts = [heard_text(pieces, one, received_ms, is_whole=is_whole) for one in steps]
    assert all(text.startswith(cut) for cut in cuts)
    assert all(after.startswith(before) for before, after in pairwise(cuts))


# -- the final text ------------------------------------------------------------------------


def test_the_final_text_that_goes_on_adds_its_rest() -> None:
    pieces = [Piece("one ", 1.0, 0.5)]
    assert settled(pieces, "one two", 7.0) == [Piece("one ", 1.0, 0.5), Piece("two", 7.0)]
    assert settled(pieces, "one ", 7.0) == pieces
    assert settled([*pieces, *pieces], "one one two", 7.0) == [*pieces, *pieces, Piece("two", 7.0)]
    assert settled([], "one", 7.0) == [Piece("one", 7.0)]


def test_the_final_text_that_contradicts_wins() -> None:
    assert settled([Piece("wun ", 1.0, 0.5)], "one two", 7.0) == [Piece("one two")]
