"""The client over real sockets, against the simulator, on both loops."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Call, Client, Endpoint, Frame, Message, Output, Response, events
from realtime_client.audio import WireFormat
from realtime_client.errors import (
    ClientClosed,
    ConnectionLost,
    InvalidAudio,
    InvalidClientEvent,
    KeyRefused,
    ModelRefused,
    RealtimeError,
    ResponseFailed,
    SessionSilent,
    SessionUpdateRejected,
    UsageError,
)
from realtime_client.simulator import (
    Answer,
    Brain,
    CallFunction,
    Fail,
    Question,
    Say,
    Server,
    SimulatorPolicy,
    Stop,
    listen,
    serve,
    sing,
)
from realtime_client.streams import Once
from realtime_client.transport import TransportClosed

FAST = SimulatorPolicy(pace="fast")


def says(*parts: Any) -> Brain:
    def brain(question: Question) -> Answer:
        return [Say(part) if isinstance(part, str) else part for part in parts]

    return brain


@contextlib.asynccontextmanager
async def connected(
    brain: Brain | None = None, policy: SimulatorPolicy = FAST, **options: Any
) -> AsyncIterator[tuple[Client, Server]]:
    async with (
        serve(policy, *([brain] if brain else [])) as server,
        Client(endpoint=server.url, **options) as client,
    ):
        yield client, server


async def heard(message: Output) -> str | None:
    """What a message says, by ear: its audio, decoded."""
    audio = b"".join([chunk async for chunk in message.audio])
    wire = WireFormat.from_wire(message.audio.format)
    return listen(wire.decode(audio), wire.rate).text


# -- a spoken turn --------------------------------------------------------------------------


def in_pieces(samples: Any, seed: int) -> list[Any]:
    """Cut into pieces of 1 to 5,000 frames."""
    sizes = np.random.default_rng(seed).integers(1, 5001, len(samples))
    return np.split(samples, np.cumsum(sizes)[np.cumsum(sizes) < len(samples)])


def stereo_48k(text: str) -> Any:
    sung = sing(text, 48_000).astype(np.float32) / 2**15
    silence = np.zeros(48_000, np.float32)
    mono = np.concatenate([silence[:9_000], sung, silence])
    return np.stack([mono * 1.2, mono * 0.8], axis=1)


@pytest.mark.parametrize("input_format", ["audio/pcm", "audio/pcmu", "audio/pcma"])
async def test_a_spoken_turn_is_heard_word_for_word_and_answered(input_format: str) -> None:
    said = "Is it true that 48,000 / 24,000 = 2? [Yes!] ~Grüße"
    async with connected(
        turn_detection="server_vad", transcription="whisper-1", input_format=input_format
    ) as (client, server):
        happening, responses = client.events(), client.responses()
        for piece in in_pieces(stereo_48k(said), seed=7):
            await client.send_audio(piece, rate=48_000, channels=2)
        response = await anext(responses)
        (message,) = [output async for output in response]
        assert await heard(message) == f"You said: {said}"
        assert response.transcript == f"You said: {said}"
        assert response.initiator == "server"
        assert [turn.text for turn in server.sessions[0].hearing.heard] == [said]
        async for frame in happening:
            if isinstance(frame.event, events.ConversationItemInputAudioTranscriptionCompleted):
                assert frame.event.transcript == said
                break


async def test_push_to_talk() -> None:
    async with connected(turn_detection=None) as (client, server):
        assert client.session.acknowledged.audio.input.turn_detection is None  # type: ignore[union-attr]  # it is there
        await client.send_audio(sing("one two"), rate=24_000)
        committed = await client.input_audio_buffer.commit()
        response = await client.response.create()
        await response.done()
        assert response.transcript == "You said: one two"
        assert committed.item_id == client.conversation.items[0].id
        await client.send_audio(sing("forget this"), rate=24_000)
        await client.input_audio_buffer.clear()
        await client.send_audio(sing("three"), rate=24_000)
        await client.input_audio_buffer.commit()
        assert [turn.text for turn in server.sessions[0].hearing.heard] == ["one two", "three"]


@pytest.mark.parametrize("output_format", ["audio/pcm", "audio/pcmu", "audio/pcma"])
async def test_the_answer_is_in_the_format_that_the_server_acknowledged(output_format: str) -> None:
    async with connected(says("Paris."), output_format=output_format) as (client, _):
        await client.send_text("The capital of France?")
        async for message in await client.response.create():
            assert message.audio.format is not None
            assert message.audio.format.type == output_format
            assert await heard(message) == "Paris."


@pytest.mark.parametrize(
    ("audio", "options"),
    [
        (np.array([0.0, np.nan], np.float32), {}),
        (np.array([np.inf]), {}),
        (np.zeros(4, np.int16), {"rate": 4_000}),
        (np.zeros(4, np.int16), {"rate": 400_000}),
        (np.zeros((2, 2, 2), np.int16), {}),
        (np.zeros(3, np.int16), {"channels": 2}),
        (np.zeros(4, np.uint8), {}),
        (b"1234", {"dtype": "int24"}),
        ("1234", {}),
    ],
)
async def test_audio_that_cannot_be_is_refused_and_nothing_is_sent(
    audio: Any, options: dict[str, Any]
) -> None:
    async with connected(turn_detection=None) as (client, server):
        sent = client.sent()
        with pytest.raises(InvalidAudio):
            await client.send_audio(audio, **options)
        assert sent.held == 0
        await client.send_audio(sing("fine"))
        await client.input_audio_buffer.commit()
        assert [turn.text for turn in server.sessions[0].hearing.heard] == ["fine"]


# -- responses ------------------------------------------------------------------------------


async def test_messages_and_calls_come_in_order_and_their_streams_in_any() -> None:
    brain = says("Let me look.", CallFunction("weather", {"city": "Paris"}), "One moment.")
    async with connected(brain) as (client, _):
        response = await client.response.create(metadata={"purpose": "weather"})
        outputs = [output async for output in response]
        assert [type(output) for output in outputs] == [Message, Call, Message]
        first, call, last = outputs
        assert isinstance(call, Call)
        assert await heard(last) == "One moment."
        assert "".join([delta async for delta in first.transcript]) == "Let me look."
        assert await first.transcript.read() == "Let me look."
        assert await heard(first) == "Let me look."
        assert (call.name, await call.arguments.read()) == ("weather", '{"city": "Paris"}')
        item = await call.done()
        assert isinstance(item, events.FunctionCallItem)
        assert item.call_id == call.call_id
        assert response.status == "completed"
        assert response.metadata == {"purpose": "weather"}
        assert response.transcript == "Let me look.\nOne moment."
        assert response.usage is not None
        assert client.stats["delivered"].total() > 0
        assert client.stats["orphan"].total() == 0


async def test_all_of_the_audio_in_one_stream() -> None:
    async with connected(says("One.", "Two.")) as (client, _):
        response = await client.response.create()
        audio = b"".join([chunk async for chunk in response.audio])
        assert listen(np.frombuffer(audio, "<i2"), 24_000).text == "One. Two."


async def test_a_text_response_has_text_and_no_audio() -> None:
    async with connected(says("Written."), output_modalities=["text"]) as (client, _):
        async for message in await client.response.create():
            assert [chunk async for chunk in message.audio] == []
            assert await message.text.read() == "Written."


async def test_a_failed_response_raises_from_its_streams_after_what_came() -> None:
    async with connected(says("Half of", Fail("rate_limit_exceeded", "too much"))) as (client, _):
        response = await client.response.create()
        spoken = []
        with pytest.raises(ResponseFailed, match="too much") as caught:
            outputs = aiter(response)
            while True:
                spoken.append(await heard(await anext(outputs)))
        assert spoken == ["Half of"]
        assert caught.value.code == "rate_limit_exceeded"
        assert (await response.done()).status == "failed"


async def test_an_incomplete_response_ends_with_its_status() -> None:
    async with connected(says("Half", Stop("max_output_tokens"))) as (client, _):
        response = await client.response.create()
        await response.done()
        assert response.status == "incomplete"
        assert getattr(response.status_details, "reason", None) == "max_output_tokens"


async def test_out_of_band_responses_run_beside_each_other() -> None:
    def brain(question: Question) -> Answer:
        return [Say(f"I was told: {question.instructions}")]

    async with connected(brain) as (client, server):
        said: dict[str, str | None] = {}

        async def ask(words: str) -> None:
            response = await client.response.create(
                conversation="none", input=[], instructions=words
            )
            async for message in response:
                said[words] = await heard(message)

        async with anyio.create_task_group() as tasks:
            for words in ("one", "two", "three"):
                tasks.start_soon(ask, words)
        assert said == {words: f"I was told: {words}" for words in ("one", "two", "three")}
        assert client.conversation.items == ()
        assert server.sessions[0].conversation.entries == ()


async def test_cancelling_a_response_is_by_id_and_waits_for_its_end() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with connected(says("A very long answer. " * 50), policy) as (client, _):
        sent = client.sent()
        response = await client.response.create()
        await response.cancel()
        assert response.status == "cancelled"
        cancels = [frame.event for frame in drained(sent) if frame.type == "response.cancel"]
        assert [cancel.response_id for cancel in cancels] == [response.id]
        await response.cancel()


async def test_a_create_whose_caller_has_gone_is_cancelled_when_it_comes() -> None:
    policy = SimulatorPolicy(pace="realtime", created_after=0.05)
    async with connected(says("A ghost speaks. " * 50), policy) as (client, _):
        with client.events() as happening, client.responses() as responses:
            with anyio.move_on_after(0):
                await client.response.create()
            async for frame in happening:
                if isinstance(frame.event, events.ResponseDone):
                    assert frame.event.response.status == "cancelled"
                    break
            assert responses.held == 0
        assert client.stats["discarded"].total() > 0
        assert client.stats["delivered"].total() == 0


async def test_what_nobody_holds_is_not_kept() -> None:
    async with connected(says("Hello.")) as (client, _):
        happening = client.events()
        await client.send({"type": "response.create"})
        async for frame in happening:
            if frame.type == "response.done":
                break
        connection = client._connection
        assert connection is not None
        assert len(connection.audience.handles._held) == 0


# -- events in both directions ----------------------------------------------------------------


def drained(watch: Once[Frame]) -> list[Frame]:
    """What a watch holds by now, oldest first."""
    return list(watch._items)


async def test_every_event_can_be_seen_in_both_directions_with_its_bytes() -> None:
    async with connected() as (client, _):
        happening, sent = client.events(), client.sent()
        item = await client.send_text("hello")
        added = await anext(happening)
        assert added.event == item
        assert b'"type":"conversation.item.added"' in added.raw.replace(b" ", b"")
        create = await anext(sent)
        assert create.type == "conversation.item.create"
        assert create.event.item.content[0].text == "hello"
        assert create.raw.startswith(b'{"type":"conversation.item.create"')


async def test_a_raw_dict_is_sent_as_it_is_and_a_wrong_one_is_not_sent() -> None:
    async with connected() as (client, _):
        sent = client.sent()
        with pytest.raises(InvalidClientEvent):
            await client.send({"type": "conversation.item.delete"})
        await client.send({"type": "input_audio_buffer.clear", "extra": [1]})
        frame = await anext(sent)
        assert frame.raw.startswith(b'{"type":"input_audio_buffer.clear","extra":[1]')


async def test_items_are_mirrored() -> None:
    async with connected(says("Hi.")) as (client, _):
        first = await client.send_text("one")
        second = await client.conversation.item.create(events.system_message("zero"), after="root")
        await (await client.response.create()).done()
        words = [item.content[0] for item in client.conversation.items]  # type: ignore[union-attr, index]  # messages
        assert [part.text or part.transcript for part in words] == ["zero", "one", "Hi."]
        await client.conversation.item.delete(str(second.item.id))
        with pytest.raises(RealtimeError, match="item_delete_invalid_item_id"):
            await client.conversation.item.delete("nobody")
        retrieved = await client.conversation.item.retrieve(str(first.item.id))
        assert retrieved.item == client.conversation.items[0]
        assert len(client.conversation.items) == 2


# -- opening ----------------------------------------------------------------------------------


async def test_entering_returns_when_the_configuration_is_acknowledged() -> None:
    async with connected(voice="marin", speed=1.2, instructions="Be brief.") as (client, _):
        acknowledged = client.session.acknowledged
        assert isinstance(acknowledged, events.SessionConfig)
        assert acknowledged.audio
        assert acknowledged.audio.output
        assert (acknowledged.audio.output.voice, acknowledged.audio.output.speed) == ("marin", 1.2)
        assert acknowledged.instructions == "Be brief."
        assert client.session.in_flight == ()
        assert client.session.id is not None


async def test_a_wrong_key_is_refused_with_the_servers_words_and_without_the_key() -> None:
    policy = SimulatorPolicy(api_keys=frozenset({"right"}))
    async with serve(policy) as server:
        async with Client(endpoint=server.url, api_key="right"):
            pass
        for key in ("sk-very-wrong", None):
            with pytest.raises(KeyRefused, match="invalid_api_key") as caught:
                async with Client(endpoint=server.url, api_key=key):
                    pytest.fail("it must not open")
            assert caught.value.close_code == 3000
            assert "sk-very-wrong" not in str(caught.value)
            assert not caught.value.retryable


async def test_an_unknown_model_is_refused() -> None:
    async with serve(SimulatorPolicy(models=frozenset({"known"}))) as server:
        with pytest.raises(ModelRefused) as caught:
            async with Client(endpoint=server.url, model="unknown"):
                pytest.fail("it must not open")
        assert caught.value.close_code == 4000
        assert not caught.value.retryable


async def test_a_rejected_configuration_raises_the_servers_error() -> None:
    async with serve() as server:
        pcm16k = {"type": "audio/pcm", "rate": 16_000}
        with pytest.raises(SessionUpdateRejected) as caught:
            async with Client(endpoint=server.url, output_format=pcm16k):
                pytest.fail("it must not open")
        assert caught.value.param == "session.audio.output.format.rate"
        assert caught.value.update == {"type": "realtime", "audio": {"output": {"format": pcm16k}}}


async def test_a_server_that_says_nothing_is_given_up() -> None:
    class Silent:
        def __init__(self) -> None:
            self._closed = anyio.Event()

        async def send(self, data: bytes) -> None:
            raise AssertionError("nothing is to be sent before session.created")

        async def receive(self) -> bytes:
            await self._closed.wait()
            raise TransportClosed(1000)

        async def aclose(self) -> None:
            self._closed.set()

    @contextlib.asynccontextmanager
    async def connect(url: str, headers: Any) -> AsyncIterator[Silent]:
        yield Silent()

    with pytest.raises(SessionSilent, match=r"it sent no session\.created"):
        async with Client(endpoint="ws://localhost/r", connect=connect, open_timeout=0.01):
            pytest.fail("it must not open")


async def test_a_client_is_entered_once_and_used_inside_its_block() -> None:
    async with serve() as server:
        client = Client(endpoint=server.url)
        with pytest.raises(UsageError, match="async with"):
            client.responses()
        async with client:
            pass
        with pytest.raises(UsageError, match="entered once"):
            async with client:
                pytest.fail("it must not open")


# -- ending -----------------------------------------------------------------------------------


async def test_what_the_block_raises_arrives_as_it_is() -> None:
    async with serve(FAST) as server:
        with pytest.raises(KeyError, match="mine"):
            async with Client(endpoint=server.url) as client:
                await client.send_text("hello")
                raise KeyError("mine")


async def test_cancelling_the_block_cancels_the_block_alone() -> None:
    async with serve(FAST) as server:
        with anyio.CancelScope() as scope:
            async with Client(endpoint=server.url) as client:
                scope.cancel()
                await client.send_text("never")
                pytest.fail("it must be cancelled")
        assert scope.cancelled_caught
        async with Client(endpoint=server.url) as client:
            await client.send_text("still works")


async def test_leaving_the_block_ends_every_stream_cleanly() -> None:
    policy = SimulatorPolicy(pace="realtime")
    async with serve(policy, says("A very long answer. " * 50)) as server:
        async with Client(endpoint=server.url) as client:
            happening, responses = client.events(), client.responses()
            response = await client.response.create()
            message = await anext(aiter(response))
        assert [frame async for frame in happening]
        assert [one async for one in responses] == [response]
        with pytest.raises(ClientClosed):
            await heard(message)
        with pytest.raises(ClientClosed):
            await client.send_text("too late")
        with pytest.raises(ClientClosed):
            client.events()


async def test_a_connection_that_breaks_ends_everything_with_connection_lost() -> None:
    policy = SimulatorPolicy(pace="realtime", expires_after=0.1)
    brain = says("A very long answer. " * 50)
    async with connected(brain, policy, reconnect=None) as (client, _):
        happening = client.events()
        response = await client.response.create()
        with pytest.raises(ConnectionLost) as caught:
            async for message in response:
                await heard(message)
        assert caught.value.close_code == 1001
        with pytest.raises(ConnectionLost):
            await response.done()
        with pytest.raises(ConnectionLost):
            _ = [frame async for frame in happening]
        for call in (client.send_text("x"), client.send_audio(bytes(9_600)), response.cancel()):
            with pytest.raises(ConnectionLost):
                await call


async def test_a_slow_consumer_loses_its_own_stream_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_client.speech.AUDIO_BOUND", 10_000)
    async with connected(says("Nobody listens to this."), output_format="audio/pcm") as (client, _):
        response = await client.response.create()
        assert (await response.done()).status == "completed"
        (message,) = [output async for output in response]
        with pytest.raises(RealtimeError, match="was not read and grew past 10,000 bytes"):
            await heard(message)
        assert await message.transcript.read() == "Nobody listens to this."


async def test_endpoint_values_and_urls_are_the_same() -> None:
    async with serve() as server, Client(endpoint=Endpoint(server.url)) as client:
        assert isinstance(client.responses(), Once)
        assert isinstance(await client.response.create(), Response)
