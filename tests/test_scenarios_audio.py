"""A1 to A8: audio of any shape goes in and comes out exact. See also `test_audio_pipeline.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_client import Client, events
from realtime_client.audio import Resampler, WireFormat, to_int16
from realtime_client.errors import UsageError
from realtime_client.response import Output
from realtime_client.simulator import Heard, SimulatedSession, SimulatorPolicy, listen, sing
from tests.scenarios import FAST, connected, in_memory, says
from tests.test_scenarios_config_callers import virtual

Samples = NDArray[Any]

BY_HAND: dict[str, Any] = {"turn_detection": None}
"""The client ends the turns."""

LAWS = ["audio/pcmu", "audio/pcma"]


def resampled(samples: Samples, rate: int) -> Samples:
    """One channel of 16 bits at `rate` as the wire's 24 kHz, all at once."""
    resampler = Resampler(rate, 24_000)
    sound = samples.astype(np.float32) / np.float32(2**15)
    return to_int16(np.concatenate([resampler.push(sound), resampler.flush()]))


def noise(ms: int, rate: int, seed: int = 1) -> Samples:
    """What no two turns have in common, loud up to its last sample."""
    return np.random.default_rng(seed).integers(-9_000, 9_000, ms * rate // 1000, np.int16)


def turns(session: SimulatedSession) -> list[Samples]:
    """The samples of every turn that the server has."""
    return [
        entry.clips[0].samples
        for entry in session.conversation.entries
        if isinstance(entry.item, events.MessageItem) and entry.item.role == "user"
    ]


def heard(session: SimulatedSession) -> list[str | None]:
    """What every turn said."""
    return [turn.text for turn in session.hearing.heard]


def nothing_lost(client: Client) -> None:
    """Both sums of the accounting close, and nothing is left anywhere."""
    counts = client.input_audio_buffer.counts
    assert counts.due + counts.padded == counts.appended + counts.dropped
    assert counts.appended == counts.committed + counts.cleared
    assert (counts.held, counts.delayed, counts.uncommitted) == (0, 0, 0)


# -- A1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["interleaved bytes", "frames by channels", "interleaved floats"])
async def test_A1_stereo_is_mixed_and_not_taken_for_mono(shape: str) -> None:
    text = "Two ears."
    sung = sing(text, 48_000)
    both = np.stack([sung, np.zeros_like(sung)], axis=1)  # all of it on the left
    async with connected(**BY_HAND) as (client, session):
        if shape == "interleaved bytes":
            await client.send_audio(both.tobytes(), rate=48_000, channels=2)
        elif shape == "frames by channels":
            await client.send_audio(both, rate=48_000)
        else:
            floats = both.ravel().astype(np.float32) / 2**15
            await client.send_audio(floats, rate=48_000, channels=2)
        await client.input_audio_buffer.commit()
        (turn,) = turns(session)
        assert len(turn) == len(sung) // 2, "not twice as long"
        (said,) = session.hearing.heard
        assert said.utterances[0].complete
        assert said.text == text, "not at half the pitch"
        nothing_lost(client)


# -- A2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ms", [333, 410])  # a chunk that is not full; and one more in the tail
@pytest.mark.parametrize("rate", [48_000, 44_100, 16_000])
async def test_A2_commit_takes_the_resamplers_tail_with_it(rate: int, ms: int) -> None:
    first, second = noise(ms, rate, seed=1), noise(250, rate, seed=2)
    async with connected(**BY_HAND) as (client, session):
        for turn in (first, second):
            await client.send_audio(turn, rate=rate)
            await client.input_audio_buffer.commit()
        one, two = turns(session)
        np.testing.assert_array_equal(one, resampled(first, rate))
        np.testing.assert_array_equal(two, resampled(second, rate))
        nothing_lost(client)


async def test_A2_clear_drops_the_tail_and_what_has_not_filled_a_chunk() -> None:
    async with connected(**BY_HAND) as (client, session):
        await client.send_audio(noise(333, 48_000, seed=1), rate=48_000)
        counts = client.input_audio_buffer.counts
        assert counts.held + counts.delayed > 0
        await client.input_audio_buffer.clear()
        await client.send_audio(noise(250, 48_000, seed=2), rate=48_000)
        await client.input_audio_buffer.commit()
        (turn,) = turns(session)
        np.testing.assert_array_equal(turn, resampled(noise(250, 48_000, seed=2), 48_000))
        nothing_lost(client)


# -- A3 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [24_000, 48_000, 44_100])
@pytest.mark.parametrize("on_short_commit", ["pad", "error"])
async def test_A3_exactly_100_ms_are_committed(rate: int, on_short_commit: Any) -> None:
    async with connected(on_short_commit=on_short_commit, **BY_HAND) as (client, session):
        await client.send_audio(noise(100, rate), rate=rate)
        await client.input_audio_buffer.commit()
        assert [len(turn) for turn in turns(session)] == [2_400]
        assert client.input_audio_buffer.counts.padded == 0
        nothing_lost(client)


# -- A4 -----------------------------------------------------------------------------------------


async def test_A4_a_turn_under_100_ms_is_padded_and_said_to_be() -> None:
    short, next_one = noise(60, 24_000, seed=1), noise(120, 24_000, seed=2)
    async with connected(**BY_HAND) as (client, session):
        await client.send_audio(short)
        await client.input_audio_buffer.commit()
        assert client.input_audio_buffer.counts.padded == 960
        await client.send_audio(next_one)
        await client.input_audio_buffer.commit()
        one, two = turns(session)
        np.testing.assert_array_equal(one, np.concatenate([short, np.zeros(960, np.int16)]))
        np.testing.assert_array_equal(two, next_one, "nothing has joined it")
        nothing_lost(client)


async def test_A4_or_refused_and_joined_by_what_comes_next() -> None:
    short, rest = noise(60, 24_000, seed=1), noise(40, 24_000, seed=2)
    async with connected(on_short_commit="error", **BY_HAND) as (client, session):
        await client.send_audio(short)
        with pytest.raises(UsageError, match=r"60 ms .* no less than 100"):
            await client.input_audio_buffer.commit()
        await client.send_audio(rest)
        await client.input_audio_buffer.commit()
        (turn,) = turns(session)
        np.testing.assert_array_equal(turn, np.concatenate([short, rest]))
        commits = [one for one in session.received if type(one) is events.InputAudioBufferCommit]
        assert len(commits) == 1, "the refused one never went out"
        nothing_lost(client)


# -- A5 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2])
async def test_A5_odd_byte_counts_are_carried_over(dtype: str, channels: int) -> None:
    sung = np.repeat(sing("Odd.", 48_000)[:, None], channels, axis=1)
    scale = {"int16": 1, "int32": 2**16, "float32": 2.0**-15, "float64": 2.0**-15}[dtype]
    data = (sung.astype("float64") * scale).astype(dtype).tobytes()
    sizes = np.random.default_rng(5).integers(0, 2_000, len(data)) * 2 + 1
    ends = np.cumsum(sizes)
    async with connected(**BY_HAND) as (client, session):
        begin = 0
        for end in (*ends[ends < len(data)], len(data)):
            piece = data[begin:end]
            await client.send_audio(piece, rate=48_000, channels=channels, dtype=dtype)
            begin = int(end)
        await client.input_audio_buffer.commit()
        (turn,) = turns(session)
        np.testing.assert_array_equal(turn, resampled(sung[:, 0], 48_000))
        assert heard(session) == ["Odd."]
        nothing_lost(client)


# -- A6 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
async def test_A6_a_change_of_rate_in_mid_word_costs_no_sample(channels: int) -> None:
    text = "Another microphone."
    before, after = sing(text, 48_000), sing(text, 16_000)
    place = len(after) // 2 + 6  # a whole number of samples at every rate
    async with connected(**BY_HAND) as (client, session):
        await client.send_audio(before[: place * 3], rate=48_000)
        rest = np.repeat(after[place:, None], channels, axis=1)
        await client.send_audio(rest, rate=16_000)
        await client.input_audio_buffer.commit()
        (turn,) = turns(session)
        ends = [resampled(before[: place * 3], 48_000), resampled(after[place:], 16_000)]
        np.testing.assert_array_equal(turn, np.concatenate(ends))
        assert len(turn) == len(sing(text, 24_000))
        assert heard(session) == [text]
        nothing_lost(client)


# -- A7 -----------------------------------------------------------------------------------------


@virtual
@pytest.mark.parametrize("seconds", [0.2, 60.0])
async def test_A7_a_pause_resets_nothing(seconds: float) -> None:
    sung = sing("A word with a pause.", 48_000)
    async with in_memory(**BY_HAND) as (client, session):
        for piece in np.split(sung, [7_001, 20_011, 31_013]):
            await client.send_audio(piece, rate=48_000)
            await anyio.sleep(seconds)
        await client.input_audio_buffer.commit()
        (turn,) = turns(session)
        np.testing.assert_array_equal(turn, resampled(sung, 48_000))
        nothing_lost(client)


async def test_A7_what_happens_in_a_pause_resets_nothing() -> None:
    sung = sing("A word with a pause.", 48_000)
    async with connected(**BY_HAND) as (client, session):
        for number, piece in enumerate(np.split(sung, [7_001, 20_011, 31_013])):
            await client.send_audio(piece, rate=48_000)
            # A whole turn of the other kind, and a change of what is no business of the input.
            await client.send_text("typed meanwhile")
            await client.session.update(instructions=f"Number {number}.")
            await (await client.response.create()).done()
        await client.input_audio_buffer.commit()
        entries = session.conversation.entries
        (turn,) = [entry.clips[0].samples for entry in entries if entry.heard is not None]
        np.testing.assert_array_equal(turn, resampled(sung, 48_000))
        nothing_lost(client)


# -- A8 -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What a message said, by ear, and how it came."""

    kind: str
    said: Heard
    samples: int


async def taken(message: Output, rate: int = 48_000) -> Taken:
    """Everything that a message says, at a player's rate."""
    assert message.audio.format is not None
    pcm = message.audio.as_pcm(rate, "int16")
    samples = np.concatenate([chunk async for chunk in pcm])
    return Taken(message.audio.format.type, listen(samples, rate), len(samples))


async def answer(client: Client, text: str) -> Output:
    """The one message of a response that says this."""
    instructions = f"Say exactly the following: {text}"
    response = await client.response.create(instructions=instructions)
    return await anext(aiter(response))


@lru_cache
def any_rate() -> SimulatorPolicy:
    """A server that speaks at 16 kHz, too."""
    return SimulatorPolicy(pace="fast", pcm_rates=(24_000, 16_000))


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize(
    "form", [{"type": "audio/pcm", "rate": 16_000}, "audio/pcm", "audio/pcmu", "audio/pcma"]
)
async def test_A8_the_acknowledged_format_drives_the_decoder(form: Any, rate: int) -> None:
    async with connected(any_rate(), output_format=form) as (client, _):
        message = await taken(await answer(client, "Paris."), rate)
        assert message.said.text == "Paris."
        assert message.said.utterances[0].complete
        assert message.samples == len(sing("Paris.", rate)), "neither slower nor faster"


async def test_A8_what_was_asked_for_and_not_granted_drives_nothing() -> None:
    policy = SimulatorPolicy(
        pace="fast",
        pcm_rates=(24_000, 16_000),
        ignored_fields=frozenset({"audio.output.format", "audio.input.format"}),
    )
    wanted = {"type": "audio/pcm", "rate": 16_000}
    async with connected(policy, output_format=wanted, input_format=wanted, **BY_HAND) as (
        client,
        session,
    ):
        await client.send_audio(sing("Hello?", 16_000), rate=16_000)
        await client.input_audio_buffer.commit()
        assert heard(session) == ["Hello?"]
        assert (await taken(await answer(client, "Paris."))).said.text == "Paris."


async def test_A8_a_response_keeps_its_format_and_the_next_one_has_the_new_one() -> None:
    async with connected(any_rate(), output_format="audio/pcmu") as (client, _):
        first = await answer(client, "As it was.")
        await first.done()
        await client.session.update(output_format={"type": "audio/pcm", "rate": 16_000})
        second = await answer(client, "As it is.")
        assert (await taken(second)).said.text == "As it is."
        said = await taken(first)
        assert (said.kind, said.said.text) == ("audio/pcmu", "As it was.")


@pytest.mark.parametrize("law", LAWS)
async def test_A8_an_utterance_through_a_telephone_is_exact_in_both_directions(law: str) -> None:
    text = "Line 8,000: is it 42? Yes – 'tis!"
    wire = WireFormat(law, 8_000)
    said = wire.encode(sing(text, 8_000))
    both = {"input_format": law, "output_format": law, **BY_HAND}
    async with connected(FAST, says(text), **both) as (client, session):
        for at in range(0, len(said), 160):  # 20 ms, as a telephone sends them
            await client.send_audio(said[at : at + 160], rate=8_000, dtype=wire.dtype)
        await client.input_audio_buffer.commit()
        assert heard(session) == [text]
        assert [wire.encode(turn) for turn in turns(session)] == [said], "byte for byte"
        message = await anext(aiter(await client.response.create()))
        spoken = b"".join([chunk async for chunk in message.audio])
        assert spoken == said
        assert listen(wire.decode(spoken), 8_000).text == text
        nothing_lost(client)
