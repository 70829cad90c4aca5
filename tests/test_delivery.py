"""Parts of one message that grow at the same time: none waits longer than it has to."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.response import Message, Response, deliver
from tests import wire
from tests.test_response import Nobody


def begun() -> Response:
    resource = events.ResponseResource(id="resp_1", status="in_progress")
    return Response(resource, initiator="client", audio_format=None, acting=Nobody())


def say(response: Response, kind: str, part: int, **fields: Any) -> None:
    where = {"response_id": "resp_1", "item_id": "m", "output_index": 0, "content_index": part}
    deliver(response, decode(wire.frame(f"response.{kind}", **where, **fields)), 1.0)


@pytest.mark.parametrize("end", ["output_audio.done", "content_part.done"])
async def test_the_end_of_a_part_lets_the_sound_of_the_next_one_through(end: str) -> None:
    response = begun()
    say(response, "output_audio.delta", 0, delta="AAAA")
    say(response, "output_audio.delta", 1, delta="AQEB")
    (message,) = response.outputs
    assert isinstance(message, Message)
    with anyio.fail_after(1):
        assert await anext(message.audio) == bytes([0, 0, 0])
        say(response, end, 0)
        assert await anext(message.audio) == bytes([1, 1, 1])
        say(response, "output_audio.delta", 1, delta="AgIC")
        assert await anext(message.audio) == bytes([2, 2, 2])


@pytest.mark.parametrize(
    ("kind", "field"), [("output_audio_transcript", "transcript"), ("output_text", "text")]
)
async def test_the_end_of_a_part_lets_the_words_of_the_next_one_through(
    kind: str, field: str
) -> None:
    response = begun()
    say(response, f"{kind}.delta", 0, delta="a")
    say(response, f"{kind}.delta", 1, delta="b")
    (message,) = response.outputs
    words = aiter(getattr(message, field))
    with anyio.fail_after(1):
        assert await anext(words) == "a"
        say(response, f"{kind}.done", 0, **{field: "a"})
        assert await anext(words) == "b"


@pytest.mark.parametrize("end", ["output_audio.done", "content_part.done"])
async def test_the_end_of_a_part_that_waits_does_not_mix_it_in(end: str) -> None:
    response = begun()
    for part, sound in ((0, "AAAA"), (1, "AQEB"), (0, "AgIC")):
        say(response, "output_audio.delta", part, delta=sound)
        say(response, end, 1)
    say(response, end, 0)
    (message,) = response.outputs
    with anyio.fail_after(1):
        chunks = [await anext(message.audio) for _ in range(3)]
    assert chunks == [bytes(3), bytes([2, 2, 2]), bytes([1, 1, 1])]
