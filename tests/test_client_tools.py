"""Where a function can be given as a tool: to the client, a response, an update, a group."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from realtime_client import Call, Client, Response, SessionGroup, ToolFunction, events, tool
from realtime_client.errors import (
    ClientClosed,
    InvalidTool,
    ResponseRejected,
    SessionUpdateRejected,
    UsageError,
    WouldDeadlock,
)
from realtime_client.simulator import Answer, CallFunction, Question, Say, serve
from tests.scenarios import FAST, connected


@tool
def look(where: str) -> str:
    """Look at a place."""
    return f"nothing {where}"


def looks(question: Question) -> Answer:
    """Looks, where it may, and says what it saw."""
    if question.source == "tool":
        return [Say(f"I saw {question.text}.")]
    names = [one.name for one in question.tools if isinstance(one, events.FunctionTool)]
    return [CallFunction("look", {"where": "outside"})] if "look" in names else [Say("I cannot.")]


async def seen(response: Response) -> str:
    following = await response.follow_up()
    assert following is not None
    await following.done()
    return following.transcript


async def test_of_a_response() -> None:
    async with connected(brain=looks) as (client, _):
        blind = await client.response.create()
        await blind.done()
        assert blind.transcript == "I cannot."
        assert await seen(await client.response.create(tools=[look])) == "I saw nothing outside."


def another(word: str) -> ToolFunction[..., Any]:
    """Another function that the model knows by the same name."""

    @tool(name="look")
    def look(where: str) -> str:
        return f"{word} {where}"

    return look


async def test_of_a_response_alone() -> None:
    async with connected(brain=looks, tools=[look]) as (client, _):
        asked = await client.response.create(tools=[another("something")])
        assert await seen(asked) == "I saw something outside."
        assert client.tools.names == ("look",)
        assert not client._connection.protocol.calls._lent  # type: ignore[union-attr]  # it is open
        await client.send_text("And now?")
        assert await seen(await client.response.create()) == "I saw nothing outside."


async def test_of_a_response_that_is_refused() -> None:
    async with connected(brain=looks, tools=[look]) as (client, _):
        refused: Any = {"output_modalities": ["audio", "text"], "tools": [another("something")]}
        with pytest.raises(ResponseRejected):
            await client.response.create(**refused)
        assert await seen(await client.response.create()) == "I saw nothing outside."


async def test_of_a_response_out_of_band() -> None:
    async with connected(brain=looks) as (client, session):
        with pytest.raises(UsageError, match=r"look cannot be run out of band.*look\.definition"):
            await client.response.create(conversation="none", tools=[look])
        by_hand = await client.response.create(
            conversation="none", input=[], tools=[look.definition]
        )
        await by_hand.done()
        assert isinstance(by_hand.outputs[0], Call)
        asked = [one for one in session.received if isinstance(one, events.ResponseCreate)]
        assert len(asked) == 1


async def test_of_an_update_that_is_refused() -> None:
    async with connected(brain=looks, tools=[look]) as (client, _):
        with pytest.raises(SessionUpdateRejected):
            await client.session.update(
                tools=[another("something")], output_format={"type": "audio/pcm", "rate": 16_000}
            )
        assert await seen(await client.response.create()) == "I saw nothing outside."


async def test_of_an_update_with_a_namesake() -> None:
    async with connected(brain=looks, tools=[look]) as (client, _):
        await client.session.update(tools=[another("something")])
        assert await seen(await client.response.create()) == "I saw something outside."


def plain(where: str) -> str:
    """A function without `@tool`."""
    return where


class Thing:
    def look(self, where: str) -> str:
        return where


@pytest.mark.parametrize(
    ("wrong", "name"), [(plain, "plain"), (Thing().look, "look"), (Thing, "Thing")]
)
@pytest.mark.parametrize("alone", [True, False])
async def test_a_function_without_the_decorator(wrong: Any, name: str, alone: bool) -> None:
    tools: Any = wrong if alone else [look, wrong]
    says = f"^{name} is .* put @tool on it"
    for make in (Client, SessionGroup):
        with pytest.raises(InvalidTool, match=says):
            make(tools=tools)
        with pytest.raises(InvalidTool, match=says):
            make(session={"tools": tools})
    async with connected(brain=looks) as (client, session):
        before = len(session.received)
        with pytest.raises(InvalidTool, match=says):
            await client.response.create(tools=tools)
        with pytest.raises(InvalidTool, match=says):
            await client.session.update(tools=tools)
        with pytest.raises(InvalidTool, match=says):
            await client.session.update({"tools": tools})
        assert len(session.received) == before


async def test_the_reports_of_a_client_that_is_closed() -> None:
    async with connected(brain=looks) as (client, _):
        open_reports = client.tools.reports()
    with pytest.raises(StopAsyncIteration):
        await anext(open_reports)
    with pytest.raises(ClientClosed):
        client.tools.reports()


async def test_of_an_update() -> None:
    async with connected(brain=looks) as (client, _):
        await client.session.update(tools=[look])
        assert client.tools.names == ("look",)
        assert await seen(await client.response.create()) == "I saw nothing outside."


async def test_of_a_group() -> None:
    @tool(name="look")
    def look_again(where: str) -> str:
        return f"something {where}"

    async with serve(FAST, looks) as server:
        group = SessionGroup(tools=[look])
        async with Client(endpoint=server.url, group=group) as first:
            assert await seen(await first.response.create()) == "I saw nothing outside."
            await group.update(tools=[look_again])
            await first.send_text("And now?")
            assert await seen(await first.response.create()) == "I saw something outside."
            async with Client(endpoint=server.url, group=group) as second:
                assert await seen(await second.response.create()) == "I saw something outside."


async def test_a_tool_cannot_wait_for_what_follows_its_own_output() -> None:
    clients: list[Client] = []
    asked: list[Response] = []
    refused: list[str] = []

    @tool(name="look")
    async def waits(where: str) -> str:
        for wait in (asked[0].follow_up, clients[0].response.create):
            waiting: Any = wait()
            with pytest.raises(WouldDeadlock) as caught:
                await waiting
            refused.append(str(caught.value))
        return "nothing"

    async with connected(brain=looks, tools=[waits]) as (client, _):
        clients.append(client)
        responses = client.responses()
        await client.send({"type": "response.create"})
        asked.append(await anext(responses))
        assert await seen(asked[0]) == "I saw nothing."
    assert len(refused) == 2


async def test_who_answers_by_hand_is_faster_than_the_function() -> None:
    going_on = anyio.Event()

    @tool(name="look")
    async def slow(where: str) -> str:
        await going_on.wait()
        return "too late"

    async with connected(brain=looks, tools=[slow]) as (client, session):
        reports = client.tools.reports()
        response = await client.response.create()
        async for output in response:
            assert isinstance(output, Call)
            await output.answer("by hand")
        going_on.set()
        assert (await anext(reports)).what == "dropped"
        assert await response.follow_up() is None
        outputs = [
            item.output
            for item in session.conversation.items
            if isinstance(item, events.FunctionCallOutputItem)
        ]
        assert outputs == ["by hand"]
