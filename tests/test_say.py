"""`say`: what it asks for, and what it makes of the answer, against a scripted server."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from realtime_client import Message, Reconnect
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConnectionLost,
    ConversationBusy,
    ResponseFailed,
    ResponseRejected,
    UsageError,
)
from tests import wire
from tests.responding import LOST
from tests.scripted import DROPPED, opens, scripted

TEXT = "Your call is recorded."
IDS = {"response_id": "resp_1", "output_index": 0, "content_index": 0}


def words(text: str, item_id: str = "m") -> bytes:
    event = "response.output_audio_transcript.delta"
    return wire.frame(event, item_id=item_id, delta=text, **IDS)


def written(text: str) -> bytes:
    return wire.frame("response.output_text.delta", item_id="m", delta=text, **IDS)


def sound(audio: str, item_id: str = "m") -> bytes:
    return wire.frame("response.output_audio.delta", item_id=item_id, delta=audio, **IDS)


def item(what: str, **fields: Any) -> bytes:
    ids = {"response_id": "resp_1", "output_index": 0}
    return wire.frame(f"response.output_item.{what}", item=wire.message("m", **fields), **ids)


Reply = Callable[[dict[str, Any]], Sequence[bytes | Exception]]


def answers(*frames: bytes | Exception) -> Reply:
    """A server that creates the response and then says this."""

    def reply(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] != "response.create":
            return opens(frame)
        return [wire.created("resp_1", frame["response"]["metadata"]), *frames]

    return reply


def creates(server: Any) -> list[dict[str, Any]]:
    """What every `response.create` asked for, less the key by which its answer is found."""
    asked = [frame["response"] for frame in server.received if frame["type"] == "response.create"]
    for one in asked:
        one["metadata"].pop("realtime_client")
    return asked


# -- what is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(("remember", "conversation"), [(True, "auto"), (False, "none")])
async def test_it_asks_for_audio_no_tools_and_no_context(remember: bool, conversation: str) -> None:
    async with scripted(answers()) as (client, server):
        await client.say(TEXT, remember=remember)
        assert creates(server) == [
            {
                "conversation": conversation,
                "input": [],
                "instructions": f"Say exactly the following: {TEXT}",
                "output_modalities": ["audio"],
                "tools": [],
                "tool_choice": "none",
                "metadata": {},
            }
        ]


async def test_it_is_remembered_unless_that_is_not_wanted() -> None:
    async with scripted(answers()) as (client, server):
        await client.say(TEXT)
        assert creates(server)[0]["conversation"] == "auto"


async def test_the_wording_is_the_callers() -> None:
    async with scripted(answers()) as (client, server):
        await client.say("{0} {text}", wording="Read out: «{text}»", remember=False)
        assert creates(server)[0]["instructions"] == "Read out: «{0} {text}»"


async def test_what_does_not_decide_what_is_said_can_be_given() -> None:
    audio = {"output": {"voice": "cedar"}}
    async with scripted(answers()) as (client, server):
        spoken = await client.say(TEXT, metadata={"why": "law"}, audio=audio, max_output_tokens=50)
        (asked,) = creates(server)
        assert asked["metadata"] == {"why": "law"}
        assert (asked["audio"], asked["max_output_tokens"]) == (audio, 50)
        assert spoken.id == "resp_1"


FIXED: list[dict[str, Any]] = [
    {"input": [wire.message("m")]},
    {"instructions": "Be brief."},
    {"tools": [{"type": "function", "name": "f"}]},
    {"tool_choice": "auto"},
    {"output_modalities": ["text"]},
    {"conversation": "none"},
]


@pytest.mark.parametrize("option", FIXED, ids=lambda option: next(iter(option)))
async def test_what_decides_it_cannot(option: dict[str, Any]) -> None:
    async with scripted(answers()) as (client, server):
        with pytest.raises(UsageError, match=next(iter(option))):
            await client.say(TEXT, **option)
        assert creates(server) == []


@pytest.mark.parametrize(
    ("text", "wording"), [("", "Say {text}"), (" ... ", "Say {text}"), (TEXT, "Say it")]
)
async def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    text: str, wording: str
) -> None:
    async with scripted(answers()) as (client, server):
        with pytest.raises(UsageError):
            await client.say(text, wording=wording)
        assert creates(server) == []


async def test_a_refusal_is_the_callers_error() -> None:
    def refuse(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] == "response.create":
            return [wire.error(frame["event_id"], "invalid_value")]
        return opens(frame)

    async with scripted(refuse) as (client, _):
        with pytest.raises(ResponseRejected, match="invalid_value"):
            await client.say(TEXT)


async def test_a_time_limit_is_that_of_the_create() -> None:
    async with scripted(opens) as (client, server):
        with pytest.raises(AcknowledgementTimeout):
            await client.say(TEXT, timeout=0.01)
        assert len(creates(server)) == 1


@pytest.mark.parametrize("when_busy", ["fail", "interrupt"])
async def test_what_to_do_when_busy_is_that_of_the_create(when_busy: Any) -> None:
    async with scripted(answers()) as (client, server):
        await client.response.create()
        with pytest.raises((ConversationBusy, AcknowledgementTimeout)) as caught:
            await client.say(TEXT, when_busy=when_busy, timeout=0.01)
        assert isinstance(caught.value, ConversationBusy) is (when_busy == "fail")
        sent = [frame["type"] for frame in server.received]
        assert ("response.cancel" in sent) is (when_busy == "interrupt")


# -- what is made of the answer -----------------------------------------------------------------


async def test_word_for_word() -> None:
    async with scripted(answers(words(TEXT), wire.done("resp_1"))) as (client, _):
        said = await (await client.say(TEXT)).done()
        assert (said.transcript, said.match, said.exact) == (TEXT, 1.0, True)
        assert said.resource.status == "completed"
        with pytest.raises(dataclasses.FrozenInstanceError):
            said.match = 0.5  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("said", "match", "exact"),
    [
        (f"{TEXT}\n", 1.0, True),
        ("your call is recorded", 1.0, False),
        ("Your call gets recorded.", 0.75, False),
        ("Sorry, no.", 0.0, False),
    ],
)
async def test_other_words(said: str, match: float, exact: bool) -> None:
    async with scripted(answers(words(said), wire.done("resp_1"))) as (client, _):
        done = await (await client.say(TEXT)).done()
        assert (done.transcript, done.exact) == (said, exact)
        assert done.match == pytest.approx(match)


async def test_the_same_text_in_two_messages_is_the_same_text() -> None:
    halves = [words("Your call", "a"), words("is recorded.", "b"), words("", "c")]
    async with scripted(answers(*halves, wire.done("resp_1"))) as (client, _):
        said = await (await client.say(TEXT)).done()
        assert (said.transcript, said.match, said.exact) == ("Your call\nis recorded.", 1.0, True)


async def test_written_text_is_not_said() -> None:
    content = [{"type": "output_text", "text": TEXT}]
    output = [wire.message("m", content=content)]
    frames = [written(TEXT), wire.done("resp_1", output=output)]
    async with scripted(answers(*frames)) as (client, _):
        spoken = await client.say(TEXT)
        said = await spoken.done()
        assert (said.transcript, said.match, said.exact) == ("", 0.0, False)
        assert (spoken.transcript, spoken.response.transcript) == ("", TEXT)


async def test_a_call_says_nothing() -> None:
    call = {"type": "function_call", "id": "f", "name": "look", "call_id": "c", "arguments": "{}"}
    async with scripted(answers(wire.done("resp_1", output=[call]))) as (client, _):
        said = await (await client.say(TEXT)).done()
        assert (said.transcript, said.match) == ("", 0.0)
        assert said.resource.output


async def test_words_that_only_the_end_has_count() -> None:
    def message(*transcripts: str | None) -> dict[str, Any]:
        content = [{"type": "output_audio", "transcript": one} for one in transcripts]
        return wire.message(f"m{len(transcripts)}", content=content)

    output = [message("Your ", None, "call"), message(None), message("is recorded.", "")]
    async with scripted(answers(wire.done("resp_1", output=output))) as (client, _):
        said = await (await client.say(TEXT)).done()
        assert (said.transcript, said.exact) == ("Your call\nis recorded.", True)


async def test_the_last_word_of_the_server_counts() -> None:
    part = {"type": "output_audio", "transcript": "Another call"}
    end = wire.done("resp_1", output=[wire.message("m", content=[part])])
    async with scripted(answers(words("Your call"), end)) as (client, _):
        assert (await (await client.say(TEXT)).done()).transcript == "Another call"


async def test_an_end_without_anything_is_nothing_said() -> None:
    async with scripted(answers(wire.done("resp_1", output=None))) as (client, _):
        said = await (await client.say(TEXT)).done()
        assert (said.transcript, said.match) == ("", 0.0)


async def test_a_failure_is_a_status_with_what_was_said_until_then() -> None:
    details = {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}
    end = wire.done("resp_1", "failed", status_details=details)
    async with scripted(answers(words("Your call"), sound("AAAA"), end)) as (client, _):
        spoken = await client.say(TEXT)
        said = await spoken.done()
        assert (said.resource.status, said.transcript, said.match) == ("failed", "Your call", 0.5)
        heard = []
        with pytest.raises(ResponseFailed, match="slow down"):
            async for chunk in spoken.audio:
                heard.append(chunk)  # noqa: PERF401 - the error comes after what came
        assert heard == [bytes(3)]


@LOST
async def test_a_loss_is_raised(reconnect: Reconnect | None) -> None:
    async with scripted(answers(words("Your call")), reconnect=reconnect) as (client, server):
        spoken = await client.say(TEXT)
        server.say(DROPPED)
        with pytest.raises(ConnectionLost):
            await spoken.done()


# -- it is a response -------------------------------------------------------------------------


async def test_it_is_the_handle_of_its_response() -> None:
    usage = {"total_tokens": 7}
    end = wire.done(
        "resp_1", "incomplete", usage=usage, status_details={"reason": "content_filter"}
    )
    frames = [item("added"), words(TEXT), sound("AAAA"), sound("AQEB"), item("done"), end]
    async with scripted(answers(*frames)) as (client, _):
        responses = client.responses()
        spoken = await client.say(TEXT, metadata={"mine": "yes"})
        assert spoken.response is await anext(responses)
        assert (spoken.id, spoken.asked) == ("resp_1", TEXT)
        assert b"".join([chunk async for chunk in spoken.audio]) == bytes([0, 0, 0, 1, 1, 1])
        said = await spoken.done()
        (message,) = [output async for output in spoken]
        assert isinstance(message, Message)
        assert await message.transcript.read() == TEXT
        assert (spoken.status, spoken.transcript) == ("incomplete", TEXT)
        assert spoken.status_details is spoken.response.status_details is not None
        assert spoken.usage is spoken.response.usage is not None
        assert spoken.resource is said.resource is spoken.response.resource
        assert spoken.audio_format is spoken.response.audio_format is not None
        assert spoken.metadata == spoken.response.metadata
        assert spoken.outputs == spoken.response.outputs == (message,)
        assert repr(spoken) == "<Spoken resp_1 incomplete>"


async def test_cancelling_is_by_id_and_waits_for_the_end() -> None:
    def reply(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] == "response.cancel":
            assert frame["response_id"] == "resp_1"
            return [wire.done("resp_1", "cancelled")]
        return answers(words("Your"))(frame)

    async with scripted(reply) as (client, _):
        spoken = await client.say(TEXT)
        assert (spoken.status, repr(spoken)) == ("in_progress", "<Spoken resp_1 in_progress>")
        message = await anext(aiter(spoken))
        assert await anext(aiter(message.transcript)) == "Your"
        await spoken.cancel()
        said = await spoken.done()
        assert (spoken.status, said.resource.status) == ("cancelled", "cancelled")
        assert (said.transcript, said.match) == ("Your", 0.25)


async def test_everybody_who_waits_is_told() -> None:
    async with scripted(answers(words(TEXT))) as (client, server):
        spoken, told = await client.say(TEXT), []

        async def wait() -> None:
            told.append(await spoken.done())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            server.say(wire.done("resp_1"))
        assert told[0] == told[1] == await spoken.done()


async def test_what_nobody_holds_is_not_kept() -> None:
    async with scripted(answers()) as (client, server):
        spoken = await client.say(TEXT)
        response = weakref.ref(spoken.response)
        gc.collect()
        assert response() is not None
        server.say(words("Your"), sound("AAAA"), wire.done("resp_1"))
        assert (await spoken.done()).transcript == "Your"
        del spoken
        gc.collect()
        assert response() is None


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (b"Hello.", {}, "say takes a text, not bytes"),
        (None, {}, "say takes a text, not NoneType"),
        (TEXT, {"wording": None}, "the wording is a text with {text} in it, not NoneType"),
        (TEXT, {"tools": []}, "say takes audio, max_output_tokens and metadata, not 'tools'"),
        (TEXT, {"instructions": "x"}, "max_output_tokens and metadata, not 'instructions'"),
        (TEXT, {"voice": "ash"}, "audio={'output': {'voice': ...}}"),
        (TEXT, {"audio": {"output": {"speed": 1.2}}}, "no field response.audio.output.speed"),
        (TEXT, {"timeout": "5"}, "timeout is in seconds"),
    ],
)
async def test_what_cannot_be_said_is_refused_and_nothing_is_sent(
    text: Any, options: Any, words: str
) -> None:
    async with scripted(answers(), instructions="x") as (client, server):
        sent = len(server.received)
        with pytest.raises(UsageError) as caught:
            await client.say(text, **options)
        assert words in str(caught.value)
        assert len(server.received) == sent
