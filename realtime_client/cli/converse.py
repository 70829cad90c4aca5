"""`converse`: say a recording to a model and keep what it answers.

Three tasks: one speaks the recording, followed by silence, so that the server's VAD finds
the end of the last turn; one listens to the session's events; one hears the responses. The
conversation is over when the server has answered every turn that it heard.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import click
import numpy as np
import soundfile

from realtime_client import Client, Endpoint, Frame, Response, events
from realtime_client.audio import WireFormat
from realtime_client.cli import EXIT_INTERRUPTED, Mistake
from realtime_client.errors import RealtimeError
from realtime_client.streams import Once

__all__ = ["Job", "run"]

BLOCK_MS: Final = 20
ANSWER_TIMEOUT: Final = 300.0
"""Seconds for the answers, from the end of what is said: longer than any response can be."""
HEAR_TIMEOUT: Final = 5.0
"""Seconds for the server's VAD to notice the silence at the end."""


@dataclass(frozen=True)
class Job:
    """What to say, where, and where to put the answer."""

    recording: Path
    output: Path
    endpoint: str | None
    api_key: str | None = field(repr=False)
    silence_ms: int
    fast: bool
    options: dict[str, Any]


def run(job: Job) -> None:
    """Do the job, or raise one `Mistake` that says what to do."""
    try:
        with _recording(job.recording) as recording:
            answer = anyio.run(_converse, job, recording)
    except RealtimeError as error:
        raise Mistake(str(error)) from None
    except BaseExceptionGroup as group:
        known, rest = group.split((RealtimeError, Mistake))
        if known is None or rest is not None:
            raise
        first = _first(known)
        raise (first if isinstance(first, Mistake) else Mistake(str(first))) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None
    _write(job.output, *answer)


def _recording(path: Path) -> soundfile.SoundFile:
    if not path.exists():
        raise Mistake(f"{path}: there is no such file")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        why = getattr(error, "error_string", None) or error
        raise Mistake(f"{path} is not audio that can be read ({why}); give a WAV file") from None


def _write(path: Path, samples: np.ndarray[Any, np.dtype[np.int16]], rate: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="PCM_16", format="WAV")
    except (soundfile.LibsndfileError, OSError) as error:
        raise Mistake(f"cannot write {path}: {error}") from None
    click.echo(f"{path}: {len(samples) / rate:.1f} s at {rate:,} Hz")


async def _converse(job: Job, recording: soundfile.SoundFile) -> tuple[Any, int]:
    turn_detection = events.ServerVad(silence_duration_ms=job.silence_ms)
    transcription = events.Transcription(model="gpt-4o-mini-transcribe")
    async with (
        _where(job) as endpoint,
        Client(
            endpoint=endpoint,
            turn_detection=turn_detection,
            transcription=transcription,
            **job.options,
        ) as client,
    ):
        conversation = _Conversation(client, job)
        return await conversation.hold(recording)


@asynccontextmanager
async def _where(job: Job) -> AsyncIterator[Endpoint]:
    if job.endpoint is not None:
        yield Endpoint(job.endpoint, api_key=job.api_key)
        return
    from realtime_client import simulator

    policy = simulator.SimulatorPolicy(pace="fast" if job.fast else "realtime")
    async with simulator.serve(policy=policy) as server:
        yield Endpoint(server.url)


class _Conversation:
    """One recording, said and answered."""

    def __init__(self, client: Client, job: Job) -> None:
        self._client = client
        self._job = job
        self._progress = _Progress()
        self._speaking = False
        self._turns = 0
        self._answered = 0
        self._changed = anyio.Event()
        self._stopped_at: float | None = None
        self._pieces: list[Any] = []
        self._rate = 24_000

    async def hold(self, recording: soundfile.SoundFile) -> tuple[Any, int]:
        """Run it to its end; returns the answer's samples and their rate."""
        with self._client.events() as happening, self._client.responses() as responses:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, happening)
                tasks.start_soon(self._hear, responses)
                await self._speak(recording)
                with anyio.move_on_after(HEAR_TIMEOUT):
                    await self._until(lambda: self._turns > 0 and not self._speaking)
                # Events are answered in order: when the rest of the silence is cleared, the
                # server has heard everything before it, and every turn is known.
                await self._client.input_audio_buffer.clear()
                if not self._turns:
                    raise Mistake(
                        f"the server heard no speech in {self._job.recording}; is it silent, "
                        f"or does it never pause for {self._job.silence_ms} ms (--silence-ms)?"
                    )
                with anyio.move_on_after(ANSWER_TIMEOUT):
                    await self._until(lambda: self._answered >= self._turns)
                if self._answered < self._turns:
                    raise Mistake(
                        f"the server heard {self._turns} turns and answered {self._answered} "
                        f"within {ANSWER_TIMEOUT:g} s; is it overloaded?"
                    )
                tasks.cancel_scope.cancel()
        return np.concatenate([*self._pieces, np.zeros(0, np.int16)]), self._rate

    async def _speak(self, recording: soundfile.SoundFile) -> None:
        """Send the recording and the silence after it, at its own pace or at once."""
        rate, channels = recording.samplerate, recording.channels
        started, sent = anyio.current_time(), 0
        for block, done in _blocks(recording, self._job.silence_ms):
            await self._client.send_audio(block, rate=rate, channels=channels)
            self._progress.show(done)
            sent += len(block)
            if not self._job.fast:
                # Against the clock, so that small delays do not add up.
                await anyio.sleep(max(0.0, started + sent / rate - anyio.current_time()))
        self._progress.clear()

    async def _listen(self, happening: Once[Frame]) -> None:
        async for frame in happening:
            match frame.event:
                case events.InputAudioBufferSpeechStarted():
                    self._speaking = True
                case events.InputAudioBufferSpeechStopped():
                    self._stopped_at = anyio.current_time()
                case events.InputAudioBufferCommitted():
                    self._speaking = False
                    self._turns += 1
                case events.ConversationItemInputAudioTranscriptionCompleted() as said:
                    self._say(f"you      {said.transcript}")
                case events.ErrorEvent() as error:
                    self._say(f"error    {error.error}")
            self._change()

    async def _hear(self, responses: Once[Response]) -> None:
        async for response in responses:
            await self._hear_one(response)
            self._answered += 1
            self._change()

    async def _hear_one(self, response: Response) -> None:
        first: float | None = None
        stopped_at = self._stopped_at
        async for output in response:
            audio_format = output.audio.format
            wire = WireFormat.from_wire(audio_format) if audio_format else WireFormat()
            self._rate = wire.rate
            heard = bytearray()
            async for chunk in output.audio:
                first = first or anyio.current_time()
                heard += chunk
            whole = len(heard) - len(heard) % wire.bytes_per_sample
            self._pieces.append(wire.decode(bytes(heard[:whole])))
        await response.done()
        self._say(f"answer   {response.transcript}")
        if first is not None and stopped_at is not None:
            ended = anyio.current_time()
            self._say(
                f"latency  {_ms(first - stopped_at)} to the first audio, "
                f"{_ms(ended - stopped_at)} to the end"
            )
        if response.status != "completed":
            self._say(f"status   {response.status}")

    def _say(self, line: str) -> None:
        self._progress.clear()
        click.echo(line)

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _until(self, condition: Any) -> None:
        while not condition():
            await self._changed.wait()


def _blocks(recording: soundfile.SoundFile, silence_ms: int) -> Iterator[tuple[Any, float]]:
    """Blocks of 20 ms, each with how much of the whole is said by then, 0 to 1."""
    frames = max(1, recording.samplerate * BLOCK_MS // 1000)
    silence = recording.samplerate * (silence_ms + 500) // 1000
    total, said = recording.frames + silence, 0
    for block in recording.blocks(frames, dtype="float32", always_2d=True):
        said += len(block)
        yield block, said / total
    while said < total:
        block = np.zeros((min(frames, total - said), recording.channels), np.float32)
        said += len(block)
        yield block, said / total


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Progress:
    """A line on a terminal that says how far the recording is; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = ""
        self._live = sys.stderr.isatty()

    def show(self, share: float) -> None:
        """Draw it, where it has changed."""
        line = f"saying   {'#' * round(share * 30):<30} {share:4.0%}"
        if self._live and line != self._shown:
            self._shown = line
            click.echo(f"\r{line}", err=True, nl=False)

    def clear(self) -> None:
        """Make room for a line of text."""
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._shown = ""
