"""The user's turns: every event in every state, in any order, as often as the network likes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.errors import ServerError
from realtime_client.turns import (
    KEPT,
    OPEN,
    TRANSITIONS,
    Input,
    Segment,
    State,
    TurnBegan,
    TurnDelta,
    TurnEnded,
    Turns,
    TurnText,
    UserSaid,
)
from tests import simulated, wire

TRANSCRIPTION = "conversation.item.input_audio_transcription"

HANDLERS: Final[Mapping[type, Callable[[Turns, Any, float], None]]] = {
    events.InputAudioBufferSpeechStarted: Turns.on_speech_started,
    events.InputAudioBufferSpeechStopped: Turns.on_speech_stopped,
    events.InputAudioBufferTimeoutTriggered: Turns.on_timeout_triggered,
    events.InputAudioBufferCommitted: Turns.on_committed,
    events.InputAudioBufferCleared: Turns.on_cleared,
    events.ConversationItemAdded: Turns.on_item,
    events.ConversationItemCreated: Turns.on_item,
    events.ConversationItemDone: Turns.on_item,
    events.ConversationItemDeleted: Turns.on_deleted,
    events.ConversationItemInputAudioTranscriptionDelta: Turns.on_delta,
    events.ConversationItemInputAudioTranscriptionSegment: Turns.on_segment,
    events.ConversationItemInputAudioTranscriptionUpdated: Turns.on_updated,
    events.ConversationItemInputAudioTranscriptionCompleted: Turns.on_completed,
    events.ConversationItemInputAudioTranscriptionFailed: Turns.on_failed,
}


def feed(turns: Turns, frame: bytes, now: float = 0.0) -> None:
    event = decode(frame)
    assert not isinstance(event, (events.UnknownEvent, events.InvalidEvent)), event
    HANDLERS[type(event)](turns, event, now)


def started(item_id: str | None = "a", **fields: Any) -> bytes:
    return wire.frame("input_audio_buffer.speech_started", item_id=item_id, **fields)


def stopped(item_id: str | None = "a", **fields: Any) -> bytes:
    return wire.frame("input_audio_buffer.speech_stopped", item_id=item_id, **fields)


def timed_out(item_id: str | None = "a", **fields: Any) -> bytes:
    return wire.frame("input_audio_buffer.timeout_triggered", item_id=item_id, **fields)


def committed(item_id: str | None = "a") -> bytes:
    return wire.frame("input_audio_buffer.committed", item_id=item_id)


def cleared() -> bytes:
    return wire.frame("input_audio_buffer.cleared")


def item(item_id: str | None = "a", *parts: dict[str, Any], what: str = "added") -> bytes:
    content = parts or ({"type": "input_audio", "transcript": None},)
    message = wire.message("x", "user", content=content, status="completed")
    return wire.frame(f"conversation.item.{what}", item={**message, "id": item_id})


def deleted(item_id: str = "a") -> bytes:
    return wire.frame("conversation.item.deleted", item_id=item_id)


def words(kind: str, item_id: str | None, index: int | None = 0, **fields: Any) -> bytes:
    return wire.frame(f"{TRANSCRIPTION}.{kind}", item_id=item_id, content_index=index, **fields)


def delta(text: str | None, item_id: str | None = "a", index: int | None = 0, **more: Any) -> bytes:
    return words("delta", item_id, index, delta=text, **more)


def updated(text: str | None, item_id: str | None = "a", index: int | None = 0) -> bytes:
    return words("updated", item_id, index, transcript=text)


def completed(text: str, item_id: str | None = "a", index: int | None = 0, **more: Any) -> bytes:
    return words("completed", item_id, index, transcript=text, **more)


def failed(message: str = "noise", item_id: str | None = "a", index: int | None = 0) -> bytes:
    error = {"type": "transcription_error", "code": "audio_unintelligible", "message": message,
             "param": "audio"}  # fmt: skip
    return words("failed", item_id, index, error=error)


def segment(text: str, item_id: str | None = "a", index: int | None = 0, **fields: Any) -> bytes:
    return words("segment", item_id, index, text=text, **fields)


def sure(*logprobs: float | None) -> list[dict[str, Any]]:
    return [{"token": "t", "logprob": logprob, "bytes": [116]} for logprob in logprobs]


def heard(*frames: bytes, transcribes: bool = True) -> Turns:
    """Turns after these frames, one a second."""
    turns = Turns(transcribes=transcribes)
    for now, frame in enumerate(frames):
        feed(turns, frame, float(now))
    return turns


def ends(turns: Turns) -> list[UserSaid]:
    return [note.said for note in turns.notes if isinstance(note, TurnEnded)]


def end(turns: Turns) -> UserSaid:
    """The one end among the notes."""
    (said,) = ends(turns)
    return said


# -- the table ------------------------------------------------------------------------------

MATRIX = """
               started   stopped  committed  written      unwritable  unawaited      dropped
begun          speaking  stopped  committed  -            -           -              gone
speaking       -         stopped  committed  -            -           -              gone
stopped        -         -        committed  -            -           -              gone
committed      -         -        -          transcribed  failed      untranscribed  gone
transcribed    -         -        -          -            -           -              -
failed         -         -        -          transcribed  -           -              -
untranscribed  -         -        -          transcribed  failed      -              -
gone           -         -        -          -            -           -              -
"""


def test_the_table_is_what_it_is_meant_to_be() -> None:
    head, *rows = MATRIX.strip().splitlines()
    meant = {
        (State(state), Input(happened)): State(after)
        for state, *cells in map(str.split, rows)
        for happened, after in zip(head.split(), cells, strict=True)
        if after != "-"
    }
    assert meant == TRANSITIONS
    assert [row.split()[0] for row in rows] == [state.value for state in State]


REACHED: dict[State, list[bytes]] = {
    State.BEGUN: [delta("")],
    State.SPEAKING: [started()],
    State.STOPPED: [started(), stopped()],
    State.COMMITTED: [started(), stopped(), committed()],
    State.TRANSCRIBED: [committed(), completed("said")],
    State.FAILED: [committed(), failed()],
    State.UNTRANSCRIBED: [committed()],
    State.GONE: [started(), deleted()],
}
EVENTS: dict[str, bytes] = {
    "started": started(),
    "stopped": stopped(),
    "timed out": timed_out(),
    "committed": committed(),
    "cleared": cleared(),
    "added": item(),
    "deleted": deleted(),
    "delta": delta("x"),
    "segment": segment("x"),
    "updated": updated("x"),
    "completed": completed("said"),
    "failed": failed(),
}
AFTER: dict[State, dict[str, State]] = {
    State.BEGUN: {
        "started": State.SPEAKING,
        "stopped": State.STOPPED,
        "committed": State.COMMITTED,
        "added": State.COMMITTED,
        "cleared": State.GONE,
        "deleted": State.GONE,
    },
    State.SPEAKING: {
        "stopped": State.STOPPED,
        "committed": State.COMMITTED,
        "added": State.COMMITTED,
        "cleared": State.GONE,
        "deleted": State.GONE,
    },
    State.STOPPED: {
        "committed": State.COMMITTED,
        "added": State.COMMITTED,
        "cleared": State.GONE,
        "deleted": State.GONE,
    },
    State.COMMITTED: {
        "completed": State.TRANSCRIBED,
        "failed": State.FAILED,
        "deleted": State.GONE,
    },
    State.TRANSCRIBED: {},
    State.FAILED: {"completed": State.TRANSCRIBED},
    State.UNTRANSCRIBED: {"completed": State.TRANSCRIBED, "failed": State.FAILED},
    State.GONE: {},
}


def state_of(turns: Turns, item_id: str = "a") -> State:
    return {**turns._open, **turns._over}[item_id].state


@pytest.mark.parametrize("happens", EVENTS)
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_every_event_in_every_state(state: State, happens: str) -> None:
    turns = heard(*REACHED[state], transcribes=state is not State.UNTRANSCRIBED)
    assert state_of(turns) is state
    told = len(ends(turns))
    feed(turns, EVENTS[happens], 9.0)
    after = AFTER[state].get(happens, state)
    assert state_of(turns) is after
    over = after not in (State.BEGUN, State.SPEAKING, State.STOPPED, State.COMMITTED)
    assert (turns.open == ()) is over
    if over:
        assert ends(turns)[-1].status == after.value
        assert len(ends(turns)) > told or after is state
    else:
        assert ends(turns) == []


# -- what a turn tells ----------------------------------------------------------------------


def test_a_turn_from_its_first_event_to_its_last() -> None:
    turns = heard(
        started(audio_start_ms=1460),
        stopped(audio_end_ms=4256),
        committed(),
        item(),
        delta(" Hello"),
        delta(","),
        completed("Hello,"),
    )
    said = UserSaid(
        item_id="a",
        status="transcribed",
        text="Hello,",
        started_ms=1460,
        ended_ms=4256,
        began_at=0.0,
        committed_at=2.0,
        final_at=6.0,
    )
    assert turns.notes == [
        TurnBegan("a"),
        TurnDelta("a", 0, " Hello"),
        TurnDelta("a", 0, ","),
        TurnText("a", 0, "Hello,"),
        TurnEnded("a", said),
    ]


def test_a_real_turn() -> None:
    turns = Turns(transcribes=True)
    for line in simulated.recording("openai-server-vad-audio-turn.jsonl"):
        event = decode(wire.frame(**line["frame"])) if line["direction"] != "sent" else None
        if type(event) in HANDLERS:
            HANDLERS[type(event)](turns, event, 0.0)
    said = end(turns)
    assert said.text == "Hello, my name is Marcelo."
    assert (said.started_ms, said.ended_ms) == (1460, 4256)
    assert (said.status, said.confidence, said.timed_out) == ("transcribed", None, False)
    deltas = [note.delta for note in turns.notes if isinstance(note, TurnDelta)]
    assert "".join(deltas) == " Hello, my name is Marcelo."


def test_words_that_come_before_the_commit_wait_for_it() -> None:
    turns = heard(started(), delta("so"), completed("soon"), stopped())
    assert (ends(turns), turns.open) == ([], ("a",))
    feed(turns, committed(), 7.0)
    assert (end(turns).text, end(turns).final_at, end(turns).committed_at) == ("soon", 2.0, 7.0)


def test_a_failure_before_the_commit_waits_for_it() -> None:
    turns = heard(started(), failed())
    assert ends(turns) == []
    feed(turns, committed())
    assert end(turns).status == "failed"


def test_words_alone_make_a_turn_and_the_message_ends_it() -> None:
    turns = heard(completed("early"), item())
    assert (end(turns).text, end(turns).began_at, end(turns).committed_at) == ("early", 0.0, 1.0)


@pytest.mark.parametrize("what", ["added", "created", "done"])
def test_the_arrival_of_the_message_is_a_commit(what: str) -> None:
    turns = heard(started(), item(what=what), completed("said"))
    assert (end(turns).text, end(turns).committed_at) == ("said", 1.0)


def test_the_first_commit_is_when_it_was_committed() -> None:
    assert end(heard(committed(), item(), completed("said"))).committed_at == 0.0


def test_turns_complete_out_of_order() -> None:
    turns = heard(
        committed("a"), committed("b"), delta("B", "b"), delta("A", "a"),
        completed("second", "b"), completed("first", "a"),
    )  # fmt: skip
    assert [(said.item_id, said.text) for said in ends(turns)] == [("b", "second"), ("a", "first")]
    assert turns.open == ()


def test_the_next_turn_shows_that_the_one_before_was_committed() -> None:
    turns = heard(started("a"), completed("no commit", "a"), started("b"))
    assert (end(turns).text, end(turns).committed_at) == ("no commit", None)
    feed(turns, committed("a"), 5.0)
    assert ends(turns)[1].committed_at == 5.0
    assert turns.speaking == "b"


def test_a_start_that_comes_again_says_nothing_about_later_turns() -> None:
    turns = heard(started("a"), stopped("a"), started("b"), started("a"))
    assert turns.speaking == "b"
    turns = heard(delta("", "a"), started("b"), started("a"))
    assert state_of(turns, "b") is State.SPEAKING


@pytest.mark.parametrize(
    ("frames", "who"),
    [
        ([], None),
        ([committed()], None),
        ([started()], "a"),
        ([started(), started("b")], "b"),
        ([started(), stopped()], None),
        ([started(), completed("said"), committed()], None),
    ],
)
def test_who_speaks(frames: list[bytes], who: str | None) -> None:
    assert heard(*frames).speaking == who


def test_the_server_says_the_times_and_says_them_once() -> None:
    turns = heard(
        started(audio_start_ms=0), started(audio_start_ms=5), stopped(audio_end_ms=None),
        stopped(audio_end_ms=80), stopped(audio_end_ms=90), committed(), completed("said"),
    )  # fmt: skip
    assert (end(turns).started_ms, end(turns).ended_ms) == (0, 80)


def test_a_time_out_is_a_turn_in_which_nobody_spoke() -> None:
    again = timed_out(audio_start_ms=30, audio_end_ms=40)
    turns = heard(timed_out(audio_start_ms=10, audio_end_ms=20), again, committed(), completed(""))
    said = end(turns)
    assert (said.timed_out, said.text, said.started_ms, said.ended_ms) == (True, "", 10, 20)


@pytest.mark.parametrize("first", [name for name in EVENTS if name not in ("cleared", "deleted")])
def test_a_turn_begins_with_its_first_event_whichever_that_is(first: str) -> None:
    turns = Turns(transcribes=True)
    for now, frame in enumerate([EVENTS[first], committed(), completed("said")], 3):
        feed(turns, frame, float(now))
    assert turns.notes[0] == TurnBegan("a")
    assert ends(turns)[-1].began_at == 3.0


def test_a_session_transcribes_nothing_until_it_is_said_to() -> None:
    assert Turns().transcribes is False


# -- what is no turn ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        item("a", {"type": "input_text", "text": "typed"}),
        wire.frame("conversation.item.added", item={"type": "message", "id": "a", "role": "user"}),
        wire.frame("conversation.item.added", item=wire.message("a", "assistant", content=[
            {"type": "input_audio"}])),
        wire.frame("conversation.item.added", item={"type": "function_call", "id": "a"}),
        deleted(),
        cleared(),
        *(make(None) for make in (started, stopped, timed_out, committed, item)),
        *(make("x", None) for make in (delta, completed, failed, segment)),
        started(""),
    ],
)  # fmt: skip
def test_what_is_typed_or_nameless_is_no_turn(frame: bytes) -> None:
    turns = heard(frame)
    assert (turns.notes, turns.open) == ([], ())


def test_a_message_without_content_is_a_commit_of_a_turn_that_is_known() -> None:
    bare = wire.frame(
        "conversation.item.added", item={"type": "message", "id": "a", "role": "user"}
    )
    turns = heard(started(), completed("said"), bare)
    assert end(turns).text == "said"
    feed(turns, bare)
    assert (len(ends(turns)), turns.open) == (1, ())


# -- the words ------------------------------------------------------------------------------


def test_the_last_completed_wins_before_the_end_and_after_it() -> None:
    turns = heard(started(), completed("two"), completed("to be"), committed())
    assert end(turns).text == "to be"
    feed(turns, completed("to be or not"), 9.0)
    assert turns.notes[-2:] == [
        TurnText("a", 0, "to be or not"),
        TurnEnded("a", ends(turns)[-1]),
    ]
    assert (ends(turns)[-1].text, ends(turns)[-1].final_at) == ("to be or not", 9.0)


def test_what_is_said_again_is_not_told_again() -> None:
    turns = heard(started(audio_start_ms=1), committed(), completed("said"))
    notes = list(turns.notes)
    for frame in (completed("said"), committed(), item(), started(audio_start_ms=2), failed()):
        feed(turns, frame, 9.0)
    assert turns.notes == notes


def test_a_delta_after_the_last_word_is_too_late() -> None:
    turns = heard(committed(), completed("said"), delta("late"))
    assert not [note for note in turns.notes if isinstance(note, TurnDelta)]
    turns = heard(started(), completed("said"), delta("late"), failed(), delta("late"))
    assert not [note for note in turns.notes if isinstance(note, TurnDelta)]
    turns = heard(committed(), delta("late", index=1), transcribes=False)
    assert not [note for note in turns.notes if isinstance(note, TurnDelta)]


def test_the_words_so_far_are_told_and_are_not_the_end() -> None:
    turns = heard(started(), updated("to"), updated("two be"), committed())
    assert turns.open == ("a",)
    assert [note for note in turns.notes if isinstance(note, TurnText)] == [
        TurnText("a", 0, "to"),
        TurnText("a", 0, "two be"),
    ]
    feed(turns, completed("to be"), 9.0)
    assert end(turns).text == "to be"


def test_the_words_so_far_show_that_words_are_to_come() -> None:
    turns = heard(committed(), completed("one"), updated("two", index=1), transcribes=True)
    assert end(turns).text == "one"
    turns = heard(started(), completed("one"), updated("two", index=1), committed())
    assert turns.open == ("a",)


def test_the_words_so_far_are_too_late_where_they_do_not_go_on_from_the_last_word() -> None:
    turns = heard(started(), completed("to be"), updated("to"), updated("two bees"), updated(None))
    assert turns.notes[-1] == TurnText("a", 0, "to be")
    feed(turns, updated("to be or"))
    assert turns.notes[-1] == TurnText("a", 0, "to be or")
    turns = heard(committed(), completed("to be"), updated("to be or"))
    assert isinstance(turns.notes[-1], TurnEnded)
    feed(turns, updated("x", None))
    assert len(turns.notes) == 3


def test_a_failure_is_data_and_a_text_overrules_it() -> None:
    turns = heard(committed(), delta("he"), failed("mumbled"))
    said = end(turns)
    assert isinstance(said.error, ServerError)
    assert (said.error.message, said.error.code) == ("mumbled", "audio_unintelligible")
    assert (said.error.type, said.error.param) == ("transcription_error", "audio")
    assert (said.status, said.text, said.final_at) == ("failed", None, 2.0)
    feed(turns, completed("after all"), 9.0)
    corrected = ends(turns)[-1]
    assert (corrected.status, corrected.text, corrected.error) == ("transcribed", "after all", None)


SILENT = "the transcription failed and the server did not say why"


@pytest.mark.parametrize(
    ("error", "message"), [("mumbled", "mumbled"), ({"message": None}, SILENT), ({}, SILENT)]
)
def test_a_failure_may_be_a_plain_string_or_say_nothing(error: Any, message: str) -> None:
    said = end(heard(committed(), words("failed", "a", error=error)))
    assert said.error is not None
    assert (said.error.message, said.error.name, said.error.param) == (message, None, None)


def test_the_first_failure_counts() -> None:
    said = end(heard(started(), failed("first"), failed("second"), committed()))
    assert said.error is not None
    assert (said.error.message, said.final_at) == ("first", 1.0)


def test_parts_are_kept_apart_and_all_are_waited_for() -> None:
    two = ({"type": "input_audio"}, {"type": "input_text", "text": "-"}, {"type": "input_audio"})
    turns = heard(item("a", *two), completed("second.", index=2), delta("fi"))
    assert (ends(turns), turns.open) == ([], ("a",))
    feed(turns, completed("first, "))
    assert end(turns).text == "first, second."


def test_a_part_that_failed_leaves_the_text_of_the_others() -> None:
    two = ({"type": "input_audio"}, {"type": "input_audio"})
    said = end(heard(item("a", *two), completed("heard"), failed("lost", index=1)))
    assert (said.status, said.text) == ("transcribed", "heard")
    assert said.error is not None


def test_with_an_index_the_words_are_those_of_that_part() -> None:
    two = ({"type": "input_audio"}, {"type": "input_audio"})
    turns = heard(
        item("a", *two), delta("x", index=1), segment("later", index=1, id="s"),
        segment("sooner", id="s"), failed(index=1), completed("said"),
    )  # fmt: skip
    assert TurnDelta("a", 1, "x") in turns.notes
    assert (end(turns).text, end(turns).error is None) == ("said", False)
    assert [one.text for one in end(turns).segments] == ["sooner", "later"]


def test_without_an_index_the_words_are_those_of_the_part_that_waits() -> None:
    two = ({"type": "input_text", "text": "-"}, {"type": "input_audio"}, {"type": "input_audio"})
    turns = heard(item("a", *two), completed("one", index=None), completed("two", index=None))
    assert [note[1:] for note in turns.notes if isinstance(note, TurnText)] == [
        (1, "one"),
        (2, "two"),
    ]
    feed(turns, completed("1", index=None))
    assert ends(turns)[-1].text == "1two"
    alone = heard(committed(), completed("one", index=None))
    assert TurnText("a", 0, "one") in alone.notes


def test_a_message_may_bring_its_transcript() -> None:
    known = {"type": "input_audio", "transcript": "known"}
    turns = heard(item("a", known))
    assert (end(turns).text, end(turns).final_at) == ("known", 0.0)
    feed(turns, completed("better"))
    feed(turns, item("a", known, what="done"))
    assert ends(turns)[-1].text == "better"


def test_an_empty_transcript_is_a_place_in_a_message_and_a_text_in_a_completed() -> None:
    turns = heard(item("a", {"type": "input_audio", "transcript": ""}))
    assert ends(turns) == []
    feed(turns, completed(""))
    assert (end(turns).status, end(turns).text) == ("transcribed", "")


def test_languages_and_speakers() -> None:
    turns = heard(
        committed(),
        segment("Hi.", id="s1", speaker="A", start=0, end=0.5),
        segment("Hi!", id="s1", speaker="A", start=0, end=0.5),
        segment("Hi!", speaker=None),
        segment("Hi!", speaker=None),
        completed("Hi. Hi!", languages=[{"code": "en"}, {"code": None}, {"code": "de"}]),
    )
    said = end(turns)
    assert said.languages == ("en", "de")
    assert said.segments == (Segment("Hi!", "A", 0.0, 0.5), Segment("Hi!", None, None, None))
    feed(turns, completed("Hi. Hi!"))
    assert len(ends(turns)) == 1
    feed(turns, segment("Bye.", id="s2"))
    assert [one.text for one in ends(turns)[-1].segments] == ["Hi!", "Hi!", "Bye."]


def test_a_segment_shows_that_words_are_to_come() -> None:
    turns = heard(item(), completed("one"), segment("x"))
    assert len(ends(turns)) == 2
    turns = heard(segment("x"), item("a", {"type": "input_audio"}))
    assert ends(turns) == []


# -- confidence -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "confidence"),
    [
        ([completed("x")], None),
        ([completed("x", logprobs=[])], None),
        ([completed("x", logprobs=None)], None),
        ([completed("x", logprobs=sure(None))], None),
        ([completed("x", logprobs=sure(0.0, 0.0))], 1.0),
        ([completed("x", logprobs=sure(math.log(0.5), math.log(0.125)))], 0.25),
        ([completed("x", logprobs=sure(None, math.log(0.5)))], 0.5),
        ([completed("x", logprobs=sure(3.0))], 1.0),
        ([completed("x", logprobs=sure(1e308, 1e308))], 1.0),
        ([completed("x", logprobs=sure(-1e308, -1e308))], 0.0),
        ([delta("x", logprobs=sure(math.log(0.5))), completed("x")], 0.5),
        (
            [
                delta("x", logprobs=sure(math.log(0.5))),
                completed("x", logprobs=sure(math.log(0.25))),
            ],
            0.25,
        ),
        ([completed("x", logprobs=sure(0.0)), completed("y")], None),
        ([completed("x", logprobs=sure(0.0)), completed("x")], 1.0),
        ([delta("x", logprobs=sure(0.0)), failed()], None),
        (
            [
                delta("x", logprobs=sure(math.log(0.5))),
                delta("", logprobs=sure(math.log(0.125))),
                completed("x"),
            ],
            0.25,
        ),
    ],
)
def test_confidence_is_the_mean_of_all_tokens(
    frames: list[bytes], confidence: float | None
) -> None:
    got = ends(heard(*frames, committed()))[-1].confidence
    assert got == (None if confidence is None else pytest.approx(confidence))


def test_confidence_weighs_the_parts_by_their_tokens() -> None:
    two = ({"type": "input_audio"}, {"type": "input_audio"})
    turns = heard(
        item("a", *two),
        completed("x", logprobs=sure(0.0, 0.0, 0.0)),
        completed("y", index=1, logprobs=sure(math.log(1 / 16))),
    )
    assert end(turns).confidence == pytest.approx(0.5)


# -- when nothing comes ---------------------------------------------------------------------


def test_without_transcription_the_commit_is_the_end() -> None:
    turns = heard(started(), stopped(audio_end_ms=9), committed(), item(), transcribes=False)
    said = ends(turns)[0]
    assert (said.status, said.text) == ("untranscribed", None)
    assert (said.committed_at, said.final_at) == (2.0, None)
    assert len(ends(turns)) == 1
    assert turns.open == ()


def test_without_transcription_words_that_come_all_the_same_count() -> None:
    turns = heard(started(), completed("oh"), committed(), transcribes=False)
    assert end(turns).status == "transcribed"
    turns = heard(committed(), completed("oh"), transcribes=False)
    assert [said.text for said in ends(turns)] == [None, "oh"]


def test_transcription_that_is_turned_off_still_ends_what_was_committed_before() -> None:
    turns = heard(committed())
    turns.transcribes = False
    feed(turns, delta("s"))
    feed(turns, item())
    assert turns.open == ("a",)
    feed(turns, completed("said"))
    assert end(turns).text == "said"


def test_a_cleared_buffer_ends_what_was_not_committed() -> None:
    turns = heard(committed("a"), started("b"), delta("x", "c"), cleared())
    assert [(said.item_id, said.status) for said in ends(turns)] == [("b", "gone"), ("c", "gone")]
    assert turns.open == ("a",)


def test_of_too_many_turns_the_oldest_gives_up_and_can_be_corrected() -> None:
    names = [f"i{number}" for number in range(OPEN + 2)]
    turns = heard(
        completed("uncommitted", names[0]),
        started(names[1]),
        *(committed(name) for name in names[2:OPEN]),
    )
    assert (ends(turns)[0].text, len(turns.open)) == ("uncommitted", OPEN - 1)
    feed(turns, committed(names[OPEN]))
    assert len(ends(turns)) == 1
    feed(turns, committed(names[OPEN + 1]))
    assert [(said.item_id, said.status) for said in ends(turns)[1:]] == [
        (names[1], "untranscribed")
    ]
    assert turns.open == tuple(names[2:])
    feed(turns, completed("at last", names[1]))
    assert (ends(turns)[-1].status, ends(turns)[-1].text) == ("transcribed", "at last")


def test_giving_up_keeps_what_is_known() -> None:
    two = ({"type": "input_audio"}, {"type": "input_audio"})
    others = [committed(f"i{number}") for number in range(OPEN)]
    assert end(heard(item("a", *two), completed("half"), *others)).text == "half"
    assert end(heard(item("a", *two), failed(), *others)).status == "failed"


def test_memory_is_bounded() -> None:
    turns = Turns(transcribes=True)
    for number in range(10 * (OPEN + KEPT)):
        name = f"i{number}"
        feed(turns, started(name))
        feed(turns, delta("x", name))
        feed(turns, committed(name))
        if number % 3:
            feed(turns, completed("x", name))
        turns.notes.clear()
    assert len(turns.open) <= OPEN
    assert len(turns._over) == KEPT


def test_the_newest_ends_are_the_ones_that_are_remembered() -> None:
    frames = [completed("x", f"i{number}") for number in range(KEPT)]
    turns = heard(*(frame for i, one in enumerate(frames) for frame in (one, committed(f"i{i}"))))
    feed(turns, completed("corrected", "i0"))
    assert (ends(turns)[-1].item_id, ends(turns)[-1].text) == ("i0", "corrected")
    assert [note for note in turns.notes if isinstance(note, TurnBegan)].count(TurnBegan("i0")) == 1


# -- any order ------------------------------------------------------------------------------


def a_turn(item_id: str) -> list[bytes]:
    return [
        started(item_id, audio_start_ms=1), stopped(item_id, audio_end_ms=2), committed(item_id),
        item(item_id), item(item_id, what="done"), delta(f"<{item_id}", item_id),
        delta(">", item_id), completed(f"<{item_id}>", item_id, logprobs=sure(0.0)),
    ]  # fmt: skip


ALL = [frame for name in "abc" for frame in a_turn(name)]


@given(st.permutations(ALL), st.lists(st.tuples(st.sampled_from(ALL), st.integers(0, len(ALL)))))
def test_any_order_and_any_repetition_tells_the_same(
    order: list[bytes], again: list[tuple[bytes, int]]
) -> None:
    for frame, place in again:
        order.insert(place, frame)
    turns = heard(*order)
    assert turns.open == ()
    for name in "abc":
        mine = [note for note in turns.notes if note.item_id == name]
        assert mine[0] == TurnBegan(name)
        assert mine.count(TurnBegan(name)) == 1
        assert [note for note in mine if isinstance(note, TurnText)] == [
            TurnText(name, 0, f"<{name}>")
        ]
        assert {note.delta for note in mine if isinstance(note, TurnDelta)} <= {f"<{name}", ">"}
        said = mine[-1]
        assert isinstance(said, TurnEnded)
        assert (said.said.status, said.said.text) == ("transcribed", f"<{name}>")
        assert (said.said.started_ms, said.said.ended_ms) == (1, 2)
        assert said.said.confidence == 1.0
        assert said.said.committed_at is not None


ANY = [
    *ALL, cleared(), deleted("a"), deleted("b"), failed(item_id="a"), failed(item_id="b"),
    completed("other", "a", None), completed("part", "b", 1), timed_out("c"), segment("s", "c"),
    item("c", {"type": "input_audio"}, {"type": "input_audio", "transcript": "t"}),
    updated("o", "a"), updated("part of it", "b", 1),
]  # fmt: skip


@given(st.lists(st.sampled_from(ANY), max_size=40), st.booleans())
def test_whatever_comes_every_end_says_one_thing(frames: list[bytes], transcribes: bool) -> None:
    turns = heard(*frames, transcribes=transcribes)
    began = [note.item_id for note in turns.notes if isinstance(note, TurnBegan)]
    over = {said.item_id for said in ends(turns)}
    assert len(set(began)) == len(began)
    assert over | set(turns.open) == set(began)
    assert not over & set(turns.open)
    for said in ends(turns):
        if said.status != "gone":
            kind = "failed" if said.error else "untranscribed"
            assert said.status == (kind if said.text is None else "transcribed")
    told: dict[str, UserSaid] = {}
    for said in ends(turns):
        assert told.get(said.item_id) != said
        told[said.item_id] = said
