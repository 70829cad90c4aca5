"""A9: noise that is taken for speech, counted.

The simulator's turn detection knows levels and nothing else: a threshold of `t` is `40 t - 60`
dB of full scale. `benches/noise.py` counts more scenes, and `docs/audio.md` says what follows.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime_client import Client, events
from realtime_client.frames import Frame
from realtime_client.simulator import SimulatedSession, sing
from realtime_client.streams import Once
from tests.scenarios import FAST, connected, plain, says

Samples = NDArray[Any]

RATE = 24_000
TEXTS = ["One.", "And two.", "The third."]
SPEECH_DBFS = -16.4
"""Of the simulator's voice."""


def detection(threshold: float) -> dict[str, Any]:
    return {
        "type": "server_vad",
        "threshold": threshold,
        "silence_duration_ms": 500,
        "create_response": False,
    }


def spoken() -> Samples:
    """Three turns, with a second of nothing before and after each."""
    still = np.zeros(RATE)
    return np.concatenate([still, *(part for text in TEXTS for part in (sing(text), still))])


def white(size: int) -> Samples:
    return np.random.default_rng(9).standard_normal(size)


def babble(size: int) -> Samples:
    """Other people, who do not all speak at once, and of whom no word can be read."""
    words = [sing(f"Voice {k} of them.")[1_440:-1_440] for k in range(6)]
    voices = [np.roll(np.resize(word, size), k * 5_000) for k, word in enumerate(words)]
    loud = 1.0 + 0.3 * np.sin(np.arange(size) * (2 * np.pi * 3 / RATE))
    return np.asarray(np.sum(voices, axis=0) * loud)


def below_speech(sound: Samples, decibels: float) -> Samples:
    """As loud as that, in steps of 16 bits."""
    level = 10 ** ((SPEECH_DBFS - decibels) / 20) * 2**15
    return np.asarray(sound * (level / np.sqrt(np.mean(sound.astype(float) ** 2))))


async def say(client: Client, sound: Samples) -> None:
    """As a microphone gives it; returns when the server has heard it."""
    samples = np.clip(np.rint(sound), -(2**15), 2**15 - 1).astype(np.int16)
    for at in range(0, len(samples), 480):
        await client.send_audio(samples[at : at + 480])
    for done in ("heard", "answered"):
        await client.session.update(instructions=f"All of it was {done}.")


def begun(watch: Once[Frame]) -> int:
    """How many turns have begun."""
    kinds = [frame.type for frame in list(watch._items)]
    return kinds.count("input_audio_buffer.speech_started")


def right(session: SimulatedSession) -> int:
    """How many turns were one of the three, word for word."""
    return sum(turn.text in TEXTS for turn in session.hearing.heard)


@pytest.mark.parametrize(
    ("make", "below", "threshold", "turns", "words"),
    [
        (white, 30, 0.3, 1, 0),
        (white, 30, 0.5, 3, 3),
        (white, 20, 0.5, 1, 0),
        (white, 20, 0.7, 3, 3),
        (babble, 30, 0.5, 3, 3),
        (babble, 20, 0.5, 1, 0),
        (babble, 20, 0.8, 3, 3),
        (babble, 15, 0.7, 1, 0),
        (babble, 15, 0.9, 3, 3),
    ],
)
async def test_A9_speech_in_noise(
    make: Any, below: float, threshold: float, turns: int, words: int
) -> None:
    voice = spoken()
    async with connected(turn_detection=detection(threshold)) as (client, session):
        watch = client.events()
        await say(client, voice + below_speech(make(len(voice)), below))
        assert (begun(watch), right(session)) == (turns, words)


@pytest.mark.parametrize(("threshold", "interrupts"), [(0.5, True), (0.7, False)])
async def test_A9_the_loudspeakers_echo(threshold: float, interrupts: bool) -> None:
    async with connected(
        FAST, says("I hear myself talking."), turn_detection=detection(threshold)
    ) as (client, _):
        client.playback.played(0)
        message = await anext(aiter(await client.response.create()))
        played = np.concatenate([chunk async for chunk in message.audio.as_pcm(RATE, "int16")])
        client.playback.played(600)
        watch = client.events()
        await say(client, below_speech(played, 20))
        assert begun(watch) == interrupts
        cut = {(message.id, 0): 600} if interrupts else {}
        assert client.conversation.truncations == cut


async def test_A9_noise_reduction_is_configured_and_the_simulator_has_none() -> None:
    voice = spoken()
    counts = []
    for kind in (None, "near_field", "far_field"):
        async with connected(turn_detection=detection(0.5), noise_reduction=kind) as (
            client,
            session,
        ):
            acknowledged = client.session.acknowledged
            assert isinstance(acknowledged, events.SessionConfig)
            shown = plain(acknowledged)["audio"]["input"]["noise_reduction"]
            assert shown == (None if kind is None else {"type": kind})
            watch = client.events()
            await say(client, voice + below_speech(white(len(voice)), 20))
            counts.append((begun(watch), right(session)))
    assert counts == [(1, 0)] * 3


def test_A9_the_bench_counts_what_is_there() -> None:
    """The scenes behind the page, where the right answer is known."""
    path = Path(__file__).parents[1] / "benches" / "noise.py"
    if not path.exists():
        pytest.skip("the benches are not a part of what is published")
    spec = importlib.util.spec_from_file_location("noise_bench", path)
    assert spec is not None
    assert spec.loader is not None
    bench: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    voice = bench.speech()
    assert bench.judge(bench.heard(voice, 0.5)) == (bench.TURNS, 0, 0.0)
    assert bench.judge([]) == (0, 0, 0.0)
    endless = bench.judge([(0.0, np.inf)])
    assert (endless.right, endless.false, endless.open) == (0, 0, 1.0)
    exact = [(at / RATE * 1000, at / RATE * 1000 + 2_500.0) for at in bench.turn_starts()]
    assert bench.judge(exact) == (bench.TURNS, 0, 0.0)
    extra = (exact[0][1] + 1_000, exact[0][1] + 2_000)
    assert bench.judge([*exact, extra])[:2] == (bench.TURNS, 1)
    split = [(exact[0][0], exact[0][0] + 1_200), (exact[0][0] + 1_300, exact[0][1]), *exact[1:]]
    assert bench.judge(split)[:2] == (bench.TURNS - 1, 0)
