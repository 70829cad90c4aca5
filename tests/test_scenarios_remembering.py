"""I6: after a reconnection the model remembers what was heard, and no more."""

from __future__ import annotations

from typing import Any

import anyio
import numpy as np

from realtime_client import Client
from realtime_client.errors import ConnectionLost
from realtime_client.simulator import (
    SimulatorPolicy,
    sing,
)
from tests.outages import (
    AT_ONCE,
    failing,
    in_virtual_time,
    reconnected,
    same_loss,
    sure,
    talking,
)
from tests.scenarios import says
from tests.simulated import silence
from tests.test_scenarios_config_callers import virtual

VAD = {"type": "server_vad"}


STORY = "once upon a time there was a model that remembered what nobody had heard"


async def told_after(client: Client, server: Any, changes: Any) -> list[tuple[str, str | None]]:
    """What the model remembers after the connection was lost."""
    server.connections[-1].drop()
    await reconnected(changes)
    return list(server.sessions[-1].conversation.told)


@virtual
async def test_I6_after_a_reconnection_the_model_remembers_what_was_heard_and_no_more() -> None:
    async with in_virtual_time(brain=says(STORY), reconnect=AT_ONCE) as (client, server, changes):
        response = await client.response.create()
        await response.done()
        client.playback.played(0)
        assert [chunk async for chunk in response.audio]
        client.playback.played(2_000)
        heard_so_far = sure(client.playback.heard(response.outputs[0].id)).transcript
        assert STORY.startswith(heard_so_far.strip())
        assert 10 < len(heard_so_far) < len(STORY) / 2
        assert await told_after(client, server, changes) == [("assistant", heard_so_far)]


@virtual
async def test_I6_without_a_player_that_reports_the_clock_says_what_was_heard() -> None:
    async with in_virtual_time(brain=says(STORY), reconnect=AT_ONCE) as (client, server, changes):
        response = await client.response.create()
        await response.done()
        assert [chunk async for chunk in response.audio]
        await anyio.sleep(1.5)
        ((role, words),) = await told_after(client, server, changes)
        assert role == "assistant"
        assert STORY.startswith(sure(words).strip())
        assert 5 < len(sure(words)) < len(STORY) / 2


@virtual
async def test_I6_what_nobody_has_heard_is_not_remembered() -> None:
    async with in_virtual_time(brain=says(STORY), reconnect=AT_ONCE) as (client, server, changes):
        client.playback.played(0)
        await client.send_text("tell me a story")
        response = await client.response.create()
        await response.done()
        server.connections[-1].drop()
        report = await reconnected(changes)
        assert server.sessions[1].conversation.told == (("user", "tell me a story"),)
        (left,) = report.not_restored
        assert left.item_id == response.outputs[0].id
        assert "nobody heard" in left.why


@virtual
async def test_I6_what_was_heard_to_its_end_is_remembered_whole() -> None:
    async with in_virtual_time(brain=says(STORY), reconnect=AT_ONCE) as (client, server, changes):
        response = await client.response.create()
        assert [chunk async for chunk in response.audio]
        await anyio.sleep(60.0)
        assert await told_after(client, server, changes) == [("assistant", STORY)]


@virtual
async def test_I6_what_was_interrupted_is_remembered_up_to_there() -> None:
    async with in_virtual_time(
        SimulatorPolicy(), says(STORY), reconnect=AT_ONCE, turn_detection=VAD
    ) as (client, server, changes):
        response = await client.response.create()
        async with anyio.create_task_group() as tasks:

            async def play() -> None:
                assert [chunk async for chunk in response.audio]

            tasks.start_soon(play)
            await anyio.sleep(2.0)
            await client.send_audio(np.concatenate([silence(300), sing("stop"), silence(700)]))
            await response.done()
        await anyio.sleep(5.0)
        ((_, _), interrupted), *_ = client.conversation.interrupted.items()
        assert 0 < len(interrupted.heard) < len(STORY) / 2
        told = await told_after(client, server, changes)
        assert told[0] == ("assistant", interrupted.heard)


@virtual
async def test_I6_what_is_heard_after_the_loss_is_remembered_too() -> None:
    async with in_virtual_time(brain=says(STORY), reconnect=AT_ONCE) as (client, server, changes):
        response = await client.response.create()
        await response.done()
        client.playback.played(0)
        assert [chunk async for chunk in response.audio]
        client.playback.played(1_000)
        first = await told_after(client, server, changes)
        client.playback.played(2_500)
        more = sure(client.playback.heard(response.outputs[0].id)).transcript
        assert len(more) > len(sure(first[0][1]))
        await client.interrupt()
        await client.send_text("go on")
        assert list(server.sessions[-1].conversation.told) == [
            ("assistant", more),
            ("user", "go on"),
        ]


async def test_I6_over_a_real_socket_a_lost_answer_is_remembered_as_far_as_it_was_heard() -> None:
    async with talking(SimulatorPolicy(), says(STORY)) as (client, server, changes):
        response = await client.response.create()
        stream = aiter(response.audio)
        client.playback.played(0)
        taken = 0
        while taken < 48_000:
            taken += len(await anext(stream))
        client.playback.played(500)
        words = sure(client.playback.heard(response.outputs[0].id)).transcript
        server.connections[0].drop()
        error = await failing(response.done())
        assert isinstance(error, ConnectionLost)
        report = await reconnected(changes)
        assert same_loss(error, report.error)
        assert server.sessions[1].conversation.told == (("assistant", words),)
        assert [one.form for one in report.restored] == ["heard"]
