"""What goes wrong with responses elsewhere, and not here: how they end.

R10: failed, cancelled, incomplete. R11: ends that say less than they should.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from realtime_client import Message, events
from realtime_client.errors import ResponseFailed
from realtime_client.events import ServerEvent
from realtime_client.simulator import Fail, Part, SimulatorPolicy, Stop, Tamper
from tests.responding import (
    Gate,
    all_heard,
    cancelled,
    heard,
    of_type,
    round_trip,
    tampered,
    until_it_raises,
)
from tests.scenarios import FAST, answers, connected, says
from tests.simulated import spoken

FAILURE = Fail("rate_limit_exceeded", "Too much at once.")
LONG = "A long story, told at length. " * 12
SCRIPT: dict[str, Sequence[str | Part]] = {
    "one": ["I am one,", "and only one."],
    "two": ["Two", "it is."],
    "three": ["The third."],
}
BRAIN = answers(SCRIPT, otherwise="Theirs.")


def changes(change: Callable[[events.ResponseDone], ServerEvent]) -> Tamper:
    """Changes every `response.done`."""

    def tamper(event: ServerEvent) -> Sequence[ServerEvent]:
        return [change(event) if isinstance(event, events.ResponseDone) else event]

    return tamper


def drops(*kinds: type) -> Tamper:
    return lambda event: [] if isinstance(event, kinds) else [event]


# -- R10 --------------------------------------------------------------------------------------

ENDINGS = (
    events.ResponseOutputAudioDone,
    events.ResponseOutputAudioTranscriptDone,
    events.ResponseContentPartDone,
    events.ConversationItemDone,
    events.ResponseOutputItemDone,
)


async def test_R10_a_failed_one_raises_the_servers_error_after_what_came() -> None:
    """The server fails in the middle of a message, whose end never comes."""
    policy = tampered(drops(*ENDINGS))
    async with connected(policy, says("Half of the", FAILURE)) as (c, _):
        response = await c.response.create()
        outputs, error = await until_it_raises(response)
        assert isinstance(error, ResponseFailed)
        assert (error.code, error.message) == (FAILURE.code, FAILURE.message)
        assert (error.type, error.response_id) == (FAILURE.type, response.id)
        (message,) = outputs
        chunks, failure = await until_it_raises(message.audio)
        assert failure is error
        assert len(chunks) > 1
        # An item that the failed response lists is as whole as it gets: its words are there.
        words, failure = await until_it_raises(message.transcript)
        assert ("".join(words), failure) == ("Half of the", error)
        assert response.transcript == "Half of the"
        for call in (message.done(), message.transcript.read(), message.text.read()):
            with pytest.raises(ResponseFailed):
                await call
        _, failure = await until_it_raises(response.audio)
        assert failure is error
        for _ in range(2):
            assert (await response.done()).status == "failed"
        assert response.status_details.error.code == FAILURE.code  # type: ignore[union-attr]  # it has one


async def test_R10_a_message_that_was_whole_by_then_stays_whole() -> None:
    async with connected(FAST, says("This is said.", FAILURE)) as (c, _):
        response = await c.response.create()
        outputs, _ = await until_it_raises(response)
        assert [await heard(output) for output in outputs] == ["This is said."]
        assert await outputs[0].transcript.read() == "This is said."
        assert response.status == "failed"
        assert response.usage is not None


async def test_R10_a_failure_without_any_item() -> None:
    async with connected(FAST, says(FAILURE)) as (c, _):
        response = await c.response.create()
        outputs, error = await until_it_raises(response)
        assert (outputs, type(error)) == ([], ResponseFailed)
        with pytest.raises(ResponseFailed):
            await heard(response)
        assert (await response.done()).output == ()
        await response.cancel()
        assert await response.follow_up() is None
        assert not c.active


async def test_R10_the_words_come_as_they_are_said_and_the_failure_after_them() -> None:
    gate = Gate(lambda event: isinstance(event, (*ENDINGS, events.ResponseDone)))
    async with connected(tampered(gate), says("As it comes.", FAILURE)) as (c, _):
        response = await c.response.create()
        with anyio.fail_after(5):
            message = await anext(aiter(response))
            words = aiter(message.transcript)
            assert [await anext(words) for _ in range(3)] == ["As", " it", " comes."]
            assert await anext(message.audio)
            await round_trip(c)
            assert response.status == "in_progress"
            await gate.open(c)
            assert (await message.done()).status == "completed"  # type: ignore[union-attr]  # a message
            with pytest.raises(ResponseFailed):
                await all_heard(response)


@pytest.mark.parametrize(
    ("parts", "options", "status", "reason"),
    [
        (["Up to", Stop("content_filter"), "here."], {}, "incomplete", "content_filter"),
        ([LONG], {"max_output_tokens": 30}, "incomplete", "max_output_tokens"),
        ([Stop("content_filter")], {}, "incomplete", "content_filter"),
    ],
)
async def test_R10_an_incomplete_one_ends_cleanly_with_its_reason(
    parts: list[str | Part], options: dict[str, Any], status: str, reason: str
) -> None:
    async with connected(FAST, says(*parts)) as (c, session):
        response = await c.response.create(**options)
        with anyio.fail_after(5):
            said = await all_heard(response)
            await response.done()
        assert (response.status, response.status_details.reason) == (status, reason)  # type: ignore[union-attr]  # it has one
        assert len(said) == len(response.outputs) == len(session.conversation.items)
        if "Up to" in parts:
            assert said == ["Up to"]
        assert str(parts[0]).startswith(response.transcript)


@pytest.mark.parametrize("reason", ["turn_detected", "client_cancelled"])
async def test_R10_a_cancelled_one_ends_cleanly_with_its_reason(reason: str) -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with connected(policy, answers({"long": [LONG]}, otherwise="Yes?")) as (c, _):
        happening, responses = c.events(), c.responses()
        response = await c.response.create(instructions="long")
        message = await anext(aiter(response))
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                if reason == "turn_detected":
                    await c.send_audio(spoken("Stop!"))
                else:
                    tasks.start_soon(response.cancel)
                chunks = [chunk async for chunk in message.audio]
            await message.done()
            await response.done()
        assert (response.status, response.status_details.reason) == ("cancelled", reason)  # type: ignore[union-attr]  # it has one
        assert await message.transcript.read() == response.transcript
        assert LONG.startswith(response.transcript)
        came = b"".join(event.delta for event in of_type(happening, "response.output_audio.delta"))
        assert came.startswith(b"".join(chunks))
        assert await anext(responses) is response
        if reason == "turn_detected":
            assert (await anext(responses)).initiator == "server"


# -- R11 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed", "incomplete"])
async def test_R11_status_details_can_be_a_text(status: str) -> None:
    def texts(done: events.ResponseDone) -> events.ResponseDone:
        fields = {"status": status, "status_details": "out of order"}
        return replace(done, response=replace(done.response, **fields))

    async with connected(tampered(changes(texts)), says("Said.")) as (c, _):
        response = await c.response.create()
        assert (await response.done()).status == status
        assert response.status_details == "out of order"
        if status == "failed":
            _, error = await until_it_raises(response)
            assert isinstance(error, ResponseFailed)
            assert error.message == "out of order"
        else:
            assert await all_heard(response) == ["Said."]


@pytest.mark.parametrize("usage", [events.UNSET, None, events.Usage()])
async def test_R11_usage_can_be_missing(usage: Any) -> None:
    def forgets(done: events.ResponseDone) -> events.ResponseDone:
        return replace(done, response=replace(done.response, usage=usage))

    async with connected(tampered(changes(forgets)), says("Said.")) as (c, _):
        response = await c.response.create()
        assert await all_heard(response) == ["Said."]
        await response.done()
        assert not response.usage or response.usage == events.Usage()
        assert response.metrics.tokens_per_second is None
        assert (c.usage.responses, c.usage.total_tokens) == (1, 0)


async def test_R11_usage_can_lie_beside_the_response() -> None:
    def outside(done: events.ResponseDone) -> events.ResponseDone:
        resource = replace(done.response, usage=events.Usage())
        return replace(done, usage=done.response.usage, response=resource)

    async with connected(tampered(changes(outside)), says("Said.")) as (c, _):
        response = await c.response.create()
        await response.done()
        assert response.usage is not None
        assert response.usage.total_tokens
        assert c.usage.total_tokens == response.usage.total_tokens


async def test_R11_done_without_created_ends_the_create_that_it_names() -> None:
    async with connected(tampered(drops(events.ResponseCreated)), BRAIN) as (c, _):
        strays, responses = c.orphans(), c.responses()
        with anyio.fail_after(5):
            response = await c.response.create(instructions="one")
            assert (response.initiator, response.status) == ("client", "completed")
            assert response.transcript == "I am one,\nand only one."
            assert [type(output) async for output in response] == [Message, Message]
            assert await heard(response) is None, "the sound came before anybody knew whose it is"
            assert await anext(responses) is response
            following = await c.response.create(instructions="two", when_busy="fail")
        assert following.transcript == "Two\nit is."
        assert {one.verdict.value for one in strays._items} == {"orphan"}
        assert c.stats["orphan"]["response.output_audio.delta"] > 3
        assert c.stats["delivered"] == {"response.done": 2}


async def test_R11_done_without_created_of_the_servers_own_surfaces() -> None:
    async with connected(tampered(drops(events.ResponseCreated)), BRAIN) as (c, _):
        responses, sent = c.responses(), c.sent()
        await c.send_audio(spoken("Hello?"))
        with anyio.fail_after(5):
            response = await anext(responses)
            assert (response.initiator, response.status) == ("server", "completed")
            assert response.transcript == "Theirs."
            await response.done()
        assert not c.active
        assert cancelled(sent) == []
