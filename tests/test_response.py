"""Handles: what the events of one response become, in any order they come in."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.errors import ConnectionLost, ResponseFailed
from realtime_client.response import Call, Message, Output, Response
from realtime_client.response import deliver as delivery
from realtime_client.speech import Listener
from tests import wire

T = TypeVar("T")


class Nobody:
    """A connection that nothing is asked of here."""

    async def cancel(self, response_id: str) -> None:
        raise AssertionError("nobody cancels here")

    def refuse_deadlock(self) -> None:
        pass

    def answered(self, call_id: str) -> None:
        pass

    def listener(self, item_id: str) -> Listener:
        return self

    def handed(self, part: int, size: int) -> None:
        pass

    def forget(self) -> None:
        pass

    async def request(self, command: events.ClientEvent, answer: type[T]) -> T:
        raise AssertionError("nobody asks here")


def begun() -> Response:
    resource = events.ResponseResource(id="resp_1", status="in_progress")
    return Response(resource, initiator="client", audio_format=None, acting=Nobody())


def deliver(response: Response, type: str, **fields: Any) -> None:  # noqa: A002 - the wire's own name
    event = decode(wire.frame(type, response_id="resp_1", **fields))
    assert not isinstance(event, (events.UnknownEvent, events.InvalidEvent)), event
    delivery(response, event, 0.0)


def add(response: Response, item: dict[str, Any], what: str = "added") -> None:
    deliver(response, f"response.output_item.{what}", output_index=0, item=item)


def speak(response: Response, item_id: str, words: str, part: int = 0) -> None:
    deliver(
        response,
        "response.output_audio_transcript.delta",
        item_id=item_id,
        output_index=0,
        content_index=part,
        delta=words,
    )


def settle(response: Response, item_id: str, words: str, part: int = 0) -> None:
    deliver(
        response,
        "response.output_audio_transcript.done",
        item_id=item_id,
        output_index=0,
        content_index=part,
        transcript=words,
    )


def end(response: Response, status: str = "completed", **fields: Any) -> None:
    event = decode(wire.done("resp_1", status, **fields))
    delivery(response, event, 0.0)


async def outputs(response: Response) -> list[Output]:
    return [output async for output in response]


async def test_the_done_text_wins_over_the_deltas() -> None:
    response = begun()
    add(response, wire.message("m"))
    speak(response, "m", "Hel")
    settle(response, "m", "Hello")
    (message,) = response._outputs.items
    assert isinstance(message, Message)
    assert message.transcript.so_far == "Hello"
    speak(response, "m", "World", part=1)
    settle(response, "m", "Welt", part=1)
    add(response, wire.message("m", status="completed"), "done")
    end(response)
    assert await message.transcript.read() == "HelloWelt"
    assert [delta async for delta in message.transcript] == ["Hel", "lo", "World"]


async def test_what_comes_after_the_last_word_changes_nothing() -> None:
    response = begun()
    add(response, wire.message("m"))
    settle(response, "m", "hello!")
    speak(response, "m", "lo")
    settle(response, "m", "other")
    end(response)
    speak(response, "m", "late", part=1)
    settle(response, "m", "late", part=2)
    (message,) = await outputs(response)
    assert await message.transcript.read() == "hello!"
    assert [delta async for delta in message.transcript] == ["hello!"]


async def test_parts_are_joined_in_their_order_not_in_that_of_their_arrival() -> None:
    response = begun()
    add(response, wire.message("m"))
    speak(response, "m", "second", part=1)
    speak(response, "m", "first ", part=0)
    assert response.transcript == "first second"


async def test_what_comes_before_its_item_was_added_is_not_lost() -> None:
    response = begun()
    speak(response, "m", "early")
    add(response, wire.message("m"))
    end(response)
    (message,) = await outputs(response)
    assert isinstance(message, Message)
    assert await message.transcript.read() == "early"
    assert isinstance(message.item, events.MessageItem)


async def test_audio_of_two_messages_does_not_mix() -> None:
    response = begun()
    for item_id in "ab":
        add(response, wire.message(item_id))
    for item_id, audio in (("a", "AAAA"), ("b", "AQEB"), ("a", "AgIC")):
        deliver(
            response,
            "response.output_audio.delta",
            item_id=item_id,
            output_index=0,
            content_index=0,
            delta=audio,
        )
    end(response)
    heard = {}
    for message in await outputs(response):
        assert isinstance(message, Message)
        heard[message.id] = b"".join([chunk async for chunk in message.audio])
    assert heard == {"a": bytes([0, 0, 0, 2, 2, 2]), "b": bytes([1, 1, 1])}


async def test_text_in_an_audio_session_ends_the_audio_empty() -> None:
    response = begun()
    add(response, wire.message("m"))
    deliver(
        response,
        "response.output_text.delta",
        item_id="m",
        output_index=0,
        content_index=0,
        delta="written",
    )
    add(response, wire.message("m", status="completed"), "done")
    (message,) = response._outputs.items
    assert isinstance(message, Message)
    assert [chunk async for chunk in message.audio] == []
    assert await message.text.read() == "written"


async def test_a_message_ends_on_its_own_done_not_on_the_responses() -> None:
    response = begun()
    add(response, wire.message("a"))
    add(response, wire.message("b"))
    add(response, wire.message("a", status="completed"), "done")
    first, second = response._outputs.items
    item = await first.done()
    assert isinstance(item, events.MessageItem)
    assert item.status == "completed"
    assert not second._ended.ended


async def test_a_call_is_known_by_name_when_it_begins_and_whole_when_it_ends() -> None:
    response = begun()
    call_item = {"type": "function_call", "id": "f", "name": "look", "call_id": "c"}
    add(response, {**call_item, "arguments": ""})
    (call,) = response._outputs.items
    assert isinstance(call, Call)
    assert (call.name, call.call_id) == ("look", "c")
    add(response, {**call_item, "arguments": "{}", "status": "completed"}, "done")
    item = await call.done()
    assert isinstance(item, events.FunctionCallItem)
    assert item.arguments == "{}"


async def test_an_output_of_a_kind_that_we_do_not_know_is_an_output() -> None:
    response = begun()
    add(response, {"type": "hologram", "id": "h", "beam": 3})
    end(response)
    (output,) = await outputs(response)
    assert type(output) is Output
    assert isinstance(output.item, events.UnknownVariant)
    assert output.item.raw["beam"] == 3


@pytest.mark.parametrize(
    ("details", "code", "words"),
    [
        ({"error": {"code": "c", "message": "words"}}, "c", "words"),
        ("overloaded", None, "overloaded"),
        (None, None, "did not say why"),
        ({"type": "failed"}, None, "did not say why"),
    ],
)
async def test_a_failure_says_what_the_server_said(details: Any, code: Any, words: str) -> None:
    response = begun()
    add(response, wire.message("m"))
    end(response, "failed", status_details=details)
    with pytest.raises(ResponseFailed, match=words) as caught:
        await outputs(response)
    assert (caught.value.code, caught.value.response_id) == (code, "resp_1")
    (message,) = response._outputs.items
    assert isinstance(message, Message)
    for stream in (message.audio, message.transcript, message.text):
        with pytest.raises(ResponseFailed):
            async for _ in stream:
                pass
    assert (await response.done()).status == "failed"


@pytest.mark.parametrize("status", ["completed", "cancelled", "incomplete", "a_new_one"])
async def test_every_other_status_ends_cleanly(status: str) -> None:
    response = begun()
    add(response, wire.message("m"))
    end(response, status, status_details="unimplemented", usage={})
    (message,) = await outputs(response)
    await message.done()
    assert (response.status, response.status_details) == (status, "unimplemented")


async def test_a_loss_ends_everything_once() -> None:
    response = begun()
    add(response, wire.message("m"))
    response._end(ConnectionLost("gone"))
    end(response)
    with pytest.raises(ConnectionLost):
        await response.done()
    (message,) = response._outputs.items
    with pytest.raises(ConnectionLost):
        await message.done()


async def test_whatever_is_held_holds_its_response_and_nothing_else_does() -> None:
    holds: list[Callable[[Any], object]] = [
        lambda response: aiter(response),
        lambda response: response.audio,
        lambda response: response._outputs.items[0],
        lambda response: response._outputs.items[0].audio,
        lambda response: response._outputs.items[0].transcript,
        lambda response: aiter(response._outputs.items[0].text),
    ]
    for hold in holds:
        response = begun()
        add(response, wire.message("m"))
        alive = weakref.ref(response)
        held: Any = hold(response)
        del response
        gc.collect()
        assert alive() is not None
        del held
        gc.collect()
        assert alive() is None
