"""What goes wrong with responses elsewhere, and not here: servers that keep silent.

R20: ends that never come, answers that come late, and servers that do not say whose response it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from realtime_client import Client, Dialect, Response, events
from realtime_client.errors import ResponseAbandoned
from realtime_client.events import ServerEvent
from realtime_client.simulator import Part, SimulatorPolicy
from tests.responding import (
    OUT_OF_BAND,
    Gate,
    all_heard,
    cancelled,
    creators,
    heard,
    of_type,
    round_trip,
    tampered,
    until_it_raises,
)
from tests.scenarios import answers, connected, in_memory
from tests.simulated import spoken
from tests.test_scenarios_config_callers import virtual

LONG = "A long story, told at length. " * 12
SCRIPT: dict[str, Sequence[str | Part]] = {
    "one": ["I am one,", "and only one."],
    "two": ["Two", "it is."],
    "three": ["The third."],
}
BRAIN = answers(SCRIPT, otherwise="Theirs.")


# -- R20 --------------------------------------------------------------------------------------

MUTE = Dialect("echoes nothing", echoes_metadata=False)
NO_ECHO = SimulatorPolicy(pace="fast", echoes_metadata=False)


async def test_R20_without_an_echo_creates_are_matched_in_order() -> None:
    async with connected(NO_ECHO, BRAIN, dialect=MUTE) as (c, _):
        happening, strays = c.events(), c.orphans()
        async with creators(c) as callers:
            for name in SCRIPT:
                await callers.ask(name)
            for name in SCRIPT:
                response = await callers.response(name)
                assert await all_heard(response) == SCRIPT[name]
                assert (response.initiator, response.metadata) == ("client", {})
        assert not any(e.response.metadata for e in of_type(happening, "response.created"))
        assert strays.held == 0


class SecondFirst:
    """The second response that begins is announced before the first one."""

    def __init__(self) -> None:
        self._held: list[ServerEvent] = []
        self._begun = 0

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        self._begun += isinstance(event, events.ResponseCreated)
        if isinstance(event, events.ResponseCreated) and self._begun == 1:
            self._held = [event]
            return []
        held, self._held = self._held, []
        return [event, *held]


async def test_R20_without_an_echo_the_two_sides_of_the_conversation_are_told_apart() -> None:
    policy = replace_policy(NO_ECHO, begin_together=3, tamper=SecondFirst())
    async with connected(policy, BRAIN, dialect=MUTE) as (c, _), creators(c) as callers:
        await callers.ask("one", **OUT_OF_BAND)
        await callers.ask("two")
        await callers.ask("three", **OUT_OF_BAND)
        for name in SCRIPT:
            assert await all_heard(await callers.response(name)) == SCRIPT[name]


async def test_R20_without_an_echo_the_servers_own_is_the_servers() -> None:
    async with connected(NO_ECHO, BRAIN, dialect=MUTE) as (c, _):
        responses = c.responses()
        await c.send_audio(spoken("Hello?"))
        theirs = await anext(responses)
        assert (theirs.initiator, await all_heard(theirs)) == ("server", ["Theirs."])
        ours = await c.response.create(instructions="one")
        assert (ours.initiator, await all_heard(ours)) == ("client", SCRIPT["one"])


async def test_R20_without_an_echo_what_was_given_up_is_cancelled_by_id() -> None:
    gate = Gate()
    policy = replace_policy(NO_ECHO, tamper=gate)
    async with connected(policy, BRAIN, dialect=MUTE) as (c, _):
        sent, happening = c.sent(), c.events()
        async with creators(c) as callers:
            (await callers.ask("one")).cancel()
            await gate.open(c)
            await callers.ask("two")
            assert await all_heard(await callers.response("two")) == SCRIPT["two"]
        await round_trip(c)
        ghost, _ = [event.response.id for event in of_type(happening, "response.created")]
        assert cancelled(sent) == [ghost]
        assert c.stats["discarded"].total() > 10


@virtual
async def test_R20_an_echo_that_is_expected_and_missing_is_said_so() -> None:
    """The dialect is wrong: nobody can tell that the response is ours."""
    async with in_memory(NO_ECHO, BRAIN, response_timeout=30) as (c, _):
        responses, start = c.responses(), anyio.current_time()
        with pytest.raises(ResponseAbandoned, match="a dialect that says so") as caught:
            await c.response.create(instructions="one")
        assert anyio.current_time() == start + 30
        assert caught.value.response_id is None
        taken = await anext(responses)
        assert (taken.initiator, await all_heard(taken)) == ("server", SCRIPT["one"])
        assert not c.active


class NeverEnds:
    """The first response never gets its `response.done`, unless that is `let_through`."""

    def __init__(self) -> None:
        self.kept: list[ServerEvent] = []
        self.late: list[ServerEvent] = []

    def __call__(self, event: ServerEvent) -> Sequence[ServerEvent]:
        if isinstance(event, events.ResponseDone) and not self.kept:
            self.kept.append(event)
            return []
        late, self.late = self.late, []
        return [*late, event]

    def let_through(self) -> None:
        self.late = [*self.kept]


async def abandoned(waits: Callable[[], Any]) -> ResponseAbandoned:
    with pytest.raises(ResponseAbandoned) as caught:
        await waits()
    return caught.value


async def check_never_ending(c: Client, patience: float, never: NeverEnds) -> None:
    sent, strays, start = c.sent(), c.orphans(), anyio.current_time()
    response = await c.response.create(instructions="one")
    async with anyio.create_task_group() as tasks:
        following: list[Response] = []

        async def follow() -> None:
            following.append(await c.response.create(instructions="two"))

        tasks.start_soon(follow)
        error = await abandoned(response.done)
        assert anyio.current_time() >= start + patience
        assert error.response_id == response.id
        # What came was whole, and is there; what should have come is what is missing.
        outputs, failure = await until_it_raises(response)
        assert failure is error
        assert [await heard(output) for output in outputs] == SCRIPT["one"]
        for waits in (response.cancel, response.done, response.follow_up):
            assert await abandoned(waits) is error
    assert await all_heard(following[0]) == SCRIPT["two"], "the conversation is free again"
    assert cancelled(sent) == [response.id], "in case it still lives"
    assert c.stats["orphan"].total() == c.stats["duplicate"].total() == 0
    never.let_through()
    await round_trip(c)
    assert [one.verdict.value for one in strays._items] == ["duplicate"], "it has ended before"
    assert response.status == "in_progress"
    again = await c.response.create(instructions="three", when_busy="fail")
    assert await all_heard(again) == SCRIPT["three"]
    assert not c.active


async def test_R20_a_done_that_never_comes_has_a_deadline() -> None:
    never = NeverEnds()
    async with connected(tampered(never), BRAIN, response_timeout=0.4) as (c, _):
        await check_never_ending(c, 0.4, never)


@virtual
async def test_R20_a_done_that_never_comes_has_a_minute() -> None:
    never = NeverEnds()
    async with in_memory(tampered(never), BRAIN) as (c, _):
        start = anyio.current_time()
        await check_never_ending(c, 60.0, never)
        assert math.isclose(anyio.current_time(), start + 60.0, abs_tol=0.1)


@virtual
async def test_R20_a_cancel_waits_for_an_end_no_longer_than_that() -> None:
    policy = SimulatorPolicy(pace="realtime", tamper=NeverEnds())
    async with in_memory(policy, answers({"one": [LONG]}, otherwise="Short.")) as (c, _):
        sent = c.sent()
        response = await c.response.create(instructions="one")
        start = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(c.response.cancel)
            error = await abandoned(response.cancel)
        assert error.response_id == response.id
        assert anyio.current_time() == start + 60
        assert cancelled(sent) == [response.id]
        assert not c.active
        assert await all_heard(await c.response.create()) == ["Short."]


@virtual
async def test_R20_silence_is_counted_from_the_last_word() -> None:
    """A response may take longer than the patience, as long as it goes on."""
    brain = answers({"one": [LONG]}, otherwise="Short.")
    async with in_memory(SimulatorPolicy(pace="realtime"), brain, response_timeout=2.0) as (c, _):
        start = anyio.current_time()
        response = await c.response.create(instructions="one")
        assert await all_heard(response) == [LONG]
        assert anyio.current_time() > start + 20
        assert response.status == "completed"


@virtual
async def test_R20_a_create_that_is_never_answered_has_a_deadline() -> None:
    async with in_memory(SimulatorPolicy(created_after=100.0), BRAIN, response_timeout=20) as (
        c,
        _,
    ):
        sent, strays, start = c.sent(), c.orphans(), anyio.current_time()
        error = await abandoned(lambda: c.response.create(instructions="one", **OUT_OF_BAND))
        assert error.response_id is None
        assert anyio.current_time() == start + 20
        assert not c.active
        async for one in strays:
            if one.event.type == "response.done":
                break
        assert c.stats["orphan"].total() == 0
        assert len(cancelled(sent)) == 1, "late as it is, it is known and cancelled"


def replace_policy(policy: SimulatorPolicy, **habits: Any) -> SimulatorPolicy:
    return SimulatorPolicy(**{**policy.__dict__, **habits})
