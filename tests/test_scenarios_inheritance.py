"""What the next connection takes over from the one before, and what it must not.

N5, N6, N8, I6. It goes on with what is still wanted, and with nothing else: what was cancelled
or given up stays so, what the server has is not said again, and what was counted before is not
counted again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Client, Transport, TransportClosed, events, tool
from realtime_client.errors import AcknowledgementTimeout, ReconnectFailed
from realtime_client.events import ServerEvent
from realtime_client.reconnect import DROP, keep
from realtime_client.response import Response
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Question,
    Refuse,
    Say,
    SimulatorPolicy,
    sing,
)
from tests.changing import EARLY, LONG, Weather, codes
from tests.outages import (
    AT_ONCE,
    CHUNK,
    FAST,
    URL,
    Away,
    Callers,
    Held,
    appended,
    caller,
    callers,
    disconnected,
    heard,
    in_virtual_time,
    kinds,
    reconnected,
    sure,
)
from tests.responding import Gate
from tests.test_scenarios_config_callers import virtual

# -- the first try is refused -------------------------------------------------------------------

OPENING = replace(AT_ONCE, opening=True)


def again_and_again(question: Question) -> Answer:
    return [CallFunction("weather", {})]


def one_call(question: Question) -> Answer:
    if question.source == "tool":
        return [Say(f"It is {question.text}.")]
    return [CallFunction("weather", {})]


@tool(name="weather")
async def rain() -> str:
    """Tell the weather."""
    return "rain"


@virtual
async def test_I6_a_tool_is_answered_and_followed_up_after_a_first_try_that_was_refused() -> None:
    policy = SimulatorPolicy(pace="fast", mishaps=(Refuse(503),))
    options: dict[str, Any] = {"reconnect": OPENING, "tools": [rain]}
    async with in_virtual_time(policy, one_call, **options) as (client, server, _):
        assert len(server.handshakes) == 2
        reports = client.tools.reports()
        with anyio.fail_after(60):
            followed = sure(await (await client.response.create()).follow_up())
            await followed.done()
        assert followed.transcript == "It is rain."
        assert [(await anext(reports)).what, reports.held] == ["answered", 0]


@virtual
@pytest.mark.parametrize("rounds", [0, 2])
async def test_I6_max_rounds_holds_after_a_first_try_that_was_refused(rounds: int) -> None:
    policy = SimulatorPolicy(pace="fast", mishaps=(Refuse(503),))
    options: dict[str, Any] = {"reconnect": OPENING, "tools": [rain], "max_rounds": rounds}
    async with in_virtual_time(policy, again_and_again, **options) as (client, server, _):
        reports = client.tools.reports()
        await client.response.create()
        await anyio.sleep(60.0)
        assert kinds(server.sessions[-1]).count("response.create") == 1 + rounds
        told = [(await anext(reports)).what for _ in range(reports.held)]
        assert sorted(told) == [*["answered"] * (rounds + 1), "too_many_rounds"]


# -- an item that was never written --------------------------------------------------------------


class Full:
    """A transport that can be made to take nothing more until it ends, as a full socket does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._ended = anyio.Event()
        self.is_full = False
        self.written: list[bytes | str] = []

    async def send(self, data: Any) -> None:
        if self.is_full:
            await self._ended.wait()
        await self._transport.send(data)
        self.written.append(data)

    async def receive(self) -> Any:
        try:
            return await self._transport.receive()
        except TransportClosed:
            self._ended.set()
            raise

    async def aclose(self) -> None:
        await self._transport.aclose()


class Filling:
    """The `connect` of a server whose connections may be full."""

    def __init__(self, away: Away) -> None:
        self._away = away
        self.made: list[Full] = []

    @contextlib.asynccontextmanager
    async def __call__(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Transport]:
        async with self._away.connect(url, headers) as transport:
            self.made.append(Full(transport))
            yield self.made[-1]


@virtual
@pytest.mark.parametrize("gone", ["cancelled", "out of patience", "waited for"])
async def test_N6_an_item_that_was_never_written_and_given_up_in_an_outage(gone: str) -> None:
    away, scope = Away(), anyio.CancelScope()
    filling = Filling(away)
    options: dict[str, Any] = {"turn_detection": None, "response_timeout": 20.0}
    async with (
        Client(endpoint=URL, connect=filling, reconnect=AT_ONCE, **options) as client,
        callers(200) as calls,
    ):
        changes = client.connections()
        await client.send_text("before")

        async def ask() -> None:
            with scope:
                await client.send_text("ghost")

        filling.made[0].is_full = True
        await client.send_audio(sing("hello"))  # with which the writer is stuck
        await anyio.sleep(1.0)
        calls.call("text", ask)
        await anyio.sleep(1.0)
        away.go()
        await disconnected(changes)
        if gone == "cancelled":
            scope.cancel()
        await anyio.sleep(30.0 if gone == "out of patience" else 1.0)
        outcome = calls.outcomes.get("text")
        away.come_back()
        await reconnected(changes)
        await anyio.sleep(1.0)
        told = [words for _, words in away.server.sessions[1].conversation.told]
        assert "ghost" not in str(filling.made[0].written)
        assert told == (["before", "ghost"] if gone == "waited for" else ["before"])
        if gone == "out of patience":
            assert isinstance(outcome, AcknowledgementTimeout)
            assert not outcome.uncertain, "no server has seen it"


# -- a response whose end is lost ---------------------------------------------------------------


def calls_and_talks(question: Question) -> Answer:
    if question.source == "tool":
        return [Say("It goes on.")]
    return [CallFunction("weather", {}), Say(LONG)]


async def cancels(client: Client, calls: Callers, response: Response) -> None:
    calls.call("cancel", response.cancel)


async def barges_in(client: Client, calls: Callers, response: Response) -> None:
    """Over what is being played, as it is not known otherwise that it was cut."""
    calls.call("play", partial(play, response))
    await anyio.sleep(1.0)
    await client.send_audio(sing("stop"))


async def play(response: Response) -> None:
    async for _ in response.audio:
        pass


async def listens(client: Client, calls: Callers, response: Response) -> None:
    """Does nothing about it."""


@virtual
@pytest.mark.parametrize("act", [cancels, barges_in, listens], ids=lambda act: act.__name__)
async def test_N6_only_a_response_that_was_still_wanted_is_followed_up(
    act: Callable[..., Any],
) -> None:
    """Its tool runs, and its connection goes before `response.done` is here."""
    running, held = Weather(), Held("response.done")
    away = Away(SimulatorPolicy(pace="realtime", tamper=held), calls_and_talks)
    detection = {"type": "server_vad", "create_response": False, "interrupt_response": True}
    options = {**running.options, "turn_detection": detection}
    async with caller(away, DROP, **options) as client, callers(200) as calls:
        changes, reports = client.connections(), client.tools.reports()
        response = await client.response.create()
        await anyio.sleep(1.5)
        await act(client, calls, response)
        await anyio.sleep(1.0)
        assert held.seen.is_set() is (act is not listens), "the server has ended it"
        held._types = ()
        away.go()
        away.come_back()
        await reconnected(changes)
        running.may_return.set()
        await anyio.sleep(60.0)
        new = away.server.sessions[1]
        told = new.conversation.told
        assert ("function_call_output", "rain") in told
        follow_ups = 1 if act is listens else 0
        assert kinds(new).count("response.create") == follow_ups
        assert told.count(("assistant", "It goes on.")) == follow_ups
        what = [(await anext(reports)).what for _ in range(reports.held)]
        assert sorted(what) == (["answered"] if follow_ups else ["answered", "interrupted"])


# -- a standby that speaks ----------------------------------------------------------------------

GREETING = events.MessageItem(id="item_greet", role="assistant", status="in_progress", content=())


class Greets:
    """A `tamper`: on its second connection the server begins to speak by itself."""

    def __init__(self) -> None:
        self._configured = 0

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        self._configured += event.type == "session.updated"
        if event.type != "session.updated" or self._configured != 2:
            return [event]
        resource = events.ResponseResource(id="resp_greet", status="in_progress")
        return [
            event,
            events.ResponseCreated(response=resource),
            events.ResponseOutputItemAdded(response_id="resp_greet", output_index=0, item=GREETING),
            events.ConversationItemAdded(previous_item_id=None, item=GREETING),
        ]


@virtual
async def test_N8_what_a_standby_says_by_itself_is_left_alone() -> None:
    policy = SimulatorPolicy(pace="fast", tamper=Greets())
    async with in_virtual_time(policy, rollover=EARLY) as (client, server, changes):
        start = anyio.current_time()
        await client.send_text("hello")
        assert (await reconnected(changes)).planned
        assert anyio.current_time() < start + 110.0
        assert len(server.connections) == 2
        await client.send_text("still there?")
        await anyio.sleep(1.0)
        assert codes(server) == [1000]
        new = server.sessions[1]
        assert [words for _, words in new.conversation.told] == ["hello", "still there?"]
        assert "conversation.item.delete" not in kinds(new), "it is in progress"


@virtual
async def test_N8_a_standby_that_cannot_be_used_is_left_and_another_one_taken_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with an item that would have to go and cannot, which nobody has foreseen."""
    monkeypatch.setattr("realtime_client.restoring.is_growing", lambda item: False)
    policy = SimulatorPolicy(pace="fast", tamper=Greets())
    async with in_virtual_time(policy, rollover=EARLY) as (client, server, changes):
        await client.send_text("hello")
        await anyio.sleep(102.0)
        assert sure(server.connections[1].ended).code == 1000
        assert server.connections[0].ended is None, "the old one serves on"
        assert client.is_connected
        await client.send_text("still there?")
        assert (await reconnected(changes)).planned
        assert changes.held == 0
        assert len(server.connections) == 3
        told = [words for _, words in server.sessions[2].conversation.told]
        assert told == ["hello", "still there?"]


# -- a session that goes on ---------------------------------------------------------------------


@virtual
async def test_I6_a_sideband_says_nothing_twice_and_what_was_said_in_the_outage_once() -> None:
    before, meanwhile = sing("delete the"), sing("file")
    away = Away()
    again = replace(AT_ONCE, audio=keep(60_000))
    options: dict[str, Any] = {"call_id": "rtc_1", "reconnect": again}
    async with Client(endpoint=URL, connect=away.connect, **options) as client:
        await client.session.update(turn_detection=None)
        changes = client.connections()
        await client.send_audio(before)
        (session,) = away.server.sessions
        await anyio.sleep(1.0)
        written = len(appended(session))
        assert CHUNK < written < len(before), "the rest waits for more"
        away.go()
        await disconnected(changes)
        await client.send_audio(meanwhile)
        away.come_back()
        report = await reconnected(changes)
        await client.input_audio_buffer.commit()
        assert len(away.server.sessions) == 1
        assert np.array_equal(appended(session), np.concatenate([before, meanwhile]))
        assert heard(session) == ["delete the file"]
        assert report.dropped.start == report.dropped.stop
        whole = len(before) + len(meanwhile)
        assert report.replayed == (written, whole - whole % CHUNK)


# -- a commit that nobody waits for -------------------------------------------------------------


@virtual
async def test_N8_after_a_cancelled_commit_it_is_quiet() -> None:
    gate = Gate(lambda event: event.type == "input_audio_buffer.committed")
    policy = SimulatorPolicy(pace="fast", tamper=gate)
    async with (
        in_virtual_time(policy, rollover=EARLY) as (client, server, changes),
        callers(400) as calls,
    ):
        start, scope = anyio.current_time(), anyio.CancelScope()
        await client.send_audio(sing("hello"))

        async def commit() -> None:
            with scope:
                await client.input_audio_buffer.commit()

        calls.call("commit", commit)
        await anyio.sleep(1.0)
        scope.cancel()
        gate.is_open = True
        await client.send_text("and")  # with which the answer comes that nobody waits for
        assert scope.cancelled_caught
        assert (await reconnected(changes)).planned
        assert anyio.current_time() == start + 100.0, "and not in the latest moment, at 300 s"
        assert heard(server.sessions[0]) == ["hello"]
        assert "input_audio_buffer.append" not in kinds(server.sessions[1])


# -- what is counted ----------------------------------------------------------------------------


@virtual
async def test_N5_the_tries_of_an_outage_are_those_of_this_one() -> None:
    mishaps = (None, None, Refuse(503), None, Refuse(503), Refuse(503))
    policy = replace(FAST, mishaps=mishaps)
    async with in_virtual_time(policy, reconnect=AT_ONCE) as (_, server, changes):
        tries = []
        for _ in range(4):
            server.connections[-1].drop()
            tries.append((await reconnected(changes)).tries)
        assert tries == [1, 2, 3, 1]


@virtual
async def test_N5_what_is_left_of_the_budget_is_what_the_outages_before_have_left() -> None:
    again = replace(AT_ONCE, tries=3)
    async with in_virtual_time(FAST, reconnect=again) as (client, server, changes):
        for _ in range(3):
            server.connections[-1].drop()
            assert (await reconnected(changes)).tries == 1
        server.connections[-1].drop()
        await anyio.sleep(1.0)
        with pytest.raises(ReconnectFailed) as caught:
            await client.ready()
        assert caught.value.tries == 3, "all of the budget, and none of them for this one"
        assert len(server.handshakes) == 4
