"""What goes wrong with responses elsewhere, and not here: cancelling.

R5: by id, so that it hits no other. R6: before there is an id. R7: what is still on its way then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from realtime_client import Client
from realtime_client.errors import ResponseWithdrawn
from realtime_client.simulator import SimulatorPolicy
from tests.responding import (
    GHOST,
    GHOST_BRAIN,
    GHOST_SCRIPT,
    OUT_OF_BAND,
    Creators,
    Gate,
    all_heard,
    cancelled,
    cancels_of,
    created_of,
    creators,
    done_of,
    of_type,
    round_trip,
    speak,
)
from tests.scenarios import answers, connected

# -- R5 ---------------------------------------------------------------------------------------


async def test_R5_a_cancel_names_its_response_and_hits_no_other() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with connected(policy, answers({}, otherwise=GHOST)) as (c, session):
        sent, responses = c.sent(), c.responses()
        beside = [await c.response.create(**OUT_OF_BAND) for _ in range(3)]
        await speak(c)
        for one in beside:
            assert await anext(responses) is one
        vad = await anext(responses)
        all_ = [*beside, vad]
        with anyio.fail_after(5):
            for i in (1, 3, 0, 2):
                await all_[i].cancel()
                await all_[i].cancel()  # twice is harmless
                await c.response.cancel(all_[i].id)
                assert all_[i].status == "cancelled"
                await round_trip(c)
                expected = [one.id for one in all_ if one.status == "in_progress"]
                running = list(session.responses._running)
                assert running == expected
        expected = [all_[i].id for i in (1, 3, 0, 2)]
        assert cancelled(sent) == [one.response_id for one in cancels_of(session)] == expected


async def test_R5_an_ended_one_is_left_alone_and_the_active_one_goes_on() -> None:
    async with connected(SimulatorPolicy(pace="wire"), GHOST_BRAIN) as (c, session):
        sent = c.sent()
        first = await c.response.create(instructions="short")
        await first.done()
        active = await c.response.create(instructions="living")
        await first.cancel()
        await c.response.cancel(first.id)
        await c.response.cancel("resp_of_nobody")
        assert await all_heard(active) == GHOST_SCRIPT["living"]
        await c.response.cancel()
        assert cancelled(sent) == cancels_of(session) == []
        assert (first.status, active.status) == ("completed", "completed")


async def test_R5_the_conversations_cancel_is_by_id_too() -> None:
    async with connected(SimulatorPolicy(pace="realtime"), GHOST_BRAIN) as (c, session):
        sent = c.sent()
        active = await c.response.create(instructions="ghost")
        beside = await c.response.create(instructions="ghost", **OUT_OF_BAND)
        async with creators(c) as callers:
            await callers.ask("living")
            await c.response.cancel()
            assert isinstance(await callers.outcome("living"), ResponseWithdrawn)
        assert active.status == "cancelled", "it has ended when the call returns"
        assert (await active.done()).status_details.reason == "client_cancelled"  # type: ignore[union-attr]  # it has one
        assert beside.status == "in_progress"
        assert cancelled(sent) == [one.response_id for one in cancels_of(session)] == [active.id]
        assert len(of_type(sent, "response.create")) == 2


# -- R6 ---------------------------------------------------------------------------------------

Revoking = Callable[[Client, Creators, anyio.CancelScope], Any]


async def by_cancelling_the_caller(c: Client, callers: Creators, scope: anyio.CancelScope) -> None:
    scope.cancel()


async def by_the_conversations_cancel(
    c: Client, callers: Creators, scope: anyio.CancelScope
) -> None:
    async def cancel() -> None:
        await c.response.cancel()
        assert c.stats["delivered"]["response.done"] > 0, "it returns when the server has ended it"
        returned.append(True)

    returned: list[bool] = []
    callers._tasks.start_soon(cancel)
    await round_trip(c)
    assert returned == [], "it has not even begun"


async def by_an_interruption(c: Client, callers: Creators, scope: anyio.CancelScope) -> None:
    await callers.ask("short", when_busy="interrupt")


@pytest.mark.parametrize(
    "revoke", [by_cancelling_the_caller, by_the_conversations_cancel, by_an_interruption]
)
async def test_R6_what_is_cancelled_before_its_id_is_known_is_cancelled_as_soon_as_it_is(
    revoke: Revoking,
) -> None:
    gate = Gate()
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), GHOST_BRAIN) as (c, session):
        happening, sent = c.events(), c.sent()
        async with creators(c) as callers:
            scope = await callers.ask("ghost")
            assert session.responses.speaking
            await revoke(c, callers, scope)
            for _ in range(3):
                await round_trip(c)
            assert cancelled(sent) == [], "now it would be a no-op, or hit somebody else"
            assert len(of_type(sent, "response.create")) == 1, "it holds its place"
            await gate.open(c)
            if revoke is not by_an_interruption:
                await callers.ask("short")
            assert await all_heard(await callers.response("short")) == GHOST_SCRIPT["short"]
            ghost, short = created_of(happening)
            if revoke is by_cancelling_the_caller:
                assert "ghost" not in callers.outcomes
            else:  # who still listens is told
                response = await callers.response("ghost")
                assert (await response.done()).status == "cancelled"
                assert response.id == ghost
        await round_trip(c)
        assert done_of(happening) == {ghost: "cancelled", short: "completed"}
        assert cancelled(sent) == [one.response_id for one in cancels_of(session)] == [ghost]
        assert c.stats["discarded"].total() > 0
        assert c.stats["orphan"].total() == 0


# -- R7 ---------------------------------------------------------------------------------------

DELTAS = ("response.output_audio.delta", "response.output_audio_transcript.delta")


@pytest.mark.parametrize("in_flight", [0, 14])
async def test_R7_what_comes_after_a_cancel_is_discarded_counted_and_can_be_seen(
    in_flight: int,
) -> None:
    policy = SimulatorPolicy(pace="wire", deltas_after_cancel=in_flight)
    async with connected(policy, GHOST_BRAIN) as (c, _):
        happening, strays = c.events(), c.orphans()
        response = await c.response.create(instructions="ghost")
        (message,) = [await anext(aiter(response))]
        played = [await anext(message.audio)]
        await response.cancel()
        played += [chunk async for chunk in message.audio]
        assert response.status == "cancelled"
        late: list[Any] = [one.event for one in strays._items]
        assert {one.verdict.value for one in strays._items} <= {"discarded"}
        assert len(late) == c.stats["discarded"].total() == in_flight
        assert {event.type for event in late} == set(DELTAS if in_flight else ())
        assert {event.response_id for event in late} <= {response.id}
        came = [event for event in of_type(happening, DELTAS[0]) if event not in late]
        assert b"".join(played) == b"".join(event.delta for event in came)
        deltas = [event.delta for event in of_type(happening, DELTAS[1])]
        assert message.transcript.so_far == "".join(deltas), "the server's last word on it"
        assert GHOST.startswith(message.transcript.so_far)
        following = await c.response.create(instructions="short")
        assert await all_heard(following) == GHOST_SCRIPT["short"]
