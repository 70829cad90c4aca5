"""N8: the connection is changed in the latest moment, or something happens before that."""

from __future__ import annotations

from math import inf
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Rollover
from realtime_client.changeover import Disconnected
from realtime_client.errors import ConnectionLost, ReconnectFailed, SessionSilent
from realtime_client.simulator import (
    Ignore,
    Refuse,
    SimulatorPolicy,
    sing,
)
from tests.changing import EARLY, FORCED, LONG, Weather, codes, weather
from tests.outages import (
    AT_ONCE,
    CHUNK,
    appended,
    failing,
    heard,
    in_virtual_time,
    kinds,
    reconnected,
    same_loss,
    speak,
    sure,
)
from tests.scenarios import says
from tests.simulated import silence
from tests.test_scenarios_config_callers import virtual

# -- the latest moment ------------------------------------------------------------------------

SENTENCE = "every word of this long sentence has to arrive exactly once"


@virtual
@pytest.mark.parametrize("vad", [False, True], ids=["by hand", "by VAD"])
async def test_N8_in_the_middle_of_an_utterance_nothing_is_lost_or_said_twice(vad: bool) -> None:
    detection = {"type": "server_vad"} if vad else None
    utterance = np.concatenate([silence(500), sing(SENTENCE), silence(700)])
    async with in_virtual_time(rollover=FORCED, turn_detection=detection) as (
        client,
        server,
        changes,
    ):
        turns, responses = client.user_turns(), client.responses()
        await anyio.sleep(98.5)
        await speak(client, utterance)
        if not vad:
            await client.input_audio_buffer.commit()
        report = await reconnected(changes)
        assert report.planned
        old, new, *_ = server.sessions
        assert heard(old) == []
        assert heard(new) == [SENTENCE]
        assert report.dropped.start == report.dropped.stop
        assert report.replayed.start == (0 if not vad else report.replayed.start)
        assert report.replayed.stop - report.replayed.start > 24_000
        said = appended(new)
        assert np.array_equal(said, utterance[report.replayed.start :][: len(said)])
        assert (turns.held, responses.held) == (2 if vad else 1, 1 if vad else 0)


@virtual
async def test_N8_of_an_utterance_that_is_too_long_the_newest_is_said_again() -> None:
    utterance = sing(SENTENCE)
    rollover = Rollover(age=100.0, window=1.0, replay=1.0)
    async with in_virtual_time(rollover=rollover) as (client, server, changes):
        await anyio.sleep(98.0)
        await speak(client, utterance)
        await client.input_audio_buffer.commit()
        report = await reconnected(changes)
        assert report.replayed.stop - report.replayed.start == 24_000
        assert report.dropped == (0, report.replayed.start)
        assert report.dropped.stop > 24_000
        (clip,) = server.sessions[1].conversation.entries[0].clips.values()
        assert np.array_equal(clip.samples, utterance[report.dropped.stop :])


@virtual
async def test_N8_it_waits_for_the_latest_moment_and_not_longer() -> None:
    async with in_virtual_time(rollover=EARLY) as (client, _, changes):
        start = anyio.current_time()
        await client.send_audio(sing("hello"))
        await reconnected(changes)
        assert anyio.current_time() == start + 300.0


@virtual
@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "forced"])
async def test_N8_at_most_one_chunk_is_late(quiet: bool) -> None:
    """The new server takes a second for each thing that it is asked; nobody waits for it."""
    rollover = EARLY if quiet else Rollover(age=100.0, window=3.0)
    policy = SimulatorPolicy(pace="fast", update_after=1.0)
    detection = {"type": "server_vad"} if quiet else None
    sound = silence(10_000) if quiet else sing("x" * 164)
    async with in_virtual_time(policy, rollover=rollover, turn_detection=detection) as (
        client,
        server,
        changes,
    ):
        sent, late = client.sent(), 0
        await anyio.sleep(97.0)
        for start in range(0, len(sound), CHUNK):
            now = anyio.current_time()
            await client.send_audio(sound[start : start + CHUNK])
            assert anyio.current_time() == now, "nobody had to wait"
            await anyio.sleep(0.05)
            kinds_sent = [frame.type for frame in list(sent._items)]
            late += "input_audio_buffer.append" not in kinds_sent
            sent._items.clear()
            await anyio.sleep(0.05)
        report = await reconnected(changes)
        assert report.planned
        assert late <= 1
        # What the old server has heard as silence, up to a second ago, is not said again.
        assert report.replayed.stop - report.replayed.start <= (24_000 if quiet else 6 * 24_000)
        if not quiet:
            await client.input_audio_buffer.commit()
            assert heard(server.sessions[1]) == ["x" * 164]


@virtual
async def test_N8_what_is_on_its_way_at_the_latest_moment_is_lost_and_said_to_be() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with in_virtual_time(policy, says(LONG), rollover=FORCED) as (client, server, changes):
        happening = client.events()
        await anyio.sleep(95.0)
        response = await client.response.create()
        message = await anext(aiter(response))
        error = await failing(response.done())
        assert type(error) is ConnectionLost
        report = await reconnected(changes)
        assert same_loss(error, report.error)
        assert report.planned
        assert [one.item_id for one in report.not_restored] == [message.id]
        assert server.sessions[1].conversation.told == ()
        assert not happening.ended
        again = await client.response.create()
        assert again.status == "in_progress"


@virtual
async def test_N8_a_tool_that_runs_at_the_latest_moment_is_answered_in_the_new_session() -> None:
    running = Weather()
    async with in_virtual_time(brain=weather, rollover=FORCED, **running.options) as (
        client,
        server,
        changes,
    ):
        responses, response = client.responses(), await client.response.create()
        await response.done()
        await reconnected(changes)
        running.may_return.set()
        await anext(responses)
        followed = await anext(responses)
        await followed.done()
        assert followed.transcript == "Rain."
        await anyio.sleep(0.5)
        assert responses.held == 0
        new = server.sessions[1]
        assert [name for name, _ in new.conversation.told] == [
            "function_call", "function_call_output", "assistant"
        ]  # fmt: skip
        assert kinds(new).count("response.create") == 1


# -- what happens meanwhile -------------------------------------------------------------------


@virtual
async def test_N8_what_is_said_while_the_other_waits_is_known_to_it() -> None:
    async with in_virtual_time(rollover=EARLY) as (client, server, changes):
        await client.send_text("before")
        await client.send_audio(sing("x"))  # nothing is quiet from here on
        await anyio.sleep(110.0)
        first = await client.send_text("meanwhile")
        await client.session.update(instructions="Meanwhile.")
        await (await client.response.create()).done()
        await client.conversation.item.delete(str(first.item.id))
        await client.send_text("after")
        assert server.sessions[1].conversation.told == (("user", "before"),)
        await client.input_audio_buffer.clear()
        report = await reconnected(changes)
        old, new = server.sessions
        assert old.conversation.told == new.conversation.told
        assert [words for _, words in new.conversation.told] == [
            "before", "You said: meanwhile", "after"
        ]  # fmt: skip
        assert new.settings.session.instructions == "Meanwhile."
        assert len(report.restored) == 3
        restored = [one.item_id for one in report.restored]
        assert [item.id for item in client.conversation.items] == restored


@virtual
async def test_N8_a_standby_that_dies_is_replaced_and_nobody_notices() -> None:
    async with in_virtual_time(rollover=EARLY) as (client, server, changes):
        await client.send_audio(sing("x"))
        await anyio.sleep(110.0)
        server.connections[1].drop()
        await anyio.sleep(15.0)
        assert (len(server.connections), changes.held) == (3, 0)
        assert client.is_connected
        await client.input_audio_buffer.clear()
        assert (await reconnected(changes)).planned
        assert changes.held == 0
        await anyio.sleep(1.0)
        assert codes(server) == [1000, None]


@virtual
async def test_N8_a_lost_connection_is_replaced_at_once_by_the_one_that_is_there() -> None:
    async with in_virtual_time(rollover=EARLY) as (client, server, changes):
        await client.send_text("hello")
        await client.send_audio(sing("hello"))
        await anyio.sleep(110.0)
        server.connections[0].drop()
        start = anyio.current_time()
        report = await reconnected(changes)
        assert anyio.current_time() - start < 0.3
        assert (report.planned, report.tries) == (False, 0)
        await client.input_audio_buffer.commit()
        assert heard(server.sessions[1]) == ["hello"]
        assert len(server.connections) == 2


@virtual
@pytest.mark.parametrize("mishap", [None, Refuse(503), Ignore()], ids=["ok", "refused", "silent"])
async def test_N8_the_connection_is_lost_while_the_next_one_is_opened(mishap: Any) -> None:
    policy = SimulatorPolicy(pace="fast", update_after=1.0, mishaps=(None, mishap))
    async with in_virtual_time(policy, rollover=EARLY, reconnect=AT_ONCE) as (
        client,
        server,
        changes,
    ):
        await client.send_audio(sing("hello"))
        await anyio.sleep(100.5)
        assert len(server.handshakes) == 2
        server.connections[0].drop()
        start = anyio.current_time()
        report = await reconnected(changes)
        assert not report.planned
        # What is being opened gets its time; what comes after it waits for nothing.
        assert anyio.current_time() - start <= (12.0 if isinstance(mishap, Ignore) else 2.5)
        await client.input_audio_buffer.commit()
        assert heard(server.sessions[-1]) == ["hello"]


@virtual
async def test_N8_when_both_are_lost_at_once_the_third_is_tried_for_at_once() -> None:
    async with in_virtual_time(rollover=EARLY, reconnect=AT_ONCE) as (client, server, changes):
        await client.send_audio(sing("x"))
        await anyio.sleep(110.0)
        for connection in server.connections:
            connection.drop()
        start = anyio.current_time()
        assert not (await reconnected(changes)).planned
        assert anyio.current_time() - start < 1.0
        assert len(server.connections) == 3


@virtual
async def test_N8_a_standby_that_hangs_in_the_latest_moment_is_one_more_outage() -> None:
    async with in_virtual_time(rollover=EARLY, reconnect=AT_ONCE) as (client, server, changes):
        await client.send_audio(sing("hello"))
        await anyio.sleep(110.0)
        server.connections[1].stall(inf)
        await client.send_text("what it does not know")
        assert isinstance(await anext(changes), Disconnected)
        report = await reconnected(changes)
        assert not report.planned
        assert len(server.connections) == 3
        await client.input_audio_buffer.commit()
        assert [words for _, words in server.sessions[2].conversation.told] == [
            "what it does not know", "hello"
        ]  # fmt: skip


@virtual
async def test_N8_without_reconnection_a_change_that_fails_is_the_end() -> None:
    async with in_virtual_time(rollover=EARLY, reconnect=None) as (client, server, changes):
        await client.send_audio(sing("hello"))
        await anyio.sleep(110.0)
        server.connections[1].stall(inf)
        await client.send_text("what it does not know")
        error = await failing(reconnected(changes))
        assert isinstance(error, ReconnectFailed)
        assert isinstance(error.cause, SessionSilent)
        assert await failing(client.send_text("x")) is error
        assert len(server.handshakes) == 2


@virtual
async def test_N8_a_server_that_refuses_the_next_connection_is_not_asked_again() -> None:
    policy = SimulatorPolicy(pace="fast", mishaps=(None, Refuse(403), Refuse(403)))
    async with in_virtual_time(policy, rollover=EARLY) as (client, server, changes):
        start = anyio.current_time()
        await anyio.sleep_until(start + 3_599.0)
        assert (len(server.handshakes), changes.held) == (2, 0)
        await client.send_text("still there")


@virtual
async def test_N8_a_fatal_end_of_the_connection_is_the_end_of_the_one_at_hand() -> None:
    async with in_virtual_time(rollover=EARLY) as (client, server, changes):
        await client.send_audio(sing("x"))
        await anyio.sleep(110.0)
        server.connections[0].close(3000, "the key was revoked")
        error = await failing(reconnected(changes))
        assert isinstance(error, ReconnectFailed)
        assert error.tries == 0
        await anyio.sleep(5.0)
        assert sure(server.connections[1].ended).code == 1000
        assert len(server.handshakes) == 2


@virtual
async def test_N8_a_server_that_is_down_is_asked_again_until_it_is_back() -> None:
    policy = SimulatorPolicy(pace="fast", mishaps=(None, *[Refuse(503)] * 4))
    async with in_virtual_time(policy, rollover=EARLY) as (_, _, changes):
        start = anyio.current_time()
        assert (await reconnected(changes)).planned
        assert anyio.current_time() - start == 120.0
        assert changes.held == 0


# -- without reconnection ---------------------------------------------------------------------


@virtual
async def test_N8_rollover_needs_no_reconnection() -> None:
    async with in_virtual_time(rollover=EARLY, reconnect=None) as (client, server, changes):
        await client.send_text("hello")
        assert (await reconnected(changes)).planned
        await client.send_text("again")
        assert [words for _, words in server.sessions[1].conversation.told] == ["hello", "again"]


@virtual
async def test_N8_without_reconnection_a_loss_is_the_end_whatever_is_at_hand() -> None:
    async with in_virtual_time(rollover=EARLY, reconnect=None) as (client, server, changes):
        await client.send_audio(sing("x"))
        await anyio.sleep(110.0)
        server.connections[0].drop()
        error = await failing(anext(changes))
        assert type(error) is ConnectionLost
        await anyio.sleep(400.0)
        later = await failing(client.send_text("x"))
        assert isinstance(later, ReconnectFailed)
        assert later.cause is error
        assert len(server.connections) == 2
        assert sure(server.connections[1].ended).code == 1000
