"""I1 to I6: an interruption cuts what was not heard, and nothing else.

The server's side is looked at in what it received and in the audio that it has left; ours in
the mirror of the conversation. What a player has played is said by reports. Where a response
has to be under way, the server speaks at the wire's own pace, and what it says at once is all
that is waited for. See also `test_scenarios_instants.py`.
"""

from __future__ import annotations

from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Client, StopPlaying, events
from realtime_client.errors import ServerError
from realtime_client.response import Output, Response
from realtime_client.simulator import SimulatedSession, SimulatorPolicy, listen, sing
from realtime_client.simulator.voice import duration_ms
from tests.scenarios import FAST, connected, says

FIVE_SECONDS = "There is a good deal to be said about that, and most of it has been said before."
"""80 letters, a start and an end: 4,920 ms."""
AND_FIVE_MORE = "What has not been said is that nobody listens to the end of a very long sentence."

WIRE = SimulatorPolicy(pace="wire", mute_after_bad_truncate=True)
VAD = {"type": "server_vad", "create_response": False}
"""Turns are found and interrupt; nothing is answered."""


async def begun(client: Client) -> Response:
    """A response, whose player reports."""
    client.playback.played(0)
    return await client.response.create()


async def read(response: Response) -> list[Output]:
    """Take all that it says, message by message."""
    messages = []
    async for message in response:
        messages.append(message)
        async for _ in message.audio:
            pass
    return messages


async def interrupt(client: Client, how: str) -> StopPlaying | None:
    """Interrupt, by hand or by the user's voice; returns what the player was told."""
    stops = client.playback.stops()
    if how == "by hand":
        await client.interrupt()
    else:
        await client.send_audio(np.concatenate([sing("Stop!"), np.zeros(2_400, np.int16)]))
        with anyio.fail_after(5):
            return await anext(stops)
    return stops._items[0] if stops.held else None


async def settled(client: Client) -> None:
    """Wait until the server has got, and answered, all that was sent."""
    await client.session.update(instructions=f"After {len(client.conversation.items)}.")


def truncates(session: SimulatedSession) -> list[tuple[str, int, int]]:
    """Every truncate that the server got: item, content index, milliseconds."""
    return [
        (one.item_id, one.content_index, one.audio_end_ms)
        for one in session.received
        if isinstance(one, events.ConversationItemTruncate)
    ]


def cancels(session: SimulatedSession) -> list[Any]:
    """The ids of the responses that the server was told to cancel."""
    return [one.response_id for one in session.received if isinstance(one, events.ResponseCancel)]


def left(session: SimulatedSession, item_id: str) -> int:
    """How much of a message's audio the server has, in milliseconds."""
    entry = session.conversation.find(item_id)
    assert entry is not None
    return entry.clips[0].duration_ms


def detection(how: str) -> dict[str, Any]:
    return {"turn_detection": None if how == "by hand" else VAD}


both_ways = pytest.mark.parametrize("how", ["by hand", "by voice"])


# -- I1 -----------------------------------------------------------------------------------------


@both_ways
async def test_I1_a_truncation_is_clamped_to_what_was_received(how: str) -> None:
    async with connected(WIRE, says(FIVE_SECONDS), **detection(how)) as (client, session):
        response = await begun(client)
        message = await anext(aiter(response))
        chunk = await anext(message.audio)
        ms = len(chunk) // 48
        client.playback.played(9_100.75)
        await interrupt(client, how)
        await response.done()
        await settled(client)
        assert truncates(session) == [(message.id, 0, ms)]
        assert client.conversation.truncations == {(message.id, 0): ms}
        assert left(session, message.id) == ms
        with anyio.fail_after(5):
            await client.response.create()  # it is not silent


@both_ways
async def test_I1_nor_is_it_beyond_what_the_player_was_given(how: str) -> None:
    async with connected(FAST, says(FIVE_SECONDS), **detection(how)) as (client, session):
        response = await begun(client)
        await response.done()
        message = await anext(aiter(response))
        assert len(await anext(message.audio)) == 100 * 48
        client.playback.played(9_100)
        await interrupt(client, how)
        await settled(client)
        assert truncates(session) == [(message.id, 0, 100)]


async def test_I1_the_server_of_these_tests_does_fall_silent() -> None:
    policy = SimulatorPolicy(pace="fast", mute_after_bad_truncate=True)
    async with connected(policy, says("A word."), turn_detection=None) as (client, _):
        (message,) = await read(await client.response.create())
        with pytest.raises(ServerError, match="already shorter than 9100ms"):
            await client.conversation.item.truncate(message.id, audio_end_ms=9_100)
        responses = client.responses()
        await client.send({"type": "response.create"})
        await settled(client)
        assert responses.held == 0


@both_ways
async def test_I1_a_truncation_is_in_whole_milliseconds(how: str) -> None:
    async with connected(FAST, says(FIVE_SECONDS), **detection(how)) as (client, session):
        (message,) = await read(await begun(client))
        client.playback.played(1_234.999)
        await interrupt(client, how)
        await settled(client)
        assert truncates(session) == [(message.id, 0, 1_234)]
        assert left(session, message.id) == 1_234


# -- I2 -----------------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("unheard", ["truncate", "delete"])
async def test_I2_the_second_message_was_not_heard_at_all(how: str, unheard: Any) -> None:
    brain = says(FIVE_SECONDS, AND_FIVE_MORE)
    async with connected(FAST, brain, unheard=unheard, **detection(how)) as (client, session):
        first, second = await read(await begun(client))
        client.playback.played(500)
        stop = await interrupt(client, how)
        await settled(client)
        assert stop is not None
        assert stop.items == (first.id, second.id)
        deletes = [one for one in session.received if type(one) is events.ConversationItemDelete]
        if unheard == "delete":
            assert truncates(session) == [(first.id, 0, 500)]
            assert [one.item_id for one in deletes] == [second.id]
            assert session.conversation.find(second.id) is None
            assert second.id not in [getattr(one, "id", None) for one in client.conversation.items]
        else:
            assert truncates(session) == [(first.id, 0, 500), (second.id, 0, 0)]
            assert deletes == []
            assert left(session, second.id) == 0
        assert left(session, first.id) == 500
        assert client.conversation.truncations[first.id, 0] == 500


@both_ways
async def test_I2_in_the_second_message_the_first_is_left_whole(how: str) -> None:
    brain = says(FIVE_SECONDS, AND_FIVE_MORE)
    async with connected(FAST, brain, **detection(how)) as (client, session):
        first, second = await read(await begun(client))
        whole = duration_ms(FIVE_SECONDS)
        client.playback.played(whole + 321)
        await interrupt(client, how)
        await settled(client)
        assert truncates(session) == [(second.id, 0, 321)]
        assert left(session, first.id) == whole
        assert left(session, second.id) == 321


@both_ways
async def test_I2_what_nobody_heard_is_deleted_once_while_it_is_still_being_said(how: str) -> None:
    policy = SimulatorPolicy(pace="wire", deltas_after_cancel=14)
    async with connected(policy, says(FIVE_SECONDS), unheard="delete", **detection(how)) as (
        client,
        session,
    ):
        response = await begun(client)
        message = await anext(aiter(response))
        await anext(message.audio)
        await interrupt(client, how)
        assert (await response.done()).status == "cancelled"
        await settled(client)
        deletes = [one for one in session.received if type(one) is events.ConversationItemDelete]
        assert [one.item_id for one in deletes] == [message.id]
        assert truncates(session) == []
        assert session.conversation.find(message.id) is None
        assert message.id not in [getattr(one, "id", None) for one in client.conversation.items]


async def test_I2_the_cancel_goes_out_before_the_truncations() -> None:
    async with connected(WIRE, says(FIVE_SECONDS), turn_detection=None) as (client, session):
        response = await begun(client)
        message = await anext(aiter(response))
        await anext(message.audio)
        client.playback.played(60)
        await client.interrupt()
        await settled(client)
        last = [one.type for one in session.received][-3:]
        assert last == ["response.cancel", "conversation.item.truncate", "session.update"]
        assert cancels(session) == [response.id]


@both_ways
async def test_I2_an_interruption_twice_truncates_once(how: str) -> None:
    async with connected(FAST, says(FIVE_SECONDS), **detection(how)) as (client, session):
        (message,) = await read(await begun(client))
        client.playback.played(500)
        await interrupt(client, how)
        client.playback.played(700)
        await client.interrupt()
        await settled(client)
        assert truncates(session) == [(message.id, 0, 500)]


# -- I3 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["by hand", "by voice", "not at all"])
async def test_I3_what_was_heard_whole_is_not_truncated(how: str) -> None:
    brain = says("All of it.", "And this.")
    async with connected(FAST, brain, **detection(how)) as (client, session):
        said = await read(await begun(client))
        whole = duration_ms("All of it.") + duration_ms("And this.")
        client.playback.played(whole - 0.5)
        assert client.playback.heard(said[0].id) is None, "over"
        if how == "by voice":
            watch = client.events()
            await client.send_audio(sing("And now?"))
            async for frame in watch:
                if frame.type == "input_audio_buffer.speech_started":
                    break
        elif how == "by hand":
            await client.interrupt()
        await settled(client)
        assert truncates(session) == []
        assert cancels(session) == []
        assert client.conversation.truncations == {}
        assert client.conversation.interrupted == {}
        assert [message.transcript.so_far for message in said] == ["All of it.", "And this."]


# -- I4 -----------------------------------------------------------------------------------------


@both_ways
async def test_I4_the_end_of_generation_is_not_the_end_of_playback(how: str) -> None:
    async with connected(FAST, says(FIVE_SECONDS), **detection(how)) as (client, session):
        response = await begun(client)
        (message,) = await read(response)
        assert (await response.done()).status == "completed"
        assert not client.active
        assert client.playback.is_playing
        client.playback.played(2_000)
        stop = await interrupt(client, how)
        await settled(client)
        assert stop is not None
        assert truncates(session) == [(message.id, 0, 2_000)]
        assert cancels(session) == [], "there was nothing to cancel"
        assert not client.playback.is_playing


@both_ways
async def test_I4_what_was_never_taken_from_the_stream_is_cut_too(how: str) -> None:
    async with connected(FAST, says(FIVE_SECONDS), **detection(how)) as (client, session):
        response = await begun(client)
        await response.done()
        message = await anext(aiter(response))
        chunk = await anext(message.audio)
        client.playback.played(60)
        await interrupt(client, how)
        await settled(client)
        assert len(chunk) == 4_800
        assert truncates(session) == [(message.id, 0, 60)]
        assert [chunk async for chunk in message.audio] == [], "nobody is to play it"


# -- I5 -----------------------------------------------------------------------------------------


async def test_I5_speech_stops_playback_and_truncates() -> None:
    async with connected(WIRE, says(FIVE_SECONDS), turn_detection=VAD) as (client, session):
        response = await begun(client)
        message = await anext(aiter(response))
        pcm = message.audio.as_pcm()
        await anext(pcm)
        client.playback.played(40)
        stop = await interrupt(client, "by voice")
        with anyio.fail_after(5):
            assert [samples async for samples in pcm] == [], "nothing of it is heard any more"
            done = await response.done()
        await settled(client)
        assert stop is not None
        assert [(cut.item_id, cut.audio_end_ms) for cut in stop.truncations] == [(message.id, 40)]
        assert done.status == "cancelled"
        assert getattr(done.status_details, "reason", None) == "turn_detected"
        assert cancels(session) == [], "the server has cancelled by itself"
        assert truncates(session) == [(message.id, 0, 40)]
        assert left(session, message.id) == 40


async def test_I5_what_arrives_only_after_the_interruption_was_not_heard_at_all() -> None:
    on_its_way: list[events.ServerEvent] = []
    speaks = False

    def slowly(event: events.ServerEvent) -> list[events.ServerEvent]:
        nonlocal speaks
        if isinstance(event, events.ResponseOutputAudioDelta) and not speaks:
            on_its_way.append(event)
            return []
        if isinstance(event, events.InputAudioBufferSpeechStarted):
            speaks = True
            return [event, *on_its_way]
        return [event]

    policy = SimulatorPolicy(pace="wire", tamper=slowly, deltas_after_cancel=4)
    async with connected(policy, says(FIVE_SECONDS), turn_detection=VAD) as (client, session):
        response = await begun(client)
        message = await anext(aiter(response))
        await client.send_audio(sing("Oh, and"))
        with anyio.fail_after(5):
            assert [chunk async for chunk in message.audio] == []
            assert (await response.done()).status == "cancelled"
        await settled(client)
        assert on_its_way
        assert truncates(session) == [(message.id, 0, 0)]
        assert cancels(session) == []
        assert left(session, message.id) == 0


async def test_I5_without_interrupt_response_nothing_is_stopped() -> None:
    polite = {**VAD, "interrupt_response": False}
    async with connected(FAST, says(FIVE_SECONDS), turn_detection=polite) as (client, session):
        await read(await begun(client))
        client.playback.played(500)
        stops, turns = client.playback.stops(), client.user_turns()
        await client.send_audio(np.concatenate([sing("Hm."), np.zeros(24_000, np.int16)]))
        with anyio.fail_after(5):
            await anext(turns)
        await settled(client)
        assert (stops.held, truncates(session)) == (0, [])
        assert client.playback.is_playing


async def test_I5_the_answer_to_the_interruption_is_heard_whole() -> None:
    async with connected(FAST, says(FIVE_SECONDS), turn_detection="server_vad") as (
        client,
        session,
    ):
        responses = client.responses()
        (first,) = await read(await begun(client))
        client.playback.played(500)
        await client.send_audio(np.concatenate([sing("Stop!"), np.zeros(24_000, np.int16)]))
        await anext(responses)
        with anyio.fail_after(5):
            response = await anext(responses)
        client.playback.count_from(0)
        (second,) = await read(response)
        client.playback.played(duration_ms(FIVE_SECONDS))
        await client.interrupt()
        await settled(client)
        assert second.id != first.id
        assert truncates(session) == [(first.id, 0, 500)]


# -- I6 -----------------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("played", [0, 700, 2_000, 4_900])
async def test_I6_only_the_words_that_were_heard_are_kept(how: str, played: int) -> None:
    async with connected(FAST, says(FIVE_SECONDS), **detection(how)) as (client, session):
        response = await begun(client)
        (message,) = await read(response)
        await response.done()
        client.playback.played(played)
        await interrupt(client, how)
        await settled(client)
        spoken = client.conversation.interrupted[message.id, 0]
        assert spoken.full == FIVE_SECONDS
        assert FIVE_SECONDS.startswith(spoken.heard)
        entry = session.conversation.find(message.id)
        assert entry is not None
        by_ear = listen(entry.clips[0].samples, 24_000).text or ""
        assert by_ear.startswith(spoken.heard), "no word that the audio does not have"
        assert len(by_ear) - len(spoken.heard) < 12, "and hardly one too few"
        (item,) = [one for one in client.conversation.items if getattr(one, "id", 0) == message.id]
        assert isinstance(item, events.MessageItem)
        assert not any(part.transcript for part in item.content or ())
