"""The server's items in the server's order, and the requests about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client import events
from realtime_client.asking import RECENT
from realtime_client.codec import decode
from realtime_client.conversation import Change, Conversation, Interrupted
from realtime_client.errors import ServerError, UsageError
from realtime_client.events import (
    ContentPart,
    ConversationItemAdded,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemTruncated,
    FunctionCallItem,
    MessageItem,
)
from realtime_client.kept import id_of
from realtime_client.outcome import Outcome
from tests import wire

ITEM = "conversation.item"
AUDIO = {"type": "input_audio", "transcript": None}
HEARD = {
    *(f"{ITEM}.{name}" for name in ("added", "created", "done", "deleted", "truncated")),
    f"{ITEM}.input_audio_transcription.completed",
    "response.output_item.done",
}


def hear(mirror: Conversation, frame: bytes) -> Outcome | None:
    """Let the machine know of a frame, as the table of handlers does."""
    event: Any = decode(frame)
    handlers: dict[type, Any] = {
        events.ConversationItemAdded: mirror.on_added,
        events.ConversationItemCreated: mirror.on_added,
        events.ConversationItemDone: mirror.on_done,
        events.ResponseOutputItemDone: mirror.on_done,
        events.ConversationItemDeleted: mirror.on_deleted,
        events.ConversationItemRetrieved: mirror.on_retrieved,
        events.ConversationItemTruncated: mirror.on_truncated,
        events.ConversationItemInputAudioTranscriptionCompleted: mirror.on_transcribed,
    }
    outcome: Outcome | None = handlers[type(event)](event)
    return outcome


def added(mirror: Conversation, item_id: str, after: Any = None, **fields: Any) -> Outcome | None:
    item = wire.message(item_id, **fields)
    return hear(mirror, wire.frame(f"{ITEM}.added", item=item, previous_item_id=after))


def done(mirror: Conversation, item_id: str, **fields: Any) -> Outcome | None:
    item = wire.message(item_id, status="completed", **fields)
    return hear(mirror, wire.frame(f"{ITEM}.done", item=item, previous_item_id=None))


def deleted(mirror: Conversation, item_id: str) -> Outcome | None:
    return hear(mirror, wire.frame(f"{ITEM}.deleted", item_id=item_id))


def truncated(mirror: Conversation, item_id: str, **fields: Any) -> Outcome | None:
    return hear(mirror, wire.frame(f"{ITEM}.truncated", item_id=item_id, **fields))


def transcribed(mirror: Conversation, item_id: str | None, text: str, index: Any = 0) -> None:
    name = f"{ITEM}.input_audio_transcription.completed"
    frame = wire.frame(name, item_id=item_id, content_index=index, transcript=text)
    assert hear(mirror, frame) is None


def ids(mirror: Conversation) -> str:
    return "".join(str(id_of(item)) for item in mirror.items)


def message(mirror: Conversation, item_id: str) -> events.MessageItem:
    item = mirror.get(item_id)
    assert isinstance(item, events.MessageItem)
    return item


def transcripts(mirror: Conversation, item_id: str = "a") -> list[Any]:
    return [part.transcript for part in message(mirror, item_id).content or ()]


def told(mirror: Conversation) -> list[tuple[str, str]]:
    kinds: list[tuple[str, str]] = [(change.kind, change.item_id) for change in mirror.notes]
    mirror.notes.clear()
    return kinds


def create(item_id: str, after: str | None = None) -> events.ConversationItemCreate:
    item = events.MessageItem(id=item_id, role="user", content=())
    where = events.UNSET if after is None else after
    return events.ConversationItemCreate(item=item, previous_item_id=where)


def full(*item_ids: str, **options: Any) -> Conversation:
    mirror = Conversation(**options)
    for item_id in item_ids:
        added(mirror, item_id)
    mirror.notes.clear()
    return mirror


# -- order ----------------------------------------------------------------------------------


def test_order_comes_from_added() -> None:
    mirror = Conversation()
    added(mirror, "a")
    added(mirror, "c", "a")
    added(mirror, "b", "a")
    added(mirror, "d", "c")
    assert ids(mirror) == "abcd"


@pytest.mark.parametrize("name", ["added", "created"])
def test_the_older_name_is_the_same_event(name: str) -> None:
    mirror = full("a", "b")
    mirror.ask(create("x"), "event_1")
    frame = wire.frame(
        f"{ITEM}.{name}", event_id="event_9", item=wire.message("x"), previous_item_id="a"
    )
    answer = decode(frame.replace(f"{ITEM}.created".encode(), f"{ITEM}.added".encode()))
    assert isinstance(answer, events.ConversationItemAdded)
    assert hear(mirror, frame) == Outcome("event_1", answer)
    assert ids(mirror) == "axb"
    assert told(mirror) == [("added", "x")]


def test_null_means_where_we_asked_for_it_and_else_the_end() -> None:
    mirror = full("a", "b")
    mirror.ask(create("x", "root"), "event_x")
    mirror.ask(create("y", "root"), "event_y")
    mirror.ask(create("z", "a"), "event_z")
    mirror.ask(create("w"), "event_w")
    mirror.on_refused("event_y", ServerError("no"))
    for item_id in "wzyx":
        added(mirror, item_id)
    assert ids(mirror) == "xazbwy"


def test_where_we_asked_counts_for_its_own_item_and_once() -> None:
    mirror = full("a", "b")
    mirror.ask(create("x", "root"), "event_x")
    mirror.ask(events.ConversationItemDelete(item_id="x"), "event_d")
    added(mirror, "x")
    deleted(mirror, "x")
    added(mirror, "x")
    assert ids(mirror) == "abx"


def test_the_server_knows_better_than_what_we_asked() -> None:
    mirror = full("a", "b")
    mirror.ask(create("x", "root"), "event_x")
    added(mirror, "x", "a")
    assert ids(mirror) == "axb"


def test_of_two_creates_of_one_item_each_has_its_place() -> None:
    mirror = full("a", "b")
    mirror.ask(events.ConversationItemRetrieve(item_id="x"), "event_0")
    mirror.ask(create("x", "root"), "event_1")
    mirror.ask(create("x", "a"), "event_2")
    added(mirror, "x")
    assert ids(mirror) == "xab"
    deleted(mirror, "x")
    added(mirror, "x")
    assert ids(mirror) == "axb"


def test_a_server_may_say_root_too() -> None:
    mirror = full("a")
    added(mirror, "b", "root")
    assert ids(mirror) == "ba"


def test_a_predecessor_that_is_gone_means_the_end() -> None:
    mirror = full("a", "b", "c")
    deleted(mirror, "a")
    added(mirror, "d", "a")
    added(mirror, "e", "never seen")
    assert ids(mirror) == "bcde"


def test_done_changes_the_item_but_never_its_place() -> None:
    mirror = full("a", "b")
    assert done(mirror, "a", content=[{"type": "output_text", "text": "hi"}]) is None
    assert ids(mirror) == "ab"
    assert message(mirror, "a").status == "completed"
    assert message(mirror, "a").content == (events.ContentPart(type="output_text", text="hi"),)


def test_done_of_an_item_that_was_never_added_adds_nothing() -> None:
    mirror = Conversation()
    done(mirror, "a")
    hear(mirror, wire.frame(f"{ITEM}.done", item={"type": "message", "role": "user"}))
    assert mirror.items == ()
    assert told(mirror) == []


def test_the_end_of_an_output_is_as_good_and_is_told_once() -> None:
    mirror = Conversation()
    added(mirror, "a", status="in_progress")
    item = wire.message("a", status="completed", content=[{"type": "output_text", "text": "hi"}])
    output = wire.frame("response.output_item.done", response_id="r", output_index=0, item=item)
    frames = [output, wire.frame(f"{ITEM}.done", item=item), output]
    for frame in frames:
        assert hear(mirror, frame) is None
    assert message(mirror, "a").status == "completed"
    assert told(mirror) == [("added", "a"), ("done", "a")]
    done(mirror, "a", content=[{"type": "output_text", "text": "ho"}])
    assert told(mirror) == [("done", "a")]


def test_an_item_that_was_complete_from_the_start_is_told_to_be_done() -> None:
    mirror = Conversation()
    added(mirror, "a", status="completed")
    done(mirror, "a")
    assert told(mirror) == [("added", "a"), ("done", "a")]


def test_adding_twice_keeps_the_place_and_is_told_where_it_says_something_new() -> None:
    mirror = full("a", "b")
    added(mirror, "a", "b")
    assert told(mirror) == []
    added(mirror, "a", "b", status="completed")
    assert ids(mirror) == "ab"
    (change,) = mirror.notes
    before = events.MessageItem(id="a", role="assistant", content=())
    after = msgspec.structs.replace(before, status="completed")
    assert change == Change("added", "a", after, before)


def test_a_repeated_beginning_does_not_undo_the_end() -> None:
    mirror = Conversation(max_items=1)
    added(mirror, "a", status="in_progress")
    done(mirror, "a", content=[{"type": "output_text", "text": "hi"}])
    mirror.notes.clear()
    added(mirror, "a", status="in_progress")
    assert message(mirror, "a").status == "completed"
    assert told(mirror) == []
    added(mirror, "b")
    assert ids(mirror) == "b"


def test_deleting_and_deleting_what_is_not_there() -> None:
    mirror = full("a", "b")
    for _ in range(2):
        assert deleted(mirror, "a") is None
        assert ids(mirror) == "b"
    assert told(mirror) == [("deleted", "a")]
    done(mirror, "a")
    assert ids(mirror) == "b"
    assert mirror.get("a") is None


def test_items_of_every_kind_have_their_place() -> None:
    mirror = full("a")
    kinds: list[dict[str, Any]] = [
        {"type": "function_call", "id": "b", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "id": "c", "call_id": "1", "output": "2"},
        {"type": "of another day", "id": "d", "audio": "left alone"},
    ]
    for item in kinds:
        hear(mirror, wire.frame(f"{ITEM}.added", item=item, previous_item_id="a"))
    for nameless in ({"type": "x"}, {"type": "x", "id": 7}, {"type": "message", "role": "user"}):
        hear(mirror, wire.frame(f"{ITEM}.added", item=nameless))
        hear(mirror, wire.frame(f"{ITEM}.done", item=nameless))
    assert ids(mirror) == "adcb"
    assert mirror.get("d") == events.UnknownVariant(raw=kinds[2])
    for item in kinds:
        hear(mirror, wire.frame(f"{ITEM}.done", item=item))
        transcribed(mirror, item["id"], "nobody said that")
    for word in ("old", "new"):
        hear(mirror, wire.frame(f"{ITEM}.done", item={**kinds[2], "word": word}))
    assert ids(mirror) == "adcb"
    assert mirror.get("d") == events.UnknownVariant(raw={**kinds[2], "word": "new"})


# -- requests -------------------------------------------------------------------------------

CUT = events.ConversationItemTruncate(item_id="x", content_index=1, audio_end_ms=10)
REQUESTS: list[tuple[Any, bytes]] = [
    (create("x"), wire.frame(f"{ITEM}.added", item=wire.message("x"))),
    (
        events.ConversationItemDelete(item_id="x"),
        wire.frame(f"{ITEM}.deleted", item_id="x"),
    ),
    (
        events.ConversationItemRetrieve(item_id="x"),
        wire.frame(f"{ITEM}.retrieved", item=wire.message("x")),
    ),
    (CUT, wire.frame(f"{ITEM}.truncated", item_id="x", content_index=1, audio_end_ms=10)),
]


@pytest.mark.parametrize(("command", "answer"), REQUESTS)
def test_each_request_is_answered_by_its_own_event_only(command: Any, answer: bytes) -> None:
    mirror = Conversation()
    event: Any = decode(answer)
    assert hear(mirror, answer) is None
    for number, (other, _) in enumerate(REQUESTS):
        if other is not command:
            mirror.ask(other, f"other_{number}")
    mirror.ask(command, "event_1")
    mirror.ask(command, "event_2")
    assert hear(mirror, answer.replace(b'"x"', b'"y"')) is None
    assert hear(mirror, answer) == Outcome("event_1", event)
    refusal = ServerError("no", event_id="event_2")
    assert mirror.on_refused("event_1", refusal) is None
    assert mirror.on_refused("event_2", refusal) == Outcome("event_2", error=refusal)
    assert hear(mirror, answer) is None
    assert mirror.on_refused("event_2", refusal) is None
    answered = [hear(mirror, frame) for asked, frame in REQUESTS if asked is not command]
    assert [outcome is not None for outcome in answered] == [True] * 3


def test_truncates_are_told_apart_by_the_part() -> None:
    mirror = Conversation()
    mirror.ask(CUT, "event_1")
    mirror.ask(msgspec.structs.replace(CUT, content_index=0), "event_0")
    assert truncated(mirror, "x", content_index=7) is None
    first = truncated(mirror, "x")
    second = truncated(mirror, "x", content_index=1)
    assert first is not None
    assert second is not None
    assert (first.event_id, second.event_id) == ("event_0", "event_1")


def test_a_request_that_was_given_up_is_nobodys() -> None:
    mirror = Conversation()
    mirror.ask(CUT, "event_1")
    mirror.ask(CUT, "event_2")
    assert mirror.give_up("event_1") is True
    assert mirror.on_refused("event_1", ServerError("no")) is None
    assert mirror.give_up("event_1") is False
    outcome = truncated(mirror, "x", content_index=1)
    assert outcome is not None
    assert outcome.event_id == "event_2"
    assert truncated(mirror, "x", content_index=1) is None


def test_an_id_that_is_used_again_names_the_newer_request() -> None:
    mirror = Conversation()
    mirror.ask(create("x"), "event_1")
    mirror.ask(create("y"), "event_1")
    assert added(mirror, "x") is None
    assert added(mirror, "y") is not None
    assert added(mirror, "y") is None


def test_what_a_given_up_create_makes_still_stands_where_it_was_asked_for() -> None:
    mirror = full("a", "b")
    mirror.ask(create("x", "root"), "event_x")
    mirror.ask(create("y"), "event_y")
    mirror.give_up("event_x")
    mirror.give_up("event_y")
    assert added(mirror, "x") is None
    assert added(mirror, "y") is None
    assert ids(mirror) == "xaby"
    deleted(mirror, "x")
    added(mirror, "x")
    assert ids(mirror) == "abyx"


def test_a_refused_create_leaves_no_place_behind() -> None:
    mirror = full("a")
    mirror.ask(create("x", "root"), "event_x")
    mirror.on_refused("event_x", ServerError("no"))
    added(mirror, "x")
    assert ids(mirror) == "ax"


def test_a_new_create_does_not_take_the_place_of_one_given_up() -> None:
    mirror = full("a")
    mirror.ask(create("x", "root"), "event_1")
    mirror.give_up("event_1")
    mirror.ask(create("x"), "event_2")
    added(mirror, "x")
    assert ids(mirror) == "ax"


# -- transcripts ----------------------------------------------------------------------------


def test_what_the_user_said_arrives_later() -> None:
    mirror = Conversation()
    added(mirror, "a", role="user", content=[AUDIO, AUDIO])
    mirror.notes.clear()
    for index in (1, 7, -1):
        transcribed(mirror, "a", "hello", index)
        transcribed(mirror, "nobody", "hello", index)
    assert transcripts(mirror) == [None, "hello"]
    (change,) = mirror.notes
    assert change.kind == "transcribed"
    assert change.item_id == "a"
    assert change.item == mirror.get("a")
    assert change.before == events.MessageItem(
        id="a", role="user", content=(events.ContentPart(type="input_audio", transcript=None),) * 2
    )
    assert change.content_index == 1


def test_without_an_index_it_is_the_first_part_and_without_an_item_nobodys() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[AUDIO, AUDIO])
    transcribed(mirror, "a", "hello", None)
    transcribed(mirror, None, "lost")
    assert transcripts(mirror) == ["hello", None]


def test_several_transcripts_of_one_turn_replace_each_other() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[AUDIO])
    for text in ("so", "so be", "so be it", ""):
        transcribed(mirror, "a", text)
        assert transcripts(mirror) == [text]


def test_a_transcript_may_come_before_its_item() -> None:
    mirror = Conversation()
    transcribed(mirror, "a", "first", 0)
    transcribed(mirror, "a", "second", 1)
    transcribed(mirror, "b", "another", 0)
    added(mirror, "a", content=[AUDIO, AUDIO])
    assert transcripts(mirror) == ["first", "second"]
    assert told(mirror) == [("added", "a"), ("transcribed", "a"), ("transcribed", "a")]
    added(mirror, "b", content=[AUDIO])
    assert transcripts(mirror, "b") == ["another"]
    added(mirror, "b", content=[{"type": "input_audio", "transcript": "anew"}])
    assert transcripts(mirror, "b") == ["anew"]


def test_a_transcript_may_come_before_its_part() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[AUDIO])
    transcribed(mirror, "a", "second", 1)
    assert transcripts(mirror) == [None]
    done(mirror, "a", content=[AUDIO, AUDIO])
    assert transcripts(mirror) == [None, "second"]


def test_what_the_item_brings_itself_is_newer_than_what_came_before_it() -> None:
    mirror = Conversation()
    transcribed(mirror, "a", "early")
    added(mirror, "a", content=[{"type": "input_audio", "transcript": "own"}])
    assert transcripts(mirror) == ["own"]
    deleted(mirror, "a")
    added(mirror, "a", content=[AUDIO])
    assert transcripts(mirror) == [None]


def test_a_null_does_not_take_back_what_is_known() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[AUDIO, {"type": "audio"}])
    transcribed(mirror, "a", "hello")
    transcribed(mirror, "a", "there", 1)
    done(mirror, "a", content=[AUDIO, {"type": "audio"}, AUDIO])
    assert transcripts(mirror) == ["hello", "there", None]
    mirror.notes.clear()
    done(mirror, "a", content=[AUDIO, {"type": "audio"}, AUDIO])
    added(mirror, "a", status="completed", content=[AUDIO, {"type": "audio"}, AUDIO])
    assert told(mirror) == []
    assert transcripts(mirror) == ["hello", "there", None]
    done(mirror, "a", content=[{"type": "input_audio", "transcript": "hallo"}])
    assert transcripts(mirror) == ["hallo"]
    done(mirror, "a", content=[])
    assert transcripts(mirror) == []


def test_content_that_is_left_out_was_there_before() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[AUDIO])
    transcribed(mirror, "a", "hello")
    item = {"type": "message", "id": "a", "role": "user", "status": "completed"}
    hear(mirror, wire.frame(f"{ITEM}.done", item=item))
    assert transcripts(mirror) == ["hello"]
    assert message(mirror, "a").status == "completed"
    hear(mirror, wire.frame(f"{ITEM}.added", item={**item, "id": "b", "content": None}))
    assert message(mirror, "b").content is None


def test_a_text_has_no_transcript() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[AUDIO])
    transcribed(mirror, "a", "hello")
    text = {"type": "input_text", "text": "written"}
    done(mirror, "a", content=[text])
    transcribed(mirror, "a", "again")
    assert message(mirror, "a").content == (events.ContentPart(**text),)
    hear(mirror, wire.frame(f"{ITEM}.added", item={"type": "message", "id": "b", "role": "user"}))
    transcribed(mirror, "b", "hello")
    assert message(mirror, "b").content is events.UNSET
    done(mirror, "a", content=[{"transcript": None}])
    assert transcripts(mirror) == [None]


def test_a_deleted_item_is_not_spoken_for() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[])
    transcribed(mirror, "a", "early")
    transcribed(mirror, "b", "of another")
    deleted(mirror, "a")
    transcribed(mirror, "a", "late")
    added(mirror, "a", content=[AUDIO])
    added(mirror, "b", content=[AUDIO])
    assert transcripts(mirror) == [None]
    assert transcripts(mirror, "b") == ["of another"]
    transcribed(mirror, "a", "its own")
    assert transcripts(mirror) == ["its own"]
    deleted(mirror, "b")
    added(mirror, "b", content=[])
    transcribed(mirror, "b", "once more")
    done(mirror, "b", content=[AUDIO])
    assert transcripts(mirror, "b") == ["once more"]


def test_early_transcripts_are_bounded_and_the_oldest_go() -> None:
    mirror = Conversation()
    for number in range(RECENT + 1):
        transcribed(mirror, str(number), "early")
    for number in (0, 1, RECENT):
        added(mirror, str(number), content=[AUDIO])
    assert [transcripts(mirror, str(number)) for number in (0, 1, RECENT)] == [
        [None],
        ["early"],
        ["early"],
    ]


# -- truncations ----------------------------------------------------------------------------

SPOKEN = {"type": "output_audio", "transcript": "all of it"}


def test_a_truncation_takes_the_transcript_of_its_part() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[SPOKEN, SPOKEN])
    added(mirror, "b", content=[SPOKEN])
    mirror.notes.clear()
    assert truncated(mirror, "a", content_index=1, audio_end_ms=700) is None
    assert transcripts(mirror) == ["all of it", events.UNSET]
    assert transcripts(mirror, "b") == ["all of it"]
    assert mirror.truncations == {("a", 1): 700}
    (change,) = mirror.notes
    assert (change.kind, change.item_id, change.content_index) == ("truncated", "a", 1)
    assert change.item == mirror.get("a")
    assert change.before != change.item
    truncated(mirror, "b", content_index=0, audio_end_ms=10)
    truncated(mirror, "b", content_index=0, audio_end_ms=5)
    assert mirror.truncations == {("a", 1): 700, ("b", 0): 5}


def test_a_truncated_transcript_does_not_come_back() -> None:
    mirror = Conversation()
    transcribed(mirror, "a", "early", 0)
    added(mirror, "a", status="in_progress")
    truncated(mirror, "a", content_index=0, audio_end_ms=300)
    done(mirror, "a", content=[SPOKEN, SPOKEN])
    transcribed(mirror, "a", "late", 0)
    assert transcripts(mirror) == [events.UNSET, "all of it"]
    done(mirror, "a", content=[SPOKEN, SPOKEN])
    assert transcripts(mirror) == [events.UNSET, "all of it"]
    assert mirror.truncations == {("a", 0): 300}


def test_a_truncation_without_its_numbers_leaves_nothing_of_the_first_part() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[SPOKEN, SPOKEN])
    truncated(mirror, "a")
    assert mirror.truncations == {("a", 0): 0}
    assert transcripts(mirror) == [events.UNSET, "all of it"]


def test_truncations_go_with_their_item() -> None:
    mirror = Conversation()
    added(mirror, "a", content=[SPOKEN])
    truncated(mirror, "a", content_index=0, audio_end_ms=300)
    truncated(mirror, "b", content_index=0, audio_end_ms=300)
    deleted(mirror, "a")
    assert mirror.truncations == {}
    added(mirror, "a", content=[SPOKEN])
    added(mirror, "b", content=[SPOKEN])
    assert mirror.truncations == {}
    assert transcripts(mirror) == transcripts(mirror, "b") == ["all of it"]


# -- audio ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["added", "done", "retrieved"])
def test_no_audio_is_kept(name: str) -> None:
    mirror = Conversation()
    part = {"type": "input_audio", "audio": "UklGRg==", "transcript": "hi", "format": "pcm16"}
    odd = {"type": "message", "id": "b", "role": 7, "content": [part, 5, {"type": "input_text"}]}
    added(mirror, "a")
    hear(mirror, wire.frame(f"{ITEM}.added", item=odd, previous_item_id="a"))
    for item in (wire.message("a", content=[part]), odd):
        hear(mirror, wire.frame(f"{ITEM}.{name}", item=item))
    assert b"UklGRg" not in msgspec.json.encode([repr(item) for item in mirror.items])
    expected = {**odd, "content": [{**part, "audio": None}, 5, {"type": "input_text"}]}
    assert mirror.get("b") == events.UnknownVariant(raw=expected)
    if name != "retrieved":
        assert transcripts(mirror) == ["hi"]


# -- out of band ----------------------------------------------------------------------------


def test_what_is_kept_out_does_not_enter() -> None:
    mirror = full("a")
    mirror.keep_out("x")
    transcribed(mirror, "x", "not a user's")
    added(mirror, "x", "a", content=[AUDIO])
    done(mirror, "x", content=[AUDIO])
    truncated(mirror, "x", content_index=0, audio_end_ms=5)
    deleted(mirror, "x")
    assert ids(mirror) == "a"
    assert mirror.truncations == {}
    assert told(mirror) == []
    added(mirror, "x", "a", content=[AUDIO])
    assert ids(mirror) == "a"


def test_what_was_in_already_goes_out() -> None:
    mirror = Conversation()
    added(mirror, "x", status="in_progress")
    mirror.keep_out("x")
    assert ids(mirror) == ""
    assert told(mirror) == [("added", "x"), ("deleted", "x")]


def test_requests_about_what_is_kept_out_are_answered() -> None:
    mirror = Conversation()
    mirror.keep_out("x")
    for number, (command, answer) in enumerate(REQUESTS):
        mirror.ask(command, str(number))
        outcome = hear(mirror, answer)
        assert outcome is not None
        assert outcome.event_id == str(number)
    assert mirror.items == ()


def test_what_is_let_go_is_an_item_like_any_other() -> None:
    mirror = Conversation()
    mirror.keep_out("x")
    mirror.keep_out("y")
    mirror.let_go("x")
    mirror.let_go("never kept out")
    transcribed(mirror, "x", "heard")
    added(mirror, "x", content=[AUDIO])
    added(mirror, "y")
    assert ids(mirror) == "x"
    assert transcripts(mirror, "x") == ["heard"]


def test_what_is_kept_out_is_bounded() -> None:
    mirror = Conversation()
    mirror.keep_out("0")
    for number in range(1, RECENT):
        mirror.keep_out(str(number))
    mirror.keep_out("0")  # again, so it is not the oldest any more
    mirror.keep_out("last")
    for item_id in ("0", "1", "2", "last"):
        added(mirror, item_id)
    assert ids(mirror) == "1"


# -- notes ----------------------------------------------------------------------------------


def test_what_is_told_of_one_item() -> None:
    mirror = full("a", "b")
    added(mirror, "x", "a")
    added(mirror, "y", "root")
    item = message(mirror, "x")
    assert list(mirror.notes) == [
        Change("added", "x", item, None, "a"),
        Change("added", "y", message(mirror, "y"), None, None),
    ]
    mirror.notes.clear()
    done(mirror, "x")
    deleted(mirror, "x")
    complete = msgspec.structs.replace(item, status="completed")
    assert list(mirror.notes) == [
        Change("done", "x", complete, item),
        Change("deleted", "x", complete),
    ]


def test_notes_that_nobody_takes_are_bounded() -> None:
    mirror = Conversation()
    for number in range(RECENT + 1):
        added(mirror, str(number))
    assert len(mirror.notes) == RECENT
    assert mirror.notes[-1].item_id == str(RECENT)


# -- the bound ------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [0, -1])
def test_a_mirror_holds_at_least_one_item(bound: int) -> None:
    with pytest.raises(UsageError, match=rf"^max_items is {bound}; it must be at least 1$"):
        Conversation(max_items=bound)


def test_past_the_bound_the_oldest_are_forgotten() -> None:
    mirror = full("a", "b", "c", max_items=3)
    assert (ids(mirror), mirror.forgotten) == ("abc", 0)
    added(mirror, "d", "c")
    added(mirror, "e", "d")
    assert (ids(mirror), mirror.forgotten) == ("cde", 2)
    assert mirror.get("a") is None
    assert told(mirror) == [("added", "d"), ("added", "e")]
    done(mirror, "a")
    assert ids(mirror) == "cde"
    assert ids(full("a", "b", max_items=1)) == "b"


def test_two_thousand_items_are_kept() -> None:
    mirror = full(*map(str, range(2_001)))
    assert len(mirror.items) == 2_000
    assert mirror.forgotten == 1


def test_what_grows_is_not_forgotten_until_it_is_done() -> None:
    mirror = Conversation(max_items=1)
    for item_id in "abc":
        added(mirror, item_id, status="in_progress")
    added(mirror, "d")
    assert ids(mirror) == "abcd"
    done(mirror, "b")
    added(mirror, "e")
    assert (ids(mirror), mirror.forgotten) == ("ace", 2)
    added(mirror, "a", status="completed")
    deleted(mirror, "c")
    added(mirror, "c")
    added(mirror, "f")
    assert (ids(mirror), mirror.forgotten) == ("f", 5)


def test_an_item_can_start_to_grow_when_it_is_added_anew() -> None:
    mirror = full("a", max_items=1)
    added(mirror, "a", status="in_progress")
    added(mirror, "b")
    assert ids(mirror) == "ab"


def test_what_grows_for_ever_is_forgotten_at_last() -> None:
    mirror = Conversation(max_items=1)
    for number in range(RECENT + 10):
        added(mirror, str(number), status="in_progress")
    assert len(mirror.items) == RECENT
    assert mirror.forgotten == 10


def test_what_grew_and_was_deleted_does_not_count() -> None:
    mirror = Conversation(max_items=1)
    added(mirror, "a", status="in_progress")
    for number in range(RECENT):
        added(mirror, str(number), status="in_progress")
        deleted(mirror, str(number))
    added(mirror, "b")
    assert ids(mirror) == "ab"


@pytest.mark.parametrize("command", [command for command, _ in REQUESTS])
def test_what_a_request_names_is_not_forgotten_until_it_is_answered(command: Any) -> None:
    mirror = full("w", "x", max_items=2)
    mirror.ask(command, "event_1")
    mirror.ask(command, "event_2")
    added(mirror, "y")
    mirror.on_refused("event_1", ServerError("no"))
    added(mirror, "z")
    assert (ids(mirror), mirror.forgotten) == ("xz", 2)
    mirror.give_up("event_2")
    added(mirror, "a")
    assert (ids(mirror), mirror.forgotten) == ("za", 3)


def test_what_is_put_at_the_start_of_a_full_mirror_is_forgotten_whole() -> None:
    mirror = full("a", "b", max_items=2)
    transcribed(mirror, "x", "early")
    added(mirror, "x", "root", content=[AUDIO])
    assert (ids(mirror), mirror.forgotten) == ("ab", 1)
    assert told(mirror) == [("added", "x"), ("transcribed", "x")]


def test_what_was_just_created_at_the_start_is_there_for_its_caller() -> None:
    mirror = full("a", "b", max_items=2)
    mirror.ask(create("x", "root"), "event_x")
    added(mirror, "x")
    assert ids(mirror) == "xb"
    added(mirror, "c")
    assert ids(mirror) == "bc"


def test_after_what_was_forgotten_is_the_start() -> None:
    mirror = full("a", "b", "c", max_items=2)
    added(mirror, "x", "a", status="in_progress")
    assert ids(mirror) == "xc"
    deleted(mirror, "a")
    added(mirror, "y", "a")
    assert ids(mirror) == "xy"


def test_a_forgotten_item_is_not_spoken_for_and_can_be_added_again() -> None:
    mirror = full("a", "b", max_items=1)
    transcribed(mirror, "a", "late")
    added(mirror, "a", content=[AUDIO])
    assert transcripts(mirror) == [None]
    transcribed(mirror, "a", "in time")
    assert transcripts(mirror) == ["in time"]


def test_a_forgotten_items_truncations_go_too() -> None:
    mirror = Conversation(max_items=1)
    added(mirror, "a", content=[SPOKEN])
    truncated(mirror, "a", content_index=0, audio_end_ms=300)
    added(mirror, "b")
    assert mirror.truncations == {}


# -- real servers ---------------------------------------------------------------------------

RECORDINGS = sorted((Path(__file__).parents[1].parent / "shared" / "recordings").glob("*.jsonl"))


@pytest.mark.skipif(not RECORDINGS, reason="no recordings here; the orders are tested literally")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_real_servers_sent_is_mirrored_in_order_and_whole(path: Path) -> None:
    mirror, order = Conversation(), list[str]()
    for line in path.read_bytes().splitlines():
        recorded = msgspec.json.decode(line)
        frame = recorded["frame"]
        if recorded["direction"] == "received" and frame["type"] in HEARD:
            hear(mirror, msgspec.json.encode(frame))
            if frame["type"] in (f"{ITEM}.added", f"{ITEM}.created"):
                assert frame.get("previous_item_id") in (None, *order[-1:])
                order.append(frame["item"]["id"])
    assert [id_of(item) for item in mirror.items] == order
    assert len(order) > 1
    assert {change.item_id for change in mirror.notes if change.kind == "added"} == set(order)
    for item in mirror.items:
        assert getattr(item, "status", None) != "in_progress"
        if isinstance(item, events.MessageItem):
            for part in item.content or ():
                assert isinstance(part.text or part.transcript, str), item


# -- whatever comes -------------------------------------------------------------------------

NAMES = st.sampled_from("abcde")
MODEL = st.lists(
    st.one_of(
        st.tuples(st.just("added"), NAMES, st.none() | NAMES | st.just("root")),
        st.tuples(st.just("done"), NAMES),
        st.tuples(st.just("deleted"), NAMES),
        st.tuples(st.just("keep out"), NAMES),
        st.tuples(st.just("let go"), NAMES),
    )
)


@given(MODEL)
def test_the_order_is_that_of_a_simple_model(steps: list[Any]) -> None:
    mirror, model, out = Conversation(), list[str](), set[str]()
    for kind, item_id, *after in steps:
        if kind == "added":
            added(mirror, item_id, after[0])
            if item_id not in model and item_id not in out:
                known = after[0] in model
                end = model.index(after[0]) + 1 if known else len(model)
                model.insert(0 if after[0] == "root" else end, item_id)
        elif kind == "done":
            done(mirror, item_id)
        elif kind == "let go":
            mirror.let_go(item_id)
            out.discard(item_id)
        else:
            if kind == "deleted":
                deleted(mirror, item_id)
            else:
                mirror.keep_out(item_id)
                out.add(item_id)
            if item_id in model:
                model.remove(item_id)
        assert ids(mirror) == "".join(model)


# -- interruption -----------------------------------------------------------------------------


def test_what_was_heard_is_kept_beside_all_of_it() -> None:
    mirror = Conversation()
    growing = MessageItem(id="m", role="assistant", status="in_progress", content=())
    mirror.on_added(ConversationItemAdded(item=growing))
    assert mirror.interrupted == {}
    mirror.note_heard("m", 0, "Once upon")
    mirror.note_heard("unknown", 0, "nothing")
    assert mirror.interrupted == {("m", 0): Interrupted("Once upon", None)}
    part = ContentPart(type="output_audio", transcript="Once upon a time")
    whole = MessageItem(id="m", role="assistant", status="incomplete", content=(part,))
    mirror.on_done(ConversationItemDone(item=whole))
    assert mirror.interrupted == {("m", 0): Interrupted("Once upon", "Once upon a time")}
    mirror.on_truncated(ConversationItemTruncated(item_id="m", content_index=0, audio_end_ms=500))
    mirror.on_done(ConversationItemDone(item=growing))
    assert mirror.interrupted == {("m", 0): Interrupted("Once upon", "Once upon a time")}
    mirror.on_deleted(ConversationItemDeleted(item_id="m"))
    assert mirror.interrupted == {}


def test_all_of_it_may_be_known_before_the_interruption() -> None:
    mirror = Conversation()
    parts = (
        ContentPart(type="output_audio", transcript=None),
        ContentPart(type="output_audio", transcript="Once upon a time"),
    )
    whole = MessageItem(id="m", role="assistant", status="completed", content=parts)
    mirror.on_added(ConversationItemAdded(item=whole))
    for index, full in enumerate((None, "Once upon a time", None)):
        mirror.note_heard("m", index, "Once")
        assert mirror.interrupted["m", index] == Interrupted("Once", full)


def test_an_item_whose_response_is_over_is_over() -> None:
    mirror = Conversation()
    call = FunctionCallItem(id="f", name="look", status="in_progress", arguments="")
    message = MessageItem(id="m", role="assistant", status="in_progress", content=())
    whole = MessageItem(id="w", role="assistant", status="completed", content=())
    for item in (call, message, whole):
        mirror.on_added(ConversationItemAdded(item=item))
    mirror.notes.clear()
    for item_id in ("f", "m", "w", "unknown"):
        mirror.on_over(item_id)
    states = [getattr(item, "status", None) for item in mirror.items]
    assert states == ["incomplete", "incomplete", "completed"]
    assert [(note.kind, note.item_id) for note in mirror.notes] == [("done", "f"), ("done", "m")]
    mirror.on_added(ConversationItemAdded(item=message))  # late, and older than its end
    assert [getattr(item, "status", None) for item in mirror.items] == states


def test_an_item_whose_response_is_over_can_be_forgotten() -> None:
    mirror = Conversation(max_items=1)
    growing = MessageItem(id="m", role="assistant", status="in_progress", content=())
    mirror.on_added(ConversationItemAdded(item=growing))
    mirror.on_over("m")
    mirror.on_added(ConversationItemAdded(item=MessageItem(id="n", role="user", content=())))
    assert [getattr(item, "id", None) for item in mirror.items] == ["n"]
