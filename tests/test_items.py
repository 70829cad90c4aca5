"""`conversation.*` over real sockets, against the simulator, on both loops."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from realtime_client import Client, events
from realtime_client.audio import WireFormat
from realtime_client.codec import encode
from realtime_client.conversation import Change
from realtime_client.errors import (
    ConnectionFailed,
    RealtimeError,
    ServerError,
    SyncIncomplete,
    UsageError,
)
from realtime_client.items import Synced
from realtime_client.kept import id_of
from realtime_client.simulator import SimulatedSession, listen, sing
from realtime_client.streams import Once
from tests.scenarios import connected, says
from tests.scripted import scripted
from tests.simulated import base64
from tests.wire import read


def user(item_id: str, text: str | None = None) -> events.MessageItem:
    return replace(events.user_message(text or item_id), id=item_id)


def ids(items: Any) -> list[str | None]:
    return [id_of(item) for item in items]


def agree(client: Client, session: SimulatedSession, *item_ids: str) -> None:
    """Both sides have these items, in this order."""
    assert ids(client.conversation.items) == list(item_ids)
    assert ids(session.conversation.items) == list(item_ids)


async def fill(client: Client, *item_ids: str) -> None:
    for item_id in item_ids:
        await client.conversation.item.create(user(item_id))


def sung(item_id: str, text: str) -> events.MessageItem:
    part = events.ContentPart(type="input_audio", audio=base64(sing(text)))
    return events.MessageItem(id=item_id, role="user", content=(part,))


def commands(session: SimulatedSession) -> list[str]:
    return [str(event.type) for event in session.received]


async def first(changes: Once[Change], number: int) -> list[tuple[str, str]]:
    got = [await anext(changes) for _ in range(number)]
    return [(change.kind, change.item_id) for change in got]


# -- the verbs ------------------------------------------------------------------------------


async def test_each_verb_returns_its_own_answer() -> None:
    async with connected(brain=says("hello")) as (client, session):
        item = client.conversation.item
        added = await item.create(user("a"))
        assert (id_of(added.item), added.previous_item_id) == ("a", None)
        wire_shape = {"type": "message", "role": "user", "content": []}
        added = await item.create(wire_shape, after="root")
        item_id = id_of(added.item)
        assert item_id is not None
        agree(client, session, item_id, "a")
        retrieved = await item.retrieve("a")
        assert id_of(retrieved.item) == "a"
        deleted = await item.delete(item_id)
        assert deleted.item_id == item_id
        agree(client, session, "a")
        response = await client.response.create()
        await response.done()
        spoken = id_of(client.conversation.items[-1])
        assert spoken is not None
        cut = await item.truncate(spoken, audio_end_ms=200)
        assert (cut.item_id, cut.content_index, cut.audio_end_ms) == (spoken, 0, 200)
        assert client.conversation.truncations == {(spoken, 0): 200}
        (part,) = client.conversation.items[-1].content  # type: ignore[union-attr, misc]  # a message
        assert part.transcript is events.UNSET
        assert client.conversation.forgotten == 0


async def test_each_verb_raises_its_own_error() -> None:
    async with connected() as (client, session):
        item = client.conversation.item
        await fill(client, "a")
        for verb in (item.delete, item.retrieve):
            with pytest.raises(ServerError) as refused:
                await verb("nobody")
            assert refused.value.code == f"item_{verb.__name__}_invalid_item_id"
        with pytest.raises(ServerError) as refused:
            await item.truncate("a", audio_end_ms=0)
        assert "Only model output audio" in refused.value.message
        with pytest.raises(ServerError) as refused:
            await item.create(user("a"))
        assert refused.value.code == "item_create_duplicate_item_id"
        with pytest.raises(ServerError) as refused:
            await item.create(user("b"), after="nobody")
        assert refused.value.code == "item_create_invalid_previous_item_id"
        agree(client, session, "a")


async def test_two_at_once_about_one_item_each_get_their_own() -> None:
    async with connected() as (client, _):
        await fill(client, "a")
        outcomes: list[str] = []

        async def run(verb: Any, *args: Any) -> None:
            try:
                answer = await verb(*args)
            except ServerError as error:
                outcomes.append(str(error.code))
            else:
                outcomes.append(answer.type)

        item = client.conversation.item
        async with anyio.create_task_group() as tasks:
            for verb in (item.retrieve, item.retrieve, item.delete, item.delete):
                tasks.start_soon(run, verb, "a")
        assert outcomes.count("conversation.item.deleted") == 1
        assert outcomes.count("item_delete_invalid_item_id") == 1
        retrieved = outcomes.count("conversation.item.retrieved")
        assert retrieved + outcomes.count("item_retrieve_invalid_item_id") == 2


async def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    async with connected() as (client, session):
        item = client.conversation.item
        before = commands(session)
        for end in (-1, 1.5, True, None, "1"):
            with pytest.raises(UsageError, match="audio_end_ms is a whole number"):
                await item.truncate("a", audio_end_ms=end)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(UsageError, match="content_index is a whole number"):
            await item.truncate("a", audio_end_ms=0, content_index=-1)
        calls: list[Any] = [
            lambda: item.delete(""),
            lambda: item.retrieve(None),  # type: ignore[arg-type]  # on purpose
            lambda: item.truncate("", audio_end_ms=0),
            lambda: item.create(user("a"), after=""),
        ]
        for call in calls:
            with pytest.raises(UsageError, match="an item's id is a text"):
                await call()
        for odd in ({"type": "of another day"}, events.ItemReference(id="a")):
            with pytest.raises(UsageError, match="cannot be created; what is newer"):
                await item.create(odd)
        with pytest.raises(UsageError, match="role"):
            await item.create({"type": "message"})
        await fill(client, "x")  # so that the server has read everything before it
        assert commands(session) == [*before, "conversation.item.create"]


# -- changes --------------------------------------------------------------------------------


async def test_changes_tell_what_happens_to_the_items_whoever_does_it() -> None:
    async with connected(brain=says("hello"), transcription="whisper-1") as (client, _):
        changes = client.conversation.changes()
        await fill(client, "a")
        assert await first(changes, 2) == [("added", "a"), ("done", "a")]
        response = await client.response.create()
        await response.done()
        spoken = str(id_of(client.conversation.items[-1]))
        added = await anext(changes)
        assert (added.kind, added.item_id, added.previous_item_id) == ("added", spoken, "a")
        done = await anext(changes)
        assert (done.kind, done.item) == ("done", client.conversation.items[-1])
        await client.conversation.item.truncate(spoken, audio_end_ms=100)
        await client.conversation.item.delete(spoken)
        assert await first(changes, 2) == [("truncated", spoken), ("deleted", spoken)]
        await client.send_audio(sing("one two"))
        committed = await client.input_audio_buffer.commit()
        heard = [await anext(changes) for _ in range(3)]
        assert [change.kind for change in heard] == ["added", "done", "transcribed"]
        assert {change.item_id for change in heard} == {committed.item_id}
        (part,) = heard[-1].item.content  # type: ignore[union-attr, misc]  # a message
        assert part.transcript == "one two"
    with pytest.raises(StopAsyncIteration):
        await anext(changes)
    with pytest.raises(ConnectionFailed):
        client.conversation.changes()


# -- sync -----------------------------------------------------------------------------------


async def test_sync_makes_the_servers_conversation_equal_to_a_list() -> None:
    async with connected() as (client, session):
        await fill(client, *"abcd")
        wanted: list[Any] = [
            user("x"),
            user("b"),
            {"type": "message", **plain(user("d", "other"))},
            user("a"),
        ]
        done = await client.conversation.sync(wanted)
        assert done == Synced(created=("x", "d", "a"), deleted=("d", "c", "a"))
        agree(client, session, "x", "b", "d", "a")
        texts = [item.content[0].text for item in session.conversation.items]  # type: ignore[union-attr, index]  # messages
        assert texts == ["x", "b", "other", "a"]
        before = len(session.received)
        assert await client.conversation.sync(wanted) == Synced((), ())
        assert await client.conversation.sync(client.conversation.items) == Synced((), ())
        assert len(session.received) == before


def plain(item: events.Item) -> dict[str, Any]:
    return read(encode(item))


async def test_a_list_without_ids_is_made_once() -> None:
    async with connected() as (client, session):
        wanted: list[events.Item] = [
            events.system_message("be brief"),
            events.user_message("hi"),
            events.FunctionCallItem(name="f", call_id="c", arguments="{}"),
            events.FunctionCallOutputItem(call_id="c", output="1"),
            events.assistant_message("ho"),
            events.user_message("hi"),
        ]
        done = await client.conversation.sync(wanted)
        assert len(set(done.created)) == 6
        agree(client, session, *done.created)
        assert await client.conversation.sync(wanted) == Synced((), ())


async def test_many_items_are_created_in_their_order_without_waiting_in_between() -> None:
    async with connected() as (client, session):
        names = [f"item_{number}" for number in range(200)]
        await client.conversation.sync([user(name) for name in names])
        agree(client, session, *names)
        await client.conversation.sync([user(name) for name in reversed(names)])
        agree(client, session, *reversed(names))


async def test_audio_of_the_user_stays_audio() -> None:
    async with connected() as (client, session):
        await client.conversation.sync([sung("song", "one two"), user("a"), user("b")])
        (song, _, b) = client.conversation.items
        done = await client.conversation.sync([b, song])
        assert done == Synced(created=("b",), deleted=("b", "a"))
        agree(client, session, "b", "song")
        retrieved = await client.conversation.item.retrieve("song")
        (part,) = retrieved.item.content  # type: ignore[union-attr, misc]  # a message
        assert part.audio is not None
        (clip,) = session.conversation.entries[1].clips.values()
        wire = WireFormat("audio/pcm", 24_000)
        assert listen(clip.samples, wire.rate).text == "one two"
        assert "audio" not in plain(client.conversation.items[1])["content"][0]


async def test_audio_becomes_text_only_if_told() -> None:
    async with connected(brain=says("hello")) as (client, session):
        for _ in range(2):
            response = await client.response.create()
            await response.done()
        one, two = client.conversation.items
        before = len(session.received)
        with pytest.raises(UsageError, match="has audio that cannot be created again"):
            await client.conversation.sync([two, one])
        assert len(session.received) == before
        done = await client.conversation.sync([two, one], audio_as_text=True)
        assert len(done.created) == len(done.deleted) == 1
        agree(client, session, str(id_of(two)), str(id_of(one)))
        (text,) = [item for item in session.conversation.items if id_of(item) in done.created]
        assert text.content == (events.ContentPart(type="output_text", text="hello"),)  # type: ignore[union-attr]  # a message
        assert await client.conversation.sync([two, one], audio_as_text=True) == Synced((), ())


async def test_what_is_refused_is_told_with_what_was_done() -> None:
    async with connected() as (client, session):
        await fill(client, "a", "b")
        bad = replace(events.assistant_message("x"), id="bad")
        bad = replace(bad, content=(events.ContentPart(type="odd", text="x"),))
        with pytest.raises(SyncIncomplete) as raised:
            await client.conversation.sync([user("c"), bad, user("d"), user("b"), user("e")])
        error = raised.value
        assert (error.created, error.deleted) == (("c", "e"), ("a",))
        reasons = dict(error.refused)
        assert list(reasons) == ["bad", "d"]  # where `bad` is not, nothing comes after it
        assert isinstance(reasons["bad"], ServerError)
        assert reasons["bad"].code == "invalid_value"
        agree(client, session, "c", "b", "e")
        await client.conversation.sync([user("c"), user("good"), user("b")])
        agree(client, session, "c", "good", "b")


async def test_where_a_delete_is_refused_nothing_is_created() -> None:
    async with connected() as (client, session):
        await fill(client, "a", "b")
        session.conversation.delete("a")  # somebody else did, and told nobody
        with pytest.raises(SyncIncomplete) as raised:
            await client.conversation.sync([user("c")])
        error = raised.value
        assert (error.created, error.deleted) == ((), ("b",))
        assert [item_id for item_id, _ in error.refused] == ["a"]
        assert ids(session.conversation.items) == []


async def test_two_syncs_at_once_come_one_after_the_other() -> None:
    async with connected() as (client, session):
        await fill(client, "a")
        lists = [[user(name) for name in names] for names in ("abc", "cba", "xya")]
        outcomes: list[Synced] = []

        async def run(items: list[events.MessageItem]) -> None:
            outcomes.append(await client.conversation.sync(items))

        async with anyio.create_task_group() as tasks:
            for items in lists:
                tasks.start_soon(run, items)
        assert len(outcomes) == 3
        assert tuple(ids(session.conversation.items)) in {tuple(ids(items)) for items in lists}
        assert ids(session.conversation.items) == ids(client.conversation.items)


async def test_a_cancelled_sync_lets_the_next_one_go() -> None:
    async with connected() as (client, session):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.conversation.sync([user("a")])
        await client.conversation.sync([user("b")])
        agree(client, session, "b")


async def test_items_that_come_meanwhile_are_left_alone() -> None:
    async with connected(brain=says("hello")) as (client, session):
        await fill(client, "a", "b")
        responses = client.responses()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.conversation.sync, [user("x"), user("b"), user("y")])
            tasks.start_soon(client.response.create)
            response = await anext(responses)
            await response.done()
        there = ids(session.conversation.items)
        assert ids(client.conversation.items) == there
        (spoken,) = [one for one in there if one not in ("x", "b", "y")]
        there.remove(spoken)
        assert there == ["x", "b", "y"]


async def test_a_mirror_that_has_forgotten_items_cannot_be_synced() -> None:
    async with connected() as (client, session):
        await fill(client, "a", "b")
        client.conversation._mirror.forgotten = 3
        with pytest.raises(UsageError, match="the 3 oldest items were forgotten"):
            await client.conversation.sync([])
        agree(client, session, "a", "b")


async def test_a_sync_ends_with_its_connection() -> None:
    async with connected() as (client, session):
        await fill(client, "a")
        session.close_wanted = (1011, "gone")  # it reads nothing more
        with pytest.raises(ConnectionFailed):
            await client.conversation.sync([user("b")])
        with pytest.raises(ConnectionFailed):
            await client.conversation.sync([user("b")])


async def test_a_list_that_cannot_be_is_one_error_before_anything_is_sent() -> None:
    async with connected() as (client, session):
        await fill(client, "a")
        before = len(session.received)
        lists: list[list[Any]] = [
            [user("x"), user("x")],
            [events.McpCallItem(id="m")],
            [{"type": "of another day"}],
            [{"type": "message"}],
            [events.ItemReference(id="nobody")],
            [events.FunctionCallOutputItem(call_id="c", output="1")],
            [replace(user("x"), status="in_progress")],
            [events.MessageItem(role="user", content=(events.ContentPart(type="input_audio"),))],
        ]
        for items in lists:
            with pytest.raises(UsageError):
                await client.conversation.sync(items)
        assert len(session.received) == before
        agree(client, session, "a")
        assert issubclass(SyncIncomplete, RealtimeError)


async def test_a_request_whose_caller_has_gone_is_forgotten() -> None:
    async with scripted() as (client, _):
        connection = client._connection
        assert connection is not None
        for _ in range(20):
            with anyio.move_on_after(0):
                await client.conversation.item.truncate("m", audio_end_ms=1)
            with anyio.move_on_after(0):
                await client.send_text("hello")
        assert connection.protocol._desk.open_requests == ()


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (None, "sync takes a list of items, not NoneType"),
        ("hello", "sync takes a list of items, not str"),
        ({"type": "message", "role": "user"}, "sync takes a list of items, not dict"),
        (events.user_message("x"), "sync takes a list of items, not MessageItem"),
        (5, "sync takes a list of items, not int"),
        ([{"role": "user", "content": "hi"}], "item 1 of the list: an item needs a `type`"),
        ([events.user_message("x"), "hi"], "item 2 of the list: an item is a struct or a dict"),
        ([{"type": "message", "role": "user", "nmae": "Ann"}], "no field item.nmae; "),
    ],
)
async def test_what_is_no_list_of_items_cannot_be_synced(items: Any, words: str) -> None:
    async with scripted() as (client, server):
        sent = len(server.received)
        with pytest.raises(UsageError) as caught:
            await client.conversation.sync(items)
        assert words in str(caught.value)
        assert len(server.received) == sent


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"role": "user", "content": "hi"}, "an item needs a `type`"),
        ({"type": "message", "role": "user", "nmae": "Ann"}, "no field item.nmae; "),
        ("hello", "an item is a struct or a dict"),
    ],
)
async def test_what_is_no_item_cannot_be_created(item: Any, words: str) -> None:
    async with scripted() as (client, server):
        sent = len(server.received)
        with pytest.raises(UsageError) as caught:
            await client.conversation.item.create(item)
        assert words in str(caught.value)
        assert len(server.received) == sent
