"""A message that came back while it was played: corrected once, in its place, for nobody to see."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.conversation import Conversation
from realtime_client.errors import ClientClosed, ConnectionLost, ServerError
from realtime_client.events import (
    UNSET,
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemDeleted,
    MessageItem,
    user_message,
)
from realtime_client.memories import Memories, Memory, spoken
from realtime_client.outcome import Outcome
from realtime_client.playback import Cut, PlaybackLedger

M = Memory(("one two three",), "u")


def cut(words: str, item_id: str = "m", index: int = 0, *, deletes: bool = False) -> Cut:
    return Cut(item_id, index, 100, words, False, deletes)


def deleted(item_id: str = "m") -> ConversationItemDeleted:
    return ConversationItemDeleted(item_id=item_id)


def message(*words: str) -> MessageItem:
    item = spoken("m", words)
    assert item is not None
    return item


class Bench:
    """Memories with a conversation and a player, and what they have done."""

    def __init__(self, playing: dict[str, Memory], *there: MessageItem | None) -> None:
        self.memories = Memories(playing)
        self.conversation = Conversation()
        self.playback = PlaybackLedger()
        self.playback.played(0)
        self.taken = 0
        self.asked = 0
        for item in there:
            if item is not None:
                self.conversation.on_added(ConversationItemAdded(item=item))

    def is_playing(self, item_id: str = "m") -> None:
        """The player has 10 ms of it before it."""
        self.playback.on_audio(item_id, 0, 480)
        self.playback.on_finished(item_id, 0.0)
        self.playback.on_handed(item_id, 0, 480, 0.0)
        self.taken += 10

    def was_heard(self) -> None:
        """The player has played everything."""
        self.playback.played(self.taken)

    def corrections(self) -> list[Any]:
        """What goes out, and is on its way from then on."""
        due = list(self.memories.corrections(self.conversation, self.playback, 0.0))
        for item_id, _ in due:
            self.asked += 1
            self.memories.on_asked(str(self.asked), item_id)
        return [event for _, event in due]

    def answered(self, **ends: Any) -> list[bool]:
        """Everything that is on its way has its end."""
        names = [str(index + 1) for index in range(self.asked)]
        return [self.memories.on_outcome(Outcome(name, **ends)) for name in names]


def user() -> MessageItem:
    return MessageItem(id="u", role="user", content=user_message("hello").content)


# -- when, and what ---------------------------------------------------------------------------


def test_while_it_is_played_nothing_is_done() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    bench.is_playing()
    assert bench.corrections() == []
    assert bool(bench.memories)


def test_at_its_end_it_has_all_its_words_in_its_place() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)), spoken("later", ("x",)))
    bench.is_playing()
    bench.was_heard()
    assert bench.corrections() == [
        ConversationItemDelete(item_id="m"),
        ConversationItemCreate(previous_item_id="u", item=message(*M.words)),
    ]
    assert bench.corrections() == [], "once"
    assert bench.answered() == [True, True]
    assert not bench.memories
    assert bench.answered() == [False, False]


def test_interrupted_it_has_the_words_that_were_heard() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    bench.is_playing()
    assert bench.memories.on_cut(cut("one two"))
    assert bench.corrections() == [
        ConversationItemDelete(item_id="m"),
        ConversationItemCreate(previous_item_id="u", item=message("one two")),
    ]


def test_where_not_a_word_is_left_it_is_taken_out() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    assert bench.memories.on_cut(cut(""))
    assert bench.corrections() == [ConversationItemDelete(item_id="m")]
    assert bench.answered() == [True]
    assert not bench.memories


@pytest.mark.parametrize(("words", "there"), [("one", ("one",)), ("", ())])
def test_what_is_right_already_is_let_be(words: str, there: tuple[str, ...]) -> None:
    bench = Bench({"m": M}, user(), spoken("m", there))
    bench.memories.on_cut(cut(words))
    assert bench.corrections() == []
    assert not bench.memories


def test_what_nobody_plays_any_more_stays_as_it_was() -> None:
    """Dropped by its holder, or crowded out: that is no end of playing."""
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    assert bench.corrections() == []
    bench.is_playing()
    bench.playback.forget("m")
    assert bench.corrections() == []
    assert bench.memories.get("m") == M


def test_a_cut_of_something_else_is_not_taken() -> None:
    memories = Memories({"m": M}, ["gone"])
    assert not memories.on_cut(cut("x", "other"))
    assert memories.on_cut(cut("x", "gone")), "this server knows nothing of it"
    assert memories.get("m") == M


def test_each_part_is_cut_for_itself() -> None:
    memories = Memories({"m": Memory(("one two", "three four", "five"), "root")})
    memories.on_cut(cut("three", index=1))
    memories.on_cut(cut("", index=2))
    assert memories.get("m") == Memory(("one two", "three", ""), "root", is_over=True)
    memories.on_cut(cut("", index=0, deletes=True))
    assert memories.get("m") == Memory(("", "", ""), "root", is_over=True)


# -- where ------------------------------------------------------------------------------------


def heard_only_now(*there: MessageItem | None, **playing: Memory) -> list[tuple[str, Any]]:
    """Where messages are put that did not come back, and are heard to their ends."""
    bench = Bench(playing, *there)
    for item_id in playing:
        bench.is_playing(item_id)
    bench.was_heard()
    creates = bench.corrections()
    assert all(isinstance(create, ConversationItemCreate) for create in creates)
    return [(create.item.id, create.previous_item_id) for create in creates]


def test_what_did_not_come_back_is_put_there_when_it_was_heard() -> None:
    assert heard_only_now(user(), m=M) == [("m", "u")]
    assert heard_only_now(user(), m=M._replace(after="root")) == [("m", "root")]


def test_where_what_came_before_it_is_not_there_it_is_looked_for_further_up() -> None:
    first, second = Memory(("a",), "u"), Memory(("b",), "first")
    bench = Bench({"first": first, "second": second}, user())
    bench.is_playing("first")
    bench.is_playing("second")
    bench.playback.played(10, "second")
    assert [one.previous_item_id for one in bench.corrections()] == ["u"]
    assert heard_only_now(user(), m=M._replace(after="nowhere")) == [("m", UNSET)]
    root = {"a": Memory(("x",), "root"), "b": Memory(("y",), "a")}
    bench = Bench(root)
    bench.is_playing("a")
    bench.is_playing("b")
    bench.playback.played(10, "b")
    assert [one.previous_item_id for one in bench.corrections()] == ["root"]


def test_the_first_item_stays_the_first() -> None:
    bench = Bench({"m": M._replace(after="nowhere")}, spoken("m", ("one",)), user())
    bench.memories.on_cut(cut("one two"))
    _, create = bench.corrections()
    assert create.previous_item_id == "root"


# -- who takes it out, and what comes of that --------------------------------------------------


def test_what_somebody_takes_out_is_not_put_back() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    bench.is_playing()
    bench.memories.on_deleted(deleted("other"))
    assert bench.memories.get("m") == M
    bench.memories.on_deleted(deleted())
    bench.was_heard()
    assert bench.corrections() == []


def test_that_it_is_taken_out_for_its_correction_is_no_end() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    bench.memories.on_cut(cut("one two"))
    bench.corrections()
    bench.memories.on_deleted(deleted())
    assert bench.memories.get("m") == Memory(("one two",), "u", is_over=True)


def test_a_correction_that_goes_with_its_connection_is_left_to_the_next() -> None:
    for error in (ConnectionLost("it dropped"), ClientClosed("the client was closed")):
        bench = Bench({"m": M}, user(), spoken("m", ("one",)))
        bench.memories.on_cut(cut("one two"))
        bench.corrections()
        assert bench.answered(error=error) == [True, True]
        assert bench.memories.get("m") == Memory(("one two",), "u", is_over=True)


def test_a_correction_that_is_refused_is_not_tried_again() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    bench.memories.on_cut(cut("one two"))
    bench.corrections()
    assert bench.answered(error=ServerError("no")) == [True, True]
    assert bench.corrections() == []
    assert not bench.memories


def test_half_a_correction_is_none() -> None:
    bench = Bench({"m": M}, user(), spoken("m", ("one",)))
    bench.memories.on_cut(cut("one two"))
    bench.corrections()
    assert bench.memories.on_outcome(Outcome("1"))
    assert bench.memories.get("m") is not None
    assert not bench.memories.on_outcome(Outcome("somebody's"))
    assert bench.memories.on_outcome(Outcome("2"))
    assert bench.memories.get("m") is None


def test_what_the_model_said_is_a_message_that_a_client_can_create() -> None:
    item = message("one", "", "two")
    assert (item.id, item.role) == ("m", "assistant")
    parts = [(part.type, part.text) for part in item.content or ()]
    assert parts == [("output_text", "one"), ("output_text", "two")]
    assert spoken("m", ("", "")) is None
    assert spoken("m", ()) is None
