"""Sessions of real servers, and samples of their kind, through the client and through the core.

The client does what the recorded client did: it configures, types, speaks, asks, and answers
calls. Whatever the dialect of the server, what it gets is the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import anyio
import pytest
from pybase64 import b64decode

from realtime_client import Call, Client, Dialect, Response, events, tool
from realtime_client.dialects import GA, VOICE_LIVE, XAI_GROK
from realtime_client.protocol import Protocol
from realtime_client.turns import TurnEnded
from tests import wire
from tests.recorded import Recording, Replay, replayed

LONDON = "It is foggy and 12 degrees in London."


class Case(NamedTuple):
    """A session, and what came of it."""

    name: str
    dialect: Dialect
    said: list[list[str]]
    """The texts of each response, in order; a call by its arguments."""
    tokens: int
    heard: tuple[str, ...] = ()
    """What the user said."""
    partly: tuple[str, ...] = ()
    """As it was written down."""
    unknown: frozenset[str] = frozenset()
    """Events that we have no name for."""
    ignored: tuple[str, ...] = ()
    """What the server did not take of the configuration."""

    def __str__(self) -> str:
        return self.name


CALL = ["get_weather(London)"]
CASES = [
    Case("openai-text-in-audio-out", GA, [["Hi there!"]], 40),
    Case(
        "openai-history-seeding",
        GA,
        [["Your name is Alice, and your favorite color is teal!"]],
        163,
        ignored=("instructions",),
    ),
    Case(
        "openai-server-vad-audio-turn",
        GA,
        [["Hello, Marcelo! Great to meet you. How can I help you today?"]],
        205,
        heard=("Hello, my name is Marcelo.",),
        partly=(" Hello", ",", " my", " name", " is", " Marcelo", "."),
    ),
    Case("openai-tool-call-round", GA, [CALL, [LONDON]], 85 + 116),
    Case("azure-tool-call-round", GA, [CALL, [LONDON]], 85 + 109),
    Case("azure-voice-live-text-in-audio-out", VOICE_LIVE, [["Hola, ¿qué tal?"]], 61),
    Case(
        "azure-voice-live-tool-call-round",
        VOICE_LIVE,
        [CALL, ["It's foggy and 12 degrees in London right now."]],
        85 + 110,
    ),
    Case("xai-text-in-audio-out", XAI_GROK, [["Hello there!"]], 47, unknown=frozenset({"ping"})),
    Case(
        "xai-tool-call-round",
        XAI_GROK,
        [
            ["I'll check the weather for London right away.", *CALL],
            ["It is foggy and 12 degrees in London. The weather is foggy and 12 degrees."],
        ],
        120 + 269,
        unknown=frozenset({"ping"}),
    ),
    Case(
        "voice_live",
        VOICE_LIVE,
        [["Good morning, Ada."], ["Good morning."]],
        50 + 45,
        heard=("Good morning, I am Ada.",),
        partly=("Good morning, I am Ada.",),
        unknown=frozenset({"warning"}),
    ),
    Case(
        "xai",
        XAI_GROK,
        [["get_weather(Oslo)"], ["Mild, in Oslo."]],
        23 + 27,
        heard=("How is the weather in Oslo?",),
        partly=("How is", " the weather", " in", " Oslo?"),
        unknown=frozenset({"ping"}),
    ),
]
each = pytest.mark.parametrize("case", CASES, ids=str)


@tool
async def get_weather(city: str) -> str:
    """Look up the weather for a city."""
    return {"London": LONDON, "Oslo": "It is mild in Oslo."}[city]


# -- through the client ------------------------------------------------------------------------


class Listener:
    """Whoever listens to a client, and what he got."""

    def __init__(self, client: Client, responses: int, turns: int) -> None:
        self.responses: list[Response] = []
        self.audio: dict[str, bytes] = {}
        self.frames = client.events()
        self.sent = client.sent()
        self.turns: list[tuple[str | None, list[str]]] = []
        self._client = client
        self._wanted = responses, turns
        self._streams = client.responses(), client.user_turns()

    async def listen(self) -> None:
        responses, turns = self._streams
        while len(self.responses) < self._wanted[0]:
            response = await anext(responses)
            self.responses.append(response)
            async for output in response:
                self.audio[output.id] = b"".join([chunk async for chunk in output.audio])
            await response.done()
        while len(self.turns) < self._wanted[1]:
            turn = await anext(turns)
            self.turns.append(((await turn.done()).text, [words async for words in turn]))


async def do_again(client: Client, recording: Recording) -> None:
    """What the recorded client did; the answers to calls are the toolbox's to give."""
    answering = False
    for frame in recording.frames("sent"):
        match frame:
            case {"type": "input_audio_buffer.append"}:
                await client.send(frame)
            case {"type": "conversation.item.create", "item": {"type": "message"} as item}:
                await client.conversation.item.create(item)
            case {"type": "conversation.item.create"}:
                answering = True
            case {"type": "response.create", "response": {"modalities": modalities}}:
                await client.response.create(output_modalities=modalities)
            case {"type": "response.create"} if not answering:
                await client.response.create()


def said(response: Response) -> list[str]:
    """The texts of a response, and what it called."""
    return [
        f"{output.name}({args(output)})" if isinstance(output, Call)
        else output.transcript.so_far or output.text.so_far
        for output in response.outputs
    ]  # fmt: skip


def args(call: Call) -> str:
    return ", ".join(wire.read((call.arguments.so_far or "{}").encode()).values())


@each
async def test_a_session_through_the_client(case: Case) -> None:
    recording = Recording.named(case.name)
    session = recording.session(case.dialect)
    has_tools = any("function_call" in line for line in map(str, recording.entries))
    tools: Any = {"tools": [get_weather]} if has_tools else {}
    async with replayed(recording, case.dialect, session=session, **tools) as (c, server):
        listener = Listener(c, len(case.said), len(case.heard))
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listener.listen)
                await do_again(c, recording)
        assert server.is_over
        check_responses(case, recording, listener)
        check_turns(case, c, listener)
        check_session(case, c, server)
        check_frames(case, recording, listener, server)


def check_responses(case: Case, recording: Recording, listener: Listener) -> None:
    assert [said(response) for response in listener.responses] == case.said
    for response in listener.responses:
        assert response.status == "completed"
        assert all(output.ended for output in response.outputs)
    by_us = len(recording.frames("sent", "response.create"))
    initiators = [response.initiator for response in listener.responses]
    assert initiators.count("client") == by_us
    assert set(initiators) <= {"client", "server"}
    audio = {name: b"".join(map(b64decode, deltas)) for name, deltas in recording.audio().items()}
    assert {name: heard for name, heard in listener.audio.items() if heard} == audio


def check_turns(case: Case, client: Client, listener: Listener) -> None:
    assert tuple(text for text, _ in listener.turns) == case.heard
    assert tuple(words for _, written in listener.turns for words in written) == case.partly


def check_session(case: Case, client: Client, server: Replay) -> None:
    shown = client.session.acknowledged
    assert isinstance(shown, events.SessionConfig)
    assert isinstance(shown.audio, events.AudioConfig)
    assert shown.audio.output
    assert shown.audio.output.format == events.AudioFormat(type="audio/pcm", rate=24000)
    assert shown.audio.input
    assert shown.audio.input.transcription
    assert client.session.in_flight == ()
    assert client.usage.total_tokens == case.tokens
    assert client.usage.responses == len(case.said)
    for item in client.conversation.items:
        assert getattr(item, "status", None) != "in_progress", item
    (update,) = server.asked("session.update")
    flat = "audio" not in update["session"] and "type" not in update["session"]
    assert flat is (case.dialect is VOICE_LIVE)


def check_frames(case: Case, recording: Recording, listener: Listener, server: Replay) -> None:
    """Frames are shown as they were on the wire, and there is none that could not be read."""
    came = list(listener.frames._items)
    assert not [frame for frame in came if isinstance(frame.event, events.InvalidEvent)]
    unknown = {frame.type for frame in came if isinstance(frame.event, events.UnknownEvent)}
    assert unknown <= case.unknown
    types = [frame["type"] for frame in recording.frames("received")]
    assert [wire.read(frame.raw)["type"] for frame in came] == types[-len(came) :]
    assert "response.done" in types[-len(came) :]
    sent = [wire.read(frame.raw) for frame in listener.sent._items]
    assert sent
    assert sent == server.sent[-len(sent) :]


# -- through the core ---------------------------------------------------------------------------


@each
def test_a_session_through_the_core(case: Case) -> None:
    """Nobody asked for any of it: everything that is said surfaces all the same."""
    recording = Recording.named(case.name)
    core = Protocol(nonce="n", now=0.0, dialect=case.dialect)
    frames = recording.frames("received")
    raw = [wire.frame(frame.pop("type"), **frame) for frame in map(dict, frames)]
    happened = [core.receive(data, float(now)) for now, data in enumerate(raw)]
    assert [one.raw for one in happened] == raw
    assert not [one for one in happened if isinstance(one.event, events.InvalidEvent)]
    unknown = {one.event.type for one in happened if isinstance(one.event, events.UnknownEvent)}
    assert unknown == case.unknown
    assert core.is_open
    assert core.strays == []
    assert core.usage.totals.total_tokens == case.tokens
    assert core.router.is_idle
    assert not core.router.stats["orphan"]
    begun = [one.response for one in happened if isinstance(one.event, events.ResponseCreated)]
    assert [record.initiator for record in begun if record] == ["server"] * len(case.said)
    ended = [note.said for note in core.turns.notes if isinstance(note, TurnEnded)]
    assert {one.text for one in ended[-1:]} == set(case.heard)
    assert core.turns.open == ()
    for item in core.conversation.items:
        assert getattr(item, "status", None) != "in_progress", item


@each
async def test_the_configuration_is_acknowledged(case: Case) -> None:
    recording = Recording.named(case.name)
    session = recording.session(case.dialect)
    async with replayed(recording, case.dialect) as (c, _):
        answer = await c.session.update(session)
        assert answer.confirmed
        assert tuple(path for path, _, _ in answer.ignored) == case.ignored
        assert "instructions" in answer.changed or case.ignored == ("instructions",)
        assert answer.effective == c.session.acknowledged
