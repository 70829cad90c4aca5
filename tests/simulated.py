"""A simulated session with virtual time, and what tests ask of it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pybase64
import pytest
from numpy.typing import NDArray

from realtime_client.audio import WireFormat
from realtime_client.simulator import (
    Answer,
    Brain,
    Hello,
    Question,
    SimulatedSession,
    SimulatorPolicy,
    echo,
    sing,
)

Frame = dict[str, Any]
Samples = NDArray[np.int16]

PCM = WireFormat("audio/pcm", 24_000)
RECORDINGS = Path(__file__).parents[1].parent / "shared" / "recordings"


def silence(ms: int, rate: int = 24_000) -> Samples:
    return np.zeros(ms * rate // 1000, dtype=np.int16)


def spoken(text: str, rate: int = 24_000, *, after_ms: int = 600) -> Samples:
    """What a user says, with silence around it; the silence after it ends the turn."""
    return np.concatenate([silence(500, rate), sing(text, rate), silence(after_ms, rate)])


def base64(samples: Samples, format_: WireFormat = PCM) -> str:
    return pybase64.b64encode(format_.encode(samples)).decode()


class Sim:
    """One session. Every method that makes it speak returns the new frames, decoded."""

    def __init__(
        self,
        brain: Brain = echo,
        *,
        hello: Hello | None = None,
        start: bool = True,
        session: dict[str, Any] | None = None,
        **policy: Any,
    ) -> None:
        self.now = 1000.0
        self.session = SimulatedSession(SimulatorPolicy(**policy), brain, hello=hello)
        self.times: list[float] = []  # of every frame so far
        self.frames: list[Frame] = []
        if start:
            self.session.start(self.now)
            self.take()
        if session is not None:
            frames = self.update(**session)
            assert types(frames) == ["session.updated"], frames

    def take(self) -> list[Frame]:
        frames = [msgspec.json.decode(frame) for frame in self.session.data_to_send()]
        self.frames += frames
        self.times += [self.now] * len(frames)
        return frames

    def send(self, wire_type: str, **fields: Any) -> list[Frame]:
        return self.raw(msgspec.json.encode({"type": wire_type, **fields}))

    def raw(self, data: bytes | str, *, binary: bool = False) -> list[Frame]:
        self.session.receive(data, self.now, binary=binary)
        return self.take()

    def update(self, **fields: Any) -> list[Frame]:
        return self.send("session.update", session={"type": "realtime", **fields})

    def run(self, seconds: float) -> list[Frame]:
        """Let time pass, stopping at every deadline on the way."""
        end, frames = self.now + seconds, []
        while (due := self.session.next_deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.session.on_deadline(self.now)
            frames += self.take()
        self.now = end
        return frames

    def append(self, samples: Samples, format_: WireFormat = PCM) -> list[Frame]:
        return self.send("input_audio_buffer.append", audio=base64(samples, format_))

    def user_says(self, text: str) -> list[Frame]:
        part = {"type": "input_text", "text": text}
        item = {"type": "message", "role": "user", "content": [part]}
        return self.send("conversation.item.create", item=item)

    def respond(self, **response: Any) -> list[Frame]:
        return self.send("response.create", response=response)

    def error(self) -> tuple[str, str | None]:
        """Code and param of the last frame, which must be an error."""
        assert self.frames[-1]["type"] == "error", self.frames[-1]
        error = self.frames[-1]["error"]
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        return error["code"], error["param"]


def types(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


def collapsed(names: list[str]) -> list[str]:
    """Event types with repeated ones once; transcript and audio deltas interleave."""
    merged = ["audio or transcript delta" if _streams(name) else name for name in names]
    return [name for name, _ in groupby(merged)]


def _streams(name: str) -> bool:
    return name in ("response.output_audio.delta", "response.output_audio_transcript.delta")


def of(frames: list[Frame], wire_type: str) -> list[Frame]:
    return [frame for frame in frames if frame["type"] == wire_type]


def one(frames: list[Frame], wire_type: str) -> Frame:
    (frame,) = of(frames, wire_type)
    return frame


def audio(frames: list[Frame], format_: WireFormat = PCM) -> Samples:
    """All audio deltas of the frames, as samples."""
    deltas = of(frames, "response.output_audio.delta")
    return format_.decode(b"".join(pybase64.b64decode(delta["delta"]) for delta in deltas))


def scripted(*answers: Answer) -> Brain:
    """A brain that gives these answers in this order."""
    left = list(answers)

    def brain(question: Question) -> Answer:
        return left.pop(0)

    return brain


def recording(name: str) -> list[dict[str, Any]]:
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"no recordings in {RECORDINGS.parent}; the orders are also tested literally")
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
