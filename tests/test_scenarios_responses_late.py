"""What goes wrong with responses elsewhere, and not here: what comes too late, or is not wanted.

R3: given up before it begins. R4: the server's own, which are no orphans for that. A `Gate` holds
back what the server says, so that "late" is a matter of order and not of time.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from realtime_client import Client, events
from realtime_client.errors import AcknowledgementTimeout
from realtime_client.simulator import SimulatorPolicy
from realtime_client.simulator.request import default_request
from tests.responding import (
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
from tests.scenarios import FAST, connected, in_memory
from tests.test_scenarios_config_callers import virtual


def owner_of(event: Any) -> Any:
    """The response that an event belongs to."""
    return event.response.id if hasattr(event, "response") else getattr(event, "response_id", None)


def check_given_up(c: Client, happening: Any, strays: Any, ghost: str) -> None:
    """Everything of this response was discarded and counted, and nothing else was."""
    seen = [(one.verdict.value, one.event) for one in strays._items]
    assert len(seen) > 3
    for verdict, event in seen:
        assert (verdict, owner_of(event)) == ("discarded", ghost)
    told = [frame.event for frame in happening._items if owner_of(frame.event) == ghost]
    assert c.stats["discarded"].total() == len(seen) == len(told)
    assert c.stats["orphan"].total() == c.stats["duplicate"].total() == 0


# -- R3 ---------------------------------------------------------------------------------------


async def give_up(callers: Creators, by: str) -> None:
    """Ask for the ghost, and stop waiting for it."""
    if by == "timeout":
        await callers.ask("ghost", timeout=0.01)
        error = await callers.outcome("ghost")
        assert isinstance(error, AcknowledgementTimeout)
        assert error.uncertain, "it went out: who knows what the server does"
    else:
        scope = await callers.ask("ghost")
        scope.cancel()
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("by", ["timeout", "cancellation"])
async def test_R3_a_late_one_is_cancelled_by_id_and_the_one_beside_it_is_untouched(by: str) -> None:
    policy = SimulatorPolicy(pace="wire", begin_together=2)
    async with connected(policy, GHOST_BRAIN) as (c, session):
        happening, sent, strays, all_ = c.events(), c.sent(), c.orphans(), c.responses()
        async with creators(c) as callers:
            await give_up(callers, by)
            assert cancelled(sent) == [], "there is no id yet"
            # With the second one both begin, at the same moment.
            await callers.ask("living", **OUT_OF_BAND)
            living = await callers.response("living")
            assert await all_heard(living) == GHOST_SCRIPT["living"]
            await living.done()
            await round_trip(c)
        (ghost,) = set(created_of(happening)) - {living.id}
        assert cancelled(sent) == [one.response_id for one in cancels_of(session)] == [ghost]
        assert done_of(happening) == {ghost: "cancelled", living.id: "completed"}
        check_given_up(c, happening, strays, ghost)
        assert list(all_._items) == [living]
        assert not c.active


class FirstIsLate(Gate):
    """Holds back all that is said of the first response that begins, and nothing else."""

    def __init__(self) -> None:
        super().__init__(self._is_first)
        self.first: str | None = None

    def _is_first(self, event: events.ServerEvent) -> bool:
        if isinstance(event, events.ResponseCreated) and self.first is None:
            self.first = str(event.response.id)
        return self.first is not None and owner_of(event) == self.first


async def check_known_by_its_key(c: Client, gate: FirstIsLate, by: str, *, forgotten: bool) -> None:
    """After 260 other responses, and where nobody hopes for it any more."""
    happening, strays, sent = c.events(), c.orphans(), c.sent()
    async with creators(c) as callers:
        await give_up(callers, by)
    if forgotten:  # the next one of the conversation has its turn when it is given up for lost
        await (await c.response.create(instructions="short")).done()
    for _ in range(260):
        beside = await c.response.create(output_modalities=["text"], **OUT_OF_BAND)
        await beside.done()
    beside = await c.response.create(instructions="living", **OUT_OF_BAND)
    await gate.open(c)
    await round_trip(c)
    assert gate.first is not None
    assert cancelled(sent) == [gate.first]
    check_given_up(c, happening, strays, gate.first)
    assert await all_heard(beside) == GHOST_SCRIPT["living"]
    following = await c.response.create(instructions="short", when_busy="fail")
    assert await all_heard(following) == GHOST_SCRIPT["short"]
    assert cancelled(sent) == [gate.first]


@pytest.mark.parametrize("by", ["timeout", "cancellation"])
async def test_R3_however_late_it_is_known_by_its_key(by: str) -> None:
    gate = FirstIsLate()
    async with connected(SimulatorPolicy(pace="fast", tamper=gate), GHOST_BRAIN) as (c, _):
        await check_known_by_its_key(c, gate, by, forgotten=False)


@virtual
@pytest.mark.parametrize("by", ["timeout", "cancellation"])
async def test_R3_given_up_for_lost_it_is_known_by_its_key_all_the_same(by: str) -> None:
    gate = FirstIsLate()
    async with in_memory(SimulatorPolicy(pace="fast", tamper=gate), GHOST_BRAIN) as (c, _):
        start = anyio.current_time()
        await check_known_by_its_key(c, gate, by, forgotten=True)
        assert anyio.current_time() - start > 59


@pytest.mark.parametrize("by", ["timeout", "cancellation"])
async def test_R3_until_it_has_ended_it_has_its_place_in_the_conversation(by: str) -> None:
    gate = Gate()
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), GHOST_BRAIN) as (c, _):
        happening, sent = c.events(), c.sent()
        async with creators(c) as callers:
            await give_up(callers, by)
            await callers.ask("short")
            assert len(of_type(sent, "response.create")) == 1, "or it would be refused"
            await gate.open(c)
            short = await callers.response("short")
            assert await all_heard(short) == GHOST_SCRIPT["short"]
            await short.done()
        ghost, ours = created_of(happening)
        assert done_of(happening) == {ghost: "cancelled", ours: "completed"}
        assert of_type(happening, "error") == []


@virtual
async def test_R3_an_hour_late() -> None:
    policy = SimulatorPolicy(pace="realtime", created_after=3_500.0)
    async with in_memory(policy, GHOST_BRAIN, rollover=None) as (c, session):
        happening, sent, strays = c.events(), c.sent(), c.orphans()
        start = anyio.current_time()
        with pytest.raises(AcknowledgementTimeout):
            await c.response.create(instructions="ghost", timeout=10)
        assert anyio.current_time() == start + 10
        frames = []
        async for frame in happening:
            frames.append(frame)
            if frame.type == "response.done":
                break
        assert 3_499.999 <= anyio.current_time() - start < 3_510
        assert frame.event.response.status == "cancelled"
        assert cancelled(sent) == [frame.event.response.id]
        assert len([one for one in frames if owner_of(one.event)]) == len(strays._items) > 3
        assert c.stats["discarded"].total() == len(strays._items)
        assert not session.responses.speaking


async def test_R3_a_timeout_counts_the_waiting_and_withdraws_what_has_not_gone_out() -> None:
    async with connected(SimulatorPolicy(pace="realtime"), GHOST_BRAIN) as (c, session):
        sent = c.sent()
        active = await c.response.create(instructions="ghost")
        with pytest.raises(AcknowledgementTimeout, match="withdrawn") as caught:
            await c.response.create(instructions="living", timeout=0.01)
        assert not caught.value.uncertain
        await round_trip(c)
        assert active.status == "in_progress"
        await active.cancel()
        await round_trip(c)
        assert len(of_type(sent, "response.create")) == 1, "it never goes out"
        assert cancelled(sent) == [active.id]
        assert not session.responses.speaking


# -- R4 ---------------------------------------------------------------------------------------


async def test_R4_an_answer_to_a_turn_surfaces_as_the_servers_own() -> None:
    async with connected(FAST, GHOST_BRAIN) as (c, session):
        happening, sent, strays, responses = c.events(), c.sent(), c.orphans(), c.responses()
        for _ in range(2):
            await speak(c)
            response = await anext(responses)
            assert (response.initiator, response.metadata) == ("server", {})
            assert await all_heard(response) == ["Theirs."]
            assert (await response.done()).status == "completed"
            assert not response.out_of_band
        assert not any(e.response.metadata for e in of_type(happening, "response.created"))
        ours = await c.response.create(instructions="short")
        assert (ours.initiator, await anext(responses)) == ("client", ours)
        assert await all_heard(ours) == GHOST_SCRIPT["short"]
        assert strays.held == c.stats["orphan"].total() == c.stats["discarded"].total() == 0
        assert cancelled(sent) == cancels_of(session) == []


async def test_R4_nobody_has_to_listen_to_it() -> None:
    async with connected(FAST, GHOST_BRAIN) as (c, _):
        strays, happening = c.orphans(), c.events()
        await speak(c)
        async for frame in happening:
            if frame.type == "response.done":
                break
        assert strays.held == c.stats["orphan"].total() == c.stats["discarded"].total() == 0
        assert c.stats["delivered"].total() > 10


@pytest.mark.parametrize("metadata", [{"mine": "no"}, {"realtime_client": "0ther-1"}])
async def test_R4_another_partys_surfaces_and_is_never_touched(metadata: dict[str, str]) -> None:
    async with connected(FAST, GHOST_BRAIN) as (c, session):
        sent, strays, responses = c.sent(), c.orphans(), c.responses()
        request = default_request(session.settings)
        fields = {name: getattr(request, name) for name in request.__dataclass_fields__}
        session.responses.request(type(request)(**{**fields, "metadata": metadata}))
        session.wake()
        with anyio.fail_after(5):
            response = await anext(responses)
            assert await all_heard(response) == ["Theirs."]
        assert response.initiator == ("other" if "realtime_client" in metadata else "server")
        await round_trip(c)
        assert cancelled(sent) == []
        assert strays.held == 0
