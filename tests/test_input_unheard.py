"""What of the user's audio is said again on another connection, and what of it is gone: to the
sample, against a model that has a fate for each."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime_client.backlog import Backlog
from realtime_client.errors import ServerError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemDeleted,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    MessageItem,
)
from realtime_client.input import AWAITED, LONGEST, PADDING, UNREPORTED, InputLedger, Span, Unheard
from realtime_client.ruler import PCM, Form

SLOW = Form("audio/pcm", 1_000, 2)
"""A sample is a millisecond, so that everything here is in one unit."""
ULAW = Form("audio/pcmu", 8_000, 1)

CLEARED = InputAudioBufferCleared()
REFUSAL = ServerError("buffer too small", code="input_audio_buffer_commit_empty")


def samples(first: int, last: int) -> bytes:
    """The samples with these numbers, each of which says its number."""
    return b"".join(index.to_bytes(2, "little") for index in range(first, last))


def ledger(*, detects: bool = False, form: Form = SLOW, **options: Any) -> InputLedger:
    made = InputLedger(**options)
    made.on_format(form, detects=detects)
    return made


def committed(item_id: str = "i") -> InputAudioBufferCommitted:
    return InputAudioBufferCommitted(item_id=item_id)


def started(ms: int) -> InputAudioBufferSpeechStarted:
    return InputAudioBufferSpeechStarted(item_id="i", audio_start_ms=ms)


def stopped(ms: int) -> InputAudioBufferSpeechStopped:
    return InputAudioBufferSpeechStopped(item_id="i", audio_end_ms=ms)


def again(made: InputLedger, ms: int = 60_000, *, is_lost: bool = True) -> Unheard:
    return made.unheard(ms=ms, is_lost=is_lost)


def empty(made: InputLedger) -> bool:
    return made.is_empty


def whole(first: int, last: int, *, dropped: int | None = None) -> Unheard:
    """Everything from one sample to before another; some before it was `dropped`."""
    return Unheard(samples(first, last), Span(first if dropped is None else dropped, first), first)


# -- by hand -------------------------------------------------------------------------------


def test_without_turn_detection_it_is_all_since_the_last_commit() -> None:
    made = ledger()
    made.on_append(samples(0, 300))
    made.commit("a")
    made.on_append(samples(300, 500))
    assert again(made) == whole(0, 500), "the commit was never answered"
    made.on_committed(committed())
    assert again(made) == whole(300, 500)


def test_it_is_all_since_the_last_clear() -> None:
    made = ledger()
    made.on_append(samples(0, 300))
    made.clear("a")
    made.on_append(samples(300, 500))
    assert again(made) == whole(300, 500), "the buffer is as empty as it was to be"
    made.on_cleared(CLEARED)
    assert again(made) == whole(300, 500)


def test_a_clear_that_was_refused_has_cleared_nothing() -> None:
    made = ledger()
    made.on_append(samples(0, 300))
    made.clear("a")
    made.on_refused("a", REFUSAL)
    assert again(made) == whole(0, 300)


def test_a_commit_that_was_refused_has_settled_nothing() -> None:
    made = ledger()
    made.on_append(samples(0, 50))
    made.commit("a")
    made.on_refused("a", REFUSAL)
    made.on_append(samples(50, 90))
    assert again(made) == whole(0, 90)


def test_of_two_commits_the_first_answer_settles_the_first() -> None:
    made = ledger()
    made.on_append(samples(0, 100))
    made.commit("a")
    made.on_append(samples(100, 300))
    made.commit("b")
    made.on_append(samples(300, 400))
    made.on_committed(committed())
    assert again(made) == whole(100, 400)


def test_what_may_answer_a_commit_that_was_given_up_settles_that_much_in_any_case() -> None:
    made = ledger()
    made.on_append(samples(0, 100))
    made.commit("a")
    made.give_up("a")
    made.on_append(samples(100, 300))
    made.commit("b")
    made.on_committed(committed())
    assert again(made) == whole(100, 300), "nothing is said twice"
    made.on_refused("a", REFUSAL)
    assert again(made) == whole(300, 300), "it was the answer to the second one"


def test_the_newest_is_said_again_and_what_was_before_it_is_counted() -> None:
    made = ledger()
    made.on_append(samples(0, 1_000))
    assert again(made, 300) == whole(700, 1_000, dropped=0)
    assert again(made, 0) == Unheard(b"", Span(0, 1_000), 1_000)
    made.commit("a")
    made.on_committed(committed())
    made.on_append(samples(1_000, 1_400))
    assert again(made, 300) == whole(1_100, 1_400, dropped=1_000)


def test_audio_that_is_appended_as_text_is_the_same() -> None:
    made = ledger()
    made.on_append(base64.b64encode(samples(0, 100)).decode())
    made.on_append("no base64!")
    made.on_append("")
    made.on_append(samples(100, 120))
    assert again(made) == whole(0, 120)


def test_nothing_was_said() -> None:
    for detects in (False, True):
        assert again(ledger(detects=detects)) == whole(0, 0)


# -- by turn detection ---------------------------------------------------------------------


def test_while_the_vad_hears_speech_it_is_all_since_that_began() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 3_000))
    made.on_word()
    made.on_speech_started(started(2_700))
    made.on_append(samples(3_000, 9_000))
    made.on_word()
    made.on_append(samples(9_000, 9_500))
    assert again(made) == whole(2_700, 9_500)


def test_speech_that_has_stopped_is_no_message_yet() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 2_000))
    made.on_speech_started(started(500))
    made.on_speech_stopped(stopped(1_500))
    assert again(made) == whole(500, 2_000)
    made.on_committed(committed())
    made.on_word()
    assert made.settled == 2 * 1_500
    assert again(made) == whole(1_500, 2_000), "less than a second before the last word"


def test_a_stop_whose_start_was_not_told_began_with_what_was_not_settled() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 2_000))
    made.on_word()
    made.on_speech_stopped(stopped(1_800))
    assert again(made) == whole(0, 2_000)


def test_where_nobody_speaks_it_is_what_came_after_the_last_word_and_a_little_before() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 3_000))
    made.on_word()
    made.on_append(samples(3_000, 3_400))
    assert again(made) == whole(3_000 - UNREPORTED, 3_400)
    made.on_word()
    assert again(made) == whole(3_400 - UNREPORTED, 3_400)


def test_what_has_not_gone_out_cannot_have_been_heard() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 5_000))
    made.on_word(unsent=2 * 4_000)
    assert again(made) == whole(0, 5_000)
    made.on_word(unsent=2 * 3_000)
    assert again(made) == whole(1_000, 5_000)
    made.on_word(unsent=2 * 4_000)
    assert again(made) == whole(1_000, 5_000), "what was heard stays heard"


def test_of_a_connection_that_is_replaced_all_that_went_out_was_heard() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 5_000))
    made.on_word()
    made.on_append(samples(5_000, 9_000))
    made.on_lost(unsent=2 * 500)
    made.on_lost(unsent=0)
    assert again(made, is_lost=False) == whole(9_000 - 500 - UNREPORTED, 9_000)
    assert again(made, is_lost=True) == whole(5_000 - UNREPORTED, 9_000)


def test_what_was_committed_is_not_said_again_however_new_it_is() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 2_000))
    made.on_speech_started(started(500))
    made.on_speech_stopped(stopped(1_900))
    made.on_committed(committed())
    made.on_append(samples(2_000, 2_100))
    made.on_word()
    assert again(made) == whole(1_900, 2_100)


def test_the_next_turn_shows_that_the_one_before_was_committed() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 2_000))
    made.on_speech_started(started(100))
    made.on_speech_stopped(stopped(900))
    made.on_speech_started(started(1_500))
    assert made.settled == 2 * 900
    assert again(made) == whole(1_500, 2_000)


def test_an_empty_turn_of_the_servers_own() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 4_000))
    made.on_timeout_triggered(
        InputAudioBufferTimeoutTriggered(item_id="i", audio_start_ms=1_000, audio_end_ms=3_500)
    )
    assert again(made) == whole(1_000, 4_000)
    made.on_committed(committed())
    made.on_word()
    assert again(made) == whole(3_500, 4_000)


def test_a_commit_by_hand_is_a_turn_though_the_vad_heard_none() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 3_000))
    made.on_word()
    made.on_append(samples(3_000, 3_500))  # up to 2,000 nobody spoke
    made.commit("a")
    made.on_append(samples(3_500, 9_000))
    made.on_word()
    made.on_append(samples(9_000, 9_100))
    assert again(made) == whole(2_000, 9_100)
    made.on_committed(committed())
    assert again(made) == whole(8_000, 9_100)


def test_a_commit_in_the_middle_of_speech_ends_it() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 3_000))
    made.on_speech_started(started(1_000))
    made.commit("a")
    made.on_append(samples(3_000, 3_100))
    assert not empty(made)
    made.on_committed(committed())
    made.on_word()
    assert empty(made)
    assert again(made) == whole(3_000, 3_100)


def test_an_answer_from_before_does_not_end_speech_that_has_begun_since() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 1_000))
    made.commit("a")
    made.on_append(samples(1_000, 6_000))
    made.on_speech_started(started(4_000))
    made.on_committed(committed())
    made.on_append(samples(6_000, 9_000))
    made.on_word()
    assert again(made) == whole(4_000, 9_000)


def test_an_answer_that_is_overtaken_takes_nothing_back() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 100))
    made.clear("a")
    made.on_append(samples(100, 900))
    made.on_speech_started(started(200))
    made.on_speech_stopped(stopped(800))
    made.on_committed(committed())
    made.on_cleared(CLEARED)
    assert made.settled == 2 * 800


def test_a_turn_of_nothing_is_over_with_its_commit() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 800))
    made.on_speech_started(started(800))
    made.on_committed(committed("a"))
    made.on_speech_started(started(800))
    made.on_committed(committed("b"))
    assert made.is_empty


def test_a_time_that_cannot_be_is_put_where_it_can() -> None:
    made = ledger(detects=True)
    made.on_append(samples(0, 1_000))
    made.on_speech_started(started(5_000))
    made.on_append(samples(1_000, 1_200))
    assert again(made) == whole(1_000, 1_200)
    made.on_speech_started(started(-7))
    assert again(made) == whole(0, 1_200)
    made.on_speech_started(InputAudioBufferSpeechStarted(item_id="i", audio_start_ms=None))
    made.on_append(samples(1_200, 1_300))
    assert again(made) == whole(1_200, 1_300)


def test_a_turn_that_began_long_before_it_was_told_is_still_there() -> None:
    made = ledger(detects=True)
    for second in range(20):
        made.on_append(samples(1_000 * second, 1_000 * (second + 1)))
        made.on_word()
    made.on_append(b"")
    made.on_speech_started(started(19_000 - PADDING))
    assert again(made) == whole(19_000 - PADDING, 20_000)


def test_without_turn_detection_nothing_is_let_go_and_with_it_silence_is() -> None:
    for detects, kept in ((False, 20_000), (True, UNREPORTED + PADDING + 1_000)):
        made = ledger(detects=detects)
        for second in range(20):
            made.on_append(samples(1_000 * second, 1_000 * (second + 1)))
            made.on_word()
        assert sum(map(len, made.backlog._chunks)) == 2 * kept
        made.on_speech_started(started(0))
        assert again(made).dropped == Span(0, 20_000 - kept if detects else 0)


def test_however_long_somebody_speaks_it_is_bounded() -> None:
    for detects in (False, True):
        made = InputLedger(limit=2_000)
        made.on_format(PCM, detects=detects)
        made.on_append(bytes(48))
        made.on_speech_started(started(0))
        for _ in range(100):
            made.on_append(bytes(4_800))
            assert sum(map(len, made.backlog._chunks)) <= 96_000
        assert again(made).dropped == Span(0, 24 + 240_000 - 48_000)


# -- whoever asks whether anything would be missed -----------------------------------------


def test_it_is_empty_where_nobody_would_miss_anything() -> None:
    made = ledger()
    assert empty(made)
    made.on_append(samples(0, 200))
    assert not empty(made)
    made.commit("a")
    assert not empty(made)
    made.on_committed(committed())
    assert empty(made)
    listening = ledger(detects=True)
    listening.on_append(samples(0, 200))
    assert empty(listening)
    listening.on_speech_started(started(100))
    assert not empty(listening)
    listening.on_speech_stopped(stopped(150))
    assert not empty(listening)
    listening.on_committed(committed())
    assert empty(listening)


# -- formats -------------------------------------------------------------------------------


def test_telephony_is_said_again_by_the_byte() -> None:
    made = ledger(form=ULAW)
    made.on_append(bytes(range(200)))
    assert again(made, 10) == Unheard(bytes(range(120, 200)), Span(0, 120), 120)
    listening = ledger(form=ULAW, detects=True)
    listening.on_append(bytes(16_000))
    listening.on_speech_started(started(1_500))
    assert again(listening) == Unheard(bytes(4_000), Span(12_000, 12_000), 12_000)


def test_what_was_said_in_another_format_cannot_be_said_again() -> None:
    made = ledger(form=PCM)
    made.on_append(bytes(9_600))  # 4,800 samples
    made.on_format(ULAW, detects=False)
    made.on_append(b"abc")
    assert again(made) == Unheard(b"abc", Span(0, 4_800), 4_800)
    made.on_format(ULAW._replace(kind="audio/pcma"), detects=False)
    assert again(made) == Unheard(b"", Span(0, 4_803), 4_803)
    assert made.width == 1


def test_a_session_of_another_format_hears_nothing_again() -> None:
    made = ledger(form=PCM)
    made.on_append(bytes(960))
    assert made.unheard(ms=1_000, is_lost=True, form=PCM).audio == bytes(960)
    nothing = Unheard(b"", Span(0, 480), 480)
    assert made.unheard(ms=1_000, is_lost=True, form=ULAW) == nothing


def test_half_a_sample_stays_with_its_other_half() -> None:
    made = ledger()
    made.on_append(samples(0, 10) + b"x")
    assert again(made, 0) == Unheard(b"x", Span(0, 10), 10)
    assert again(made, 3).base == 8
    other = ledger()
    other.base = again(made, 0).base
    other.on_append(b"x")
    other.on_append(b"y" + samples(11, 13))
    assert again(other) == Unheard(b"xy" + samples(11, 13), Span(10, 10), 10)


# -- what was said in the turns ------------------------------------------------------------


def test_what_was_said_in_a_turn_by_hand_is_kept_where_that_is_wanted() -> None:
    made = ledger(keeps=True)
    made.on_append(samples(0, 100))
    made.commit("a")
    made.on_append(samples(100, 300))
    made.commit("b")
    made.on_append(samples(300, 310))
    made.on_committed(committed("one"))
    made.on_committed(committed("two"))
    assert (made.said("one"), made.said("two")) == (samples(0, 100), samples(100, 300))
    forgetful = ledger()
    forgetful.on_append(samples(0, 100))
    forgetful.commit("a")
    forgetful.on_committed(committed("one"))
    assert forgetful.said("one") is None


def test_what_was_said_in_a_turn_of_the_vad_is_kept_from_its_start_to_its_end() -> None:
    made = ledger(detects=True, keeps=True)
    made.on_append(samples(0, 3_000))
    made.on_speech_started(started(500))
    made.on_speech_stopped(stopped(1_700))
    made.on_append(samples(3_000, 3_500))
    made.on_committed(committed("one"))
    made.on_speech_started(started(2_000))
    made.on_committed(committed("two"))
    assert (made.said("one"), made.said("two")) == (samples(500, 1_700), samples(2_000, 3_500))


def test_a_turn_does_not_begin_in_the_one_before() -> None:
    made = ledger(detects=True, keeps=True)
    made.on_append(samples(0, 900))
    made.on_speech_started(started(0))
    made.on_speech_stopped(stopped(500))
    made.on_committed(committed("one"))
    made.on_speech_started(started(400))
    made.on_speech_stopped(stopped(900))
    made.on_committed(committed("two"))
    assert (made.said("one"), made.said("two")) == (samples(0, 500), samples(500, 900))


def test_what_is_settled_takes_no_room() -> None:
    made = ledger()
    for form in (SLOW, ULAW) * 3:
        made.on_format(form, detects=False)
        made.on_append(bytes(500))
    made.commit("a")
    assert len(made._ruler._stretches) == 6
    made.on_committed(committed())
    assert (made.backlog.start, len(made.backlog._chunks)) == (made.settled, 0)
    assert len(made._ruler._stretches) == 1


def test_a_turn_of_which_nobody_knows_where_it_began_is_not_kept() -> None:
    made = ledger(detects=True, keeps=True)
    made.on_append(samples(0, 500))
    made.on_committed(committed("one"))
    assert made.said("one") is None
    assert made.settled == 1_000


def test_a_turn_is_kept_whole_or_not_at_all() -> None:
    made = ledger(detects=True, keeps=True)
    for second in range(20):
        made.on_append(samples(1_000 * second, 1_000 * (second + 1)))
        made.on_word()
    lost = 20_000 - made.backlog.start // 2
    made.on_speech_started(started(20_000 - lost - 1))
    made.on_committed(committed("one"))
    assert made.said("one") is None
    made.on_append(samples(20_000, 20_001))
    made.on_speech_started(started(20_000))
    made.on_committed(committed("two"))
    assert made.said("two") == samples(20_000, 20_001)


def test_a_turn_in_two_formats_is_not_kept() -> None:
    made = ledger(keeps=True)
    made.on_append(samples(0, 100))
    made.on_format(ULAW, detects=False)
    made.on_append(bytes(100))
    made.commit("a")
    made.on_committed(committed("one"))
    assert made.said("one") is None


def test_a_turn_of_another_format_cannot_be_said_again_in_this_one() -> None:
    made = ledger(keeps=True)
    made.on_append(samples(0, 100))
    made.commit("a")
    made.on_committed(committed("one"))
    made.on_format(ULAW, detects=False)
    assert made.said("one") is None
    made.on_format(SLOW, detects=False)
    assert made.said("one") == samples(0, 100)


def test_a_turn_of_nothing_is_not_kept() -> None:
    made = ledger(keeps=True)
    made.commit("a")
    made.on_committed(committed("one"))
    assert made.said("one") is None


def test_a_long_turn_is_kept_though_it_is_longer_than_what_may_be_said_again() -> None:
    made = InputLedger(limit=1_000, keeps=True)
    assert made.backlog.limit == LONGEST
    assert InputLedger(limit=1_000).backlog.limit == 48_000
    made.on_format(SLOW, detects=False)
    made.on_append(samples(0, 60_000))
    made.commit("a")
    made.on_committed(committed("one"))
    assert made.said("one") == samples(0, 60_000)


def test_what_was_said_goes_with_its_message() -> None:
    made = ledger(keeps=True)
    made.on_append(samples(0, 100))
    made.commit("a")
    made.on_committed(committed("one"))
    made.on_deleted(ConversationItemDeleted(item_id="other"))
    assert made.said("one") is not None
    made.on_deleted(ConversationItemDeleted(item_id="one"))
    assert made.said("one") is None
    ledger().on_deleted(ConversationItemDeleted(item_id="one"))


# -- messages that nobody has seen ---------------------------------------------------------


def test_a_message_that_was_committed_is_awaited_until_it_is_seen_or_gone() -> None:
    made = ledger(detects=True)
    for name in "abc":
        made.on_committed(committed(name))
    assert list(made.awaited) == ["a", "b", "c"]
    made.on_item(ConversationItemAdded(item=MessageItem(id="b", role="user")))
    made.on_item(ConversationItemAdded(item=MessageItem(role="user")))
    assert list(made.awaited) == ["a", "c"]
    made.on_deleted(ConversationItemDeleted(item_id="a"))
    assert list(made.awaited) == ["c"]


def test_the_messages_that_nobody_has_seen_are_bounded() -> None:
    made = ledger(detects=True)
    for index in range(AWAITED + 5):
        made.on_committed(committed(str(index)))
    assert made.awaited == tuple(str(index) for index in range(5, AWAITED + 5))
    made.on_committed(InputAudioBufferCommitted())
    assert len(made.awaited) == AWAITED


# -- every sample has its fate -------------------------------------------------------------


class Slow:
    """The fate of each sample that was ever appended, one by one."""

    def __init__(self, ledger: InputLedger, *, detects: bool) -> None:
        self.ledger = ledger
        self.detects = detects
        self.fates: list[str] = []  # "" while it has none
        self.base = 0
        self.told = self.quiet = self.pruned = 0
        self.speech: tuple[int, int | None] | None = None
        self.asked: list[tuple[str, str, int]] = []
        self.names = 0

    def end(self, first: int, last: int, fate: str) -> None:
        for index in range(max(first, self.base), last):
            self.fates[index] = self.fates[index] or fate

    @property
    def settled(self) -> int:
        """After the last sample of this connection that is in a turn, or was cleared."""
        last = self.base
        for index in range(self.base, len(self.fates)):
            if self.fates[index] in ("turn", "cleared"):
                last = index + 1
        return last

    def append(self, count: int) -> None:
        self.fates += [""] * count
        self.ledger.on_append(samples(len(self.fates) - count, len(self.fates)))
        commits = any(kind == "commit" for kind, _, _ in self.asked)
        if self.detects and self.speech is None and not commits:
            self.quiet = max(self.quiet, self.told - UNREPORTED, self.settled)
            self.pruned = max(self.pruned, self.quiet - PADDING)

    def word(self, _: int) -> None:
        self.told = len(self.fates)
        self.ledger.on_word()

    def commit(self, _: int) -> None:
        self.ask("commit")

    def clear(self, _: int) -> None:
        self.ask("clear")

    def ask(self, kind: str) -> None:
        self.names += 1
        self.asked.append((kind, str(self.names), len(self.fates)))
        getattr(self.ledger, kind)(str(self.names))

    def answer(self, refuses: int) -> None:
        if not self.asked:
            return
        kind, name, position = self.asked.pop(0)
        if refuses % 3 == 0:
            assert self.ledger.on_refused(name, REFUSAL) is not None
            return
        if kind == "commit":
            assert self.ledger.on_committed(committed()) is not None
        else:
            assert self.ledger.on_cleared(CLEARED) is not None
        self.end(0, position, "turn" if kind == "commit" else "cleared")
        if self.speech is not None and self.speech[0] < self.settled:
            self.speech = None

    def start(self, back: int) -> None:
        if not self.detects:
            return
        if self.speech is not None and self.speech[1] is not None:
            self.end(0, self.speech[1], "turn")
        at = max(self.settled, len(self.fates) - back)
        self.speech = at, None
        self.ledger.on_speech_started(started(at - self.base))

    def stop(self, back: int) -> None:
        if self.speech is None:
            return
        at = max(self.speech[0], len(self.fates) - back)
        self.speech = self.speech[0], at
        self.ledger.on_speech_stopped(stopped(at - self.base))

    def vad(self, _: int) -> None:
        if self.speech is None or any(kind == "commit" for kind, _, _ in self.asked):
            return
        start, stop = self.speech
        self.end(0, start, "silent")
        self.end(start, len(self.fates) if stop is None else stop, "turn")
        self.speech = None
        assert self.ledger.on_committed(committed()) is None

    def lose(self, ms: int) -> None:
        """The connection is lost; what is not said again has found its fate with that."""
        commits = any(kind == "commit" for kind, _, _ in self.asked)
        for kind, _, position in self.asked:
            if kind == "clear":
                self.end(0, position, "cleared")
        if not self.detects or commits:
            self.end(0, self.quiet, "silent")
        elif self.speech is not None:
            self.end(0, self.speech[0], "silent")
        else:
            self.end(0, self.told - UNREPORTED, "silent")
        left = [index for index in range(self.base, len(self.fates)) if not self.fates[index]]
        first = left[0] if left else len(self.fates)
        assert left == list(range(first, len(self.fates))), "what is left is the newest"
        start = max(first, len(self.fates) - ms, min(self.pruned, len(self.fates)))
        self.end(first, start, "dropped")
        unheard = self.ledger.unheard(ms=ms, is_lost=True)
        assert unheard == whole(start, len(self.fates), dropped=first)
        assert all(self.fates[:start])
        following = InputLedger()
        following.on_format(SLOW, detects=self.detects)
        following.base = unheard.base
        following.on_append(unheard.audio)
        self.ledger, self.base = following, start
        self.told = self.quiet = self.pruned = start
        self.speech, self.asked = None, []


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["append", "append", "append", "word", "commit", "clear", "answer", "answer", "start",
             "stop", "vad", "lose"]
        ),
        st.integers(1, 900),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(steps=steps, detects=st.booleans())
@example(steps=[("append", 900)] * 12 + [("word", 1), ("append", 1), ("start", 900)], detects=True)
@example(steps=[("append", 900), ("commit", 1), ("clear", 1), ("append", 5)], detects=True)
def test_what_is_settled_dropped_and_said_again_is_all_that_was_said(
    steps: list[tuple[str, int]], detects: bool
) -> None:
    slow = Slow(ledger(detects=detects), detects=detects)
    for name, number in steps:
        getattr(slow, name)(number)
    slow.lose(400)
    slow.append(10)
    slow.lose(0)
    assert all(slow.fates)


@pytest.mark.parametrize("detects", [False, True])
def test_positions_go_on_from_one_connection_to_the_next(detects: bool) -> None:
    slow = Slow(ledger(detects=detects), detects=detects)
    for _ in range(5):
        slow.append(700)
        slow.lose(300)
        assert slow.base == len(slow.fates) - 300
    assert slow.fates.count("dropped") == 5 * 700 - 300


def test_the_backlog_is_that_of_the_newest_audio() -> None:
    assert isinstance(InputLedger().backlog, Backlog)
    assert InputLedger().backlog.limit == 30_000 * 48
