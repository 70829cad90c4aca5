"""Where a function can be given as a tool: to the client, a response, an update, a group."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import Client, Response, SessionGroup, events, tool
from realtime_client.errors import WouldDeadlock
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
