"""N4, N6, N8: a connection that is lost, or replaced, at any frame of a conversation.

The same conversation is held again and again, and each time its connection ends one frame
later. Every call gives its own result or says that the connection was lost; and in the end the
model knows everything that was said to it, once, and nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Client, Frame, Rollover, tool
from realtime_client.errors import ConnectionLost
from realtime_client.reconnect import Reconnect, keep
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Drop,
    MemoryServer,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    sing,
)
from tests.outages import FAST, URL, remote
from tests.simulated import silence
from tests.test_scenarios_config_callers import virtual

AUDIO = keep(60_000)


def brain(question: Question) -> Answer:
    if question.source == "tool":
        return [Say("Rain.")]
    if question.text == "weather":
        return [CallFunction("weather", {})]
    return [Say("Yes."), Say("And no.")]


@tool
async def weather() -> str:
    """Tell the weather."""
    await anyio.sleep(0.05)
    return "rain"


class Story:
    """A conversation of every kind of call, and what each came to."""

    def __init__(self, client: Client, pace: float = 0.0) -> None:
        self.client = client
        self.pace = pace
        self.said = np.zeros(0, np.int16)
        self.texts: list[str] = []
        self.configured: list[str] = []
        self.calls = 0
        self.lost = 0
        self.changes = client.connections()

    async def hold(self) -> None:
        client = self.client
        for number in range(3):
            instructions = f"Round {number}."
            if await self._call(partial(client.session.update, instructions=instructions)):
                self.configured.append(instructions)
            for text in (f"text {number}", "weather"):
                assert await self._call(partial(client.send_text, text))
                self.texts.append(text)
                await self._respond()
            sung = sing(f"word {number}")
            self.said = np.concatenate([self.said, sung])
            for start in range(0, len(sung), 2_000):
                await client.send_audio(sung[start : start + 2_000])
                await anyio.sleep(self.pace)
            await self._call(client.input_audio_buffer.commit)
        # Whatever went wrong: the words that are in no turn yet get one.
        self.said = np.concatenate([self.said, silence(200)])
        await client.ready()
        await client.send_audio(silence(200))
        while not await self._call(client.input_audio_buffer.commit):
            pass

    async def _respond(self) -> None:
        response = await self._call(self.client.response.create)
        if response is not None:
            await self._call(response.done)
            await self._call(response.follow_up)

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 1
        await self.client.ready()
        try:
            return await call()
        except ConnectionLost:
            self.lost += 1
            return None


def in_force(client: Client, server: MemoryServer) -> SimulatedSession:
    """The session that the client is in."""
    acknowledged: Any = client.session.acknowledged
    (session,) = (one for one in server.sessions if one.settings.session.id == acknowledged.id)
    return session


async def agreed(story: Story, server: MemoryServer) -> None:
    """Both sides have the same conversation, and everything that was said is in it, once."""
    client = story.client
    changes = [getattr(one, "planned", None) for one in story.changes._items]
    for before, after in zip([False, *changes], changes, strict=False):
        assert (after is False) is (before is None), "each loss is told, and then its mending"
    await anyio.sleep(5.0)
    await client.ready()
    session = in_force(client, server)
    ids = [entry.id for entry in session.conversation.entries]
    assert [item.id for item in client.conversation.items] == ids
    told = session.conversation.told
    entries = [entry for entry in session.conversation.entries if entry.item.type == "message"]
    users = [entry for entry in entries if getattr(entry.item, "role", None) == "user"]
    clips = [clip.samples for entry in users for clip in entry.clips.values()]
    assert np.array_equal(np.concatenate(clips), story.said)
    texts = [words for entry, words in zip(session.conversation.entries, told, strict=True)]
    written = [words for role, words in texts if role == "user"]
    assert [text for text in written if text in story.texts] == story.texts
    calls = [kind for kind, _ in told if kind == "function_call"]
    outputs = [kind for kind, _ in told if kind == "function_call_output"]
    assert len(outputs) <= len(calls)
    if story.configured and story.configured[-1] == "Round 2.":
        assert session.settings.session.instructions == "Round 2."


def client_of(server: MemoryServer, **options: Any) -> Client:
    again = Reconnect(tries=50, first=0.01, longest=0.01, healthy=0.1, audio=AUDIO)
    options = {"reconnect": again, "rollover": None, **options}
    options = {"turn_detection": None, "keep_user_audio": True, "tools": [weather], **options}
    return Client(endpoint=URL, connect=server.connect, **options)


FRAMES = 217
"""More than the story has, of both directions."""

HALTING = SimulatorPolicy(pace="wire", update_after=0.03, created_after=0.07)
"""A server that takes its time."""


def numbered(count: int, step: int) -> list[Any]:
    """All numbers: few of them in every test run, the others when there is time."""
    few = [pytest.param(range(step // 2, count, step), id=f"every {step}th")]
    return few + [
        pytest.param(range(start, count, 4), id=f"from {start}", marks=pytest.mark.long)
        for start in range(1, 5)
    ]


def at_random(dice: random.Random, frame: int) -> bool:
    return dice.random() < 0.03


class Scissors:
    """A `trace` that drops connections at frames; `cuts` says whether, of each one's number."""

    def __init__(self, server: MemoryServer, cuts: Callable[[int], bool]) -> None:
        self._server = server
        self._cuts = cuts
        self._frames = 0
        self.is_open = False
        """Before the client is open nothing is cut."""
        self.number = 0

    def __call__(self, direction: str, frame: Frame) -> None:
        self._frames += self.is_open
        there = [one for one in self._server.connections if one.ended is None]
        if self.is_open and there and self._cuts(self._frames):
            self.number += 1
            there[self._frames % len(there)].drop()


@virtual
@pytest.mark.parametrize("numbers", numbered(FRAMES, 36))
async def test_N4_a_connection_may_be_lost_at_any_frame(numbers: range) -> None:
    for number in numbers:
        server = remote(FAST, brain)
        scissors = Scissors(server, number.__eq__)
        async with client_of(server, trace=scissors) as client:
            scissors.is_open, story = True, Story(client)
            await story.hold()
            await agreed(story, server)
            assert story.lost <= 2, number
        assert len(server.sessions) == 1 + scissors.number, number


@virtual
@pytest.mark.parametrize("numbers", numbered(160, 40))
async def test_N4_connections_may_be_lost_again_and_again(numbers: range) -> None:
    for number in numbers:
        server, dice = remote(HALTING, brain), random.Random(number)
        scissors = Scissors(server, partial(at_random, dice))
        rollover = Rollover(age=dice.uniform(0.3, 2.0), window=dice.choice([0.0, 0.5, 5.0]))
        async with client_of(server, trace=scissors, rollover=rollover) as client:
            scissors.is_open, story = True, Story(client, pace=0.01)
            await story.hold()
            scissors.is_open = False
            await agreed(story, server)
        assert story.lost <= 2 * len(server.sessions), number


@virtual
@pytest.mark.parametrize("numbers", numbered(FRAMES, 36))
async def test_N8_a_connection_may_be_replaced_at_any_time(numbers: range) -> None:
    for number in numbers:
        server = remote(HALTING, brain)
        rollover = Rollover(age=0.3 + number / 50, window=0.0)
        async with client_of(server, rollover=rollover) as client:
            story = Story(client, pace=0.01)
            await story.hold()
            await agreed(story, server)
            assert story.lost <= 2 * (len(server.sessions) - 1), number


@virtual
@pytest.mark.parametrize("numbers", numbered(FRAMES, 36))
async def test_N4_a_connection_may_be_lost_at_any_time(numbers: range) -> None:
    for number in numbers:
        mishap = Drop(after=0.3 + number / 50)
        policy = replace(HALTING, mishaps=(mishap,), mishaps_repeat=True)
        server = remote(policy, brain)
        async with client_of(server) as client:
            story = Story(client, pace=0.01)
            await story.hold()
            await agreed(story, server)
            assert story.lost <= 2 * (len(server.sessions) - 1), number


# -- turns that the server finds ----------------------------------------------------------------


async def chat(client: Client) -> None:
    """Three turns at the pace of a microphone, and the answers."""
    for number in range(3):
        sung = np.concatenate([silence(300), sing(f"word {number}"), silence(500)])
        for start in range(0, len(sung), 2_400):
            await client.send_audio(sung[start : start + 2_400])
            await anyio.sleep(0.1)


def words_of(session: SimulatedSession) -> list[str | None]:
    return [words for role, words in session.conversation.told if role == "user"]


@virtual
@pytest.mark.parametrize("how", ["lost", "replaced"])
@pytest.mark.parametrize("numbers", numbered(240, 40))
async def test_N8_every_word_is_heard_once_whenever_the_connection_changes(
    numbers: range, how: str
) -> None:
    for number in numbers:
        after = 0.3 + number / 50
        policy = replace(HALTING, mishaps=(Drop(after=after),) if how == "lost" else ())
        rollover = Rollover(age=after, window=0.0) if how == "replaced" else None
        server = remote(policy, brain)
        async with client_of(
            server, rollover=rollover, turn_detection={"type": "server_vad"}
        ) as client:
            await chat(client)
            await anyio.sleep(3.0)
            await client.ready()
            session = in_force(client, server)
            assert words_of(session) == ["word 0", "word 1", "word 2"], number
        assert len(server.sessions) > 1 or after > 4, number
