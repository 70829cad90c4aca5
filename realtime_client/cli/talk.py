"""`talk`: a conversation at keyboard and microphone.

One task sends what the microphone hears, one plays and shows the answers, one shows what the
user said, one falls silent when playing is interrupted, one shows errors, and one what becomes
of the connection: one that is lost is replaced, and the talk goes on. The last looks for keys,
draws, and says how much has been played, so that an interruption cuts what was not heard. The
conversation knows a microphone and a speaker by the few things that it does with them (see
`ports`), so that it can be held without either.

A loudspeaker is heard by the microphone, and nothing here can take its echo out again. So while
it plays, and for a moment after, silence is sent in place of what the microphone hears: silence
and not nothing, because the server's VAD counts samples, and a turn that was cut off ends only
when it hears some. With headphones everything is sent, and speaking interrupts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from realtime_client import (
    Client,
    Disconnected,
    Endpoint,
    Frame,
    Reconnected,
    Response,
    StopPlaying,
    UserTurn,
    events,
)
from realtime_client.cli import EXIT_INTERRUPTED, Mistake
from realtime_client.cli.ports import Ear, Keys, Mouth, Voice
from realtime_client.cli.screen import Keyboard, Screen
from realtime_client.devices import Microphone, Speaker
from realtime_client.errors import (
    ConnectionLost,
    RealtimeError,
    ResponseAbandoned,
    ResponseFailed,
)
from realtime_client.speech import AudioStream, TextStream
from realtime_client.streams import Once

__all__ = ["Job", "Talk", "run"]

ECHO_TAIL: Final = 0.3
"""Seconds after the last sound of a loudspeaker in which the microphone still hears it: the
room, and the microphone's own delay."""

TICK: Final = 0.05
"""Seconds between two looks at the keyboard."""


@dataclass(frozen=True)
class Job:
    """Where to talk, and how."""

    endpoint: str | None
    api_key: str | None = field(repr=False)
    headphones: bool
    options: dict[str, Any]


def run(job: Job) -> None:
    """Talk until the user has enough, or raise one `Mistake` that says what to do."""
    with _mistakes():
        anyio.run(_talk, job)


async def _talk(job: Job) -> None:
    # The devices first: without them there is no reason to call anybody.
    async with (
        Microphone(rate=None) as microphone,
        Speaker(rate=None) as speaker,
        _where(job) as endpoint,
        Client(
            endpoint=endpoint,
            turn_detection=events.ServerVad(),
            transcription=events.Transcription(model="gpt-4o-mini-transcribe"),
            **job.options,
        ) as client,
    ):
        screen = Screen()
        screen.line("keys", "space interrupts, m mutes, q quits")
        if not job.headphones:
            screen.line("note", "the microphone is off while the speaker plays (--headphones)")
        with Keyboard() as keyboard:
            talk = Talk(client, microphone, speaker, screen, headphones=job.headphones)
            await talk.hold(keyboard)
        screen.clear()


@asynccontextmanager
async def _where(job: Job) -> AsyncIterator[Endpoint]:
    """The server that was named; the simulator otherwise."""
    if job.endpoint is not None:
        yield Endpoint(job.endpoint, api_key=job.api_key)
        return
    from realtime_client import simulator

    async with simulator.serve(policy=simulator.SimulatorPolicy(pace="wire")) as server:
        yield Endpoint(server.url)


@contextmanager
def _mistakes() -> Iterator[None]:
    """One line for what can go wrong, whichever task it went wrong in."""
    try:
        yield
    except RealtimeError as error:
        raise Mistake(str(error)) from None
    except BaseExceptionGroup as group:
        known, rest = group.split(RealtimeError)
        if known is None or rest is not None:
            raise
        raise Mistake(str(_first(known))) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Talk:
    """One conversation between an `Ear` and a `Mouth` of ours and the model."""

    def __init__(
        self, client: Client, ear: Ear, mouth: Mouth, screen: Screen, *, headphones: bool
    ) -> None:
        self._client = client
        self._ear = ear
        self._mouth = mouth
        self._screen = screen
        self._headphones = headphones
        self._tasks: TaskGroup
        self._playing = anyio.CancelScope()
        self._is_sounding = False
        self._sounded_at = -ECHO_TAIL
        self.is_muted = False

    async def hold(self, keys: Keys) -> None:
        """Talk until `q` is pressed.

        Raises:
            ConnectionLost: The connection broke, and there is no other.
            DeviceError: The microphone or the speaker is gone.
        """
        client = self._client
        client.playback.played(self._mouth.played_ms)
        with (
            client.playback.stops() as stops,
            client.responses() as responses,
            client.user_turns() as turns,
            client.events() as happening,
            client.connections() as changes,
        ):
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                tasks.start_soon(self._send)
                tasks.start_soon(self._hear, responses)
                tasks.start_soon(self._read, turns)
                tasks.start_soon(self._notice, happening)
                tasks.start_soon(self._watch, changes)
                tasks.start_soon(self._stop, stops)
                await self._obey(keys)
                tasks.cancel_scope.cancel()

    @property
    def is_listening(self) -> bool:
        """Whether what the microphone hears is sent."""
        if self.is_muted or self._headphones:
            return not self.is_muted
        quiet_for = anyio.current_time() - self._sounded_at
        return not self._is_sounding and quiet_for >= ECHO_TAIL

    # -- the user ------------------------------------------------------------------------

    async def _send(self) -> None:
        async for chunk in self._ear:
            sound = chunk if self.is_listening else bytes(len(chunk))
            await self._client.send_audio(sound, rate=self._ear.rate)

    async def _read(self, turns: Once[UserTurn]) -> None:
        async for turn in turns:
            self._tasks.start_soon(self._read_turn, turn)

    async def _read_turn(self, turn: UserTurn) -> None:
        try:
            async for _ in turn:
                self._screen.grow("you", turn.so_far)
            said = await turn.done()
        except ConnectionLost:  # `_watch` tells
            return
        if said.error is not None:
            self._screen.line("error", f"no transcript: {said.error}")
        elif said.text is not None:
            self._screen.line("you", said.text)

    async def _notice(self, happening: Once[Frame]) -> None:
        async for frame in happening:
            match frame.event:
                case events.ErrorEvent() as error:
                    self._screen.line("error", getattr(error.error, "message", error.error))

    async def _watch(self, changes: Once[Disconnected | Reconnected]) -> None:
        async for change in changes:
            match change:
                case Disconnected(error):
                    self._screen.line("error", f"{error}; another connection is being made")
                case Reconnected(planned=False):
                    self._screen.line("note", "connected again")

    async def _obey(self, keys: Keys) -> None:
        while (key := keys.pressed()) != "q":
            if key == "m":
                self.is_muted = not self.is_muted
            elif key == " ":
                self._client.playback.played(self._silence())
                self._tasks.start_soon(self._interrupt)
            if not key:
                self._client.playback.played(self._mouth.played_ms)
                self._screen.status(self._ear.level_db, self._state())
                await anyio.sleep(TICK)

    def _state(self) -> str:
        if self.is_muted:
            return "muted"
        return "speaking" if self._is_sounding else "listening"

    # -- the model -----------------------------------------------------------------------

    def _silence(self) -> float:
        """Be silent at once; returns how many milliseconds were heard since the beginning."""
        if self._is_sounding:
            self._screen.line("stopped", "")
        self._playing.cancel()
        played_ms = self._mouth.flush()
        self._quiet()
        return played_ms

    async def _stop(self, stops: Once[StopPlaying]) -> None:
        async for _ in stops:
            played_ms = self._silence() if self._is_sounding else self._mouth.played_ms
            self._client.playback.count_from(played_ms)

    async def _interrupt(self) -> None:
        try:
            await self._client.interrupt()
        except (ResponseAbandoned, ConnectionLost) as error:
            self._screen.line("error", error)

    async def _hear(self, responses: Once[Response]) -> None:
        async for response in responses:
            with anyio.CancelScope() as self._playing:
                await self._play(response)
            if self._playing.cancel_called:
                # A chunk that was on its way here in that moment has been written since.
                self._mouth.flush()
            self._quiet()

    async def _play(self, response: Response) -> None:
        try:
            async for output in response:
                for words in (output.transcript, output.text):
                    self._tasks.start_soon(self._show, words)
                await self._sound(output.audio)
        except (ResponseFailed, ResponseAbandoned, ConnectionLost) as error:
            self._screen.line("error", error)
        await self._mouth.drain()
        if response.status == "incomplete":
            self._screen.line("status", response.status)

    async def _show(self, words: TextStream) -> None:
        with suppress(ResponseFailed, ResponseAbandoned, ConnectionLost):  # whoever plays it tells
            async for _ in words:
                self._screen.grow("model", words.so_far)
        if words.so_far:
            self._screen.line("model", words.so_far)

    async def _sound(self, audio: AudioStream) -> None:
        voice = Voice(audio.format, self._mouth.rate)
        # The response itself raises it, too.
        with suppress(ResponseFailed, ResponseAbandoned, ConnectionLost):
            async for chunk in audio:
                self._is_sounding = True
                await self._mouth.write(voice.push(chunk))
        await self._mouth.write(voice.end())

    def _quiet(self) -> None:
        if self._is_sounding:
            self._is_sounding = False
            self._sounded_at = anyio.current_time()
