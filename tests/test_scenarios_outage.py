"""N5, N6: what becomes of audio, calls, handles and watches when a connection is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from realtime_client import Client
from realtime_client.errors import ConnectionLost
from realtime_client.reconnect import DROP, OutageAudio, keep
from realtime_client.simulator import (
    SimulatorPolicy,
    sing,
)
from tests.outages import (
    CHUNK,
    FAST,
    Away,
    caller,
    disconnected,
    failing,
    heard,
    reconnected,
    same_loss,
    speak,
    sure,
    talking,
)
from tests.scenarios import says
from tests.simulated import Samples, silence
from tests.test_scenarios_config_callers import virtual

VAD = {"type": "server_vad"}

# -- N5: audio --------------------------------------------------------------------------------

SENTENCE = "every word of this long sentence has to arrive exactly once or to be reported"


async def through_an_outage(client: Client, away: Away, said: Samples) -> None:
    """Say it all; from 3 s to 3.5 s nobody hears it."""
    lost, back = 30 * CHUNK, 35 * CHUNK
    await speak(client, said[:lost])
    away.go()
    await speak(client, said[lost:back])
    away.come_back()
    await client.ready()
    await speak(client, said[back:])


@virtual
@pytest.mark.parametrize(
    ("audio", "kept"),
    [(DROP, 0), (keep(300), 7_200), (keep(60_000), 35 * CHUNK)],
    ids=["drop", "keep 300 ms", "keep all"],
)
async def test_N5_what_is_dropped_of_a_turn_is_known_to_the_sample(
    audio: OutageAudio, kept: int
) -> None:
    away, said, before = Away(), sing(SENTENCE), sing("before")
    async with caller(away, audio) as client:
        changes = client.connections()
        await client.send_audio(before)
        await client.input_audio_buffer.commit()
        await through_an_outage(client, away, said)
        await client.input_audio_buffer.commit()
        report = await reconnected(changes)
        begun, lost = len(before), len(before) + 35 * CHUNK
        assert report.replayed == (lost - kept, lost)
        assert report.dropped == (begun, lost - kept)
        clip = away.server.sessions[-1].conversation.entries[-1].clips[0]
        assert np.array_equal(clip.samples, said[35 * CHUNK - kept :])
        assert heard(away.server.sessions[0]) == ["before"]
        if kept == 35 * CHUNK:
            assert heard(away.server.sessions[1]) == [SENTENCE]
        counts = client.input_audio_buffer.counts
        assert counts.pushed == len(before) + len(said)


@virtual
async def test_N5_of_several_outages_in_one_turn_each_says_what_it_has_dropped() -> None:
    away, said = Away(), sing(SENTENCE)
    async with caller(away, keep(300)) as client:
        changes = client.connections()
        for start in (0, 20):
            await speak(client, said[start * CHUNK : (start + 10) * CHUNK])
            away.go()
            await speak(client, said[(start + 10) * CHUNK : (start + 15) * CHUNK])
            away.come_back()
            await client.ready()
            await speak(client, said[(start + 15) * CHUNK : (start + 20) * CHUNK])
        await speak(client, said[40 * CHUNK :])
        await client.input_audio_buffer.commit()
        first, second = await reconnected(changes), await reconnected(changes)
        assert (first.dropped, first.replayed) == ((0, 12 * CHUNK), (12 * CHUNK, 15 * CHUNK))
        assert second.dropped == (12 * CHUNK, 32 * CHUNK)
        assert second.replayed == (32 * CHUNK, 35 * CHUNK)
        clip = away.server.sessions[-1].conversation.entries[-1].clips[0]
        assert np.array_equal(clip.samples, said[32 * CHUNK :])


@virtual
async def test_N5_samples_are_those_of_the_wire() -> None:
    away, said = Away(), sing(SENTENCE)
    async with caller(away, keep(300), input_format="audio/pcmu") as client:
        changes = client.connections()
        await through_an_outage(client, away, said)
        await client.input_audio_buffer.commit()
        report = await reconnected(changes)
        assert report.dropped.start == 0
        assert report.replayed.stop - report.replayed.start == 2_400  # 300 ms of 8 kHz
        clip = away.server.sessions[-1].conversation.entries[-1].clips[0]
        assert len(clip.samples) == len(said) // 3 - report.dropped.stop


@virtual
@pytest.mark.parametrize("audio", [DROP, keep(60_000)], ids=["drop", "keep all"])
async def test_N5_a_turn_of_the_vad_through_an_outage(audio: OutageAudio) -> None:
    away = Away()
    said = np.concatenate([silence(500), sing(SENTENCE), silence(700)])
    async with caller(away, audio, turn_detection=VAD) as client:
        changes, responses = client.connections(), client.responses()
        await through_an_outage(client, away, said)
        report = await reconnected(changes)
        old, new = away.server.sessions
        assert heard(old) == []
        (turn,) = sure(new.hearing).heard
        if audio is DROP:
            assert report.replayed.start == report.replayed.stop == report.dropped.stop
            assert report.dropped.start <= 12_000, "the speech began there"
            assert turn.text is None or turn.text in SENTENCE
        else:
            assert report.dropped.start == report.dropped.stop
            assert turn.text == SENTENCE
        response = await anext(responses)
        await response.done()
        assert responses.held == 0


@virtual
async def test_N5_a_turn_that_is_too_short_without_what_was_dropped_is_padded() -> None:
    away = Away()
    async with caller(away, DROP) as client:
        changes = client.connections()
        await speak(client, sing(SENTENCE)[: 20 * CHUNK])
        away.go()
        away.come_back()
        await reconnected(changes)
        await client.send_audio(sing("x")[:1_000])
        await client.input_audio_buffer.commit()
        clip = away.server.sessions[1].conversation.entries[-1].clips[0]
        assert len(clip.samples) == CHUNK
        assert np.array_equal(clip.samples[:1_000], sing("x")[:1_000])


@virtual
async def test_N5_a_long_outage_ends_without_a_burst_of_stale_audio() -> None:
    away, talk = Away(), np.tile(sing("blah"), 100)
    async with caller(away, None) as client:
        changes = client.connections()
        away.go()
        await speak(client, talk[: 300 * CHUNK])
        away.come_back()
        report = await reconnected(changes)
        assert report.replayed.stop - report.replayed.start == 5 * 24_000
        assert report.dropped == (0, 25 * 24_000)
        assert 29.9 < report.seconds < 30.2


@virtual
async def test_N5_what_the_server_has_heard_as_silence_is_not_said_again() -> None:
    away = Away()
    async with caller(away, keep(60_000), turn_detection=VAD) as client:
        changes = client.connections()
        await speak(client, silence(20_000))
        await client.send_text("a sign of life")
        await speak(client, silence(500))
        away.go()
        away.come_back()
        report = await reconnected(changes)
        # Up to a second before that sign a word may have begun, and nobody had said so yet.
        assert report.replayed == (19 * 24_000, 20 * 24_000 + 12_000)
        assert report.dropped.start == report.dropped.stop


@virtual
async def test_N5_the_half_chunk_that_waits_for_more_is_part_of_the_next_turn() -> None:
    away, said = Away(), sing(SENTENCE)
    async with caller(away, keep(60_000)) as client:
        changes = client.connections()
        await client.send_audio(said[: CHUNK + 777])
        away.go()
        await client.send_audio(said[CHUNK + 777 : 2 * CHUNK + 123])
        away.come_back()
        await reconnected(changes)
        await client.send_audio(said[2 * CHUNK + 123 :])
        await client.input_audio_buffer.commit()
        assert heard(away.server.sessions[1]) == [SENTENCE]


# -- handles and watches ----------------------------------------------------------------------


async def test_N4_handles_end_with_their_connection_and_watches_go_on() -> None:
    options: dict[str, Any] = {"turn_detection": VAD, "transcription": {"model": "whisper-1"}}
    policy = SimulatorPolicy(pace="realtime", transcription_after=60.0)
    async with talking(policy, says("A long answer. " * 20), **options) as (
        client,
        server,
        changes,
    ):
        happening, responses, turns = client.events(), client.responses(), client.user_turns()
        items, notices = client.conversation.changes(), client.session.notices()
        await client.send_audio(np.concatenate([silence(500), sing("hello"), silence(700)]))
        response, turn = await anext(responses), await anext(turns)
        message: Any = await anext(aiter(response))
        server.connections[0].drop()
        lost = (await disconnected(changes)).error
        transcript = aiter(message.transcript)
        with pytest.raises(ConnectionLost) as caught:
            while True:
                await anext(transcript)
        assert same_loss(caught.value, lost)
        assert caught.value.uncertain
        assert await failing(response.done()) is caught.value
        assert await failing(response.follow_up()) is caught.value
        assert response.error is caught.value
        with pytest.raises(ConnectionLost):
            async for _ in message.audio:
                pass
        assert same_loss(await failing(turn.done()), lost)
        await reconnected(changes)
        server.policy = FAST
        await client.send_audio(np.concatenate([silence(500), sing("again"), silence(700)]))
        following = await anext(responses)
        assert following is not response
        assert (await anext(turns)).item_id != turn.item_id
        assert not any(one.ended for one in (happening, items, notices, responses, turns))
        assert {change.kind for change in items._items} >= {"added", "deleted"}
        assert {frame.type for frame in happening._items} >= {"response.created"}
