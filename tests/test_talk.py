"""A conversation at a microphone and a speaker in memory, over a real socket; the terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import anyio
import numpy as np
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from click.testing import CliRunner

from realtime_client import Client, Reconnect, events
from realtime_client.cli import main
from realtime_client.cli.ports import Voice
from realtime_client.cli.screen import Keyboard, Screen
from realtime_client.cli.talk import Talk
from realtime_client.devices.capture import level_db
from realtime_client.errors import ConnectionLost
from realtime_client.simulator import (
    Answer,
    Brain,
    Fail,
    Question,
    Say,
    Server,
    SimulatedSession,
    SimulatorPolicy,
    echo,
    listen,
    serve,
    sing,
)
from realtime_client.simulator.voice import duration_ms
from tests.soundserver import ROOT, sound_server  # noqa: F401 - a fixture

RATE = 48_000


class MemoryEar:
    """A microphone that hears what the test says, and silence after it, as fast as it is read."""

    rate = RATE

    def __init__(self) -> None:
        self._say, self._hear = anyio.create_memory_object_stream[bytes](1_000)
        self._newest = b""

    @property
    def level_db(self) -> float:
        return level_db(self._newest)

    def says(self, text: str, *, silence_ms: int = 700) -> None:
        sound = sing(text, RATE).tobytes() + bytes(2 * silence_ms * RATE // 1000)
        step = 2 * RATE // 50
        for begin in range(0, len(sound), step):
            self._say.send_nowait(sound[begin : begin + step])

    @property
    def is_read(self) -> bool:
        return self._hear.statistics().current_buffer_used == 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._newest = await self._hear.receive()
        return self._newest

    def close(self) -> None:
        self._say.close()
        self._hear.close()


TRUNCATE = events.ConversationItemTruncate


class MemoryMouth:
    """A speaker that plays at once, or, while it is held, what the test lets it play."""

    rate = RATE
    full = 2 * RATE * 6 // 10

    def __init__(self) -> None:
        self.is_held = False
        self.waiting = bytearray()
        self.heard = bytearray()
        self.flushes: list[float] = []

    async def write(self, sound: bytes) -> None:
        self.waiting += sound
        self.play(0)
        await checkpoint()
        while len(self.waiting) > self.full:
            await checkpoint()

    def play(self, ms: int) -> None:
        size = 2 * ms * RATE // 1000 if self.is_held else len(self.waiting)
        self.heard += self.waiting[:size]
        del self.waiting[:size]

    def release(self) -> None:
        self.is_held = False
        self.play(0)

    async def drain(self) -> None:
        await checkpoint()
        while self.waiting:
            await checkpoint()

    def flush(self) -> float:
        self.waiting.clear()
        self.flushes.append(self.heard_ms)
        return self.heard_ms

    @property
    def heard_ms(self) -> float:
        return len(self.heard) * 1000 / 2 / RATE

    @property
    def played_ms(self) -> float:
        return self.heard_ms

    @property
    def words(self) -> str | None:
        return listen(np.frombuffer(bytes(self.heard), np.int16), RATE).text


class LateMouth(MemoryMouth):
    """One that takes what it is given when it has room, even from a writer who is cancelled."""

    async def write(self, sound: bytes) -> None:
        try:
            await super().write(b"")
        finally:
            self.waiting += sound
            self.play(0)


class MemoryKeys:
    def __init__(self) -> None:
        self.keys: list[str] = []

    def pressed(self) -> str:
        return self.keys.pop(0) if self.keys else ""


async def until(condition: Callable[[], object], what: str = "") -> None:
    with anyio.move_on_after(10):
        while not condition():
            await checkpoint()
        return
    raise AssertionError(what or "it did not come to that")


class Scene:
    """A talk that is going on, and everybody in it."""

    def __init__(
        self, client: Client, server: Server, mouth: MemoryMouth, *, headphones: bool
    ) -> None:
        self.client, self.server = client, server
        self.ear, self.mouth, self.keys = MemoryEar(), mouth, MemoryKeys()
        self.talk = Talk(client, self.ear, self.mouth, Screen(), headphones=headphones)
        self.ended = False

    async def hold(self) -> None:
        await self.talk.hold(self.keys)
        self.ended = True

    @property
    def session(self) -> SimulatedSession:
        return self.server.sessions[0]

    @property
    def turns(self) -> list[str | None]:
        return [heard.text for heard in self.session.hearing.heard]

    def sent(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.session.received)

    async def reported(self) -> None:
        """Until the talk has said how much was played."""
        ledger = self.client._open().protocol.playback
        await until(lambda: not ledger.is_playing(0.0) or ledger._line.playhead(0.0) > 0)

    async def says(self, text: str) -> None:
        """Speak when it is one's turn."""
        await until(lambda: self.talk.is_listening)
        self.ear.says(text)

    async def heard(self, words: str) -> None:
        await until(lambda: self.mouth.words == words, f"{self.mouth.words!r}, not {words!r}")


@contextlib.asynccontextmanager
async def scene(
    policy: SimulatorPolicy = SimulatorPolicy(pace="fast"),  # noqa: B008 - frozen
    brain: Brain = echo,
    *,
    headphones: bool = False,
    mouth: MemoryMouth | None = None,
    **options: Any,
) -> AsyncIterator[Scene]:
    options.setdefault("transcription", events.Transcription(model="whisper-1"))
    async with (
        serve(policy, brain) as server,
        Client(endpoint=server.url, turn_detection=events.ServerVad(), **options) as client,
    ):
        one = Scene(client, server, mouth or MemoryMouth(), headphones=headphones)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.hold)
                yield one
                one.keys.keys.append("q")
                await until(lambda: one.ended, "q ends it")
        finally:
            one.ear.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_client.cli.talk.TICK", 0.001)
    monkeypatch.setattr("realtime_client.cli.talk.ECHO_TAIL", 0.0)


class Shown:
    """The lines on standard output so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def lines(self) -> list[str]:
        self._text += self._capsys.readouterr().out
        return [line.rstrip() for line in self._text.splitlines()]

    async def line(self, line: str) -> None:
        await until(lambda: line in self.lines, f"{line!r} is not in {self.lines}")


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    return Shown(capsys)


async def test_what_is_said_is_answered_and_shown(shown: Shown) -> None:
    async with scene() as one:
        one.ear.says("hello")
        await one.heard("You said: hello")
        await one.says("and good bye")
        await one.heard("You said: hello You said: and good bye")
        await shown.line("model    You said: and good bye")
        await shown.line("you      and good bye")
    assert one.turns == ["hello", "and good bye"]
    assert [line for line in shown.lines if line.startswith("model")] == [
        "model    You said: hello",
        "model    You said: and good bye",
    ]
    assert one.mouth.flushes == []
    assert one.sent(events.ResponseCancel) == 0


async def test_a_loudspeaker_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene() as one:
        one.mouth.is_held = True
        one.ear.says("hello")
        await until(lambda: one.mouth.waiting)
        assert not one.talk.is_listening
        one.ear.says("its own echo")
        await until(lambda: one.ear.is_read)
        monkeypatch.setattr("realtime_client.cli.talk.ECHO_TAIL", 3600.0)
        one.mouth.release()
        await until(lambda: not one.talk._is_sounding)
        assert not one.talk.is_listening, "the room still sounds"
        one.ear.says("the last of its echo")
        await until(lambda: one.ear.is_read)
        monkeypatch.setattr("realtime_client.cli.talk.ECHO_TAIL", 0.0)
        await one.says("me again")
        await one.heard("You said: hello You said: me again")
    assert one.turns == ["hello", "me again"]
    assert one.mouth.flushes == []


@pytest.mark.parametrize("make", [MemoryMouth, LateMouth])
async def test_with_headphones_speaking_interrupts(
    shown: Shown, make: Callable[[], MemoryMouth]
) -> None:
    async with scene(headphones=True, mouth=make()) as one:
        one.mouth.is_held = True
        one.ear.says("hello over there, how are you?")
        await until(lambda: len(one.mouth.waiting) > 2 * RATE // 2)
        one.mouth.play(420)  # the start, and "You sa"
        assert one.talk.is_listening
        await one.reported()
        one.ear.says("stop")
        await until(lambda: one.mouth.flushes)
        assert one.mouth.flushes[0] == 420
        await until(lambda: not one.talk._is_sounding and len(one.mouth.flushes) == 2)
        one.mouth.release()
        await one.heard("You sa You said: stop")
        await shown.line("stopped")
        await until(lambda: not one.talk._is_sounding)
    assert one.turns == ["hello over there, how are you?", "stop"]
    cuts = [one for one in one.session.received if isinstance(one, TRUNCATE)]
    assert [cut.audio_end_ms for cut in cuts] == [420]
    assert one.mouth.heard_ms == 420 + duration_ms("You said: stop"), "and not a sound more"


async def test_a_server_that_heard_the_user_needs_no_cancel() -> None:
    async with scene(SimulatorPolicy(pace="realtime"), long_answer, headphones=True) as one:
        one.ear.says("go on")
        await until(lambda: one.talk._is_sounding)
        one.ear.says("stop")
        await until(lambda: one.mouth.flushes)
        await until(lambda: one.mouth.words is not None and one.mouth.words.endswith("Fine."))
    assert one.sent(events.ResponseCancel) == 0


def long_answer(question: Question) -> Answer:
    return [Say("no end to it " * 40)] if question.text == "go on" else [Say("Fine.")]


async def test_a_key_interrupts(shown: Shown) -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with scene(policy, long_answer) as one:
        one.mouth.is_held = True
        one.ear.says("go on")
        await until(lambda: len(one.mouth.waiting) > 2 * RATE // 4)
        one.mouth.play(240)
        one.keys.keys.append(" ")
        await until(lambda: one.mouth.flushes and not one.client.active)
        assert one.mouth.flushes[0] == 240
        await until(lambda: one.talk.is_listening)
        one.mouth.release()
        await one.says("enough")
        await one.heard("no  Fine.")
        await shown.line("stopped")
    assert one.sent(events.ResponseCancel) == 1
    assert one.client.stats["orphan"].total() == 0


async def test_a_key_in_silence_hurts_nobody(shown: Shown) -> None:
    async with scene() as one:
        one.keys.keys += [" ", " "]
        await until(lambda: not one.keys.keys)
        one.ear.says("hello")
        await one.heard("You said: hello")
    assert "stopped" not in shown.lines
    assert not [line for line in shown.lines if line.startswith("error")]


async def test_who_is_muted_is_not_heard() -> None:
    async with scene() as one:
        one.ear.says("he")
        await one.heard("You said: he")
        one.keys.keys.append("m")
        await until(lambda: one.talk.is_muted)
        one.ear.says("a secret")
        await until(lambda: one.ear.is_read)
        one.keys.keys.append("m")
        await one.says("not a secret")
        await one.heard("You said: he You said: not a secret")
    assert one.turns == ["he", "not a secret"]


async def test_muting_in_the_middle_of_a_word_ends_the_turn() -> None:
    async with scene() as one:
        one.ear.says("hello", silence_ms=0)
        await until(lambda: one.ear.is_read)
        one.keys.keys.append("m")
        await until(lambda: one.talk.is_muted)
        one.ear.says("a secret")
        await one.heard("You said: hello")


@pytest.mark.parametrize("wire", ["audio/pcm", "audio/pcmu", "audio/pcma"])
async def test_the_acknowledged_format_is_played(wire: str) -> None:
    rate = 24_000 if wire == "audio/pcm" else events.UNSET
    async with scene(output_format=events.AudioFormat(type=wire, rate=rate)) as one:
        one.ear.says("hello")
        await one.heard("You said: hello")


def test_deltas_that_are_cut_inside_a_sample() -> None:
    song = sing("cut anywhere", 24_000).tobytes()
    voice = Voice(None, RATE)
    cuts = [0, 1, 2, 5, 1_001, 4_444, 4_445, len(song)]
    pieces = [voice.push(song[a:b]) for a, b in pairwise(cuts)]
    played = np.frombuffer(b"".join([*pieces, voice.end()]), np.int16)
    assert len(played) == len(song)
    assert listen(played, RATE).text == "cut anywhere"


async def test_a_response_that_fails_is_told_and_the_talk_goes_on(shown: Shown) -> None:
    def brain(question: Question) -> Answer:
        if question.text == "fail":
            return [Say("Well"), Fail("inference_rate_limit_exceeded", "Slow down.")]
        return [Say("Yes.")]

    def breaks_off(event: events.ServerEvent) -> list[events.ServerEvent]:
        return [] if isinstance(event, events.ResponseOutputItemDone) else [event]

    async with scene(SimulatorPolicy(pace="fast", tamper=breaks_off), brain) as one:
        one.ear.says("fail")
        await until(lambda: [line for line in shown.lines if line.startswith("error")])
        await one.says("better?")
        await one.heard("Well Yes.")
        await shown.line("model    Well")
        await until(lambda: not one.talk._is_sounding)
    assert one.mouth.heard_ms == duration_ms("Well") + duration_ms("Yes."), "to the last sample"
    (error,) = [line for line in shown.lines if line.startswith("error")]
    assert "inference_rate_limit_exceeded" in error


async def test_without_transcripts_the_answers_are_shown(shown: Shown) -> None:
    async with scene(transcription=None) as one:
        one.ear.says("hello")
        await shown.line("model    You said: hello")
    async with scene(SimulatorPolicy(pace="fast", transcription_fails=True)) as one:
        one.ear.says("hello")
        await until(lambda: [line for line in shown.lines if line.startswith("error")])
    assert not [line for line in shown.lines if line.startswith("you")]


async def test_a_talk_outlives_a_connection(shown: Shown) -> None:
    """One that is lost while it speaks, and while its user does."""
    policy = SimulatorPolicy(pace="realtime")
    async with scene(policy, reconnect=Reconnect(first=0.0, longest=0.0)) as one:
        one.ear.says("hello")
        await until(lambda: one.talk._is_sounding)
        one.server.connections[0].drop()
        await shown.line("note     connected again")
        await until(lambda: not one.talk._is_sounding)
        await one.says("and good bye")
        await until(lambda: one.server.sessions[1].hearing.heard)
        assert one.server.sessions[1].hearing.heard[0].text == "and good bye"
        await until(lambda: one.talk._is_sounding)
    # By the one who plays, and by the one who watches; which is first, nobody says.
    assert sorted(line for line in shown.lines if line.startswith("error")) == [
        "error    the connection dropped",
        "error    the connection dropped; another connection is being made",
    ]


async def test_a_lost_connection_without_another_ends_the_talk() -> None:
    ear, mouth, keys = MemoryEar(), MemoryMouth(), MemoryKeys()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with serve() as server, Client(endpoint=server.url, reconnect=None) as client:
            talk = Talk(client, ear, mouth, Screen(), headphones=False)

            async def close() -> None:
                await server.aclose()

            async def both(tasks: TaskGroup) -> None:
                tasks.start_soon(close)
                with anyio.fail_after(10):
                    await talk.hold(keys)

            async with anyio.create_task_group() as tasks:
                await both(tasks)
    ear.close()
    known, rest = caught.value.split(ConnectionLost)
    assert known is not None
    assert rest is None


# -- all of it, on a real sound server ------------------------------------------------------

SAYS = """
import anyio, sys
from realtime_client.devices import Speaker
from realtime_client.simulator import sing

async def main():
    async with Speaker(device="pulse") as speaker:
        for text in sys.argv[1:]:
            await speaker.write(sing(text, 48_000))
            await speaker.drain()
            sys.stdin.readline()

anyio.run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_conversation_in_a_room_that_echoes(
    sound_server: dict[str, str],  # noqa: F811 - the fixture
) -> None:
    """The microphone hears all that the speaker plays. Nobody answers their own echo."""
    python, pipe = sys.executable, subprocess.PIPE
    ours, theirs = os.openpty()
    talk = subprocess.Popen(
        [python, "-m", "realtime_client", "talk"],
        env=sound_server, cwd=ROOT, stdin=theirs, stdout=pipe, stderr=pipe, text=True,
    )  # fmt: skip
    assert talk.stdout is not None
    try:
        lines = [talk.stdout.readline() for _ in range(2)]
        if not lines[0]:
            error = talk.communicate()[1]
            if "PortAudio library" in error:
                pytest.skip("no PortAudio (Debian: libportaudio2)")
            raise AssertionError(error)
        user = subprocess.Popen(
            [python, "-c", SAYS, "hello", "again"],
            env=sound_server, cwd=ROOT, stdin=pipe, text=True,
        )  # fmt: skip
        assert user.stdin is not None
        said = sorted(talk.stdout.readline().strip() for _ in range(2))
        assert said == ["model    You said: hello", "you      hello"]
        # The answer takes 1.1 s to play, and would be heard as a turn 0.5 s after it.
        time.sleep(2.0)
        user.stdin.write("\n")
        user.stdin.flush()
        said = sorted(talk.stdout.readline().strip() for _ in range(2))
        assert said == ["model    You said: again", "you      again"]
        os.write(ours, b"q")
        rest, _ = talk.communicate(timeout=10)
        assert (talk.returncode, rest) == (0, "")
        user.communicate("\n", timeout=10)
    finally:
        talk.kill()
        talk.communicate()
        os.close(ours)
        os.close(theirs)


# -- the terminal ---------------------------------------------------------------------------


def run(*arguments: str, **options: Any) -> Any:
    return CliRunner().invoke(main, ["talk", *arguments], **options)


def test_without_devices_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = run()
    assert result.exit_code == 2
    assert result.output.startswith("error: microphone and speaker need the package sounddevice")
    assert result.output.count("\n") == 1


def test_keys_and_help() -> None:
    result = run("--api-key-env", "HOME")
    assert (result.exit_code, "needs --endpoint" in result.output) == (2, True)
    result = run("--api-key-env", "NOT_SET", "--endpoint", "ws://localhost/v1/realtime", env={})
    assert (result.exit_code, "variable is not set" in result.output) == (2, True)
    shown = " ".join(run("--help").output.split())
    assert "no acoustic echo cancellation" in shown
    assert "--headphones" in shown


def test_the_last_line_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    screen = Screen()

    def drawn(level_db: float) -> str:
        screen.status(level_db, "listening")
        return capsys.readouterr().err

    assert drawn(-96) == f"\r\x1b[K[{' ' * 12}] listening "
    assert drawn(-97) == "", "it has not changed"
    assert drawn(-30).startswith(f"\r\x1b[K[{'#' * 6}{' ' * 6}] ")
    assert drawn(0).startswith(f"\r\x1b[K[{'#' * 12}] ")
    screen.grow("model", "a long sentence \x1b[2J which goes on and on")
    last = drawn(0).removeprefix("\r\x1b[K")
    assert last.endswith("on and on")
    assert len(last) == 49
    assert "\x1b" not in last
    screen.line("model", "done\x07")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("model    done \n", "\r\x1b[K")
    assert drawn(0) == f"\r\x1b[K[{'#' * 12}] listening "
    screen.clear()
    screen.clear()
    assert capsys.readouterr().err == "\r\x1b[K"


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.grow("you", "so far")
    screen.status(-20, "listening")
    screen.line("you", "so far, so good")
    assert capsys.readouterr() == ("you      so far, so good\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_keys_come_one_at_a_time_and_without_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    import termios

    ours, theirs = os.openpty()
    with open(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(theirs)
        with Keyboard() as keyboard:
            assert keyboard.pressed() == ""
            os.write(ours, b"M \xc3")
            assert [keyboard.pressed() for _ in range(4)] == ["m", " ", "\ufffd", ""]
        assert termios.tcgetattr(theirs) == before
        assert keyboard.pressed() == ""
    os.close(ours)


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with Keyboard() as keyboard:
        assert keyboard.pressed() == ""
