"""The audio input of a client, over real connections: who else runs, and where audio went."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from realtime_client import Client, Transport, events
from realtime_client.audio import Counts
from realtime_client.errors import ConnectFailed, ConnectionLost, ServerError
from realtime_client.events import ServerEvent
from realtime_client.reconnect import OutageAudio, Reconnect
from realtime_client.rollover import Rollover
from realtime_client.simulator import SimulatorPolicy, sing
from tests.outages import (
    FAST,
    URL,
    Away,
    Held,
    caller,
    disconnected,
    failing,
    in_virtual_time,
    reconnected,
    remote,
    talking,
)
from tests.scenarios import connected
from tests.simulated import spoken
from tests.test_scenarios_config_callers import virtual

TENTH = bytes(4_800)
"""100 ms of 24 kHz PCM."""


def closes(counts: Counts) -> Counts:
    """Both sums close, and nothing is less than nothing."""
    assert counts.due + counts.padded == (
        counts.appended + counts.held + counts.delayed + counts.dropped
    )
    gone = counts.committed + counts.cleared + counts.left
    assert counts.appended + counts.direct == gone + counts.uncommitted
    assert min(*dataclasses.astuple(counts), counts.uncommitted) >= 0
    return counts


# -- others run ------------------------------------------------------------------------------


class Runs:
    """How often somebody else has run."""

    def __init__(self) -> None:
        self.times = 0

    async def count(self) -> None:
        while True:
            self.times += 1
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("how", ["send_audio", "append"])
async def test_a_loop_that_sends_lets_others_run(how: str) -> None:
    async with connected(turn_detection=None) as (client, _):
        send: Any = client.send_audio if how == "send_audio" else client.input_audio_buffer.append
        runs = Runs()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runs.count)
            await anyio.lowlevel.checkpoint()
            before = runs.times
            for _ in range(20):
                await send(TENTH)
            assert runs.times - before > 15
            tasks.cancel_scope.cancel()


async def test_who_sends_all_the_time_gets_another_connection() -> None:
    async with talking() as (client, server, changes):
        server.connections[-1].drop()
        await disconnected(changes)
        with anyio.fail_after(10):
            while not client.is_connected:
                await client.send_audio(bytes(48))


async def test_a_deadline_ends_a_loop_that_sends_and_the_audio_is_queued() -> None:
    async with connected(turn_detection=None) as (client, _):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.send_audio(TENTH)
        assert scope.cancelled_caught
        assert client.input_audio_buffer.counts.appended == 2_400
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.input_audio_buffer.append(TENTH)
        assert scope.cancelled_caught
        item = await client.input_audio_buffer.commit()
        assert closes(client.input_audio_buffer.counts).committed == 4_800
        assert item.item_id


async def test_audio_is_not_taken_from_who_gives_up_while_the_format_changes() -> None:
    held = Held("session.updated", after=1)
    policy = SimulatorPolicy(pace="fast", tamper=held)
    async with (
        connected(policy, turn_detection=None) as (client, _),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(lambda: client.session.update(input_format="audio/pcmu"))
        with anyio.fail_after(5):
            await held.seen.wait()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.send_audio(TENTH)
        assert scope.cancelled_caught
        assert client.input_audio_buffer.counts.pushed == 0
        tasks.cancel_scope.cancel()


# -- another format --------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1_000, 1_001])
async def test_bytes_go_on_where_the_format_changed(cut: int) -> None:
    raw = sing("Good morning, my dear.").tobytes()
    async with connected(turn_detection=None) as (client, session):
        await client.send_audio(raw[:cut])
        await client.session.update(input_format="audio/pcmu")
        for start in range(cut, len(raw), 1_000):
            await client.send_audio(raw[start : start + 1_000])
        await client.input_audio_buffer.commit()
        assert [turn.text for turn in session.hearing.heard] == ["Good morning, my dear."]
        counts = closes(client.input_audio_buffer.counts)
        assert (counts.stray_bytes, counts.pushed) == (0, len(raw) // 2)


async def test_the_account_goes_on_where_the_format_changed() -> None:
    async with connected(turn_detection=None) as (client, _):
        await client.send_audio(bytes(48_000))
        await client.input_audio_buffer.commit()
        await client.session.update(input_format="audio/pcmu")
        await client.send_audio(TENTH)
        counts = closes(client.input_audio_buffer.counts)
        assert (counts.pushed, counts.due) == (26_400, 8_800)
        assert (counts.committed, counts.uncommitted + counts.held + counts.delayed) == (8_000, 800)


# -- the server's own turns, and what is lost --------------------------------------------------


class HeldOnce(Held):
    """The first is held for good, and the others are not."""

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        return [event] if self.held else super().__call__(event)


async def said_a_turn(client: Client) -> int:
    """Say a turn, and wait until the VAD has ended it; returns its samples and what came after."""
    frames = client.events()
    samples = spoken("Good morning.")
    await client.send_audio(samples)
    async for frame in frames:
        if isinstance(frame.event, events.InputAudioBufferCommitted):
            break
    return len(samples)


@pytest.mark.parametrize("looks", [True, False])
async def test_a_turn_that_the_vad_ended_is_not_cleared(looks: bool) -> None:
    async with connected(FAST) as (client, _):
        said = await said_a_turn(client)
        if looks:
            assert client.input_audio_buffer.counts.uncommitted == 0
        await client.input_audio_buffer.clear()
        counts = closes(client.input_audio_buffer.counts)
        assert counts.cleared == 0
        assert counts.committed == said - counts.dropped


@pytest.mark.parametrize("more", [0, 3])
async def test_a_turn_that_the_vad_ended_before_the_loss_was_not_left(more: int) -> None:
    async with talking(turn_detection={"type": "server_vad"}) as (client, server, changes):
        await said_a_turn(client)
        for _ in range(more):
            await client.send_audio(TENTH)
        server.connections[-1].drop()
        replayed = (await reconnected(changes)).replayed
        counts = closes(client.input_audio_buffer.counts)
        assert counts.uncommitted == replayed.stop - replayed.start
        assert counts.left == 0
        assert counts.committed == counts.appended - counts.uncommitted > 0
        await client.input_audio_buffer.clear()
        await said_a_turn(client)
        counts = closes(client.input_audio_buffer.counts)
        assert counts.uncommitted == 0, "and those of the next connection are booked"


async def test_a_commit_that_is_lost_with_its_connection_is_taken_back() -> None:
    held = HeldOnce("input_audio_buffer.committed")
    policy = SimulatorPolicy(pace="fast", tamper=held)
    async with talking(policy) as (client, server, changes):
        await client.send_audio(bytes(48_000))

        async def lose() -> None:
            await held.seen.wait()
            server.connections[0].drop()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lose)
            error = await failing(client.input_audio_buffer.commit())
        assert isinstance(error, ConnectionLost)
        replayed = (await reconnected(changes)).replayed
        assert replayed.stop - replayed.start == 24_000
        counts = closes(client.input_audio_buffer.counts)
        assert (counts.committed, counts.left, counts.uncommitted) == (0, 0, 24_000)
        await client.input_audio_buffer.commit()
        assert closes(client.input_audio_buffer.counts).committed == 24_000


@virtual
async def test_what_is_not_said_again_of_a_commit_that_was_lost_is_left() -> None:
    held = HeldOnce("input_audio_buffer.committed")
    away = Away(SimulatorPolicy(pace="fast", tamper=held))
    async with caller(away, OutageAudio(500)) as client:
        changes = client.connections()
        await client.send_audio(bytes(48_000))

        async def lose() -> None:
            await held.seen.wait()
            away.go()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lose)
            await failing(client.input_audio_buffer.commit())
        assert closes(client.input_audio_buffer.counts).uncommitted == 24_000
        away.come_back()
        await reconnected(changes)
        counts = closes(client.input_audio_buffer.counts)
        assert (counts.committed, counts.left, counts.uncommitted) == (0, 12_000, 12_000)


async def test_the_turns_of_a_connection_that_was_the_second_to_be_tried_are_booked() -> None:
    server, tries = remote(), 0

    @contextlib.asynccontextmanager
    async def connect(url: str, headers: Mapping[str, str]) -> AsyncIterator[Transport]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectFailed("not yet")
        async with server.connect(url, headers) as transport:
            yield transport

    again = Reconnect(first=0.0, longest=0.0, opening=True)
    with anyio.fail_after(10):
        async with Client(endpoint=URL, connect=connect, reconnect=again) as client:
            await said_a_turn(client)
            assert tries == 2
            assert closes(client.input_audio_buffer.counts).uncommitted == 0


async def test_a_commit_that_was_refused_is_taken_back() -> None:
    async with connected(turn_detection=None) as (client, _):
        await client.send_audio(bytes(48_000))
        await client.send(events.InputAudioBufferClear())  # which nobody here counts
        with pytest.raises(ServerError, match="buffer"):
            await client.input_audio_buffer.commit()
        counts = closes(client.input_audio_buffer.counts)
        assert (counts.committed, counts.uncommitted) == (0, 24_000)


async def test_a_commit_that_was_taken_is_not_taken_back_with_its_connection() -> None:
    async with talking() as (client, server, changes):
        await client.send_audio(bytes(48_000))
        await client.input_audio_buffer.commit()
        server.connections[0].drop()
        await reconnected(changes)
        assert closes(client.input_audio_buffer.counts).committed == 24_000


@virtual
async def test_a_commit_that_is_lost_when_the_connection_is_replaced_is_taken_back_once() -> None:
    """There the other connection is at hand: it is in force before the caller hears of the loss."""
    held = Held("input_audio_buffer.committed", after=1)
    rollover = Rollover(age=1.0, window=1.0, replay=0.5)
    policy = SimulatorPolicy(pace="fast", tamper=held)
    async with in_virtual_time(policy, rollover=rollover) as (client, _, changes):
        await client.send_audio(bytes(96_000))
        await client.input_audio_buffer.commit()
        await client.send_audio(bytes(48_000))
        assert isinstance(await failing(client.input_audio_buffer.commit()), ConnectionLost)
        assert (await reconnected(changes)).planned
        counts = closes(client.input_audio_buffer.counts)
        assert (counts.committed, counts.left, counts.uncommitted) == (48_000, 12_000, 12_000)
