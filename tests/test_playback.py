"""What was really heard: what each call of the ledger means."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from realtime_client import events
from realtime_client.errors import UsageError
from realtime_client.playback import (
    KEPT,
    Cut,
    PlaybackLedger,
    Progress,
    StopPlaying,
    Unheard,
)
from realtime_client.playback.content import layout_of
from realtime_client.playback.line import MARKS, MS, TICKS, Line

PCM = events.AudioFormat(type="audio/pcm", rate=24_000)
PCM_16K = events.AudioFormat(type="audio/pcm", rate=16_000)
ULAW = events.AudioFormat(type="audio/pcmu")
ALAW = events.AudioFormat(type="audio/pcma")
SECOND = 48_000  # bytes of 24 kHz PCM


def ends(truncations: list[Cut]) -> list[tuple[str, int, int]]:
    return [(cut.item_id, cut.content_index, cut.audio_end_ms) for cut in truncations]


def played(ledger: PlaybackLedger, item_id: str, content_index: int = 0, now: float = 0.0) -> int:
    heard = ledger.heard(item_id, content_index, now)
    assert heard is not None
    return heard.played_ms


def spoken(
    *items: str,
    nbytes: int = SECOND,
    handed: bool = True,
    now: float = 0.0,
    unheard: Unheard = "truncate",
) -> PlaybackLedger:
    """A ledger of finished items of one second each, whose player reports."""
    ledger = PlaybackLedger(unheard=unheard)
    ledger.played(0)
    for item_id in items:
        ledger.on_audio(item_id, 0, nbytes, PCM)
        if handed:
            ledger.on_handed(item_id, 0, nbytes, now)
        ledger.on_finished(item_id, now)
    return ledger


# -- counting ------------------------------------------------------------------------------


def test_received_is_counted_by_item_and_content() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, 10)
    ledger.on_audio("a", 0, 5)
    ledger.on_audio("a", 1, 3)
    ledger.on_audio("b", 0, 7)
    assert [ledger.received("a"), ledger.received("a", 1), ledger.received("b")] == [15, 3, 7]
    ledger.forget("a")
    ledger.forget("nobody")
    assert [ledger.received("a"), ledger.received("a", 1), ledger.received("b")] == [0, 0, 7]


def test_the_three_counts() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND // 2, 0.0)
    ledger.played(250)
    assert ledger.heard("a", 0, 9.0) == Progress(1000, 500, 250, "", False)
    assert ledger.heard("a", 1, 9.0) is None
    assert ledger.heard("b", 0, 9.0) is None


@pytest.mark.parametrize(
    ("audio_format", "bytes_a_second"),
    [
        (PCM, 48_000),
        (PCM_16K, 32_000),
        (events.AudioFormat(type="audio/pcm"), 48_000),
        (events.AudioFormat(type="audio/pcm", rate=0), 48_000),
        (ULAW, 8_000),
        (ALAW, 8_000),
        (events.AudioFormat(type="audio/pcmu", rate=24_000), 8_000),
        (events.AudioFormat(type="audio/opus", rate=16_000), 48_000),
        (None, 48_000),
    ],
)
def test_the_format_of_the_response_says_how_long_a_byte_lasts(
    audio_format: events.AudioFormat | None, bytes_a_second: int
) -> None:
    assert layout_of(audio_format).ticks(bytes_a_second) == TICKS
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, bytes_a_second * 3, audio_format)
    heard = ledger.heard("a", 0, 0.0)
    assert heard is not None
    assert heard.received_ms == 3000


def test_the_format_of_the_first_audio_is_that_of_all() -> None:
    ledger = PlaybackLedger()
    ledger.on_words("a", 0, "hm")
    ledger.on_audio("a", 0, 8_000, ULAW)
    ledger.on_audio("a", 0, 8_000, PCM)
    heard = ledger.heard("a", 0, 0.0)
    assert heard is not None
    assert heard.received_ms == 2000


def test_ticks_are_whole_and_rounded_down() -> None:
    odd = layout_of(events.AudioFormat(type="audio/pcm", rate=23_999))
    ticks = [odd.ticks(nbytes) for nbytes in (1, 47_998, 47_999)]
    assert ticks == [TICKS // 47_998, TICKS, TICKS + TICKS // 47_998]


def test_every_usual_rate_is_a_whole_number_of_ticks() -> None:
    for rate in (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 192_000):
        assert TICKS % rate == 0
    assert MS * 1000 == TICKS


def test_nothing_drifts_in_ten_hours_of_odd_chunks() -> None:
    """Three bytes at a time, at a rate of which a sample is no whole number of ticks."""
    odd = events.AudioFormat(type="audio/pcm", rate=23_999)
    ledger = PlaybackLedger()
    ledger.played(0)
    hours = 10 * 3600 * 23_999 * 2
    ledger.on_audio("a", 0, hours, odd)
    for _ in range(10_000):
        ledger.on_handed("a", 0, 3, 0.0)
    ledger.on_handed("a", 0, hours, 0.0)
    ledger.played(10 * 3600 * 1000 - 1)
    assert played(ledger, "a") == 10 * 3600 * 1000 - 1
    ledger.played(10 * 3600 * 1000 + 0.5)
    assert played(ledger, "a") == 10 * 3600 * 1000


def test_no_more_is_handed_over_than_was_received() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, 5 * SECOND, 0.0)
    ledger.on_handed("b", 0, 5 * SECOND, 0.0)
    ledger.on_handed("a", 1, 5 * SECOND, 0.0)
    ledger.played(60_000)
    assert ledger.heard("a", 0, 0.0) == Progress(1000, 1000, 1000, "", False)


# -- interruptions -------------------------------------------------------------------------


def test_i2_each_message_is_cut_at_what_was_heard_of_it() -> None:
    ledger = spoken("a", "b", nbytes=5 * SECOND)
    ledger.played(500)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 500), ("b", 0, 0)]


def test_i2_in_the_second_message() -> None:
    ledger = spoken("a", "b", nbytes=5 * SECOND)
    ledger.played(5_700)
    assert ends(ledger.interrupt(0.0)) == [("b", 0, 700)]


def test_i1_a_truncation_is_never_beyond_what_was_received() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, 2650 * 48 + 47, PCM)  # not quite 2,651 ms
    ledger.on_handed("a", 0, 2650 * 48 + 47, 0.0)
    ledger.played(9100)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 2650)]


def test_whole_milliseconds_are_rounded_down() -> None:
    ledger = spoken("a")
    ledger.played(499.999)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 499)]


def test_i3_nothing_is_cut_of_what_was_heard_whole() -> None:
    ledger = spoken("a")
    ledger.played(1000)
    assert ledger.heard("a", 0, 0.0) is None  # forgotten
    assert ledger.interrupt(0.0) == []


def test_heard_whole_is_known_by_players_that_count_whole_milliseconds() -> None:
    ledger = spoken("a", "b", nbytes=SECOND + 46)  # 1,000.96 ms each, 2,001.92 together
    ledger.played(2001)
    assert ledger.interrupt(0.0) == []


def test_a_millisecond_that_is_missing_is_missing() -> None:
    ledger = spoken("a")
    ledger.played(999)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 999)]


def test_what_is_still_being_generated_is_cut_where_it_was_heard_up_to() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.played(1000)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 1000)]


def test_i4_the_end_of_generation_is_not_the_end_of_playback() -> None:
    ledger = spoken("a", now=5.0)
    ledger.played(10)
    ledger.on_finished("a", 6.0)
    assert ends(ledger.interrupt(6.0)) == [("a", 0, 10)]


def test_the_parts_of_an_item_are_cut_one_by_one_in_their_order() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    for part in (1, 0):
        ledger.on_audio("a", part, SECOND, PCM)
    for part in (0, 1):
        ledger.on_handed("a", part, SECOND, 0.0)
    ledger.on_finished("a", 0.0)
    ledger.played(1000)
    assert played(ledger, "a") == 1000  # its other part is to come
    assert ends(ledger.interrupt(0.0)) == [("a", 1, 0)]
    for part in (0, 1):
        ledger.on_audio("b", part, SECOND, PCM)
    assert ends(ledger.interrupt(0.0)) == [("b", 0, 0), ("b", 1, 0)]


def test_an_interruption_twice_is_one() -> None:
    ledger = spoken("a", "b")
    ledger.played(10)
    first = ledger.interrupt(0.0)
    assert len(first) == 2
    assert ledger.interrupt(0.0) == []
    assert ledger.notes == [StopPlaying(("a", "b"), tuple(first))]


def test_the_player_is_stopped_even_where_the_ledger_thinks_that_all_was_played() -> None:
    """What the clock takes for played may still be in a buffer of the device."""
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.on_finished("a", 0.0)
    assert ledger.interrupt(1.0) == []
    assert ledger.notes == [StopPlaying((), ())]
    ledger.interrupt(2.0)
    assert len(ledger.notes) == 1


def test_where_nothing_was_ever_played_nobody_is_told_to_stop() -> None:
    ledger = PlaybackLedger()
    assert ledger.interrupt(0.0) == []
    assert ledger.notes == []


def test_what_is_unread_is_not_to_be_read_after_an_interruption() -> None:
    ledger = spoken("a", handed=False)
    cuts = ledger.interrupt(0.0)
    assert ends(cuts) == [("a", 0, 0)]
    assert ledger.notes == [StopPlaying(("a",), tuple(cuts))]


def test_late_audio_of_what_was_cut_is_not_to_be_played() -> None:
    ledger = PlaybackLedger()
    assert ledger.on_audio("a", 0, SECOND, PCM)
    ledger.interrupt(0.0)
    assert not ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.on_finished("a", 0.0)
    ledger.on_words("a", 0, "late")
    assert ledger.received("a") == 0
    assert not ledger.is_playing(0.0)
    assert ledger.heard("a", 0, 0.0) is None
    assert ledger.on_late("a", 0) is None
    assert ledger.interrupt(0.0) == []
    assert len(ledger.notes) == 1
    assert ledger.on_audio("b", 0, SECOND, PCM)


def test_what_is_out_of_band_is_stopped_and_not_truncated() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_words("side", 0, "Your call", in_conversation=False)
    ledger.on_audio("side", 0, SECOND, PCM, in_conversation=False)
    ledger.on_audio("other", 0, SECOND, PCM, in_conversation=False)
    ledger.on_audio("a", 0, SECOND, PCM)
    for item_id in ("side", "other", "a"):
        ledger.on_handed(item_id, 0, SECOND, 0.0)
    ledger.played(2100)
    cuts = ledger.interrupt(0.0)
    assert ends(cuts) == [("a", 0, 100)]
    assert ledger.notes == [StopPlaying(("side", "other", "a"), tuple(cuts))]
    assert not ledger.on_audio("side", 0, SECOND, PCM, in_conversation=False)


def test_an_item_that_nobody_plays_is_not_truncated() -> None:
    ledger = spoken("a", "b", handed=False)
    ledger.forget("a")
    assert ends(ledger.interrupt(0.0)) == [("b", 0, 0)]


def test_whether_anybody_listens() -> None:
    takes: list[Callable[[PlaybackLedger], None]] = [
        lambda ledger: ledger.on_handed("a", 0, 48, 0.0),
        lambda ledger: ledger.played(0),
        lambda ledger: ledger.mark("m"),
    ]
    for take in takes:
        ledger = PlaybackLedger()
        ledger.on_audio("a", 0, SECOND, PCM)
        assert not ledger.has_listener
        take(ledger)
        assert ledger.has_listener


# -- items of which nothing was heard ------------------------------------------------------


def test_what_was_never_heard_can_be_deleted() -> None:
    ledger = spoken("a", "b", "c", unheard="delete")
    ledger.played(500)
    cuts = ledger.interrupt(0.0)
    assert [(cut.item_id, cut.content_index, cut.audio_end_ms, cut.deletes) for cut in cuts] == [
        ("a", 0, 500, False),
        ("b", 0, 0, True),
        ("c", 0, 0, True),
    ]
    assert ledger.on_late("b", 1) is None
    assert not ledger.on_audio("b", 1, SECOND, PCM)


def test_an_item_is_deleted_once_whatever_parts_it_has() -> None:
    ledger = PlaybackLedger(unheard="delete")
    ledger.on_audio("a", 1, SECOND, PCM)
    ledger.on_audio("a", 2, SECOND, PCM)
    ledger.on_words("b", 0, "nothing but words")
    cuts = ledger.interrupt(0.0)
    assert [(c.item_id, c.content_index, c.deletes) for c in cuts] == [
        ("a", 1, True),
        ("b", 0, True),
    ]
    assert ledger.on_late("b", 0) is None


def test_an_item_of_which_one_part_was_heard_is_not_deleted() -> None:
    ledger = PlaybackLedger(unheard="delete")
    ledger.played(0)
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_audio("a", 1, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.played(1000)
    ledger.on_finished("a", 0.0)
    cuts = ledger.interrupt(0.0)
    assert [(c.item_id, c.content_index, c.audio_end_ms, c.deletes) for c in cuts] == [
        ("a", 1, 0, False)
    ]


def test_a_fraction_of_a_millisecond_was_not_heard() -> None:
    for ms, deletes in ((0.9, True), (1.0, False)):
        ledger = spoken("a", unheard="delete")
        ledger.played(ms)
        assert [cut.deletes for cut in ledger.interrupt(0.0)] == [deletes]


def test_unheard_is_one_of_two() -> None:
    with pytest.raises(UsageError, match=r"^unheard is 'truncate' or 'delete'; got 'drop'$"):
        PlaybackLedger(unheard="drop")  # type: ignore[arg-type]  # a mistake that is refused


# -- late audio ----------------------------------------------------------------------------


def test_audio_that_comes_first_after_the_interruption_is_cut_at_nothing_once() -> None:
    """The server has generated it, and nobody hears it: without a cut the model would know it."""
    ledger = PlaybackLedger()
    ledger.on_words("a", 0, "Hello")
    assert ledger.interrupt(0.0) == []  # there is no audio yet that could be truncated
    assert ledger.on_late("a", 0) == Cut("a", 0, 0, "", True)
    assert ledger.on_late("a", 0) is None
    assert not ledger.on_audio("a", 0, SECOND, PCM)
    assert ledger.on_late("a", 1) == Cut("a", 1, 0, "", True)


def test_audio_that_comes_first_after_the_interruption_is_deleted_with_its_item() -> None:
    ledger = PlaybackLedger(unheard="delete")
    cut = ledger.on_late("a", 1)
    assert cut == Cut("a", 1, 0, "", True, deletes=True)
    assert ledger.on_late("a", 0) is None
    assert ledger.on_late("b", 0) is not None


def test_a_part_that_comes_late_does_not_delete_an_item_that_was_heard() -> None:
    ledger = spoken("a", unheard="delete")
    ledger.played(500)
    ledger.interrupt(0.0)
    late = ledger.on_late("a", 1)
    assert late == Cut("a", 1, 0, "", False)
    ledger.on_audio("b", 0, SECOND, PCM)
    late = ledger.on_late("b", 1)
    assert late == Cut("b", 1, 0, "", False)


def test_a_cancel_lets_play_what_was_delivered_and_cuts_what_was_discarded() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_words("a", 0, "one two three")
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    assert ledger.on_late("a", 0) == Cut("a", 0, 1000, "one two", False)
    assert ledger.on_late("a", 0) is None
    ledger.on_finished("a", 0.0, is_whole=False)
    ledger.played(400)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 400)]


def test_the_cuts_that_are_remembered_are_bounded() -> None:
    ledger = PlaybackLedger()
    for index in range(KEPT + 1):
        assert ledger.on_late(f"item{index}", 0) is not None
    assert ledger.on_late("item1", 0) is None
    assert ledger.on_late("item0", 0) is not None


# -- the clock -----------------------------------------------------------------------------


def test_without_a_report_the_clock_guesses_and_says_so() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    assert ledger.heard("a", 0, 99.0) == Progress(1000, 0, 0, "", True)
    ledger.on_handed("a", 0, SECOND, 100.0)
    assert ledger.is_playing(100.25)
    assert ledger.heard("a", 0, 100.25) == Progress(1000, 1000, 250, "", True)
    cuts = ledger.interrupt(100.5)
    assert ends(cuts) == [("a", 0, 500)]
    assert cuts[0].is_estimate


def test_the_clock_stands_still_where_there_is_nothing_to_play() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND // 2, 0.0)
    assert played(ledger, "a", now=0.4) == 400
    assert played(ledger, "a", now=3.0) == 500
    assert not ledger.is_playing(3.0)
    ledger.on_handed("a", 0, SECOND // 4, 3.0)
    assert played(ledger, "a", now=3.1) == 600
    ledger.on_handed("a", 0, SECOND // 4, 3.1)  # in time: no gap
    assert played(ledger, "a", now=3.4) == 900
    assert played(ledger, "a", now=9.9) == 1000


def test_the_clock_finishes_items_too() -> None:
    ledger = PlaybackLedger()
    for item_id in ("a", "b"):
        ledger.on_audio(item_id, 0, SECOND, PCM)
        ledger.on_handed(item_id, 0, SECOND, 0.0)
    ledger.on_finished("a", 0.5)
    assert ledger.heard("a", 0, 0.5) is not None
    ledger.on_finished("b", 1.5)
    assert ledger.heard("a", 0, 1.5) is None
    assert ends(ledger.interrupt(1.5)) == [("b", 0, 500)]


def test_a_clock_that_goes_backwards_makes_nothing_negative() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 10.0)
    assert ends(ledger.interrupt(9.0)) == [("a", 0, 0)]


def test_after_an_interruption_the_clock_begins_with_the_next_audio() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.interrupt(0.3)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.5)
    assert played(ledger, "b", now=0.7) == 200


def test_the_first_report_ends_the_guessing() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    assert played(ledger, "a", now=0.5) == 500
    ledger.played(300)  # a device with a long buffer
    assert ledger.heard("a", 0, 0.9) == Progress(1000, 1000, 300, "", False)


def test_a_player_that_sets_marks_ends_the_guessing() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.mark("m")
    assert ledger.heard("a", 0, 0.5) == Progress(1000, 1000, 0, "", False)


# -- reports -------------------------------------------------------------------------------


def test_reports_that_cross_never_take_back_what_was_played() -> None:
    ledger = spoken("a")
    ledger.played(500)
    ledger.played(400)
    assert played(ledger, "a") == 500


@pytest.mark.parametrize("ms", [-1, math.nan, math.inf, True, "12", None])
def test_a_report_is_a_number(ms: object) -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    wrong: float = ms  # type: ignore[assignment]  # a mistake that is refused
    text = f"what was played is in milliseconds, 0 or more; got {ms!r}"
    reports: list[Callable[[], None]] = [
        lambda: ledger.played(wrong),
        lambda: ledger.played(wrong, "a"),
        lambda: ledger.count_from(wrong),
    ]
    for report in reports:
        with pytest.raises(UsageError) as caught:
            report()
        assert str(caught.value) == text
        assert ledger.heard("a", 0, 0.5) == Progress(1000, 1000, 500, "", True)  # nothing happened


def test_a_player_can_report_by_item() -> None:
    ledger = spoken("a", "b", "c")
    ledger.on_audio("c", 1, SECOND, PCM)
    ledger.on_handed("c", 1, SECOND, 0.0)
    ledger.played(1000, "a")
    ledger.played(2000, "b")  # clamped
    ledger.played(300, "c")
    ledger.played(200, "c")
    ledger.played(100, "c", 1)
    ledger.played(5, "nobody")
    assert ends(ledger.interrupt(0.0)) == [("c", 0, 300), ("c", 1, 100)]


def test_a_report_by_item_ends_the_guessing() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND // 2, 0.0)
    ledger.played(900, "a")
    assert ledger.heard("a", 0, 0.9) == Progress(1000, 500, 500, "", False)


def test_marks() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    for name in ("one", "two", "three"):
        ledger.on_handed("a", 0, SECOND // 4, 0.0)
        ledger.mark(name)
    assert ledger.marked("two")
    assert played(ledger, "a") == 500
    assert not ledger.marked("one")  # behind us
    assert not ledger.marked("four")
    assert played(ledger, "a") == 500
    assert ledger.marked("three")
    assert played(ledger, "a") == 750


def test_a_mark_that_is_used_again_means_each_in_its_turn() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    for _ in range(2):
        ledger.on_handed("a", 0, SECOND // 2, 0.0)
        ledger.mark("chunk")
    assert ledger.marked("chunk")
    assert played(ledger, "a") == 500
    ledger.on_finished("a", 0.0)
    assert ledger.marked("chunk")
    assert ledger.heard("a", 0, 0.0) is None


def test_marks_that_come_back_because_playing_was_stopped_mean_nothing() -> None:
    """Twilio answers a `clear` with all the marks that were under way."""
    ledger = spoken("a")
    ledger.mark("end")
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 0)]
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    assert not ledger.marked("end")
    assert played(ledger, "b") == 0


def test_marks_are_bounded() -> None:
    line = Line()
    for index in range(MARKS + 1):
        line.mark(str(index))
    assert not line.marked("0")
    assert line.marked("1")


def test_what_is_not_read_to_its_end_is_not_over() -> None:
    """However little is missing, the player will be handed it, and counts it."""
    ledger = spoken("a", nbytes=1, handed=False)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND - 1, 0.0)
    ledger.on_finished("b", 0.0)
    ledger.played(1000)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 0), ("b", 0, 999)]


# -- the player's own count ----------------------------------------------------------------


def test_a_count_that_goes_on_after_a_stop() -> None:
    ledger = spoken("a")
    ledger.played(480)
    ledger.interrupt(0.0)
    ledger.count_from(512)  # what it played after its last report
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    ledger.played(512)
    assert played(ledger, "b") == 0
    ledger.played(612)
    assert played(ledger, "b") == 100


def test_a_count_that_begins_anew_after_a_stop() -> None:
    ledger = spoken("a")
    ledger.played(480)
    ledger.interrupt(0.0)
    ledger.count_from(0)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    ledger.played(100)
    assert played(ledger, "b") == 100


def test_a_stop_can_be_answered_when_new_audio_was_handed_over_already() -> None:
    ledger = spoken("a")
    ledger.played(480)
    ledger.interrupt(0.0)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    ledger.count_from(512)
    assert played(ledger, "b") == 0
    ledger.played(612)
    assert played(ledger, "b") == 100


def test_a_report_that_crosses_with_the_stop_counts_for_no_new_audio() -> None:
    ledger = spoken("a")
    ledger.played(480)
    ledger.interrupt(0.0)
    ledger.played(500)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    ledger.played(520)
    assert played(ledger, "b") == 20


def test_silence_that_a_player_counts_is_nobodys() -> None:
    ledger = spoken("a")
    ledger.played(4000)  # one second of ours, and three of silence
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    ledger.played(4100)
    assert played(ledger, "b") == 100


def test_rounding_up_does_not_add_up() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    for number in range(1, 101):
        ledger.on_audio("a", 0, 4805, PCM)  # 100.1 ms
        ledger.on_handed("a", 0, 4805, 0.0)
        ledger.played(math.ceil(number * 4805 / 48))
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.played(100 * 4805 / 48 + 500)
    assert played(ledger, "a") == int(100 * 4805 / 48 + 500)


def test_a_whole_millisecond_beyond_the_line_is_no_rounding() -> None:
    ledger = spoken("a")
    ledger.played(1001)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    ledger.played(1101)
    assert played(ledger, "b") == 100


def test_a_player_that_reports_only_after_a_stop() -> None:
    """The clock had guessed; then the count of the player begins where it was stopped."""
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.interrupt(0.5)
    ledger.count_from(400)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.6)
    assert ledger.is_playing(0.6)
    assert played(ledger, "b") == 0
    ledger.played(450)
    assert ledger.heard("b", 0, 9.0) == Progress(1000, 1000, 50, "", False)


def test_what_the_player_threw_away_by_itself_was_not_heard() -> None:
    ledger = spoken("a", "b")
    ledger.mark("end")
    ledger.played(300)
    ledger.flushed(0.0)
    assert not ledger.marked("end")
    assert not ledger.is_playing(0.0)
    ledger.on_audio("c", 0, SECOND, PCM)
    ledger.on_handed("c", 0, SECOND, 0.0)
    ledger.played(500)
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 300), ("b", 0, 0), ("c", 0, 200)]


def test_what_comes_after_a_piece_that_was_thrown_away_is_not_the_beginning() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, 2 * SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.flushed(0.3)
    ledger.on_handed("a", 0, SECOND, 1.0)
    assert ledger.is_playing(1.1)
    assert played(ledger, "a", now=1.5) == 300
    ledger.played(1_500, "a")
    assert played(ledger, "a") == 0  # the reporter does not know of the gap; the clock is done for
    assert ends(ledger.interrupt(2.0)) == [("a", 0, 0)]


def test_to_throw_away_nothing_tears_nothing() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, 2 * SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.flushed(1.0)
    ledger.flushed(1.5)
    ledger.on_handed("a", 0, SECOND, 2.0)
    assert played(ledger, "a", now=2.5) == 1500


# -- memory --------------------------------------------------------------------------------


def test_what_was_played_is_forgotten_only_when_it_is_finished() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.played(1000)
    assert ledger.heard("a", 0, 0.0) is not None
    ledger.on_finished("a", 0.0)
    assert ledger.heard("a", 0, 0.0) is None
    ledger.on_finished("a", 0.0)


def test_memory_is_bounded_where_nobody_reads() -> None:
    ledger = PlaybackLedger()
    for index in range(KEPT + 1):
        ledger.on_audio(f"item{index}", 0, SECOND, PCM)
        ledger.on_finished(f"item{index}", 0.0)
    assert ledger.received("item0") == 0
    assert ledger.received("item1") == SECOND
    assert len(ledger.interrupt(0.0)) == KEPT


def test_audio_in_many_pieces_is_one_stretch() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    for _ in range(SECOND // 48):
        ledger.on_handed("a", 0, 48, 0.0)
    assert len(ledger._items["a"].contents[0]._spans) == 1


# -- words ---------------------------------------------------------------------------------


def test_the_words_that_were_heard_come_with_the_truncation() -> None:
    ledger = spoken("a", nbytes=2 * SECOND)
    ledger.on_words("a", 0, "one two ")
    ledger.on_words("a", 0, "three four")
    ledger.played(1100)
    heard = ledger.heard("a", 0, 0.0)
    assert heard is not None
    assert heard.transcript == "one two"
    assert [cut.transcript for cut in ledger.interrupt(0.0)] == ["one two"]


def test_words_come_with_the_time_at_which_they_are_spoken() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    for index, word in enumerate(["one ", "two ", "three "]):
        ledger.on_words("a", 0, word, 0.1 * index)
    ledger.on_audio("a", 0, 9 * SECOND, PCM)
    ledger.on_handed("a", 0, 9 * SECOND, 0.0)
    ledger.played(199)
    assert [cut.transcript for cut in ledger.interrupt(0.0)] == ["one"]


def test_words_that_came_when_more_audio_had_come_than_was_heard_are_spoken_later() -> None:
    for ms, words in ((999.5, "one"), (1000, "one two")):
        ledger = PlaybackLedger()
        ledger.played(0)
        ledger.on_words("a", 0, "one ")
        ledger.on_audio("a", 0, SECOND, PCM)
        ledger.on_words("a", 0, "two ")
        ledger.on_handed("a", 0, SECOND, 0.0)
        ledger.played(ms)
        assert ledger.interrupt(0.0)[0].transcript == words


def test_the_final_transcript_wins() -> None:
    ledger = spoken("a")
    ledger.on_words("a", 0, "wun ")
    ledger.on_transcript("a", 0, "one, two, three, four")
    ledger.on_transcript("a", 1, "nothing")
    ledger.on_transcript("b", 0, "nothing")
    ledger.played(600)
    assert ledger.interrupt(0.0)[0].transcript == "one, two,"


def test_the_rest_of_a_final_transcript_came_when_it_came() -> None:
    for ms, words in ((999.5, "one"), (1000, "one two")):
        ledger = PlaybackLedger()
        ledger.played(0)
        ledger.on_words("a", 0, "one ")
        ledger.on_audio("a", 0, SECOND, PCM)
        ledger.on_transcript("a", 0, "one two three")
        ledger.on_handed("a", 0, SECOND, 0.0)
        ledger.played(ms)
        assert ledger.interrupt(0.0)[0].transcript == words


def test_an_item_that_was_cut_off_is_not_whole() -> None:
    """Its transcript is ahead of its audio, so its pace is unknown."""
    for is_whole, words in ((True, "one two"), (False, "one")):
        ledger = PlaybackLedger()
        ledger.on_words("a", 0, "one two three")
        ledger.on_audio("a", 0, SECOND, PCM)
        ledger.on_handed("a", 0, SECOND, 0.0)
        ledger.on_finished("a", 0.0, is_whole=is_whole)
        ledger.played(650)
        heard = ledger.heard("a", 0, 0.0)
        assert heard is not None
        assert heard.transcript == words
        assert ledger.interrupt(0.0)[0].transcript == words


# -- what was heard to its end, and what that said ------------------------------------------------


def said_by(item_id: str, *, now: float = 0.0, is_whole: bool = True) -> PlaybackLedger:
    """A second of audio and its words, all of which are with the player."""
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_words(item_id, 0, "one two")
    ledger.on_audio(item_id, 0, SECOND, PCM)
    ledger.on_handed(item_id, 0, SECOND, now)
    ledger.on_finished(item_id, now, is_whole=is_whole)
    return ledger


def test_what_was_heard_to_its_end_is_remembered_with_its_words() -> None:
    ledger = said_by("a")
    assert (ledger.was_heard("a", 0.0), ledger.said("a")) == (False, {0: "one two"})
    ledger.played(1_000)
    assert ledger.heard("a", 0, 0.0) is None
    assert (ledger.was_heard("a", 0.0), ledger.said("a")) == (True, {0: "one two"})
    assert (ledger.was_heard("b", 0.0), ledger.said("b")) == (False, None)


def test_by_the_clock_the_end_comes_without_a_word_of_the_player() -> None:
    ledger = PlaybackLedger()
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 10.0)
    ledger.on_finished("a", 10.0)
    assert [ledger.was_heard("a", now) for now in (10.5, 11.0)] == [False, True]


def test_what_is_not_at_its_end_was_not_heard_to_it() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_audio("a", 0, SECOND, PCM)
    ledger.on_handed("a", 0, SECOND, 0.0)
    ledger.played(1_000)
    assert not ledger.was_heard("a", 0.0), "more may come"
    ledger.on_over("a", 0.0)
    assert ledger.was_heard("a", 0.0)


def test_what_was_dropped_thrown_away_or_cut_was_not_heard_to_its_end() -> None:
    for end in ("forget", "flushed", "interrupt"):
        ledger = said_by("a")
        ledger.played(900)
        getattr(ledger, end)("a" if end == "forget" else 0.0)
        ledger.played(2_000)
        assert not ledger.was_heard("a", 0.0), end


def test_an_interruption_leaves_what_was_heard_to_its_end() -> None:
    ledger = PlaybackLedger()
    for item_id in "ab":
        ledger.on_audio(item_id, 0, SECOND, PCM)
        ledger.on_handed(item_id, 0, SECOND, 0.0)
        ledger.on_finished(item_id, 0.0)
    assert ends(ledger.interrupt(1.5)) == [("b", 0, 500)]
    assert (ledger.was_heard("a", 1.5), ledger.was_heard("b", 9.0)) == (True, False)


def test_words_without_audio_are_not_said() -> None:
    ledger = said_by("a", is_whole=False)
    ledger.on_words("a", 1, "never spoken")
    assert list(ledger.said("a") or ()) == [0]


def test_what_was_heard_to_its_end_is_remembered_for_a_while() -> None:
    ledger = PlaybackLedger()
    for index in range(KEPT + 1):
        ledger.on_finished(str(index), 0.0)
        ledger.on_words(str(index), 0, "x")
        ledger.on_finished(str(index), 0.0)
    assert (ledger.was_heard("0", 0.0), ledger.was_heard("1", 0.0)) == (False, True)
    assert ledger.was_heard(str(KEPT), 0.0)
