"""Every row of the table of what the reference plugin can do, by the name that it has here.

Each test uses what is public and nothing else, as somebody would who comes from there: a client
over a real socket, and the simulator at its other end. What was said is heard, not counted.
"""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import numpy as np
import pytest

from realtime_client import (
    HUGGING_FACE,
    Acknowledgement,
    Azure,
    Call,
    Client,
    Direction,
    Disconnected,
    Endpoint,
    Frame,
    Message,
    OpenAI,
    Reconnect,
    Reconnected,
    Rollover,
    SessionGroup,
    UserTurn,
    events,
)
from realtime_client.errors import (
    AcknowledgementTimeout,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    InvalidServerEvent,
    KeyRefused,
    RealtimeError,
    ServerError,
    SessionSilent,
    SessionUpdateRejected,
)
from realtime_client.simulator import (
    Answer,
    Brain,
    CallFunction,
    Ignore,
    Question,
    Refuse,
    Say,
    Server,
    SimulatorPolicy,
    serve,
    sing,
)
from tests.responding import Gate, heard

pytestmark = pytest.mark.anyio

FAST = SimulatorPolicy(pace="fast")
TABLE: Final = Path(__file__).parents[1].parent / "shared" / "REFERENCE.md"
WEATHER = events.FunctionTool(
    name="weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}}
)
VAD = {"type": "server_vad", "create_response": False}
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32


@contextlib.asynccontextmanager
async def session(
    policy: SimulatorPolicy = FAST,
    *parts: str | CallFunction,
    brain: Brain | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Client, Server]]:
    """A client, and the server at the other end, which answers `parts` or by its `brain`."""
    async with (
        serve(policy, *([brain or says(*parts)] if brain or parts else [])) as server,
        Client(endpoint=server.url, **options) as c,
    ):
        yield c, server


def says(*parts: str | CallFunction) -> Brain:
    def brain(question: Question) -> Answer:
        return [Say(part) if isinstance(part, str) else part for part in parts]

    return brain


def turn(words: str) -> Any:
    """What a user says, and the silence after it, which ends the turn."""
    return np.concatenate([sing(words), np.zeros(24_000, np.int16)])


def asked(server: Server, kind: type[Any]) -> list[Any]:
    """The events of a kind that the server got on its newest session."""
    return [one for one in server.sessions[-1].received if isinstance(one, kind)]


def words_of(c: Client) -> list[str | None]:
    """The texts of the conversation as it is mirrored."""
    messages = [item for item in c.conversation.items if isinstance(item, events.MessageItem)]
    parts = [part for message in messages for part in message.content or ()]
    return [part.text or part.transcript or None for part in parts]


async def until(watch: Any, kind: str) -> Any:
    """The next event of a type."""
    with anyio.fail_after(5):
        while (frame := await anext(watch)).type != kind:
            pass
    return frame.event


# -- the model, and the sessions that share its options --------------------------------------------


OPTIONS: Final[dict[str, Any]] = {
    "voice": "cedar",
    "output_modalities": ["audio"],
    "tool_choice": "none",
    "transcription": "gpt-4o-mini-transcribe",
    "noise_reduction": "far_field",
    "turn_detection": events.ServerVad(threshold=0.7),
    "speed": 1.25,
    "tracing": "auto",
    "truncation": events.RetentionRatio(retention_ratio=0.8),
    "reasoning": {"effort": "low"},
}


async def test_row_options_of_the_model() -> None:
    async with session(model="gpt-realtime-2", **OPTIONS) as (c, _):
        by_keywords = c.session.acknowledged
    assert isinstance(by_keywords, events.SessionConfig)
    assert by_keywords.model == "gpt-realtime-2"
    assert by_keywords.audio
    assert by_keywords.audio.output
    assert (by_keywords.audio.output.voice, by_keywords.audio.output.speed) == ("cedar", 1.25)
    said = by_keywords.audio.input
    assert said
    assert isinstance(said.turn_detection, events.ServerVad)
    assert said.turn_detection.threshold == 0.7
    assert said.noise_reduction == events.NoiseReduction(type="far_field")
    assert said.transcription
    assert said.transcription.model == "gpt-4o-mini-transcribe"
    assert by_keywords.output_modalities == ("audio",)
    assert (by_keywords.tool_choice, by_keywords.tracing) == ("none", "auto")
    assert by_keywords.truncation == events.RetentionRatio(retention_ratio=0.8)
    assert by_keywords.reasoning == events.Reasoning(effort="low")

    config = events.SessionConfig(
        model="gpt-realtime-2",
        output_modalities=("audio",),
        tool_choice="none",
        tracing="auto",
        truncation=events.RetentionRatio(retention_ratio=0.8),
        reasoning=events.Reasoning(effort="low"),
        audio=events.AudioConfig(
            input=events.AudioInput(
                turn_detection=events.ServerVad(threshold=0.7),
                noise_reduction=events.NoiseReduction(type="far_field"),
                transcription=events.Transcription(model="gpt-4o-mini-transcribe"),
            ),
            output=events.AudioOutput(voice="cedar", speed=1.25),
        ),
    )
    async with session(session=config) as (c, _):
        by_config = c.session.acknowledged
    assert isinstance(by_config, events.SessionConfig)
    same = msgspec.structs.replace(by_config, id=by_keywords.id, expires_at=by_keywords.expires_at)
    assert same == by_keywords


async def test_row_credentials_address_and_recycling() -> None:
    down_at_first = SimulatorPolicy(
        pace="fast", api_keys=frozenset({"sk-right"}), mishaps=(Refuse(503),)
    )
    tries = Reconnect(tries=3, first=0.0, opening=True)
    async with serve(down_at_first) as server:
        endpoint = OpenAI("sk-right", base_url=server.url.removesuffix("/realtime"), environ={})
        recycled = Rollover(age=0.05, window=0.0)
        async with Client(endpoint=endpoint, reconnect=tries, rollover=recycled) as c:
            reports = c.connections()
            with anyio.fail_after(5):
                report = await anext(reports)
        assert isinstance(report, Reconnected)
        assert report.planned
        assert {hello.api_key for hello in server.handshakes} == {"sk-right"}
        assert len(server.handshakes) == 3

        wrong = OpenAI("sk-wrong", base_url=endpoint.url.removesuffix("/realtime"), environ={})
        with pytest.raises(KeyRefused):
            async with Client(endpoint=wrong, reconnect=tries):
                pass
        assert len(server.handshakes) == 4
        server.policy = SimulatorPolicy(mishaps=(Ignore(),))
        with pytest.raises(SessionSilent):
            async with Client(endpoint=server.url, open_timeout=0.1):
                pass


async def test_row_azure() -> None:
    tokens = iter(["first", "second"])

    async def token() -> str:
        return next(tokens)

    async with serve(FAST) as server:
        resource = server.url.removesuffix("/v1/realtime")
        for endpoint in (
            Azure(resource, "the-key", environ={}),
            Azure(resource, token=token, environ={}),
            Azure(resource, token=token, environ={}),
        ):
            async with Client(endpoint=endpoint, model="my-deployment"):
                pass
        by_key, *by_token = server.handshakes
        assert by_key.url == "/openai/v1/realtime?model=my-deployment"
        assert ("api-key", "the-key") in [(n.lower(), value) for n, value in by_key.headers]
        for hello, value in zip(by_token, ("first", "second"), strict=True):
            sent = {name.lower(): value for name, value in hello.headers}
            assert sent["authorization"] == f"Bearer {value}"
            assert "api-key" not in sent


async def test_row_change_the_options_of_all_sessions() -> None:
    async with serve(FAST) as server:
        group = SessionGroup(speed=1.0)
        async with (
            Client(endpoint=server.url, group=group) as one,
            Client(endpoint=server.url, group=group, instructions="Be brief.") as other,
        ):
            outcomes = await group.update(speed=1.5)
            assert all(isinstance(end, Acknowledgement) for end in outcomes.values())
            for c in (one, other):
                config = c.session.acknowledged
                assert isinstance(config, events.SessionConfig)
                assert config.audio
                assert config.audio.output
                assert config.audio.output.speed == 1.5
            assert isinstance(config, events.SessionConfig)
            assert config.instructions == "Be brief."


async def test_row_live_sessions() -> None:
    async with serve(FAST) as server:
        group = SessionGroup()
        async with Client(endpoint=server.url, group=group) as one:
            async with Client(endpoint=server.url, group=group) as other:
                assert list(group.clients) == [one, other]
            assert list(group.clients) == [one]
        assert list(group.clients) == []


async def test_row_capabilities() -> None:
    async with session(transcription=None) as (c, server):
        before = c.capabilities
        assert before.truncation
        assert before.turn_detection
        assert not before.user_transcription
        assert before.audio_output
        assert before.manual_function_calls
        assert before.per_response_tool_choice
        await c.session.update(
            turn_detection=None, transcription="whisper-1", output_modalities=["text"]
        )
        after = c.capabilities
        assert not after.turn_detection
        assert after.user_transcription
        assert not after.audio_output
        async with Client(endpoint=Endpoint(server.url, dialect=HUGGING_FACE)) as elsewhere:
            assert before.acknowledges_truncation
            assert not elsewhere.capabilities.acknowledges_truncation


# -- one session -----------------------------------------------------------------------------------


async def test_row_change_one_session() -> None:
    async with session() as (c, _):
        ack = await c.session.update(instructions="Speak French.", tools=[WEATHER], speed=0.9)
        config = c.session.acknowledged
        assert isinstance(config, events.SessionConfig)
        assert ack.effective == config
        assert config.instructions == "Speak French."
        assert [tool.name for tool in config.tools or () if isinstance(tool, events.FunctionTool)]
        with pytest.raises(SessionUpdateRejected) as refused:
            await c.session.update(noise_reduction="middle_field")
        assert refused.value.param == "session.audio.input.noise_reduction.type"
        assert c.session.acknowledged == config


async def test_row_the_conversation_as_mirrored() -> None:
    async with session(FAST, "Four.", tools=[WEATHER]) as (c, server):
        await c.send_text("What is two and two?")
        response = await c.response.create()
        await response.done()
        assert words_of(c) == ["What is two and two?", "Four."]
        told = server.sessions[0].conversation.told
        assert told == (("user", "What is two and two?"), ("assistant", "Four."))
        config = c.session.acknowledged
        assert isinstance(config, events.SessionConfig)
        (tool,) = config.tools or ()
        assert isinstance(tool, events.FunctionTool)
        assert tool.name == "weather"


async def test_row_make_the_conversation_equal_to_a_list() -> None:
    async with session() as (c, server):
        for text in ("one", "two", "three"):
            await c.send_text(text)
        first, _, third = c.conversation.items
        synced = await c.conversation.sync([third, events.user_message("new"), first])
        assert words_of(c) == ["three", "new", "one"]
        told = server.sessions[0].conversation.told
        assert told == (("user", "three"), ("user", "new"), ("user", "one"))
        assert len(synced.deleted) == 2  # the second, and the one that moved
        assert len(synced.created) == 2


async def test_row_send_any_event() -> None:
    async with session() as (c, server):
        sent, received = c.sent(), c.events()
        item = {"id": "mine", "type": "message", "role": "user", "content": []}
        await c.send({"type": "conversation.item.create", "item": item})
        await until(received, "conversation.item.added")
        await c.send(events.ConversationItemDelete(item_id="mine"))
        await until(received, "conversation.item.deleted")
        raw = [msgspec.json.decode((await anext(sent)).raw) for _ in range(2)]
        assert raw[0]["item"] == item
        assert server.sessions[0].conversation.told == ()


async def test_row_raw_events_in_both_directions() -> None:
    traced: list[tuple[Direction, Frame]] = []

    def trace(direction: Direction, frame: Frame) -> None:
        traced.append((direction, frame))

    async with session(trace=trace, instructions="Be brief.") as (c, server):
        received, sent = c.events(), c.sent()
        server.connections[0].say('{"type": "brand.new", "event_id": "event_x", "how": "odd"}')
        new = await until(received, "brand.new")
        assert isinstance(new, events.UnknownEvent)
        assert new.payload["how"] == "odd"
        await c.send_text("Hello.")
        out = await anext(sent)
        assert isinstance(out.event, events.ConversationItemCreate)
        assert b"Hello." in out.raw
    # The trace has the opening as well, which nobody can subscribe to in time.
    opening = [(direction, frame.type) for direction, frame in traced[:3]]
    assert set(opening[:2]) == {("sent", "session.update"), ("received", "session.created")}
    assert opening[2] == ("received", "session.updated")
    assert ("sent", out) in traced


# -- what the user says and shows ------------------------------------------------------------------


async def test_row_push_audio() -> None:
    async with session(turn_detection=None, chunk_ms=100) as (c, server):
        voice = sing("Is it raining?", 48_000).astype(np.float32) / 32_768
        stereo = np.stack([voice, voice], axis=1)
        for start in range(0, len(stereo), 777):
            await c.send_audio(stereo[start : start + 777], rate=48_000, channels=2)
        await c.input_audio_buffer.commit()
        assert [one.text for one in server.sessions[0].hearing.heard] == ["Is it raining?"]
        appends = [len(one.audio) for one in asked(server, events.InputAudioBufferAppend)]
        assert set(appends[:-1]) == {4_800}  # bytes: 100 ms of 24 kHz PCM
        counts = c.input_audio_buffer.counts
        assert sum(appends) // 2 == counts.committed == round(len(voice) / 2)


async def test_row_push_video() -> None:
    def brain(question: Question) -> Answer:
        pictures = [
            part.image_url
            for item in question.items
            if isinstance(item, events.MessageItem)
            for part in item.content or ()
            if part.type == "input_image"
        ]
        return [Say(f"{len(pictures)} picture, {question.text}")]

    async with session(brain=brain) as (c, _):
        await c.send_image(PNG, "What is this?")
        response = await c.response.create()
        assert await heard(response) == "1 picture, What is this?"


async def test_row_turn_by_hand() -> None:
    async with session(turn_detection=None) as (c, server):
        await c.send_audio(sing("Not this."))
        await c.input_audio_buffer.clear()
        await c.send_audio(sing("But this."))
        committed = await c.input_audio_buffer.commit()
        response = await c.response.create()
        assert await heard(response) == "You said: But this."
        assert [one.text for one in server.sessions[0].hearing.heard] == ["But this."]
        assert committed.item_id == getattr(c.conversation.items[0], "id", None)


# -- what the model says ---------------------------------------------------------------------------


def shows_its_request(question: Question) -> Answer:
    """Says its instructions and the names of its tools."""
    tools = [tool.name for tool in question.tools if isinstance(tool, events.FunctionTool)]
    return [Say(f"{question.instructions} {tools}")]


async def test_row_ask_for_a_response() -> None:
    async with session(brain=shows_its_request) as (c, server):
        response = await c.response.create(
            instructions="Count.", tool_choice="required", tools=[WEATHER], timeout=10
        )
        assert await heard(response) == "Count. ['weather']"
        (create,) = asked(server, events.ResponseCreate)
        assert create.response.tool_choice == "required"
    late = SimulatorPolicy(pace="fast", created_after=60.0)
    async with session(late) as (c, _):
        with pytest.raises(AcknowledgementTimeout) as out_of_time:
            await c.response.create(timeout=0.05)
        assert out_of_time.value.uncertain


async def test_row_instructions_replace_or_are_appended() -> None:
    async with session(brain=shows_its_request, instructions="Be kind.") as (c, _):
        replaced = await c.response.create(instructions="Be brief.")
        assert await heard(replaced) == "Be brief. []"
        appended = await c.response.create(extra_instructions="Be brief.")
        said = await heard(appended)
        assert said is not None
        assert said.startswith("Be kind.")
        assert said.endswith("Be brief. []")
        assert await heard(await c.response.create()) == "Be kind. []"


async def test_row_every_response() -> None:
    call = CallFunction("weather", {"city": "Oslo"})
    async with session(FAST, "One moment.", call, "Here it is.", tools=[WEATHER]) as (c, _):
        responses = c.responses()
        ours = await c.response.create()
        await ours.done()
        await c.send_audio(turn("Hello?"))
        with anyio.fail_after(5):
            first, second = await anext(responses), await anext(responses)
        assert first is ours
        assert (first.initiator, second.initiator) == ("client", "server")
        assert first.id != second.id
        for response in (first, second):
            said: list[str | None] = []
            async for output in response:
                if isinstance(output, Call):
                    assert (output.name, await output.arguments.read()) == (
                        "weather",
                        json.dumps({"city": "Oslo"}),
                    )
                else:
                    said.append(await heard(output))
            assert said == ["One moment.", "Here it is."]


async def test_row_each_message() -> None:
    async with session(FAST, "Good morning.") as (c, _):
        for modality in ("audio", "text"):
            response = await c.response.create(output_modalities=[modality])
            async for message in response:
                assert isinstance(message, Message)
                written = "".join([delta async for delta in message.text])
                spoken = "".join([delta async for delta in message.transcript])
                assert message.modalities == {modality}
                by_ear = "Good morning." if modality == "audio" else None
                assert await heard(message) == by_ear
                assert (spoken, written) == (by_ear or "", "" if by_ear else "Good morning.")


LONG = "This is a long answer, and nobody is going to hear the whole of it. " * 4


async def test_row_interrupt() -> None:
    async with session(SimulatorPolicy(pace="wire"), LONG, turn_detection=VAD) as (c, server):
        c.playback.played(0)
        response = await c.response.create()
        async for _ in response.audio:
            break
        active = [c.active]
        await c.interrupt()
        assert [*active, c.active] == [True, False]
        assert response.status == "cancelled"
        (cancel,) = asked(server, events.ResponseCancel)
        assert cancel.response_id == response.id


async def test_row_truncate() -> None:
    text = "One two three four five six seven."
    async with session(FAST, text, turn_detection=None) as (c, server):
        by_hand = await c.response.create()
        assert await heard(by_hand) == text
        first = by_hand.outputs[0].id
        c.playback.played(900, first)
        await c.conversation.item.truncate(first, audio_end_ms=900)
        by_itself = await c.response.create()
        assert await heard(by_itself) == text
        second = by_itself.outputs[0].id
        c.playback.played(700, second)
        await c.interrupt()
        await c.input_audio_buffer.clear()  # when it is answered, so is what went before it
        assert c.conversation.truncations == {(first, 0): 900, (second, 0): 700}
        left = c.conversation.interrupted[second, 0]
        assert left.full == text
        assert text.startswith(left.heard)
        assert 0 < len(left.heard) < len(text)
        by_ear = [text for _, text in server.sessions[0].conversation.told]
        assert all(one and text.startswith(one) and one != text for one in by_ear)


async def test_row_is_anything_active() -> None:
    gate = Gate()
    async with session(SimulatorPolicy(pace="fast", tamper=gate), "Yes.") as (c, _):
        active, sent, responses = [c.active], c.sent(), c.responses()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(c.response.create)
            await until(sent, "response.create")
            active.append(c.active)  # it is asked for, and has not begun
            await gate.open(c)
        await (await anext(responses)).done()
        assert [*active, c.active] == [False, True, False]


# -- what the user said ----------------------------------------------------------------------------


async def test_row_the_user_speaks() -> None:
    async with session(turn_detection=VAD) as (c, _):
        received = c.events()
        assert c.speech is None
        await c.send_audio(sing("Hello?"))
        started = await until(received, "input_audio_buffer.speech_started")
        assert c.speech == started.item_id
        await c.send_audio(np.zeros(24_000, np.int16))
        stopped = await until(received, "input_audio_buffer.speech_stopped")
        assert stopped.item_id == started.item_id
        assert stopped.audio_end_ms > started.audio_start_ms
        await until(received, "input_audio_buffer.committed")
        assert c.speech is None


async def test_row_transcripts_of_the_user() -> None:
    async with session(
        turn_detection=VAD,
        transcription="gpt-4o-transcribe",
        include=["item.input_audio_transcription.logprobs"],
    ) as (c, _):
        turns = c.user_turns()
        await c.send_audio(turn("Is it raining?"))
        with anyio.fail_after(5):
            one = await anext(turns)
            assert isinstance(one, UserTurn)
            partial = [words async for words in one]
            said = await one.done()
    assert len(partial) > 1
    assert "".join(partial) == said.text == "Is it raining?"
    assert said.status == "transcribed"
    assert said.confidence == 1.0
    assert said.started_ms is not None
    assert said.ended_ms is not None
    assert said.started_ms < said.ended_ms
    assert said.committed_at is not None
    assert said.began_at <= said.committed_at


async def test_row_the_mirror_grew() -> None:
    async with session(FAST, "Yes.") as (c, _):
        changes = c.conversation.changes()
        await c.send_text("Hello?")
        await (await c.response.create()).done()
        added = []
        while changes.held:
            change = await anext(changes)
            if change.kind == "added":
                added.append((change.item_id, change.previous_item_id))
        user, assistant = (getattr(item, "id", None) for item in c.conversation.items)
        assert added == [(user, None), (assistant, user)]


# -- the connection, the numbers, and what went wrong ----------------------------------------------


async def test_row_reconnected() -> None:
    async with session(FAST, "Yes.", instructions="Be brief.", reconnect=Reconnect(first=0.0)) as (
        c,
        server,
    ):
        await c.send_text("Do you remember me?")
        await (await c.response.create()).done()
        news = c.connections()
        server.connections[0].drop()
        with anyio.fail_after(5):
            lost, back = await anext(news), await anext(news)
        assert isinstance(lost, Disconnected)
        assert isinstance(lost.error, ConnectionLost)
        assert isinstance(back, Reconnected)
        assert (back.planned, back.tries, back.not_restored, back.forgotten) == (False, 1, (), 0)
        assert [one.form for one in back.restored] == ["whole", "text"]
        assert isinstance(back.effective, events.SessionConfig)
        assert back.effective.instructions == "Be brief."
        told = server.sessions[1].conversation.told
        assert told == (("user", "Do you remember me?"), ("assistant", "Yes."))
        assert await heard(await c.response.create()) == "Yes."


async def test_row_metrics() -> None:
    async with session(
        FAST, "Good morning.", turn_detection=VAD, transcription="gpt-4o-transcribe"
    ) as (c, server):
        turns = c.user_turns()
        await c.send_audio(turn("Hello?"))
        with anyio.fail_after(5):
            await (await anext(turns)).done()
        response = await c.response.create()
        done = await response.done()
        metrics = response.metrics
        assert metrics.time_to_first_audio is not None
        assert metrics.time_to_first_text is not None
        assert metrics.duration is not None
        assert 0 < metrics.time_to_first_text <= metrics.time_to_first_audio
        assert not metrics.cancelled
        assert metrics.usage == done.usage
        assert metrics.usage is not None
        assert metrics.usage.output_tokens
        assert metrics.tokens_per_second == metrics.usage.output_tokens / metrics.duration
        totals = c.usage
        assert totals.responses == totals.transcriptions == 1
        assert totals.output_tokens == metrics.usage.output_tokens
        assert totals.output_audio_tokens > 0
        assert totals.transcription_input_audio_tokens > 0
        assert 0 < c.connect_seconds < 60
        first = c.connect_seconds
        news = c.connections()
        server.connections[0].drop()
        with anyio.fail_after(5):
            while not isinstance(await anext(news), Reconnected):
                pass
        assert c.connect_seconds != first  # it is that of the connection in force
        assert c.usage == totals


async def test_row_errors() -> None:
    async with session() as (c, server):
        stray = c.errors()
        server.connections[0].say("This is no JSON.")
        error = {"type": "server_error", "code": "odd", "message": "Something is odd."}
        server.connections[0].say(json.dumps({"type": "error", "error": error}))
        with anyio.fail_after(5):
            unreadable, odd = await anext(stray), await anext(stray)
        assert isinstance(unreadable, InvalidServerEvent)
        assert isinstance(odd, ServerError)
        assert (odd.code, odd.message, odd.retryable) == ("odd", "Something is odd.", True)
        with pytest.raises(ServerError) as refused:
            await c.conversation.item.delete("nobody's")
        assert refused.value.code == "item_delete_invalid_item_id"
        assert stray.held == 0  # that one belonged to a call
    fatal = SimulatorPolicy(api_keys=frozenset({"sk-right"}))
    passing = SimulatorPolicy(mishaps=(Refuse(503),))
    for policy, retryable in ((fatal, False), (passing, True)):
        with pytest.raises(ConnectFailed) as failed:
            async with session(policy):
                pass
        assert failed.value.retryable is retryable


async def test_row_timed_transcript() -> None:
    seconds = iter(range(100))

    def timed(event: events.ServerEvent) -> Sequence[events.ServerEvent]:
        if isinstance(event, events.ResponseOutputAudioTranscriptDelta):
            return [msgspec.structs.replace(event, start_time=next(seconds) / 10)]
        return [event]

    async with session(SimulatorPolicy(pace="fast", tamper=timed), "One two three.") as (c, _):
        response = await c.response.create()
        async for message in response:
            deltas = [delta async for delta in message.transcript]
            assert "".join(deltas) == await heard(message) == "One two three."
            times = [delta.start_time for delta in deltas]
            assert times == [index / 10 for index in range(len(deltas))]
            assert len(times) > 1


async def test_row_close() -> None:
    async with session(SimulatorPolicy(pace="wire"), LONG) as (c, server):
        responses = c.responses()
        response = await c.response.create()
        await c.aclose()
        await c.aclose()
        with pytest.raises(ClientClosed):
            await response.done()
        with pytest.raises(ClientClosed):
            await c.send_text("Hello?")
        assert [one async for one in responses] == [response]
        await server.aclose()
        ended = server.connections[0].ended
        assert ended is not None
        assert ended.code == 1000
    async with session() as (left, server):
        pass
    with pytest.raises(RealtimeError):
        await left.send_text("Hello?")


# -- the table -------------------------------------------------------------------------------------

ROWS: Final[dict[str, Callable[[], Awaitable[None]]]] = {
    "`RealtimeModel(model, voice, modalities, tool_choice, input_audio_transcription, "
    "input_audio_noise_reduction, turn_detection, speed, tracing, truncation, reasoning)`": (
        test_row_options_of_the_model
    ),
    "`RealtimeModel(api_key, base_url, http_session, conn_options, max_session_duration)`": (
        test_row_credentials_address_and_recycling
    ),
    "`RealtimeModel.with_azure(azure_deployment, azure_endpoint, api_key, entra_token, "
    "api_version)`": test_row_azure,
    "`RealtimeModel.update_options(...)`": test_row_change_the_options_of_all_sessions,
    "`RealtimeModel._sessions` (private)": test_row_live_sessions,
    "`capabilities`": test_row_capabilities,
    "`RealtimeSession.update_options / update_instructions / update_tools`": (
        test_row_change_one_session
    ),
    "`RealtimeSession.chat_ctx`, `tools`": test_row_the_conversation_as_mirrored,
    "`update_chat_ctx(ctx)`": test_row_make_the_conversation_equal_to_a_list,
    "`send_event(event or dict)`": test_row_send_any_event,
    "`openai_server_event_received`, `openai_client_event_queued`": (
        test_row_raw_events_in_both_directions
    ),
    "`push_audio(frame)`": test_row_push_audio,
    "`push_video(frame)`": test_row_push_video,
    "`commit_audio()`, `clear_audio()`": test_row_turn_by_hand,
    "`generate_reply(instructions, tool_choice, tools)` → future of a generation; 10 s timeout": (
        test_row_ask_for_a_response
    ),
    "`instructions` appended to the session's": test_row_instructions_replace_or_are_appended,
    "`generation_created` event: message stream, function stream, user initiated or not, "
    "response id": test_row_every_response,
    "`MessageGeneration`: text stream, audio stream, modalities": test_row_each_message,
    "`interrupt()`": test_row_interrupt,
    "`truncate(message_id, modalities, audio_end_ms, audio_transcript)`": test_row_truncate,
    "`has_active_generation`": test_row_is_anything_active,
    "`input_speech_started / stopped`": test_row_the_user_speaks,
    "`input_audio_transcription_completed` (partial and final, confidence from logprobs, when "
    "the turn began)": test_row_transcripts_of_the_user,
    "`remote_item_added`": test_row_the_mirror_grew,
    "`session_reconnected`": test_row_reconnected,
    "`metrics_collected` (ttft, duration, cancelled, tokens by kind, tokens per second, "
    "transcription usage, connection time)": test_row_metrics,
    "`error` event with `recoverable`; fatal codes": test_row_errors,
    "timed transcript (`start_time` on deltas)": test_row_timed_transcript,
    "`aclose()`": test_row_close,
}
"""The rows, by their first cell, and the test of each."""


def test_every_row_of_the_table_has_its_test() -> None:
    if not TABLE.exists():
        pytest.skip(f"no table in {TABLE.parent}; its rows are listed here as well")
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[1:]] == list(ROWS)


def test_every_test_of_a_row_is_of_one_row() -> None:
    tests = [value for name, value in globals().items() if name.startswith("test_row_")]
    assert list(ROWS.values()) == tests


PUBLIC: Final = {
    "realtime_client",
    "realtime_client.errors",
    "realtime_client.simulator",
    "tests.responding",
}


def test_these_tests_use_what_is_public_and_nothing_else() -> None:
    tree = ast.parse(Path(__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {one for one in imported if one and one.startswith(("realtime", "tests"))} == PUBLIC
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert [name for name in attributes if name.startswith("_")] == []
