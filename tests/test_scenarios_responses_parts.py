"""What goes wrong with responses elsewhere, and not here: what one message is made of.

R17: several parts that grow together. R21: text where sound was expected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from realtime_client import events
from realtime_client.audio import WireFormat
from realtime_client.simulator import Say, SimulatorPolicy
from realtime_client.simulator.speech import AudioPiece, Piece, sung
from tests.responding import Gate, all_heard, heard, of_type
from tests.scenarios import FAST, connected, says

AUDIO = "response.output_audio.delta"
TRANSCRIPT = "response.output_audio_transcript.delta"


# -- R17 --------------------------------------------------------------------------------------


class SecondPart:
    """Every message gets a second part, whose deltas come between those of the first.

    `first` and `second` are what the `*.done` events say, where that is not what was spoken.
    """

    def __init__(self, words: str, *, first: str | None = None, second: str | None = None) -> None:
        self._format = WireFormat("audio/pcm", 24_000)
        self._clip, pieces = sung(words, self._format)
        self._left: deque[Piece] = deque(pieces)
        self._first = first
        self._second = second or words

    def __call__(self, event: events.ServerEvent) -> Sequence[events.ServerEvent]:
        if event.type in (AUDIO, TRANSCRIPT):
            return [event, *self._grow(event)]
        if isinstance(event, events.ResponseOutputAudioDone):
            rest = [one for _ in range(len(self._left)) for one in self._grow(event)]
            at = {**_place(event), "content_index": 1}
            # The second part ends before the first one does.
            settled = events.ResponseOutputAudioTranscriptDone(**at, transcript=self._second)
            ended = events.ResponseContentPartDone(**at)
            return [*rest, events.ResponseOutputAudioDone(**at), settled, ended, event]
        if isinstance(event, events.ResponseOutputAudioTranscriptDone) and self._first:
            return [
                events.ResponseOutputAudioTranscriptDone(
                    **_place(event), content_index=0, transcript=self._first
                )
            ]
        return [event]

    def _grow(self, event: Any) -> list[events.ServerEvent]:
        if not self._left:
            return []
        piece, at = self._left.popleft(), {**_place(event), "content_index": 1}
        if isinstance(piece, AudioPiece):
            sound = self._format.encode(self._clip.samples[piece.first : piece.last])
            return [events.ResponseOutputAudioDelta(**at, delta=sound)]
        return [events.ResponseOutputAudioTranscriptDelta(**at, delta=piece.text)]


def _place(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("response_id", "item_id", "output_index")}


@pytest.mark.parametrize("second", ["No.", "And this part is longer than the first one is."])
async def test_R17_parts_that_grow_together_are_not_mixed(second: str) -> None:
    policy = SimulatorPolicy(pace="fast", tamper=SecondPart(second))
    async with connected(policy, says("The first part.")) as (c, _):
        happening = c.events()
        response = await c.response.create()
        await response.done()
        parts = [event.content_index for event in of_type(happening, AUDIO)]
        assert parts != sorted(parts), "they come mixed, or this shows nothing"
        (message,) = response.outputs
        assert message.transcript.parts == ("The first part.", second)
        assert "".join([delta async for delta in message.transcript]) == f"The first part.{second}"
        assert await heard(message) == f"The first part. {second}"
        sound = {
            part: b"".join(e.delta for e in of_type(happening, AUDIO) if e.content_index == part)
            for part in (0, 1)
        }
        assert message.audio.began
        assert len(sound[1]) > 0


async def test_R17_a_part_that_is_over_holds_up_no_other() -> None:
    """A straggler of the first part comes between the parts, and the message goes on."""
    ends = (events.ResponseOutputItemDone, events.ResponseDone)
    gate = Gate(lambda event: isinstance(event, ends))

    def straggles(event: events.ServerEvent) -> Sequence[events.ServerEvent]:
        if isinstance(event, events.ResponseContentPartDone):
            late, following = [
                events.ResponseOutputAudioDelta(**_place(event), content_index=i, delta=sound)
                for i, sound in enumerate((b"late", b"next"))
            ]
            return [event, late, following]
        return gate(event)

    async with connected(SimulatorPolicy(pace="fast", tamper=straggles), says("So.")) as (c, _):
        response = await c.response.create()
        with anyio.fail_after(5):
            message = await anext(aiter(response))
            chunks = []
            async for chunk in message.audio:
                chunks.append(chunk)
                if chunk == b"next":
                    break
            assert b"late" not in chunks
        await gate.open(c)
        assert [chunk async for chunk in message.audio] == [b"late"], "nothing is lost"


async def test_R17_the_last_word_counts_part_by_part() -> None:
    tamper = SecondPart("and on", first="The 1st part.", second="and on it goes.")
    async with connected(SimulatorPolicy(pace="fast", tamper=tamper), says("The first part.")) as (
        c,
        _,
    ):
        response = await c.response.create()
        await response.done()
        (message,) = response.outputs
        assert message.transcript.parts == ("The 1st part.", "and on it goes.")
        assert await message.transcript.read() == "The 1st part.and on it goes."
        assert response.transcript == "The 1st part.and on it goes."
        # What has been handed out cannot be taken back; what was missing follows.
        deltas = [str(delta) async for delta in message.transcript]
        assert "".join(deltas) == "The first part.and on it goes."
        assert await heard(message) == "The first part. and on", "the sound is as it was"


async def test_R17_written_parts_too() -> None:
    def two(event: events.ServerEvent) -> Sequence[events.ServerEvent]:
        if isinstance(event, events.ResponseOutputTextDelta):
            other = events.ResponseOutputTextDelta(**_place(event), content_index=1, delta="ab")
            return [event, other]
        if isinstance(event, events.ResponseOutputTextDone):
            last = events.ResponseOutputTextDone(**_place(event), content_index=1, text="ababc")
            return [last, event]
        return [event]

    policy = SimulatorPolicy(pace="fast", tamper=two)
    async with connected(policy, says("One two."), output_modalities=["text"]) as (c, _):
        response = await c.response.create()
        await response.done()
        (message,) = response.outputs
        assert message.text.parts == ("One two.", "ababc")
        assert "".join([delta async for delta in message.text]) == "One two.ababc"


# -- R21 --------------------------------------------------------------------------------------


async def test_R21_text_in_an_audio_session_ends_the_audio_empty_and_is_there() -> None:
    parts = (Say("Written.", "text"), "Spoken.", Say("Written again.", "text"))
    async with connected(FAST, says(*parts)) as (c, _):
        response = await c.response.create()
        with anyio.fail_after(5):
            assert await all_heard(response) == [None, "Spoken.", None]
            first, second, third = response.outputs
            assert await first.text.read() == "Written."
            assert await first.transcript.read() == ""
            assert (first.audio.began, second.audio.began) == (False, True)
            assert await second.text.read() == ""
            assert "".join([delta async for delta in third.text]) == "Written again."
        modalities = [sorted(output.modalities) for output in response.outputs]
        assert modalities == [["text"], ["audio"], ["text"]]
        assert response.transcript == "Written.\nSpoken.\nWritten again."
        assert await heard(await c.response.create()) == "Spoken."


async def test_R21_the_audio_of_a_written_message_ends_with_it_and_not_with_the_response() -> None:
    gate = Gate(lambda event: isinstance(event, events.ResponseDone) or _begins_second(event))
    policy = SimulatorPolicy(pace="fast", tamper=gate)
    async with connected(policy, says(Say("Written.", "text"), "Spoken.")) as (c, _):
        response = await c.response.create()
        with anyio.fail_after(5):
            message = await anext(aiter(response))
            assert [chunk async for chunk in message.audio] == []
            assert await message.text.read() == "Written."
        assert response.status == "in_progress"
        await gate.open(c)
        assert (await response.done()).status == "completed"


def _begins_second(event: events.ServerEvent) -> bool:
    return isinstance(event, events.ResponseOutputItemAdded) and event.output_index == 1
