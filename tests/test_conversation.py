"""The server's items in the server's order, and the requests about them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.conversation import Conversation
from realtime_client.errors import ServerError
from realtime_client.outcome import Outcome
from tests import wire


def added(mirror: Conversation, item_id: str, **fields: Any) -> Outcome | None:
    event = decode(wire.frame("conversation.item.added", item=wire.message(item_id), **fields))
    assert isinstance(event, events.ConversationItemAdded)
    return mirror.on_added(event)


def ids(mirror: Conversation) -> list[str]:
    return [str(getattr(item, "id", None)) for item in mirror.items]


def test_order_comes_from_added() -> None:
    mirror = Conversation()
    added(mirror, "a", previous_item_id=None)
    added(mirror, "c", previous_item_id="a")
    added(mirror, "b", previous_item_id="a")
    assert ids(mirror) == ["a", "b", "c"]


def test_null_means_the_end_unless_we_asked_for_the_root() -> None:
    mirror = Conversation()
    for item_id in "ab":
        added(mirror, item_id, previous_item_id=None)
    for item_id in "xyz":
        item = events.MessageItem(id=item_id, role="user", content=())
        where = "a" if item_id == "z" else "root"
        mirror.ask(events.ConversationItemCreate(item=item, previous_item_id=where), item_id)
    mirror.on_refused("y", ServerError("no"))
    for item_id in "yx":
        added(mirror, item_id, previous_item_id=None)
    added(mirror, "z", previous_item_id="a")
    assert ids(mirror) == ["x", "a", "z", "b", "y"]


def test_a_predecessor_that_is_gone_means_the_end() -> None:
    mirror = Conversation()
    added(mirror, "a")
    added(mirror, "b", previous_item_id="deleted")
    assert ids(mirror) == ["a", "b"]


def test_done_changes_the_item_but_never_its_place() -> None:
    mirror = Conversation()
    added(mirror, "a")
    added(mirror, "b", previous_item_id="a")
    item = wire.message("a", status="completed")
    event = decode(wire.frame("conversation.item.done", item=item, previous_item_id="b"))
    assert isinstance(event, events.ConversationItemDone)
    mirror.on_done(event)
    assert ids(mirror) == ["a", "b"]
    first = mirror.get("a")
    assert isinstance(first, events.MessageItem)
    assert first.status == "completed"


def test_done_of_an_item_that_was_never_added_adds_nothing() -> None:
    mirror = Conversation()
    event = decode(wire.frame("conversation.item.done", item=wire.message("a")))
    assert isinstance(event, events.ConversationItemDone)
    mirror.on_done(event)
    assert mirror.items == ()


def test_adding_twice_keeps_the_place() -> None:
    mirror = Conversation()
    added(mirror, "a")
    added(mirror, "b")
    added(mirror, "a", previous_item_id="b")
    assert ids(mirror) == ["a", "b"]


def test_deleting_and_deleting_what_is_not_there() -> None:
    mirror = Conversation()
    added(mirror, "a")
    for _ in range(2):
        mirror.on_deleted(events.ConversationItemDeleted(item_id="a"))
        assert mirror.items == ()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (
            events.ConversationItemCreate(item=events.MessageItem(id="x", role="user", content=())),
            wire.frame("conversation.item.added", item=wire.message("x")),
        ),
        (
            events.ConversationItemDelete(item_id="x"),
            wire.frame("conversation.item.deleted", item_id="x"),
        ),
        (
            events.ConversationItemRetrieve(item_id="x"),
            wire.frame("conversation.item.retrieved", item=wire.message("x")),
        ),
        (
            events.ConversationItemTruncate(item_id="x", content_index=1, audio_end_ms=10),
            wire.frame(
                "conversation.item.truncated", item_id="x", content_index=1, audio_end_ms=10
            ),
        ),
    ],
)
def test_each_request_is_answered_by_its_own_event_only(command: Any, answer: bytes) -> None:
    handlers: dict[type, Any] = {
        events.ConversationItemAdded: Conversation.on_added,
        events.ConversationItemDeleted: Conversation.on_deleted,
        events.ConversationItemRetrieved: Conversation.on_retrieved,
        events.ConversationItemTruncated: Conversation.on_truncated,
    }
    event: Any = decode(answer)
    other: Any = decode(answer.replace(b'"x"', b'"y"'))
    handle = handlers[type(event)]
    mirror = Conversation()
    assert handle(mirror, event) is None
    mirror.ask(command, "event_1")
    mirror.ask(command, "event_2")
    assert handle(mirror, other) is None
    assert handle(mirror, event) == Outcome("event_1", event)
    refusal = ServerError("no", event_id="event_2")
    assert mirror.on_refused("event_1", refusal) is None
    assert mirror.on_refused("event_2", refusal) == Outcome("event_2", error=refusal)
    assert handle(mirror, event) is None


def test_what_the_user_said_arrives_later() -> None:
    mirror = Conversation()
    audio = {"type": "input_audio", "transcript": None}
    item = wire.message("a", role="user", content=[audio, audio])
    event = decode(wire.frame("conversation.item.added", item=item))
    assert isinstance(event, events.ConversationItemAdded)
    mirror.on_added(event)
    for index in (1, 7, -1):
        completed = decode(
            wire.frame(
                "conversation.item.input_audio_transcription.completed",
                item_id="a",
                content_index=index,
                transcript="hello",
                usage={"type": "duration", "seconds": 1},
            )
        )
        assert isinstance(completed, events.ConversationItemInputAudioTranscriptionCompleted)
        mirror.on_transcribed(completed)
        mirror.on_transcribed(msgspec.structs.replace(completed, item_id="nobody"))
    heard = mirror.get("a")
    assert isinstance(heard, events.MessageItem)
    assert heard.content
    assert [part.transcript for part in heard.content] == [None, "hello"]
