"""A server that translates what is sung to it, in memory and over a real socket.

It hears with the simulator's ear and speaks with its voice, so that what was said can be read
back at both ends. What is sung is translated as soon as it has been sung to its end.
"""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import anyio
import anyio.lowlevel
import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_in_thread

from realtime_client import TransportClosed
from realtime_client.audio import WireFormat
from realtime_client.simulator import listen, sing
from realtime_client.streams import Bell, Once
from realtime_client.translator import Translator
from tests import wire

RATE: Final = 24_000
FRAME: Final = 4_800
"""Samples of the 200 ms that a translation takes at a time."""

OUTPUT: Final = "session.output_audio.delta"
OUTPUT_WORDS: Final = "session.output_transcript.delta"
INPUT_WORDS: Final = "session.input_transcript.delta"

Frame = dict[str, Any]
PCM: Final = WireFormat()
SILENCE: Final = np.zeros(RATE, np.int16)


def translated(text: str, language: str) -> str:
    """What the server makes of a text."""
    return f"{language}: {text.upper()}"


def sung(text: str) -> NDArray[np.int16]:
    return np.concatenate([sing(text, RATE), SILENCE])


def words(audio: bytes) -> str | None:
    """What audio says, by ear."""
    return listen(PCM.decode(audio), RATE).text


async def everything(stream: Once[Any]) -> list[Any]:
    return [one async for one in stream]


async def said(translator: Translator) -> tuple[str | None, str, str]:
    """All that a session says from here to its end: by ear, in words, and what was heard."""
    sound = b"".join(await everything(translator.audio))
    transcript = "".join(await everything(translator.transcript))
    return words(sound), transcript, "".join(await everything(translator.heard))


class Interpreter:
    """One session of it: a frame in, frames out."""

    def __init__(self, language: str = "es") -> None:
        self.received: list[Frame] = []
        self.samples = np.zeros(0, np.int16)
        """Everything that it was sent."""
        self.heard: list[str] = []
        """What was sung to it, each to its end."""
        self.is_mute = False
        """Whether it keeps to itself what it has heard, until it is asked to close."""
        self.closes = True
        """Whether it answers a close."""
        self.refuses = False
        """Whether it refuses the next one."""
        self.says_when = True
        """Whether its deltas say how far it has come."""
        self.session: Frame = {
            "id": "sess_1",
            "type": "translation",
            "model": "gpt-realtime-translate",
            "expires_at": 1_800_003_600,
            "audio": {
                "input": {
                    "transcription": None,
                    "noise_reduction": {"type": "near_field", "strength": 0.4},
                },
                "output": {"language": language},
            },
        }
        self._done = 0

    @property
    def language(self) -> str:
        language: str = self.session["audio"]["output"]["language"]
        return language

    def opening(self) -> list[bytes]:
        return [wire.frame("session.created", session=self.session)]

    def appended(self) -> list[int]:
        """How many samples each append had."""
        kind = "session.input_audio_buffer.append"
        return [len(_samples(one)) for one in self.received if one["type"] == kind]

    def answer(self, frame: Frame) -> list[bytes]:
        self.received.append(frame)
        match frame["type"]:
            case "session.update":
                return self._update(frame)
            case "session.input_audio_buffer.append":
                self.samples = np.concatenate([self.samples, _samples(frame)])
                return [] if self.is_mute else self.translate()
            case "session.close" if self.refuses:
                self.refuses = False
                return [wire.error(frame["event_id"], "invalid_value", "not now")]
            case "session.close" if self.closes:
                return [*self.translate(), wire.frame("session.closed")]
            case "session.close":
                return []
        return [wire.error(frame.get("event_id"), "invalid_value")]

    def translate(self) -> list[bytes]:
        """Say what was sung to its end and has not been said."""
        said: list[bytes] = []
        begun = self._done
        for one in listen(self.samples[begun:], RATE).utterances:
            if one.complete:
                self._done = begun + int(one.end_ms * RATE / 1000)
                self.heard.append(one.text)
                said += self._say(one.text)
        return said

    def _say(self, text: str) -> list[bytes]:
        come: Frame = {"elapsed_ms": -(-self._done // FRAME) * 200 if self.says_when else None}
        words = translated(text, self.language)
        half = len(words) // 2
        form = {"format": "pcm16", "sample_rate": RATE, "channels": 1}
        sound = PCM.encode(np.concatenate([sing(words, RATE), SILENCE[:FRAME]]))
        pieces = [sound[start : start + 7_001] for start in range(0, len(sound), 7_001)]
        deltas: list[Frame] = [
            *({"type": OUTPUT_WORDS, "delta": piece} for piece in (words[:half], words[half:])),
            # They end anywhere, inside of a sample, too.
            *({"type": OUTPUT, "delta": base64.b64encode(one).decode(), **form} for one in pieces),
        ]
        if self.session["audio"]["input"]["transcription"] is not None:
            deltas.insert(0, {"type": INPUT_WORDS, "delta": text})
        return [wire.frame(**delta, **come) for delta in deltas]

    def _update(self, frame: Frame) -> list[bytes]:
        asked = frame["session"]
        if set(asked) != {"audio"}:
            return [wire.error(frame["event_id"], "unknown_parameter", "only `audio` can change")]
        audio: Frame = asked["audio"]
        language = audio.get("output", {}).get("language", self.language)
        if language == "xx":
            return [wire.error(frame["event_id"], "invalid_value", "no such language")]
        heard = {**self.session["audio"]["input"], **audio.get("input", {})}
        spoken = {"language": "es" if language == "??" else language}
        self.session = {**self.session, "audio": {"input": heard, "output": spoken}}
        return [wire.frame("session.updated", session=self.session)]


def kinds(session: Interpreter) -> list[str]:
    """What it was sent, by type."""
    return [frame["type"] for frame in session.received]


def _samples(frame: Frame) -> NDArray[np.int16]:
    return np.frombuffer(base64.b64decode(frame["audio"]), np.int16)


class Booth:
    """The server of a test, in memory: what it makes of each connection, and how that ends."""

    def __init__(self, made: Callable[[], Interpreter] = Interpreter) -> None:
        self.urls: list[str] = []
        self.sessions: list[Interpreter] = []
        self.lines: list[Line] = []
        self.refuses: list[Exception] = []
        """What the next connections end with before they are there."""
        self.bell = Bell()
        """Rings when there is another connection."""
        self.gate: anyio.Event | None = None
        """While this is there and not set, no connection comes."""
        self._made = made

    @contextlib.asynccontextmanager
    async def connect(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[Line]:
        await anyio.lowlevel.checkpoint()
        self.urls.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.refuses:
            raise self.refuses.pop(0)
        self.sessions.append(self._made())
        line = Line(self.sessions[-1])
        self.lines.append(line)
        self.bell.ring()
        try:
            yield line
        finally:
            await line.aclose()

    @contextlib.asynccontextmanager
    async def translator(self, **options: Any) -> AsyncIterator[Translator]:
        options = {"endpoint": "ws://localhost/v1/realtime", **options}
        async with Translator(connect=self.connect, **options) as translator:
            yield translator


class Line:
    """One connection in memory. After `session.closed` the server ends it."""

    def __init__(self, session: Interpreter) -> None:
        self.session = session
        self.is_closed = False
        self.holds_writes: anyio.Event | None = None
        """While this is there and not set, nothing is taken from the client."""
        self.bell = Bell()
        """Rings when the client has sent something."""
        self._send, self._receive = anyio.create_memory_object_stream[bytes | Exception](10_000)
        self.say(*session.opening())

    def say(self, *frames: bytes | Exception) -> None:
        for frame in frames:
            self._send.send_nowait(frame)

    def drop(self) -> None:
        self.say(TransportClosed(None))

    async def until_sent(self, kind: str, *, seconds: float = 5.0) -> None:
        """Until the client has sent something of this type."""
        await self.until(lambda: kind in kinds(self.session), seconds=seconds)

    async def until_heard(self, samples: int) -> None:
        """Until the client has sent so much audio."""
        await self.until(lambda: len(self.session.samples) >= samples)

    async def until(self, condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
        with anyio.fail_after(seconds):
            while not condition():
                await self.bell.wait()

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        if self.holds_writes is not None:
            await self.holds_writes.wait()
        answers = self.session.answer(wire.read(data))
        self.say(*answers)
        self.bell.ring()
        if answers and wire.read(answers[-1])["type"] == "session.closed":
            self.say(TransportClosed(1000))

    async def receive(self) -> bytes:
        try:
            frame = await self._receive.receive()
        except (anyio.ClosedResourceError, anyio.EndOfStream):
            raise TransportClosed(1000) from None
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def aclose(self) -> None:
        self.is_closed = True
        self._send.close()
        self._receive.close()


@contextlib.contextmanager
def over_a_socket() -> Iterator[tuple[str, Booth]]:
    """The same server on a loopback socket: its URL, and what it has seen."""
    booth = Booth()

    def attend(connection: ServerConnection) -> None:
        assert connection.request is not None
        booth.urls.append(connection.request.path)
        session = Interpreter()
        booth.sessions.append(session)
        with contextlib.suppress(ConnectionClosed):
            for frame in session.opening():
                connection.send(frame.decode())
            for data in connection:
                assert isinstance(data, str), "text frames only"
                answers = session.answer(wire.read(data.encode()))
                for frame in answers:
                    connection.send(frame.decode())
                if answers and wire.read(answers[-1])["type"] == "session.closed":
                    connection.close()

    with serve_in_thread(attend, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host, port = server.socket.getsockname()[:2]
        try:
            yield f"ws://{host}:{port}/v1/realtime", booth
        finally:
            server.shutdown()
            thread.join()
