"""The telephony example, driven by a phone that plays at its own pace, over real sockets.

The phone plays when it is told to and no sooner, so what was heard is known to the sample, and
every instant of an interruption can be tried without waiting for it.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import logging
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.lowlevel
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from realtime_client import Endpoint, Reconnect, events
from realtime_client.audio import WireFormat
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
from realtime_client.streams import Bell
from tests.scenarios import FAST, answers, plain
from tests.simulated import Samples, silence

ROOT = Path(__file__).parents[1]
MULAW = WireFormat("audio/pcmu", 8_000)
CHUNK_MS = 20
QUIET = silence(600, 8_000)
"""The silence that ends a turn."""

LONG = "This is a long answer, and nobody is going to hear all of it."


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("telephony", ROOT / "examples" / "telephony.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


telephony = _load()


# -- the phone --------------------------------------------------------------------------------


class Phone:
    """Twilio's side of a call. Milliseconds of µ-law are eight bytes each."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self._bell = Bell()
        self._chunk = 0
        self._queue: deque[bytes | str] = deque()  # sound, and the names of marks
        self.cleared: list[int] = []
        """How much had been played at each clear, in bytes."""
        self.got = b""
        self.played = b""
        self.sizes: set[int] = set()
        self.returned: list[str] = []
        self.closed: int | None = None
        self.late_ms = 0
        """How much is played between the moment when a clear was sent and its arrival."""

    async def send(self, event: str, **fields: Any) -> None:
        await self.raw(json.dumps({"event": event, "streamSid": "MZ1", **fields}))

    async def raw(self, data: str | bytes) -> None:
        await self._line.send(data)

    async def start(self) -> None:
        await self.raw('{"event":"connected","protocol":"Call","version":"1.0.0"}')
        media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"], "mediaFormat": media}
        await self.send("start", sequenceNumber="1", start=start)

    async def close(self) -> None:
        await (self._line.aclose if _on_trio() else self._line.close)()

    async def drop(self) -> None:
        """The network is gone: no close frame."""
        if _on_trio():
            await self._line.stream.aclose()
        else:
            self._line.transport.abort()

    async def send_sound(self, sound: bytes) -> None:
        for begin in range(0, len(sound), 160):
            self._chunk += 1
            payload = base64.b64encode(sound[begin : begin + 160]).decode()
            media = {"track": "inbound", "chunk": str(self._chunk), "timestamp": "5"}
            await self.send("media", media={**media, "payload": payload})

    async def say(self, words: str) -> None:
        """Speak, and fall silent for as long as ends the turn."""
        await self.send_sound(MULAW.encode(turn(words)))

    async def run(self) -> None:
        """Take what comes, until the line is dead."""
        try:
            while True:
                await self._take(json.loads(await self._line.recv()))
                self._bell.ring()
        except ConnectionClosed as error:
            self.closed = error.rcvd.code if error.rcvd else None
            self.closed = self.closed or 1006
            self._bell.ring()

    async def _take(self, message: Any) -> None:
        assert message["streamSid"] == "MZ1"
        match message:
            case {"event": "media", "media": {"payload": payload}}:
                sound = base64.b64decode(payload, validate=True)
                self.sizes.add(len(sound))
                self.got += sound
                self._queue.append(sound)
            case {"event": "mark", "mark": {"name": name}}:
                self._queue.append(name)
            case {"event": "clear"}:
                await self.play(self.late_ms)
                self.cleared.append(len(self.played))
                queue, self._queue = self._queue, deque()
                for name in queue:  # "any pending marks are sent back"
                    if isinstance(name, str):
                        await self.send("mark", mark={"name": name})
            case _:
                raise AssertionError(message)

    async def play(self, ms: float) -> None:
        """Let so much be heard, also a part of a chunk, and return the marks that are reached."""
        left = round(ms * 8)
        while self._queue and (left or isinstance(self._queue[0], str)):
            head = self._queue.popleft()
            if isinstance(head, str):
                self.returned.append(head)
                await self.send("mark", mark={"name": head})
                continue
            if len(head) > left:
                self._queue.appendleft(head[left:])
            self.played += head[:left]
            left -= min(left, len(head))
        assert not left, "there was not so much to play"

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.fail_after(10):
            while not condition():
                await self._bell.wait()

    async def hear(self, words: str, since: int = 0) -> None:
        """Wait until this is all that has come since then."""
        await self.until(lambda: heard(self.got[since:]) == words)

    @property
    def waiting(self) -> int:
        """Bytes that wait to be played."""
        return sum(len(one) for one in self._queue if isinstance(one, bytes))


def turn(words: str) -> Samples:
    return np.concatenate([QUIET, sing(words, 8_000), QUIET])


def heard(sound: bytes) -> str | None:
    """What is sung whole in there."""
    utterances = listen(MULAW.decode(sound), 8_000).utterances
    return " ".join(one.text for one in utterances if one.complete) or None


# -- the bridge, and the rest of the line -----------------------------------------------------


class Bridge:
    """The example's handler behind a real server, on the loop of the test."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._handler = partial(self._answer, endpoint=endpoint)
        self._ended = Bell()
        self.calls = 0
        self.over = 0

    async def _answer(self, line: Any, endpoint: Endpoint) -> None:
        self.calls += 1
        try:
            await telephony.answer(line, endpoint)
        finally:
            self.over += 1
            self._ended.ring()

    async def all_over(self) -> None:
        """Wait until no call is being held."""
        with anyio.fail_after(10):
            while self.over < self.calls or not self.calls:
                await self._ended.wait()

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        if _on_trio():
            from websockets.trio.server import serve as listen_trio

            self._server: Any = await self._tasks.start(
                partial(_started, listen_trio, self._handler)
            )
            self.port = self._server.listeners[0].socket.getsockname()[1]
            return self
        from websockets.asyncio.server import serve as listen_asyncio

        self._server = await listen_asyncio(self._handler, "127.0.0.1", 0, compression=None)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            if _on_trio():
                await self._server.aclose()
            else:
                self._server.close()
                await self._server.wait_closed()
        await self._tasks.__aexit__(None, None, None)


async def _started(listen_trio: Any, handler: Any, *, task_status: Any) -> None:
    with anyio.CancelScope(shield=True):
        await listen_trio(handler, 0, host="127.0.0.1", compression=None, task_status=task_status)


def _on_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


@contextlib.asynccontextmanager
async def dialled(port: int) -> AsyncIterator[Phone]:
    """A phone whose call has been taken."""
    if _on_trio():
        from websockets.trio.client import connect as connect_trio

        dial: Any = connect_trio(f"ws://127.0.0.1:{port}", compression=None)
    else:
        from websockets.asyncio.client import connect as connect_asyncio

        dial = connect_asyncio(f"ws://127.0.0.1:{port}", compression=None)
    async with dial as line, anyio.create_task_group() as tasks:
        phone = Phone(line)
        tasks.start_soon(phone.run)
        yield phone
        await phone.close()  # while it is being read: what is still coming has to go somewhere
        tasks.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def a_call(
    policy: SimulatorPolicy = FAST, brain: Brain = echo
) -> AsyncIterator[tuple[Phone, SimulatedSession, Bridge]]:
    """A call that has begun: the phone, the model's end, and the bridge between them."""
    async with (
        serve(policy, brain) as server,
        Bridge(Endpoint(server.url)) as bridge,
        dialled(bridge.port) as phone,
    ):
        await phone.start()
        await in_session(server, phone)
        yield phone, server.sessions[0], bridge


async def in_session(server: Server, phone: Phone) -> None:
    """Wait until the bridge has got its session."""
    await eventually(lambda: phone.closed or (server.sessions and server.sessions[0].received))
    assert phone.closed is None


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for something that rings no bell."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


def near(at_ms: int, played_ms: float) -> bool:
    """Whether a truncation is no later than what was played, and less than a chunk earlier."""
    return at_ms <= played_ms < at_ms + CHUNK_MS


def truncations(session: SimulatedSession) -> list[tuple[str, int]]:
    """Item and milliseconds of each truncate that the model's end has got."""
    got = [one for one in session.received if isinstance(one, events.ConversationItemTruncate)]
    return [(one.item_id, one.audio_end_ms) for one in got]


def answers_of(session: SimulatedSession) -> list[str]:
    """The ids of what the model has said, in order."""
    items = [item for item in session.conversation.items if isinstance(item, events.MessageItem)]
    return [str(item.id) for item in items if item.role == "assistant"]


def remembered_ms(session: SimulatedSession, item_id: str) -> int:
    entry = session.conversation.find(item_id)
    assert entry is not None
    return entry.clips[0].duration_ms


def appended(session: SimulatedSession) -> bytes:
    got = [one for one in session.received if isinstance(one, events.InputAudioBufferAppend)]
    assert all(isinstance(one.audio, bytes) for one in got)
    return b"".join(one.audio for one in got if isinstance(one.audio, bytes))


# -- a conversation ---------------------------------------------------------------------------


async def test_what_the_caller_says_is_heard_and_the_answer_comes_back() -> None:
    async with a_call() as (phone, session, _):
        for words in ("Is anybody there?", "Grüße!"):
            since = len(phone.got)
            await phone.say(words)
            await phone.hear(f"You said: {words}", since)
            await phone.play(phone.waiting / 8)
        assert [one.text for one in session.hearing.heard] == ["Is anybody there?", "Grüße!"]
        assert heard(phone.played) == "You said: Is anybody there? You said: Grüße!"
        assert truncations(session) == [], "all of it was heard"


async def test_no_byte_is_decoded_or_coded_again_in_either_direction() -> None:
    async with a_call() as (phone, session, _):
        every_code = bytes(range(256)) + bytes(64)  # both zeros of the law too
        said = MULAW.encode(turn("Hello."))
        sound = said[: len(QUIET)] + every_code + said[len(QUIET) :]
        await phone.send_sound(sound)
        await phone.hear("You said: Hello.")
        await eventually(lambda: len(appended(session)) == len(sound))
        assert appended(session) == sound
        clip = session.conversation.entries[-1].clips[0]
        assert phone.got == MULAW.encode(clip.samples)
        audio = plain(session.settings.session)["audio"]
        assert audio["input"]["format"] == audio["output"]["format"] == {"type": "audio/pcmu"}


async def test_the_sound_goes_on_at_the_phones_own_pace() -> None:
    async with a_call() as (phone, session, _):
        await phone.send_sound(MULAW.encode(QUIET))
        await eventually(lambda: len(appended(session)) == len(QUIET))
        sizes = {
            len(one.audio)
            for one in session.received
            if isinstance(one, events.InputAudioBufferAppend) and one.audio
        }
        assert sizes == {160}
        await phone.say("Hello.")
        await phone.hear("You said: Hello.")
        assert max(phone.sizes) == 160, "a mark every 20 ms at most"


# -- the caller interrupts --------------------------------------------------------------------


def long_once(question: Question) -> Answer:
    """A long answer to the first question, and an echo of all others."""
    return [Say(LONG)] if question.text == "Tell me." else echo(question)


async def asked(phone: Phone) -> None:
    await phone.say("Tell me.")
    await phone.hear(LONG)


@pytest.mark.parametrize("instant_ms", [0, 1, 20, 39, 410, 1_234.5, 3_700])
async def test_an_interruption_cuts_at_what_was_played(instant_ms: float) -> None:
    async with a_call(brain=long_once) as (phone, session, _):
        await asked(phone)
        await phone.play(instant_ms)
        await phone.say("Stop!")
        await phone.until(lambda: phone.cleared)
        since = len(phone.got) - phone.waiting
        await phone.hear("You said: Stop!", since)
        await phone.play(phone.waiting / 8)

        long, _ = answers_of(session)
        ((cut, at_ms),) = truncations(session)
        assert cut == long
        assert near(at_ms, instant_ms)
        assert remembered_ms(session, long) == at_ms
        assert phone.cleared == [instant_ms * 8]
        assert heard(phone.played) == "You said: Stop!", "and nothing of what was cut"
        assert session.hearing.heard[-1].text == "Stop!"


async def test_an_answer_that_is_still_being_generated_is_cut_and_ends() -> None:
    policy = SimulatorPolicy(pace="wire")
    async with a_call(policy, lambda q: [Say(LONG * 9 if q.text == "Tell me." else "Yes?")]) as (
        phone,
        session,
        _,
    ):
        await phone.say("Tell me.")
        await phone.until(lambda: phone.waiting >= 900 * 8)
        await phone.play(890)
        await phone.say("Stop!")
        await phone.until(lambda: phone.cleared)
        since = len(phone.got) - phone.waiting
        await phone.hear("Yes?", since)
        await phone.play(phone.waiting / 8)
        long, _ = answers_of(session)
        ((cut, at_ms),) = truncations(session)
        assert cut == long
        assert near(at_ms, 890)
        assert remembered_ms(session, long) == at_ms
        assert heard(phone.played) == "Yes?"


async def test_marks_that_cross_with_the_clear_count_for_nothing() -> None:
    def brain(question: Question) -> Answer:
        return [Say(f"{LONG} {question.text}")]

    async with a_call(brain=brain) as (phone, session, _):
        phone.late_ms = 300  # the clear is so long on its way, and the phone plays on
        await phone.say("0")
        await phone.hear(f"{LONG} 0")
        instants = [640.0, 80.0, 2_000.0, 25.0]
        for number, instant_ms in enumerate(instants, 1):
            before = len(phone.played)
            await phone.play(instant_ms)
            await phone.say(f"{number}")
            await phone.until(lambda number=number: len(phone.cleared) == number)  # type: ignore[misc]
            assert phone.cleared[-1] == before + (instant_ms + 300) * 8
            await phone.hear(f"{LONG} {number}", len(phone.got) - phone.waiting)
        found = [ms for _, ms in truncations(session)]
        assert [near(*pair) for pair in zip(found, instants, strict=True)] == [True] * 4, found


async def test_two_interruptions_in_one_breath_leave_the_last_answer_whole() -> None:
    async with a_call(brain=long_once) as (phone, session, _):
        await asked(phone)
        await phone.play(100)
        words = [f"No, {n}." for n in range(8)]
        sound = b"".join(MULAW.encode(turn(one)) for one in words)
        await phone.send_sound(sound)
        await eventually(lambda: len(session.hearing.heard) == 1 + len(words))
        last = f"You said: {words[-1]}"
        await phone.until(lambda: (heard(phone.got) or "").endswith(last))
        await phone.play(phone.waiting / 8)
        assert (heard(phone.played) or "").endswith(last)
        *cut, whole = answers_of(session)
        done = dict(truncations(session))
        assert done[cut[0]] == 100
        assert whole not in done


# -- the end of a call ------------------------------------------------------------------------


async def over(server: Server, bridge: Bridge) -> None:
    """Wait until nothing of the call is left at either end."""
    await bridge.all_over()
    await server.aclose()  # waits until each connection has ended
    assert [session.close_wanted for session in server.sessions] == [None] * len(server.sessions)


@pytest.mark.parametrize("how", ["stop", "close", "drop"])
@pytest.mark.parametrize("when", ["silent", "speaking"])
async def test_hanging_up_ends_the_session_and_nothing_is_left(
    how: str, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    policy = SimulatorPolicy(pace="realtime" if when == "speaking" else "fast")
    async with (
        serve(policy) as server,
        Bridge(Endpoint(server.url)) as bridge,
        dialled(bridge.port) as phone,
    ):
        await phone.start()
        await in_session(server, phone)
        if when == "speaking":
            await phone.say("Tell me.")
            await phone.until(lambda: phone.got)
        if how == "stop":
            await phone.send("stop", stop={"callSid": "CA1"})
        elif how == "close":
            await phone.close()
        else:
            await phone.drop()
        await over(server, bridge)
        assert complaints(caplog) == []


def complaints(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What was worth a warning.

    Where a line breaks in the middle of a write, the library's server for trio may log that it
    could not put a frame into a stream that it had closed itself.
    """

    def is_ours(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return record.name != "websockets.server" or not isinstance(error, EOFError)

    return [one for one in caplog.records if one.levelno >= logging.WARNING and is_ours(one)]


async def test_the_bridge_hangs_up_after_a_stop() -> None:
    async with a_call() as (phone, _, bridge):
        await phone.send("stop", stop={})
        await bridge.all_over()
        await phone.until(lambda: phone.closed)
        assert phone.closed == 1000


@pytest.mark.parametrize("goodbye", ["stop", "close"])
async def test_a_call_that_never_begins_opens_no_session(goodbye: str) -> None:
    async with serve(FAST) as server, Bridge(Endpoint(server.url)) as bridge:
        async with dialled(bridge.port) as phone:
            await phone.raw('{"event":"connected","protocol":"Call","version":"1.0.0"}')
            await (phone.send("stop") if goodbye == "stop" else phone.close())
            await bridge.all_over()
        assert list(server.sessions) == []


async def test_when_the_model_is_gone_for_good_the_phone_is_hung_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telephony, "RECONNECT", Reconnect(tries=1, first=0.0))
    async with (
        serve(FAST) as server,
        Bridge(Endpoint(server.url)) as bridge,
        dialled(bridge.port) as phone,
    ):
        await phone.start()
        await in_session(server, phone)
        await phone.say("Hi.")
        await phone.hear("You said: Hi.")
        await server.aclose()
        await phone.until(lambda: phone.closed)
        await bridge.all_over()
        assert phone.closed == 1000
        assert "the model is gone" in caplog.text


async def test_a_call_outlives_its_connection_to_the_model(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telephony, "RECONNECT", Reconnect(first=0.0, longest=0.0))
    brain = answers({}, otherwise=LONG)
    async with (
        serve(SimulatorPolicy(pace="realtime"), brain) as server,
        Bridge(Endpoint(server.url)) as bridge,
        dialled(bridge.port) as phone,
    ):
        await phone.start()
        await in_session(server, phone)
        await phone.say("Tell me.")
        await phone.until(lambda: phone.got)
        assert server.connections[0].ended is None
        server.connections[0].drop()
        await phone.send("dtmf", dtmf={"digit": "5"})  # while there is no connection
        await eventually(lambda: len(server.sessions) == 2 and pressed(server.sessions[1]))
        assert "an answer broke off" in caplog.text
        before = len(phone.got)
        await phone.say("Still there?")
        await eventually(lambda: server.sessions[1].hearing.heard)
        assert [one.text for one in server.sessions[1].hearing.heard] == ["Still there?"]
        await phone.until(lambda: len(phone.got) > before)
        assert phone.closed is None
    assert "the model is gone" not in caplog.text


def pressed(session: SimulatedSession) -> list[str]:
    """What a session was told in writing of the keys that the caller pressed."""
    texts = [str(plain(item)) for item in session.conversation.items]
    return [text for text in texts if "pressed the key 5" in text]


async def test_a_model_that_does_not_answer_is_a_hang_up(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        serve(SimulatorPolicy(api_keys=frozenset({"sk-right"}))) as server,
        Bridge(Endpoint(server.url)) as bridge,
        dialled(bridge.port) as phone,
    ):
        await phone.start()
        await phone.until(lambda: phone.closed)
        assert phone.closed == 1000
        assert "the model does not answer" in caplog.text


async def test_two_calls_at_once_do_not_hear_each_other() -> None:
    async with (
        serve(FAST) as server,
        Bridge(Endpoint(server.url)) as bridge,
        dialled(bridge.port) as one,
        dialled(bridge.port) as two,
    ):
        for phone, words in ((one, "I am one."), (two, "I am two.")):
            await phone.start()
            await phone.say(words)
        await one.hear("You said: I am one.")
        await two.hear("You said: I am two.")


# -- what should not come, and does -----------------------------------------------------------

GARBAGE: list[str | bytes] = [
    "",
    "no JSON",
    "null",
    "[]",
    "5",
    "{}",
    "[" * 50_000,
    b"\xff\xfe",
    b"{}",
    '{"event":5}',
    '{"event":null}',
    '{"event":["media"]}',
    '{"event":"something new","streamSid":"MZ1"}',
    '{"event":"start"}',
    '{"event":"start","streamSid":5}',
    '{"event":"media"}',
    '{"event":"media","media":null}',
    '{"event":"media","media":{}}',
    '{"event":"media","media":{"payload":5}}',
    '{"event":"media","media":{"payload":"!!!!"}}',
    '{"event":"media","media":{"payload":"A"}}',
    '{"event":"media","media":{"payload":""}}',
    '{"event":"media","media":{"payload":"\\ud800"}}',
    '{"event":"mark","mark":{"name":"nobody knows this one"}}',
    '{"event":"mark","mark":{"name":""}}',
    '{"event":"mark","mark":{}}',
    '{"event":"mark"}',
    '{"event":"dtmf","dtmf":{"digit":""}}',
    '{"event":"dtmf","dtmf":{"digit":"\\ud800"}}',
    '{"event":"dtmf","dtmf":{"digit":"12"}}',
    '{"event":"dtmf"}',
    '{"event":"connected"}',
]


async def test_garbage_does_not_end_the_call() -> None:
    async with serve(FAST) as server, Bridge(Endpoint(server.url)) as bridge:
        async with dialled(bridge.port) as phone:
            for one in GARBAGE:
                await phone.raw(one)
            await phone.start()
            await in_session(server, phone)
            session = server.sessions[0]
            before = len(session.received)
            sound = MULAW.encode(turn("Are you still there?"))
            for number, begin in enumerate(range(0, len(sound), 160)):
                await phone.raw(GARBAGE[number % len(GARBAGE)])
                await phone.send_sound(sound[begin : begin + 160])
            await phone.hear("You said: Are you still there?")
            kinds = {type(one) for one in list(session.received)[before:]}
            assert kinds == {events.InputAudioBufferAppend}, "nothing of it reaches the model"
            assert appended(session) == sound
        assert bridge.calls == 1


async def test_a_mark_that_comes_twice_counts_once() -> None:
    async with a_call(brain=long_once) as (phone, session, _):
        await asked(phone)
        await phone.play(500)
        (last, *_) = reversed(phone.returned)
        for name in (phone.returned[0], last, last):
            await phone.send("mark", mark={"name": name})
        await phone.say("Stop!")
        await phone.until(lambda: (heard(phone.got) or "").endswith("You said: Stop!"))
        ((_, at_ms),) = truncations(session)
        assert near(at_ms, 500)


async def test_a_second_start_changes_nothing() -> None:
    async with a_call() as (phone, _, _bridge):
        await phone.raw('{"event":"start","streamSid":"MZ2","start":{}}')
        await phone.say("Hello.")
        await phone.hear("You said: Hello.")


async def test_a_key_that_the_caller_presses_is_told_to_the_model() -> None:
    async with a_call() as (phone, session, _):
        await phone.send("dtmf", dtmf={"track": "inbound_track", "digit": "#"})
        await eventually(lambda: session.conversation.items)
        (item,) = session.conversation.items
        assert isinstance(item, events.MessageItem)
        assert item.role == "user"
        assert [part.text for part in item.content or ()] == ["(The caller pressed the key #.)"]


async def test_an_answer_that_fails_does_not_end_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def brain(question: Question) -> Answer:
        return [Fail("oops", "It broke.")] if question.text == "Fail." else echo(question)

    async with a_call(brain=brain) as (phone, _, _bridge):
        await phone.say("Fail.")
        await phone.say("And now?")
        await phone.hear("You said: And now?")
        assert "It broke." in caplog.text


# -- the program, and its page ----------------------------------------------------------------


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("arguments", [[], ["--simulator"]])
async def test_the_program_takes_calls(
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["telephony.py", *arguments])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(telephony, "PORT", port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(telephony.main)
        await eventually(lambda: f"port {port}" in capsys.readouterr().out)
        async with dialled(port) as phone:
            await phone.start()
            await phone.say("Hi.")
            await phone.hear("You said: Hi.")
        tasks.cancel_scope.cancel()


async def test_with_a_key_it_calls_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Endpoint] = []

    async def take_calls(endpoint: Endpoint) -> None:
        called.append(endpoint)

    monkeypatch.setattr(sys, "argv", ["telephony.py", "--openai"])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setattr(telephony, "take_calls", take_calls)
    await telephony.main()
    assert [one.url for one in called] == ["wss://api.openai.com/v1/realtime"]


def test_the_program_is_small() -> None:
    lines = (ROOT / "examples" / "telephony.py").read_text().splitlines()
    assert len(lines) < 200
