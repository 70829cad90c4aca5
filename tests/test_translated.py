"""The three streams of a translation: what they hold, and what ends them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import pytest

from realtime_client import events
from realtime_client.errors import InvalidServerEvent, SlowConsumer, UsageError
from realtime_client.simulator import listen
from realtime_client.speech import AUDIO_BOUND
from realtime_client.translated import TEXT_BOUND
from tests import wire
from tests.interpreting import OUTPUT, OUTPUT_WORDS, RATE, Booth, sung, translated


async def test_audio_as_samples_at_another_rate() -> None:
    booth = Booth()
    async with booth.translator(language="de") as translator:
        assert translator.audio_format == events.AudioFormat(type="audio/pcm", rate=RATE)
        samples = translator.audio.as_pcm(48_000, "int16")
        await translator.send_audio(sung("one"))
        await translator.finish()
        heard = np.concatenate([chunk async for chunk in samples])
        assert listen(heard, 48_000).text == translated("one", "de")
        with pytest.raises(UsageError, match="begun already"):
            translator.audio.as_pcm()


async def test_what_nobody_reads_is_bounded_and_disturbs_nobody() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        happening = translator.events()
        big = wire.frame(OUTPUT, delta=wire_audio(AUDIO_BOUND // 2))
        long = wire.frame(OUTPUT_WORDS, delta="x" * (TEXT_BOUND // 2))
        booth.lines[0].say(big, big, long, long)
        for _ in range(4):
            await anext(happening)
        assert translator.audio.held == AUDIO_BOUND  # exactly this much is kept
        assert translator.transcript.held == TEXT_BOUND
        booth.lines[0].say(wire.frame(OUTPUT, delta=wire_audio(2)))
        await anext(happening)
        with pytest.raises(SlowConsumer, match="the translated audio"):
            await anext(translator.audio)
        assert len(await anext(translator.transcript)) == TEXT_BOUND // 2
        booth.lines[0].say(long, long)
        for _ in range(2):
            await anext(happening)
        with pytest.raises(SlowConsumer, match="characters"):
            await anext(translator.transcript)
        await translator.finish()


def wire_audio(size: int) -> str:
    return b64encode(bytes(size)).decode()


@pytest.mark.parametrize("other", [{"format": "opus"}, {"channels": 2}, {"sample_rate": 16_000}])
async def test_sound_of_another_kind_is_no_noise(other: dict[str, Any]) -> None:
    booth = Booth()
    async with booth.translator() as translator:
        booth.lines[0].say(
            wire.frame(OUTPUT, delta="AAAA"),
            wire.frame(OUTPUT, delta="AAAA", **other),
            wire.frame(OUTPUT_WORDS, delta="words"),
        )
        assert await anext(translator.audio) == b"\0\0\0"
        with pytest.raises(InvalidServerEvent, match="another than it was"):
            await anext(translator.audio)
        assert await anext(translator.transcript) == "words"


async def test_the_first_delta_names_the_rate() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        booth.lines[0].say(wire.frame(OUTPUT, delta="AAAA", sample_rate=16_000))
        await anext(translator.audio)
        assert translator.audio_format == events.AudioFormat(type="audio/pcm", rate=16_000)
        booth.lines[0].say(wire.frame(OUTPUT, delta="AAAA", sample_rate=16_000))
        assert await anext(translator.audio) == b"\0\0\0"


async def test_samples_are_of_the_rate_that_they_were_asked_for_at() -> None:
    booth = Booth()
    async with booth.translator() as translator:
        samples = translator.audio.as_pcm(48_000)
        booth.lines[0].say(wire.frame(OUTPUT, delta="AAAA", sample_rate=16_000))
        with pytest.raises(InvalidServerEvent, match="at 16000 Hz"):
            await anext(samples)
