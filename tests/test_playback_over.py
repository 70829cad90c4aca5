"""Where counting ends: what nobody plays, and what was played as far as anybody can tell."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from realtime_client import StopPlaying
from realtime_client.playback import KEPT, PlaybackLedger
from realtime_client.playback.over import Over
from tests.outages import FAST
from tests.scenarios import connected, says
from tests.test_playback import PCM, SECOND, ULAW, ends, played
from tests.test_scenarios_interruption import WIRE, settled, truncates

STORY = "There is a good deal to be said about that, and most of it has been said before."


def reporting(*items: str) -> PlaybackLedger:
    """A ledger of items of one second, of which the first half is there and was taken."""
    ledger = PlaybackLedger()
    ledger.played(0)
    for item_id in items:
        ledger.on_audio(item_id, 0, SECOND, PCM)
        ledger.on_handed(item_id, 0, SECOND // 2, 0.0)
    return ledger


# -- what nobody plays -----------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 4_800])
def test_what_comes_of_an_item_that_nobody_plays_does_not_count(before: int) -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    if before:
        ledger.on_audio("a", 0, before, PCM)
    ledger.forget("a")
    assert ledger.on_audio("a", 0, 4_800, PCM), "whoever reads it gets it all the same"
    ledger.on_words("a", 0, "No one ")
    ledger.on_transcript("a", 0, "No one hears this.")
    ledger.on_handed("a", 0, 4_800, 0.0)
    assert ledger.on_late("a", 0) is None
    assert (ledger.received("a"), ledger.said("a"), ledger.heard("a", 0, 0.0)) == (0, None, None)
    assert not ledger.is_playing(0.0)
    assert ledger.interrupt(1.0) == []
    assert ledger.notes == []


def test_words_alone_do_not_bring_it_back() -> None:
    ledger = PlaybackLedger()
    ledger.forget("a")
    ledger.on_words("a", 0, "No one ")
    assert ledger.heard("a", 0, 0.0) is None


def test_the_others_count_as_before() -> None:
    ledger = reporting("a", "b")
    ledger.forget("a")
    ledger.played(700)
    assert ends(ledger.interrupt(1.0)) == [("b", 0, 200)]


def test_no_more_is_remembered_of_what_is_over_than_of_anything_else() -> None:
    over = Over()
    for number in range(KEPT + 1):
        over.leave(f"{number}")
        over.hear(f"{number}", {0: "word"})
        over.cut(f"{number}", None)
    assert [over.is_left("0"), over.is_cut("0", 0), over.was_cut("0")] == [False] * 3
    assert [over.is_left("1"), over.is_cut("1", 0), over.was_cut("1")] == [True] * 3
    assert "0" not in over.heard
    assert len(over.heard) == KEPT


@pytest.mark.parametrize("cancels", [False, True])
async def test_a_message_whose_audio_is_closed_while_it_is_made_is_never_cut(cancels: bool) -> None:
    async with connected(WIRE, says(STORY), turn_detection=None) as (client, session):
        client.playback.played(0)
        response = await client.response.create()
        message = await anext(aiter(response))
        message.audio.close()  # its words are read
        if cancels:
            await response.cancel()
        with anyio.fail_after(10):
            await response.done()
        await client.interrupt()
        await settled(client)
        assert truncates(session) == []
        assert client.conversation.interrupted == {}
        said = session.conversation.find(message.id)
        assert said is not None
        assert said.clips[0].duration_ms > 0


async def test_a_message_that_is_left_by_its_id_is_never_cut() -> None:
    async with connected(FAST, says(STORY), turn_detection=None) as (client, session):
        client.playback.played(0)
        response = await client.response.create()
        await response.done()
        message = await anext(aiter(response))
        client.playback.forget(message.id)
        await client.interrupt()
        await settled(client)
        assert truncates(session) == []


# -- what was played -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "report_ms"),
    [(24_010, 1_000), (24_023, 1_000), (24_010, 44_118 * 1000 / 44_100)],
    ids=["whole milliseconds", "almost one too few", "frames of 44.1 kHz"],
)
def test_what_was_played_as_far_as_reports_can_tell_is_not_playing(
    samples: int, report_ms: float
) -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_audio("a", 0, 2 * samples, PCM)
    ledger.on_handed("a", 0, 2 * samples, 0.0)
    ledger.played(report_ms - 1)
    assert ledger.is_playing(3_600.0)
    ledger.played(report_ms)
    assert not ledger.is_playing(3_600.0)


def test_a_whole_millisecond_is_still_playing() -> None:
    ledger = PlaybackLedger()
    ledger.played(0)
    ledger.on_audio("a", 0, 8_008, ULAW)
    ledger.on_handed("a", 0, 8_008, 0.0)
    ledger.played(1_000)
    assert ledger.is_playing(3_600.0)


def test_reports_by_item_end_the_playing() -> None:
    ledger = PlaybackLedger()
    for item_id in ("a", "b"):
        ledger.on_audio(item_id, 0, SECOND, PCM)
        ledger.on_handed(item_id, 0, SECOND, 0.0)
    ledger.played(1_000, "a")
    assert ledger.is_playing(3_600.0), "there is b"
    assert played(ledger, "b") == 0, "and it was not heard"
    ledger.played(999, "b")
    assert ledger.is_playing(3_600.0)
    ledger.played(999.5, "b")
    assert not ledger.is_playing(3_600.0)
    ledger.on_audio("b", 0, SECOND, PCM)
    ledger.on_handed("b", 0, SECOND, 0.0)
    assert ledger.is_playing(3_600.0)
    assert played(ledger, "b") == 1_000


def test_reports_by_item_in_another_order_count_nothing_for_the_first() -> None:
    ledger = reporting("a", "b")
    ledger.played(500, "b")
    assert (played(ledger, "a"), played(ledger, "b")) == (0, 500)
    assert ledger.is_playing(0.0)
    ledger.played(100, "a")
    assert (played(ledger, "a"), played(ledger, "b")) == (100, 500)
    ledger.played(500, "a")
    assert not ledger.is_playing(0.0)


def test_a_part_in_two_places_is_followed_from_one_to_the_other() -> None:
    ledger = reporting("a", "b")
    ledger.on_handed("a", 0, SECOND // 2, 0.0)
    ledger.played(500, "b")
    ledger.played(600, "a")
    ledger.flushed(0.0)  # 100 ms of the second half of `a` were played
    assert (played(ledger, "a"), played(ledger, "b")) == (600, 500)
    ledger.on_handed("b", 0, SECOND // 2, 0.0)
    ledger.played(700, "b")
    assert played(ledger, "b") == 700, "nothing of `b` was thrown away"


def item_reports(ledger: PlaybackLedger) -> None:
    ledger.played(500, "a")


def whole_reports(ledger: PlaybackLedger) -> None:
    ledger.played(500)


@pytest.mark.parametrize("report", [item_reports, whole_reports])
@pytest.mark.parametrize("more", [0, 20])
def test_to_throw_away_what_was_played_tears_nothing(
    report: Callable[[PlaybackLedger], None], more: int
) -> None:
    """`more` bytes are less than a millisecond, which a report in whole ones leaves out."""
    ledger = reporting("a")
    ledger.on_handed("a", 0, more, 0.0)
    report(ledger)
    ledger.flushed(0.0)
    ledger.on_handed("a", 0, SECOND // 4, 0.0)
    if report is item_reports:
        ledger.played(700.75, "a")
    else:
        ledger.played(700.75)
    assert played(ledger, "a") == 700


def test_what_an_item_reporter_threw_away_is_not_playing_and_was_not_heard() -> None:
    ledger = reporting("a")
    ledger.played(300, "a")
    ledger.flushed(0.0)
    assert not ledger.is_playing(0.0)
    stops: list[StopPlaying] = ledger.notes
    assert ends(ledger.interrupt(0.0)) == [("a", 0, 300)]
    assert [stop.items for stop in stops] == [("a",)]
