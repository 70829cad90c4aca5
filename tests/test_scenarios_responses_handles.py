"""What a caller holds of a response, over a real socket: its streams, and what becomes of them when
the connection ends.

What was said is read from the audio here as well.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from realtime_client import Client, Reconnect, events, tool
from realtime_client.errors import ClientClosed, ConnectionLost, SlowConsumer
from realtime_client.simulator import CallFunction, Part, SimulatorPolicy, serve
from tests.responding import (
    LOST,
    OUT_OF_BAND,
    Gate,
    all_heard,
    cancelled,
    creators,
    heard,
    of_type,
    round_trip,
)
from tests.scenarios import FAST, answers, connected, plain, says
from tests.simulated import spoken

SCRIPT: dict[str, Sequence[str | Part]] = {
    "first": ["The first says this,", "and then that."],
    "second": ["Something else."],
    "long": ["A long story, told at length. " * 12],
}
LOOK = {"type": "function", "name": "look", "parameters": {}}


# -- streams --------------------------------------------------------------------------------


async def test_a_stream_that_nobody_reads_holds_up_no_other() -> None:
    policy = SimulatorPolicy(pace="fast", begin_together=2)
    async with connected(policy, answers(SCRIPT)) as (c, _):
        async with creators(c) as callers:
            await callers.ask("first")
            await callers.ask("long", **OUT_OF_BAND)
            first, unread = [await callers.response(name) for name in ("first", "long")]
        with anyio.fail_after(5):
            _, last = [output async for output in first]
            assert await heard(last) == "and then that."  # the one before it is not read
            assert [str(word) async for word in last.text] == []
            assert (await unread.done()).status == "completed"
            assert first.outputs[0].audio.held > 10_000
            assert await all_heard(unread) == SCRIPT["long"]  # late, and all of it
            assert await heard(first.outputs[0]) == "The first says this,"


async def test_streams_can_be_read_together_and_texts_more_than_once() -> None:
    async with connected(SimulatorPolicy(pace="wire"), answers(SCRIPT)) as (c, _):
        response = await c.response.create(instructions="second")
        message = await anext(aiter(response))
        got: dict[str, Any] = {}

        async def read(name: str) -> None:
            got[name] = "".join([str(word) async for word in message.transcript])

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for name in "ab":
                    tasks.start_soon(read, name)
                got["sound"] = await heard(message)
            await read("late")
        assert got == dict.fromkeys(("a", "b", "sound", "late"), "Something else.")


async def test_only_the_stream_that_is_not_read_ends_with_slow_consumer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_client.speech.AUDIO_BOUND", 70_000)
    script = {"both": [*SCRIPT["long"], "Short."]}
    async with connected(FAST, answers(script)) as (c, _):
        response = await c.response.create(instructions="both")
        with anyio.fail_after(5):
            for _ in range(2):
                assert (await response.done()).status == "completed"
            slow, quick = response.outputs
            await slow.done()
            with pytest.raises(SlowConsumer) as caught:
                await heard(slow)
            assert (caught.value.bound, caught.value.unit) == (70_000, "bytes")
            assert slow.audio.held == 0, "it has let go of what it held"
            assert await heard(quick) == "Short."
            assert await slow.transcript.read() == script["both"][0]
            with pytest.raises(SlowConsumer):
                await heard(response)


async def test_by_default_the_longest_response_may_be_left_unread() -> None:
    seconds = 4_096 * 0.050
    async with connected(FAST, says("x" * int(seconds / 0.060 - 2))) as (c, _):
        response = await c.response.create()
        assert (await response.done()).status == "completed"
        (message,) = response.outputs
        assert message.audio.held > 0.999 * seconds * 48_000
        assert len(b"".join([chunk async for chunk in message.audio])) > 9_800_000


async def test_what_nobody_holds_is_not_buffered() -> None:
    async with connected(FAST, answers(SCRIPT)) as (c, _):
        happening = c.events()
        async with creators(c) as callers:
            scope = await callers.ask("first")
            await callers.response("first")
            del callers.outcomes["first"], scope
        await c.send_audio(spoken("Hello?"))
        await round_trip(c)
        assert len(of_type(happening, "response.created")) == 2
        gc.collect()  # a handle and its outputs hold each other
        assert len(c._open().audience.handles._held) == 0


# -- handles of a connection that has ended ---------------------------------------------------


async def test_handles_of_an_ended_connection_refuse_to_touch_anything() -> None:
    policy = SimulatorPolicy(pace="realtime")
    brain = says(CallFunction("look", {}), *SCRIPT["long"])
    async with serve(policy, brain) as server:
        async with Client(endpoint=server.url, tools=[LOOK]) as old:
            response = await old.response.create()
            call, message = await first_two(response)
            await call.done()
            received = len(server.sessions[0].received)
        async with Client(endpoint=server.url, tools=[LOOK]) as new:
            active = await new.response.create()
            before = [plain(one) for one in server.sessions[1].received]
            for attempt in (
                response.cancel,
                response.done,
                response.follow_up,
                lambda: call.answer("seen"),
                message.done,
                message.transcript.read,
                lambda: heard(message),
                old.response.create,
                old.response.cancel,
                lambda: old.response.cancel(response.id),
                lambda: old.send_text("Hello?"),
            ):
                with pytest.raises(ClientClosed):
                    await attempt()
            await round_trip(new)
            assert active.status == "in_progress"
            sessions = [session.received for session in server.sessions]
            assert len(sessions[0]) == received
            assert [plain(one) for one in sessions[1]][: len(before)] == before
            assert len(sessions[1]) == len(before) + 1


async def first_two(response: Any) -> Any:
    outputs = aiter(response)
    return await anext(outputs), await anext(outputs)


@LOST
async def test_what_would_follow_ends_with_the_connection(reconnect: Reconnect | None) -> None:
    @tool
    async def look() -> str:
        """Look for ever."""
        await anyio.sleep_forever()
        return "never"

    options: dict[str, Any] = {"tools": [look], "reconnect": reconnect}
    async with connected(FAST, says(CallFunction("look", {})), **options) as (c, session):
        response = await c.response.create()
        assert (await response.done()).status == "completed"
        session.close_wanted = (1011, "It broke.")
        session.wake()
        with anyio.fail_after(5), pytest.raises(ConnectionLost):
            await response.follow_up()


@LOST
async def test_a_connection_that_breaks_ends_what_was_asked_for_and_what_is_said(
    reconnect: Reconnect | None,
) -> None:
    held: list[type] = []
    gate = Gate(lambda event: type(event) in held)
    policy = SimulatorPolicy(pace="realtime", tamper=gate)
    async with connected(policy, answers(SCRIPT), reconnect=reconnect) as (c, session):
        sent = c.sent()
        async with creators(c) as callers:
            active = await c.response.create(instructions="long")
            message = await anext(aiter(active))
            held.append(events.ResponseCreated)  # from here on none begins
            await callers.ask("second", **OUT_OF_BAND)
            await callers.ask("first")
            session.close_wanted = (1011, "It broke.")
            session.wake()
            for name, uncertain in (("second", True), ("first", False)):
                error = await callers.outcome(name)
                assert isinstance(error, ConnectionLost)
                assert (error.close_code, error.uncertain) == (1011, uncertain)
            for attempt in (
                active.done,
                active.cancel,
                active.follow_up,
                message.done,
                lambda: heard(message),
                lambda: all_heard(active),
            ):
                with pytest.raises(ConnectionLost):
                    await attempt()
        assert cancelled(sent) == []
