"""N6: what becomes of calls and of tools when a connection is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any

import anyio
import pytest

from realtime_client import Client, Endpoint, tool
from realtime_client.errors import AcknowledgementTimeout, ConnectionLost, ServerError
from realtime_client.events import user_message
from realtime_client.reconnect import DROP
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Question,
    Say,
    SimulatorPolicy,
    serve,
)
from tests.outages import (
    AT_ONCE,
    FAST,
    Away,
    Held,
    caller,
    callers,
    disconnected,
    failing,
    in_virtual_time,
    kinds,
    reconnected,
    same_loss,
    talking,
    until,
)
from tests.scenarios import says
from tests.test_scenarios_config_callers import virtual

VAD = {"type": "server_vad"}

# -- N6: calls --------------------------------------------------------------------------------

UNCERTAIN: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "response.create": lambda c: c.response.create(instructions="I am the ghost."),
    "session.update": lambda c: c.session.update(instructions="I am the ghost."),
    "input_audio_buffer.commit": lambda c: c.input_audio_buffer.commit(),
    "input_audio_buffer.clear": lambda c: c.input_audio_buffer.clear(),
    "conversation.item.delete": lambda c: c.conversation.item.delete("item_x"),
    "conversation.item.retrieve": lambda c: c.conversation.item.retrieve("item_x"),
    "conversation.item.truncate": lambda c: c.conversation.item.truncate("i", audio_end_ms=1),
}


@pytest.mark.parametrize("wire_type", UNCERTAIN)
async def test_N6_what_was_written_and_not_answered_is_uncertain_and_never_repeated(
    wire_type: str,
) -> None:
    async with talking() as (client, server, changes), callers() as calls:
        sent = client.sent()
        server.connections[0].stall(inf)
        calls.call("it", lambda: UNCERTAIN[wire_type](client))
        while (await anext(sent)).type != wire_type:
            pass
        server.connections[0].drop()
        error = await calls.outcome("it")
        assert isinstance(error, ConnectionLost)
        assert error.uncertain
        assert error is not (await reconnected(changes)).error
        await client.send_text("and then")
        assert kinds(server.sessions[1]) == ["session.update", "conversation.item.create"]
        assert server.sessions[1].settings.session.instructions != "I am the ghost."


@virtual
async def test_N6_what_waited_for_its_turn_was_certainly_not_said() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with (
        in_virtual_time(policy, says("A long answer. " * 20), reconnect=AT_ONCE) as (
            client,
            server,
            changes,
        ),
        callers(100) as calls,
    ):
        first = await client.response.create()
        calls.call("waits", lambda: client.response.create(instructions="I am the ghost."))
        await anyio.sleep(1.0)
        server.connections[0].drop()
        waited = await calls.outcome("waits")
        assert isinstance(waited, ConnectionLost)
        assert not waited.uncertain
        lost = await failing(first.done())
        assert isinstance(lost, ConnectionLost)
        assert same_loss(lost, (await reconnected(changes)).error)
        await anyio.sleep(60.0)
        assert "response.create" not in kinds(server.sessions[1])
        assert server.sessions[1].conversation.told == ()


@virtual
async def test_N6_what_is_asked_for_in_an_outage_fails_at_once_and_is_not_said_later() -> None:
    away = Away()
    async with caller(away, DROP) as client:
        changes = client.connections()
        away.go()
        await disconnected(changes)
        start = anyio.current_time()
        asked = dict(UNCERTAIN)
        asked["text"] = partial(Client.send_text, text="ghost")
        for name, call in asked.items():
            error = await failing(call(client))
            assert isinstance(error, ConnectionLost), name
            assert not error.uncertain, name
            assert error.retryable
        assert anyio.current_time() == start
        await client.interrupt()
        async with callers(100) as calls:
            calls.call("ready", client.ready)
            await anyio.sleep(1.0)
            assert calls.outcomes == {}
            away.come_back()
            assert await calls.outcome("ready") is None
        assert client.is_connected
        await anyio.sleep(1.0)
        assert kinds(away.server.sessions[1]) == ["session.update"]


@pytest.mark.parametrize("reads", [True, False], ids=["never seen", "answer lost"])
async def test_N6_an_item_that_was_being_created_comes_from_the_new_connection(
    reads: bool,
) -> None:
    async with talking() as (client, server, changes), callers() as calls:
        await client.send_text("before")
        sent = client.sent()
        server.connections[0].stall(inf, reads=reads)
        calls.call("text", lambda: client.send_text("mine"))
        calls.call("item", lambda: client.conversation.item.create(user_message("too")))
        for _ in range(2):
            assert (await anext(sent)).type == "conversation.item.create"
        if not reads:
            await until(lambda: len(server.sessions[0].conversation.items) == 3)
        server.connections[0].drop()
        text, item = await calls.outcome("text"), await calls.outcome("item")
        await reconnected(changes)
        told = [words for _, words in server.sessions[1].conversation.told]
        assert told[0] == "before"
        assert sorted(map(str, told[1:])) == ["mine", "too"]
        for added in (text, item):
            assert server.sessions[1].conversation.find(added.item.id) is not None
        assert len(client.conversation.items) == 3


@pytest.mark.parametrize("reads", [True, False], ids=["never seen", "answer lost"])
async def test_N6_a_conversation_that_goes_on_is_asked_whether_it_has_the_item(
    reads: bool,
) -> None:
    async with (
        serve(FAST) as server,
        Client(endpoint=Endpoint(server.url), call_id="rtc_1", reconnect=AT_ONCE) as client,
        callers() as calls,
    ):
        await client.send_text("before")
        changes, sent = client.connections(), client.sent()
        server.connections[0].stall(inf, reads=reads)
        calls.call("text", lambda: client.send_text("mine"))
        assert (await anext(sent)).type == "conversation.item.create"
        if not reads:
            await until(lambda: len(server.sessions[0].conversation.items) == 2)
        server.connections[0].drop()
        added = await calls.outcome("text")
        report = await reconnected(changes)
        assert (report.restored, report.not_restored) == ((), ())
        (session,) = server.sessions
        assert [words for _, words in session.conversation.told] == ["before", "mine"]
        assert session.conversation.find(added.item.id) is not None
        asked = kinds(session)[1 if reads else 2 :]
        assert asked[0] == "conversation.item.retrieve"
        assert ("conversation.item.create" in asked) is reads


@virtual
@pytest.mark.parametrize("gone", ["cancelled", "out of patience"])
async def test_N6_an_item_that_nobody_waits_for_any_more_is_not_created_later(gone: str) -> None:
    away = Away()
    async with caller(away, DROP, response_timeout=20) as client, callers(100) as calls:
        await client.send_text("before")
        changes = client.connections()
        away.server.connections[0].stall(inf)
        scope = anyio.CancelScope()

        async def ask() -> None:
            with scope:
                await client.send_text("ghost")

        calls.call("text", ask)
        await anyio.sleep(1.0)
        away.go()
        await anyio.sleep(1.0)
        if gone == "cancelled":
            scope.cancel()
        else:
            await anyio.sleep(30.0)
        away.come_back()
        await reconnected(changes)
        await anyio.sleep(1.0)
        assert away.server.sessions[1].conversation.told == (("user", "before"),)
        if gone != "cancelled":
            error = calls.outcomes["text"]
            assert isinstance(error, AcknowledgementTimeout | ConnectionLost)
            assert error.uncertain


async def test_N6_an_item_that_is_not_wanted_by_the_new_server_has_its_refusal() -> None:
    """Its call is not in the new conversation, because it was cut off."""
    async with talking() as (client, server, _), callers() as calls:
        sent = client.sent()
        server.connections[0].stall(inf)
        output = {"type": "function_call_output", "call_id": "call_x", "output": "1"}
        calls.call("output", lambda: client.conversation.item.create(output))
        await anext(sent)
        server.connections[0].drop()
        error = await calls.outcome("output")
        assert isinstance(error, ServerError)
        assert error.code == "invalid_tool_call_id"
        assert client.is_connected


# -- tools ------------------------------------------------------------------------------------


def weather(question: Question) -> Answer:
    if question.source == "tool":
        return [Say(f"It is {question.text}.")]
    return [CallFunction("weather", {})]


@virtual
async def test_N6_a_tool_that_runs_meanwhile_is_answered_in_the_new_session_once() -> None:
    away, may_return, runs = Away(brain=weather), anyio.Event(), []

    @tool(name="weather")
    async def function() -> str:
        """Tell the weather."""
        runs.append(1)
        await may_return.wait()
        return "rain"

    async with caller(away, DROP, tools=[function]) as client:
        changes, responses = client.connections(), client.responses()
        response = await client.response.create()
        await response.done()
        away.go()
        await anyio.sleep(1.0)
        may_return.set()
        await anyio.sleep(1.0)
        away.come_back()
        await reconnected(changes)
        assert await anext(responses) is response
        followed = await anext(responses)
        await followed.done()
        assert followed.transcript == 'It is "rain".' or followed.transcript == "It is rain."
        assert isinstance(await failing(response.follow_up()), ConnectionLost)
        await anyio.sleep(10.0)
        new = away.server.sessions[1]
        assert [kind for kind, _ in new.conversation.told] == [
            "function_call", "function_call_output", "assistant"
        ]  # fmt: skip
        assert (len(runs), kinds(new).count("response.create"), responses.held) == (1, 1, 0)


@virtual
async def test_N6_a_response_that_was_cut_off_calls_no_tool() -> None:
    ran = []

    @tool(name="weather")
    async def function() -> str:
        """Tell the weather."""
        ran.append(1)
        return "rain"

    held = Held("response.function_call_arguments.done", "response.output_item.done")
    policy = SimulatorPolicy(pace="fast", tamper=held)
    away = Away(policy, weather)
    async with caller(away, DROP, tools=[function]) as client:
        changes = client.connections()
        held._types += ("response.done", "conversation.item.done")
        await client.response.create()
        await anyio.sleep(1.0)
        away.go()
        away.come_back()
        report = await reconnected(changes)
        await anyio.sleep(5.0)
        assert ran == []
        assert [left.why for left in report.not_restored] == ["the call was cut off"]
