"""N8: the connection is changed before the session ends, in a quiet moment or in the latest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
import pytest
from msgspec.structs import replace

from realtime_client import Client, Rollover
from realtime_client.errors import ConnectionLost
from realtime_client.events import UNSET, ServerEvent, SessionCreated, SessionUpdated
from realtime_client.simulator import (
    Brain,
    SimulatorPolicy,
    echo,
    sing,
)
from tests.changing import EARLY, LONG, Weather, codes, weather
from tests.outages import (
    FAST,
    Callers,
    callers,
    heard,
    in_virtual_time,
    reconnected,
    sure,
    talking,
)
from tests.responding import Gate
from tests.scenarios import says
from tests.simulated import silence
from tests.test_scenarios_config_callers import virtual

# -- when -------------------------------------------------------------------------------------


@virtual
async def test_N8_before_expiry_the_connection_is_changed_in_a_quiet_moment() -> None:
    async with in_virtual_time(instructions="Be brief.") as (client, server, changes):
        start, responses = anyio.current_time(), client.responses()
        happening, sent = client.events(), client.sent()
        await client.send_text("hello")
        await (await client.response.create()).done()
        while server.connections[0].ended is None:
            await client.session.update(instructions=f"At {anyio.current_time()}.")
            await anyio.sleep(10.0)
        report = await reconnected(changes)
        assert start + 3_280 <= anyio.current_time() <= start + 3_300
        assert (report.planned, report.tries, report.seconds) == (True, 0, 0.0)
        assert (report.not_restored, report.ignored) == ((), ())
        assert [one.form for one in report.restored] == ["whole", "text"]
        assert changes.held == 0, "nothing was lost"
        # What is said to the other one before it is in force concerns nobody.
        assert "session.created" not in {frame.type for frame in happening._items}
        assert [frame.type for frame in sent._items].count("conversation.item.create") == 1
        assert codes(server) == [1000]
        old, new = server.sessions
        assert new.conversation.told == old.conversation.told
        assert new.settings.session.instructions == old.settings.session.instructions
        assert not responses.ended
        await anyio.sleep(1_000.0)
        assert (len(server.connections), client.is_connected) == (2, True)


@virtual
@pytest.mark.parametrize("expires_at", [1, 4_000_000_000, None])
async def test_N8_the_servers_wall_clock_does_not_matter(expires_at: int | None) -> None:
    def wrong(event: ServerEvent) -> list[ServerEvent]:
        if not isinstance(event, SessionCreated | SessionUpdated):
            return [event]
        session: Any = replace(
            event.session, expires_at=UNSET if expires_at is None else expires_at
        )
        return [replace(event, session=session)]

    policy = SimulatorPolicy(pace="fast", tamper=wrong)
    async with in_virtual_time(policy) as (_, _, changes):
        start = anyio.current_time()
        assert (await reconnected(changes)).planned
        assert anyio.current_time() == start + 3_280.0


@virtual
async def test_N8_a_session_of_nobody_knows_how_long_is_changed_at_its_age() -> None:
    async with in_virtual_time(rollover=Rollover(age=60.0)) as (_, server, changes):
        start = anyio.current_time()
        for number in range(1, 6):
            assert (await reconnected(changes)).planned
            assert anyio.current_time() == start + 60.0 * number
        assert len(server.connections) == 6


@virtual
async def test_N8_without_rollover_the_session_lasts_until_the_server_ends_it() -> None:
    async with in_virtual_time(rollover=None) as (client, server, changes):
        start = anyio.current_time()
        await client.send_text("hello")
        report = await reconnected(changes)
        assert 3_600 <= anyio.current_time() - start < 3_601
        assert not report.planned
        lost = report.error
        assert isinstance(lost, ConnectionLost)
        assert lost.close_code == 1001
        assert "session_expired" in str(lost)
        assert server.sessions[1].conversation.told == (("user", "hello"),)


# -- what is not quiet ------------------------------------------------------------------------


@dataclass(frozen=True)
class Busy:
    """Something that goes on, and what is to be done for its end where it has none of its own."""

    begin: Callable[[Client, Callers], Awaitable[None]]
    end: Callable[[Client], Awaitable[None]] | None = None
    policy: SimulatorPolicy = FAST
    brain: Brain = echo
    options: dict[str, Any] = field(default_factory=dict)


async def speaks(client: Client, calls: Callers) -> None:
    await client.send_audio(np.concatenate([silence(500), sing("hello")]))


async def falls_silent(client: Client) -> None:
    await client.send_audio(silence(600))


async def holds_the_button(client: Client, calls: Callers) -> None:
    await client.send_audio(sing("hello"))


async def lets_go(client: Client) -> None:
    await client.input_audio_buffer.commit()


async def asks(client: Client, calls: Callers) -> None:
    calls.call("create", client.response.create)


async def listens(client: Client, calls: Callers) -> None:
    response = await client.response.create()
    await response.done()
    assert [chunk async for chunk in response.audio]


async def configures(client: Client, calls: Callers) -> None:
    GATE.is_open = False
    calls.call("update", lambda: client.session.update(instructions="Wait.", timeout=60))


def unsaid(event: ServerEvent) -> bool:
    return isinstance(event, SessionUpdated) and "Wait." in str(event.session)


GATE = Gate(unsaid)


async def is_answered(client: Client) -> None:
    await GATE.open(client)


BUSY: dict[str, Busy] = {
    "the user speaks": Busy(
        speaks, falls_silent, options={"turn_detection": {"type": "server_vad"}}
    ),
    "an uncommitted turn": Busy(holds_the_button, lets_go),
    "a response is active": Busy(asks, policy=SimulatorPolicy(pace="realtime"), brain=says(LONG)),
    "a response is asked for": Busy(asks, policy=SimulatorPolicy(created_after=18.0)),
    "something is played": Busy(listens, brain=says(LONG)),
    "an update is on its way": Busy(configures, is_answered, SimulatorPolicy(tamper=GATE)),
}


@virtual
@pytest.mark.parametrize("name", BUSY)
async def test_N8_it_is_not_changed_while(name: str) -> None:
    busy = BUSY[name]
    options = {"rollover": EARLY, "keep_user_audio": True, **busy.options}
    async with (
        in_virtual_time(busy.policy, busy.brain, **options) as (client, server, changes),
        callers(200) as calls,
    ):
        start = anyio.current_time()
        await anyio.sleep_until(start + 95.0)
        await busy.begin(client, calls)
        await anyio.sleep_until(start + 110.0)
        assert len(server.connections) == 2, "there is one to be changed to"
        assert changes.held == 0
        if busy.end is not None:
            await busy.end(client)
        report = await reconnected(changes)
        assert report.planned
        assert start + 110.0 <= anyio.current_time() < start + 115.0
        assert report.dropped.start == report.dropped.stop
        assert not any(isinstance(outcome, Exception) for outcome in calls.outcomes.values())
        old, new = server.sessions
        assert new.conversation.told == old.conversation.told
        await anyio.sleep(1.0)
        assert codes(server) == [1000]


@virtual
async def test_N8_it_is_not_changed_while_a_tool_runs() -> None:
    running = Weather()
    async with in_virtual_time(brain=weather, rollover=EARLY, **running.options) as (
        client,
        server,
        changes,
    ):
        response = await client.response.create()
        await response.done()
        await anyio.sleep(110.0)
        assert len(server.connections) == 2
        assert changes.held == 0
        running.may_return.set()
        followed = sure(await response.follow_up())
        await followed.done()
        assert followed.transcript == "Rain."
        assert (await reconnected(changes)).planned
        assert server.sessions[1].conversation.told == server.sessions[0].conversation.told


# -- over a socket ----------------------------------------------------------------------------


async def test_N8_over_a_real_socket() -> None:
    rollover = Rollover(age=0.3, window=20.0)
    async with talking(rollover=rollover, instructions="Stay.") as (client, server, changes):
        words = ["one", "two", "three", "four", "five", "six"]
        reports = []
        for word in words:
            await client.send_audio(sing(word))
            await client.input_audio_buffer.commit()
            await (await client.response.create()).done()
            if len(server.connections) < 4:
                reports.append(await reconnected(changes))
        assert len(reports) == 3
        assert all(report.planned for report in reports)
        assert [text for one in server.sessions for text in heard(one)] == words
        last = server.sessions[-1].conversation.told
        assert last[-1] == ("assistant", "You said: six")
        assert server.sessions[-1].settings.session.instructions == "Stay."
        assert [sure(one.ended).code for one in list(server.connections)[:3]] == [1000] * 3
