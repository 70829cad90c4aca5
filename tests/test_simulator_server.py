"""The session as a whole: admission, envelopes, expiry, and the orders that were recorded."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from realtime_client.events import InputAudioBufferAppend, InvalidEvent, UnknownEvent
from realtime_client.simulator import (
    Answer,
    CallFunction,
    Hello,
    MemoryTransport,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
)
from realtime_client.simulator.refusal import Refusal
from tests.simulated import Frame, Sim, base64, collapsed, of, one, recording, spoken, types

# --- who may come in -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hello", "policy", "code", "close"),
    [
        (Hello(model="m"), {"api_keys": {"k"}}, "invalid_api_key", 3000),
        (Hello(model="m", api_key="x"), {"api_keys": {"k"}}, "invalid_api_key", 3000),
        (Hello(api_key="x"), {"api_keys": {"k"}}, "invalid_api_key", 3000),
        (Hello(), {}, "missing_model", 4000),
        (Hello(model=""), {}, "missing_model", 4000),
        (Hello(model="m"), {"models": {"n"}}, "invalid_model", 4000),
        (Hello(model="m", beta="realtime=v1"), {}, "beta_api_shape_disabled", 4000),
    ],
)
def test_a_refused_session_is_one_error_and_a_close(
    hello: Hello, policy: dict[str, Any], code: str, close: int
) -> None:
    frozen: dict[str, Any] = {name: frozenset(value) for name, value in policy.items()}
    sim = Sim(start=False, hello=hello, **frozen)
    sim.session.start(0.0)
    assert types(sim.take()) == ["error"]
    assert sim.frames[0]["error"]["code"] == code
    assert sim.session.close_wanted is not None
    assert sim.session.close_wanted[0] == close
    assert sim.session.next_deadline() is None
    assert sim.update(instructions="x") == []


@pytest.mark.parametrize(
    ("hello", "policy"),
    [
        (Hello(model="m", api_key="k"), {"api_keys": {"k"}}),
        (Hello(model="m", api_key="whatever"), {}),
        (Hello(model="m"), {"models": {"m"}}),
        (Hello(model="m", beta="something=else"), {}),
    ],
)
def test_everybody_else_gets_a_session(hello: Hello, policy: dict[str, Any]) -> None:
    frozen: dict[str, Any] = {name: frozenset(value) for name, value in policy.items()}
    sim = Sim(hello=hello, **frozen)
    assert types(sim.frames) == ["session.created"]
    assert sim.session.close_wanted is None


def test_a_refusal_never_repeats_the_key() -> None:
    hello = Hello(model="m", api_key="sk-secret")
    assert "sk-secret" not in repr(hello)
    sim = Sim(start=False, hello=hello, api_keys=frozenset({"k"}))
    sim.session.start(0.0)
    assert "sk-secret" not in str(sim.take())


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("/v1/realtime?model=a%2Fb", {}, Hello(model="a/b")),
        ("ws://h:1/v1/realtime?x=1&model=m", {"Authorization": "Bearer k"},
         Hello(model="m", api_key="k")),
        ("/v1/realtime", {"AUTHORIZATION": "bearer  k"}, Hello(api_key="k")),
        ("/v1/realtime?model=", {"API-Key": "k"}, Hello(api_key="k")),
        ("/v1/realtime", {"Authorization": "Basic k"}, Hello()),
        ("/v1/realtime", {"OpenAI-Beta": "realtime=v1"}, Hello(beta="realtime=v1")),
    ],
)  # fmt: skip
def test_what_a_handshake_says(url: str, headers: dict[str, str], expected: Hello) -> None:
    assert Hello.from_handshake(url, headers.items()) == expected


# --- envelopes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("{", "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        ("", "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ("[]", "invalid_event", None),
        ('"session.update"', "invalid_event", None),
        ("{}", "invalid_event", None),
        ('{"type":3}', "invalid_value", "type"),
        ('{"type":null}', "invalid_value", "type"),
        ('{"type":"response.make"}', "invalid_value", "type"),
        ('{"type":"output_audio_buffer.clear"}', "invalid_value", "type"),
        ('{"type":"session.close"}', "invalid_value", "type"),
        ('{"type":"response.cancel","response_id":3}', "invalid_value", "response_id"),
        ('{"type":"input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type":"input_audio_buffer.append","audio":null}', "invalid_value", "audio"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter", "item"),
        ('{"type":"conversation.item.create","item":[]}', "invalid_value", "item"),
        ('{"type":"conversation.item.delete"}', "missing_required_parameter", "item_id"),
        ('{"type":"conversation.item.truncate","item_id":"a","content_index":0}',
         "missing_required_parameter", "audio_end_ms"),
        ('{"type":"response.create","response":[]}', "invalid_value", "response"),
        ('{"type":"response.create","extra":1}', "unknown_parameter", "extra"),
        ('{"type":"response.create","event_id":7}', "invalid_value", "event_id"),
    ],
)  # fmt: skip
def test_an_envelope_error_never_ends_the_session(
    frame: str | bytes, code: str, param: str | None
) -> None:
    sim = Sim(pace="fast")
    assert types(sim.raw(frame)) == ["error"]
    assert sim.error() == (code, param)
    assert sim.session.close_wanted is None
    assert of(sim.respond(), "response.done")


def test_a_binary_frame_is_refused_whatever_it_holds() -> None:
    sim = Sim()
    assert types(sim.raw(b'{"type":"response.create"}', binary=True)) == ["error"]
    assert sim.error() == ("invalid_event", None)


def test_errors_name_the_event_that_they_answer() -> None:
    sim = Sim()
    for frame in (
        '{"type":"nonsense","event_id":"e"}',
        '{"type":"response.cancel","event_id":"e"}',
        '{"type":"conversation.item.delete","event_id":"e"}',
    ):
        assert sim.raw(frame)[0]["error"]["event_id"] == "e"
    assert sim.raw('{"type":"response.cancel"}')[0]["error"]["event_id"] is None


@pytest.mark.parametrize("wire_type", ["response.create", "input_audio_buffer.clear", "nonsense"])
@pytest.mark.parametrize(("length", "refused"), [(512, False), (513, True)])
def test_an_event_id_has_512_characters_at_most(wire_type: str, length: int, refused: bool) -> None:
    sim = Sim(pace="fast")
    frames = sim.send(wire_type, event_id="e" * length)
    if wire_type == "nonsense" and not refused:
        assert sim.error() == ("invalid_value", "type")
        return
    assert (types(frames) == ["error"]) is refused
    if refused:
        assert sim.error() == ("string_above_max_length", "event_id")


def test_no_success_echoes_the_event_id() -> None:
    sim = Sim(pace="fast")
    sim.send("session.update", session={"type": "realtime"}, event_id="needle")
    sim.send("response.create", event_id="needle")
    assert "needle" not in str(sim.frames)


def test_server_events_have_ids_of_their_own() -> None:
    sim = Sim(pace="fast")
    sim.respond()
    ids = [frame["event_id"] for frame in sim.frames]
    assert len(set(ids)) == len(ids) > 5


def test_received_events_can_be_looked_at() -> None:
    sim = Sim(keep_received=3)
    sim.send("input_audio_buffer.append", audio=base64(spoken("x")[:10]))
    sim.raw(b"\x00", binary=True)
    sim.raw('{"type":"nonsense"}')
    kinds = [type(event) for event in sim.session.received]
    assert kinds == [InputAudioBufferAppend, InvalidEvent, UnknownEvent]
    sim.update()
    assert len(sim.session.received) == 3


# --- answers to updates ----------------------------------------------------------------

BAD = {"colour": "red"}


def errors_and_updates(sim: Sim) -> list[str]:
    """What the session said to updates: what went wrong, or the instructions."""
    said = []
    for frame in sim.frames:
        if frame["type"] == "error":
            said.append(f"{frame['error']['event_id']}: {frame['error']['code']}")
        elif frame["type"] == "session.updated":
            said.append(frame["session"]["instructions"])
    return said


def test_the_refusal_of_an_update_comes_late_by_policy() -> None:
    for late, expected in [
        (0.0, ["e: unknown_parameter", "good"]),
        (1.5, ["good", "e: unknown_parameter"]),
    ]:
        sim = Sim(late_error=late)
        start = sim.now
        sim.send("session.update", event_id="e", session={"type": "realtime", **BAD})
        sim.update(instructions="good")
        sim.run(10)
        assert errors_and_updates(sim) == expected
        (when,) = [at for at, one in zip(sim.times, sim.frames, strict=True) if "error" in one]
        assert when - start == late
        assert sim.session.settings.session.instructions == "good"


def test_other_refusals_are_not_late() -> None:
    sim = Sim(late_error=1.5)
    assert types(sim.send("response.cancel")) == ["error"]


def test_the_answer_to_an_update_takes_its_time_and_shows_what_was_applied() -> None:
    for after in (0.0, 0.75):
        sim = Sim(update_after=after)
        start = sim.now
        for words in ("one", "two"):
            sim.update(instructions=words)
            assert sim.session.settings.session.instructions == words
            assert bool(of(sim.frames, "session.updated")) is (after == 0)
        sim.run(10)
        assert errors_and_updates(sim) == ["one", "two"]
        assert sim.times[1:] == [start + after] * 2
        sim.update(**BAD)
        assert errors_and_updates(sim)[2:] == ["None: unknown_parameter"], "a refusal is at once"


def test_some_updates_get_no_answer_and_are_applied_all_the_same() -> None:
    sim = Sim(no_answer=frozenset({2, 3}))
    for words in ("one", "two"):
        sim.update(instructions=words)
    assert sim.session.settings.session.instructions == "two"
    assert sim.update(**BAD) == []
    assert sim.session.settings.session.instructions == "two"
    sim.update(instructions="four")
    sim.run(10)
    assert errors_and_updates(sim) == ["one", "four"]


def test_another_party_updates_the_session() -> None:
    rung: list[float] = []
    sim = Sim()
    sim.session.wake = lambda: rung.append(sim.now)
    sim.update(instructions="ours")
    assert rung == []
    sim.session.foreign_update({"audio": {"output": {"voice": "marin"}}}, sim.now)
    assert rung == [sim.now]
    (updated,) = sim.take()
    assert updated["type"] == "session.updated"
    assert updated["session"]["instructions"] == "ours"
    assert updated["session"]["audio"]["output"]["voice"] == "marin"
    with pytest.raises(Refusal, match="unknown_parameter"):
        sim.session.foreign_update(BAD, sim.now)
    assert sim.take() == []
    assert len(rung) == 1


def test_another_party_changes_how_turns_end_from_now_on() -> None:
    sim = Sim(pace="fast")
    sim.session.foreign_update({"audio": {"input": {"turn_detection": None}}}, sim.now)
    assert types(sim.take()) == ["session.updated"]
    assert sim.append(spoken("hello")) == []


def test_nobody_updates_a_session_that_has_ended() -> None:
    sim = Sim(expires_after=60)
    sim.run(59)
    sim.session.foreign_update({"instructions": "in time"}, sim.now)
    assert types(sim.take()) == ["session.updated"]
    sim.session.foreign_update({"instructions": "too late"}, sim.now + 1)
    assert types(sim.take()) == ["error"]
    assert sim.session.settings.session.instructions == "in time"


async def test_another_partys_update_wakes_whoever_carries_the_frames() -> None:
    def closed(code: int | None, reason: str) -> Exception:
        return EOFError(code, reason)

    transport = MemoryTransport(SimulatedSession(), closed=closed)
    await transport.receive()
    received: list[bytes] = []

    async def reader() -> None:
        received.append(await transport.receive())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            transport.session.foreign_update({"instructions": "theirs"}, anyio.current_time())
    assert b'"instructions":"theirs"' in received[0]


# --- the end ---------------------------------------------------------------------------


def test_a_session_expires_in_the_middle_of_a_sentence() -> None:
    def brain(question: Question) -> Answer:
        return [Say("A sentence of more than a second.")]

    sim = Sim(brain, pace="realtime", expires_after=3600)
    sim.run(3599)
    sim.respond()
    frames = sim.run(2)
    assert frames[-1]["type"] == "error"
    assert frames[-1]["error"]["code"] == "session_expired"
    assert not of(frames, "response.done")
    assert sim.session.close_wanted == (1001, "session_expired")
    assert sim.session.next_deadline() is None
    assert sim.respond() == []


def test_expiry_is_announced_in_unix_time() -> None:
    session = SimulatedSession(SimulatorPolicy(expires_after=100), epoch=1_700_000_000.5)
    session.start(50.0)
    assert session.settings.session.expires_at == 1_700_000_150


# --- as recorded -----------------------------------------------------------------------


def keys(value: Any) -> Any:
    """The shape of a frame: its keys at every depth, without the values."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [keys(inner) for inner in value]
    return None


def replay(name: str, brain: Any, audio: str | None = None) -> tuple[list[Frame], list[Frame]]:
    """Send what the recorded client sent; return what its server said, and what ours says."""
    lines = recording(name)
    theirs = [line["frame"] for line in lines if line["direction"] == "received"]
    call_ids = [f["call_id"] for f in theirs if f["type"].endswith("call_arguments.done")]
    counts: dict[str, int] = {}

    def ids(kind: str) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        return str(call_ids.pop(0)) if kind == "call" else f"{kind}_{counts[kind]}"

    session = SimulatedSession(SimulatorPolicy(pace="fast"), brain, ids=ids)
    session.start(0.0)
    sim = Sim(start=False)
    sim.session = session
    sim.take()
    for line in lines:
        if line["direction"] == "received":
            continue
        wire_type = line["frame"].pop("type")
        if wire_type != "input_audio_buffer.append":
            sim.send(wire_type, **line["frame"])
        elif audio is not None:  # the recorded samples were cut short
            sim.send(wire_type, audio=audio)
            audio = None
    return theirs, sim.frames


def without_transcription(frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if "input_audio_transcription" not in frame["type"]]


def first_of_each(frames: list[Frame]) -> dict[str, Frame]:
    return {frame["type"]: frame for frame in reversed(frames)}


def texts(name: str) -> list[str]:
    """What the recorded server said, in order."""
    fields = {
        "response.output_text.done": "text",
        "response.output_audio_transcript.done": "transcript",
    }
    said = []
    for line in recording(name):
        field = fields.get(line["frame"]["type"])
        if line["direction"] == "received" and field is not None:
            said.append(line["frame"][field])
    return said


@pytest.mark.parametrize("name", ["openai-history-seeding", "openai-text-in-audio-out"])
def test_a_recorded_turn(name: str) -> None:
    name = f"{name}.jsonl"
    said = texts(name)
    theirs, ours = replay(name, lambda question: [Say(said.pop(0))])
    assert collapsed(types(ours)) == collapsed(types(theirs))
    their_shapes, our_shapes = first_of_each(theirs), first_of_each(ours)
    for wire_type, frame in their_shapes.items():
        assert keys(our_shapes[wire_type]) == keys(frame), wire_type


def test_a_recorded_turn_by_voice() -> None:
    name = "openai-server-vad-audio-turn.jsonl"
    said, heard = texts(name), []

    def brain(question: Question) -> Answer:
        heard.append(question.text)
        return [Say(said.pop(0))]

    theirs, ours = replay(name, brain, base64(spoken("Hello, my name is Marcelo.")))
    assert heard == ["Hello, my name is Marcelo."]
    # Transcription runs beside the response: its own order is compared by itself.
    assert collapsed(types(without_transcription(ours))) == collapsed(
        types(without_transcription(theirs))
    )
    transcripts = [
        collapsed([name for name in types(frames) if "input_audio_transcription" in name])
        for frames in (ours, theirs)
    ]
    assert transcripts[0] == transcripts[1]
    names = types(ours)
    created = names.index("response.created")
    assert created < names.index("conversation.item.input_audio_transcription.delta")
    their_shapes, our_shapes = first_of_each(theirs), first_of_each(ours)
    for wire_type, frame in their_shapes.items():
        assert keys(our_shapes[wire_type]) == keys(frame), wire_type


def test_a_recorded_round_with_a_tool() -> None:
    name = "openai-tool-call-round.jsonl"
    said = texts(name)

    def brain(question: Question) -> Answer:
        if question.source == "tool":
            return [Say(said.pop(0))]
        return [CallFunction("get_weather", {"city": "London"})]

    theirs, ours = replay(name, brain)
    assert collapsed(types(ours)) == collapsed(types(theirs))
    for own, other in zip(of(ours, "response.done"), of(theirs, "response.done"), strict=True):
        assert keys(own) == keys(other)
    added = [frame["item"]["type"] for frame in of(ours, "conversation.item.added")]
    assert added == [frame["item"]["type"] for frame in of(theirs, "conversation.item.added")]
    # Where the recorded server names a predecessor, ours does; where it says null, ours does.
    for wire_type in ("conversation.item.added", "conversation.item.done"):
        named = [
            [frame["previous_item_id"] is not None for frame in of(frames, wire_type)]
            for frames in (ours, theirs)
        ]
        assert named[0] == named[1], wire_type


def test_the_recorded_echo_of_empty_instructions() -> None:
    name = "openai-history-seeding.jsonl"
    theirs, ours = replay(name, lambda question: [Say("x")])
    for frames in (theirs, ours):
        created, updated = one(frames, "session.created"), one(frames, "session.updated")
        assert updated["session"]["instructions"] == created["session"]["instructions"]
