"""What is said to the server: turns, commits, words, transcription."""

from __future__ import annotations

from typing import Any

import numpy as np
import pybase64
import pytest

from realtime_client.audio import WireFormat
from realtime_client.simulator import Say, listen, sing
from tests.simulated import (
    PCM,
    Samples,
    Sim,
    base64,
    collapsed,
    of,
    one,
    scripted,
    silence,
    spoken,
    types,
)

VAD = {"type": "server_vad"}
BY_HAND = {"audio": {"input": {"turn_detection": None}}}
WHISPER = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}

TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
COMMIT = TURN[2:]


def noise(ms: int) -> Samples:
    """Something loud that nobody can read: a human voice, as far as the ear can tell."""
    generator = np.random.default_rng(1)
    return generator.normal(0, 3000, ms * 24).astype(np.int16)


def vad(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": VAD | fields}}}


# --- a turn by voice -------------------------------------------------------------------


def test_a_turn_in_the_literal_order() -> None:
    sim = Sim(pace="fast")
    frames = sim.append(spoken("Hello"))
    assert types(frames)[:6] == [*TURN, "response.created"]
    item_ids = {frame["item_id"] for frame in frames[:3]} | {f["item"]["id"] for f in frames[3:5]}
    assert len(item_ids) == 1
    assert frames[3]["item"] == {
        "id": item_ids.pop(),
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    said = one(frames, "response.output_audio_transcript.done")["transcript"]
    assert said == "You said: Hello"


def test_words_heard_are_words_sung_in_any_chunks() -> None:
    words = "Wie heißt du? 3 < 4 & 5 > 2, naïve café!"
    sim = Sim(pace="fast")
    audio, generator = spoken(words), np.random.default_rng(2)
    while len(audio):
        size = int(generator.integers(1, 5000))
        sim.append(audio[:size])
        audio = audio[size:]
    assert [heard.text for heard in sim.session.hearing.heard] == [words]
    said = one(sim.frames, "response.output_audio_transcript.done")["transcript"]
    assert said == f"You said: {words}"


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_the_acknowledged_input_format_is_what_is_heard(name: str) -> None:
    format_ = WireFormat(name, 8_000)
    sim = Sim(pace="fast", session={"audio": {"input": {"format": {"type": name}}}})
    sim.append(spoken("By phone", 8_000), format_)
    assert [heard.text for heard in sim.session.hearing.heard] == ["By phone"]


def test_two_turns_are_two_messages_in_order() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    frames = sim.append(np.concatenate([spoken("First"), spoken("Second")]))
    assert types(frames) == TURN * 2
    first, second = of(frames, "input_audio_buffer.committed")
    assert second["previous_item_id"] == first["item_id"]
    assert first["item_id"] != second["item_id"]
    assert [heard.text for heard in sim.session.hearing.heard] == ["First", "Second"]


def test_positions_count_what_was_appended() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, silence_duration_ms=400))
    length = len(sing("Hello")) * 1000 // 24_000
    frames = sim.append(np.concatenate([silence(1000), spoken("Hello")]))
    assert one(frames, "input_audio_buffer.speech_started")["audio_start_ms"] == 1200
    end = one(frames, "input_audio_buffer.speech_stopped")["audio_end_ms"]
    assert end == pytest.approx(1500 + length + 400, abs=20)
    frames = sim.append(spoken("Hello"))
    second = one(frames, "input_audio_buffer.speech_started")["audio_start_ms"]
    assert second == 1500 + length + 600 + 200


@pytest.mark.parametrize("padding", [0, 100, 450])
def test_committed_audio_includes_the_prefix_padding(padding: int) -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, prefix_padding_ms=padding))
    frames = sim.append(spoken("Hello"))
    start = one(frames, "input_audio_buffer.speech_started")["audio_start_ms"]
    end = one(frames, "input_audio_buffer.speech_stopped")["audio_end_ms"]
    assert start == 500 - padding
    heard = sim.session.hearing.heard[0]
    assert heard.text == "Hello"
    assert heard.duration_ms == end - start
    assert heard.utterances[0].start_ms == pytest.approx(padding, abs=1)


@pytest.mark.parametrize(("silence_ms", "turns"), [(200, 2), (290, 2), (310, 1), (800, 1)])
def test_silence_duration_decides_where_a_turn_ends(silence_ms: int, turns: int) -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, silence_duration_ms=silence_ms))
    audio = [spoken("One", after_ms=0), silence(300), sing("Two"), silence(900)]
    frames = sim.append(np.concatenate(audio))
    assert len(of(frames, "input_audio_buffer.speech_stopped")) == turns
    texts = [heard.text for heard in sim.session.hearing.heard]
    assert texts == (["One Two"] if turns == 1 else ["One", "Two"])


@pytest.mark.parametrize(("threshold", "turns"), [(0.0, 1), (0.5, 1), (0.9, 0), (1.0, 0)])
def test_threshold_decides_what_is_speech(threshold: float, turns: int) -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, threshold=threshold))
    quiet = sing("Hello", amplitude=0.03)  # about -36 dBFS: louder than 0.5 asks, not than 0.9
    frames = sim.append(np.concatenate([silence(500), quiet, silence(600)]))
    assert len(of(frames, "input_audio_buffer.speech_started")) == turns


@pytest.mark.parametrize(("eagerness", "turns"), [("high", 2), ("medium", 1), ("low", 1)])
def test_semantic_vad_waits_by_eagerness(eagerness: str, turns: int) -> None:
    detection = {"type": "semantic_vad", "eagerness": eagerness, "create_response": False}
    sim = Sim(pace="fast", session={"audio": {"input": {"turn_detection": detection}}})
    audio = [spoken("One", after_ms=400), sing("Two"), silence(1500)]
    frames = sim.append(np.concatenate(audio))
    assert len(of(frames, "input_audio_buffer.committed")) == turns


def test_tuning_changes_in_the_middle_of_the_stream() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, silence_duration_ms=1000))
    assert types(sim.append(spoken("One"))) == TURN[:1]
    sim.update(**vad(create_response=False, silence_duration_ms=200))
    assert types(sim.append(silence(300))) == TURN[1:]


# --- who answers, who is interrupted ---------------------------------------------------


def test_create_response_off_commits_only() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    assert types(sim.append(spoken("Hello"))) == TURN
    assert of(sim.respond(), "response.done")


def test_barge_in_cancels_with_turn_detected() -> None:
    sim = Sim(scripted([Say("A rather long answer to that.")]), deltas_after_cancel=1)
    sim.respond()
    frames = sim.append(np.concatenate([silence(500), sing("Stop")]))
    assert types(frames)[0] == "input_audio_buffer.speech_started"
    assert len([name for name in types(frames) if name.endswith(".delta")]) == 1
    done = one(frames, "response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    assert sim.run(30) == []


def test_interrupt_response_off_lets_it_finish() -> None:
    sim = Sim(
        scripted([Say("A rather long answer.")]),
        session=vad(interrupt_response=False, create_response=False),
    )
    sim.respond()
    frames = sim.append(spoken("Hm"))
    assert types(frames) == TURN
    done = one(sim.run(30), "response.done")["response"]
    assert done["status"] == "completed"


def test_a_turn_that_meets_an_active_response_gets_no_answer_and_says_so() -> None:
    sim = Sim(scripted([Say("A rather long answer.")]), session=vad(interrupt_response=False))
    sim.respond()
    frames = sim.append(spoken("Hm"))
    assert types(frames) == [*TURN, "error"]
    assert sim.error() == ("conversation_already_has_active_response", None)
    assert frames[-1]["error"]["event_id"] is None


def test_barge_in_leaves_out_of_band_responses_alone() -> None:
    sim = Sim(scripted([Say("A rather long answer.")]), session=vad(create_response=False))
    sim.respond(conversation="none")
    sim.append(spoken("Hm"))
    assert one(sim.run(30), "response.done")["response"]["status"] == "completed"


# --- by hand ---------------------------------------------------------------------------


def test_a_commit_by_hand() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    assert sim.append(spoken("Hello")) == []
    frames = sim.send("input_audio_buffer.commit")
    assert types(frames) == COMMIT
    assert frames[0]["previous_item_id"] is None
    assert sim.session.hearing.heard[0].text == "Hello"
    said = one(sim.respond(), "response.output_audio_transcript.done")["transcript"]
    assert said == "You said: Hello"


def test_a_commit_in_the_middle_of_speech_is_the_turn_that_began() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    started = sim.append(np.concatenate([silence(500), sing("Hello")]))
    frames = sim.send("input_audio_buffer.commit")
    assert types(frames) == COMMIT
    assert frames[0]["item_id"] == started[0]["item_id"]
    assert sim.append(silence(1000)) == [], "the turn is over: no speech_stopped comes"


@pytest.mark.parametrize(("ms", "accepted"), [(0, False), (99, False), (100, True)])
def test_a_commit_needs_100_ms(ms: int, accepted: bool) -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    if ms:
        sim.append(silence(ms))
    frames = sim.send("input_audio_buffer.commit", event_id="c")
    if accepted:
        assert types(frames) == COMMIT
    else:
        assert types(frames) == ["error"]
        assert sim.error() == ("input_audio_buffer_commit_empty", None)
        assert frames[0]["error"]["event_id"] == "c"
        assert f"{ms}.00ms" in frames[0]["error"]["message"]


def test_a_refused_commit_keeps_the_audio() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    sim.append(silence(60))
    sim.send("input_audio_buffer.commit")
    sim.append(silence(60))
    assert types(sim.send("input_audio_buffer.commit")) == COMMIT


def test_a_commit_starts_a_new_count() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    sim.append(silence(150))
    sim.send("input_audio_buffer.commit")
    sim.append(silence(90))
    sim.send("input_audio_buffer.commit")
    assert sim.error() == ("input_audio_buffer_commit_empty", None)


def test_the_refusal_of_a_commit_may_come_late() -> None:
    sim = Sim(pace="fast", session=BY_HAND, late_commit_error=1.0)
    assert sim.send("input_audio_buffer.commit", event_id="c") == []
    assert types(sim.update(instructions="x")) == ["session.updated"]
    assert sim.run(0.99) == []
    frames = sim.run(0.02)
    assert types(frames) == ["error"]
    assert frames[0]["error"]["event_id"] == "c"
    assert sim.error() == ("input_audio_buffer_commit_empty", None)


def test_clear_drops_the_audio_and_the_turn() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    sim.append(np.concatenate([silence(500), sing("Forget me")]))
    assert types(sim.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert sim.append(silence(500)) == []
    frames = sim.append(spoken("Hello"))
    assert types(frames) == TURN
    assert [heard.text for heard in sim.session.hearing.heard] == ["Hello"]


def test_clear_by_hand() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    sim.append(silence(500))
    sim.send("input_audio_buffer.clear")
    sim.send("input_audio_buffer.commit")
    assert sim.error() == ("input_audio_buffer_commit_empty", None)


@pytest.mark.parametrize("audio", ["", "*** no base64 ***", "AAA"])
def test_audio_that_is_none(audio: str) -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    frames = sim.send("input_audio_buffer.append", audio=audio, event_id="a")
    assert types(frames) == ["error"]
    assert sim.error() == ("invalid_value", "audio")
    assert frames[0]["error"]["event_id"] == "a"


def test_an_append_of_more_than_15_mib() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    at_most = np.zeros(15 * 1024 * 1024 // 2, dtype=np.int16)
    assert sim.append(at_most) == []
    sim.append(np.zeros(len(at_most) + 1, dtype=np.int16))
    assert sim.error() == ("invalid_value", "audio")


def test_half_a_sample_waits_for_its_other_half() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    data = PCM.encode(spoken("Odd"))
    for start in range(0, len(data), 999):
        piece = pybase64.b64encode(data[start : start + 999]).decode()
        sim.send("input_audio_buffer.append", audio=piece)
    sim.send("input_audio_buffer.commit")
    assert sim.session.hearing.heard[0].text == "Odd"


# --- turning detection and formats over ------------------------------------------------


def test_detection_switched_on_starts_at_that_moment() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    sim.append(silence(1000))
    sim.update(**vad(create_response=False))
    frames = sim.append(spoken("Hello"))
    assert types(frames) == TURN
    assert frames[0]["audio_start_ms"] == 1200
    assert sim.session.hearing.heard[0].text == "Hello"


def test_detection_switched_off_in_the_middle_of_a_turn() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    started = sim.append(np.concatenate([silence(500), sing("Hel")]))
    sim.update(**BY_HAND)
    assert sim.append(silence(1000)) == []
    frames = sim.send("input_audio_buffer.commit")
    assert types(frames) == COMMIT
    assert frames[0]["item_id"] == started[0]["item_id"], "what was announced comes"
    assert sim.session.hearing.heard[0].text == "Hel"


def test_a_new_input_format_empties_the_buffer_and_keeps_the_clock() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    sim.append(silence(1000))
    sim.update(audio={"input": {"format": {"type": "audio/pcmu"}}})
    sim.send("input_audio_buffer.commit")
    assert sim.error() == ("input_audio_buffer_commit_empty", None)
    frames = sim.append(spoken("Hello", 8_000), WireFormat("audio/pcmu", 8_000))
    assert frames[0]["audio_start_ms"] == 1200
    assert sim.session.hearing.heard[0].text == "Hello"


def test_an_unrelated_update_does_not_disturb_a_turn() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False))
    audio = spoken("Hello")
    half = len(audio) // 2
    sim.append(audio[:half])
    sim.update(instructions="x")
    assert types(sim.append(audio[half:])) == TURN[1:]
    assert sim.session.hearing.heard[0].text == "Hello"


# --- transcription ---------------------------------------------------------------------


def test_transcription_says_the_words() -> None:
    sim = Sim(pace="fast", session=WHISPER | {"output_modalities": ["text"]})
    frames = sim.append(spoken("What is your name?"))
    prefix = "conversation.item.input_audio_transcription"
    deltas = of(frames, f"{prefix}.delta")
    assert [frame["delta"] for frame in deltas] == ["What", " is", " your", " name?"]
    completed = one(frames, f"{prefix}.completed")
    assert completed["transcript"] == "What is your name?"
    item_id = one(frames, "input_audio_buffer.committed")["item_id"]
    assert {frame["item_id"] for frame in [*deltas, completed]} == {item_id}
    assert {frame["content_index"] for frame in [*deltas, completed]} == {0}
    assert completed["usage"] == {"type": "duration", "seconds": 2}
    names = types(frames)
    assert names.index("response.created") < names.index(f"{prefix}.delta")
    entry = sim.session.conversation.find(item_id)
    assert entry is not None
    shown = one(sim.send("conversation.item.retrieve", item_id=item_id), _RETRIEVED)["item"]
    assert shown["content"][0]["transcript"] == "What is your name?"


_RETRIEVED = "conversation.item.retrieved"


def test_nothing_is_written_down_unasked_but_everything_is_heard() -> None:
    sim = Sim(pace="fast")
    frames = sim.append(spoken("Hello"))
    assert not [name for name in types(frames) if "transcription" in name]
    assert one(frames, "response.output_audio_transcript.done")["transcript"] == "You said: Hello"


def test_speech_that_cannot_be_read_is_as_long_as_it_was() -> None:
    sim = Sim(pace="fast", session=WHISPER)
    frames = sim.append(np.concatenate([silence(500), noise(1900), silence(600)]))
    completed = one(frames, "conversation.item.input_audio_transcription.completed")
    # 300 ms before, 1900 ms of speech, 200 ms after
    assert completed["transcript"] == "[speech, 2.4 s]"
    said = one(frames, "response.output_audio_transcript.done")["transcript"]
    assert said == "I heard 2.4 seconds of speech."


def test_words_that_are_none_are_written_down_as_none() -> None:
    sim = Sim(pace="fast", session=WHISPER)
    frames = sim.append(spoken(""))
    assert sim.session.hearing.heard[0].text == ""
    assert not of(frames, "conversation.item.input_audio_transcription.delta")
    completed = one(frames, "conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == ""


def test_transcription_takes_its_time() -> None:
    sim = Sim(pace="fast", transcription_after=2.0, session=WHISPER)
    frames = sim.append(spoken("Hello"))
    assert frames[-1]["type"] == "response.done"
    assert sim.run(1.99) == []
    assert collapsed(types(sim.run(0.02))) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]


def test_a_transcription_of_a_deleted_item_still_completes() -> None:
    sim = Sim(pace="fast", transcription_after=2.0, session=WHISPER)
    item_id = one(sim.append(spoken("Hello")), "input_audio_buffer.committed")["item_id"]
    sim.send("conversation.item.delete", item_id=item_id)
    assert types(sim.run(3))[-1].endswith("completed")
    assert sim.session.conversation.find(item_id) is None


def test_transcription_of_other_models_costs_tokens() -> None:
    audio_input = {"transcription": {"model": "gpt-4o-transcribe"}, "turn_detection": None}
    sim = Sim(pace="fast", session={"audio": {"input": audio_input}})
    sim.append(sing("12345678"))  # 600 ms
    frames = sim.send("input_audio_buffer.commit")
    usage = one(frames, "conversation.item.input_audio_transcription.completed")["usage"]
    assert usage == {
        "type": "tokens",
        "total_tokens": 8,
        "input_tokens": 6,
        "output_tokens": 2,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 6},
    }


def test_logprobs_where_they_are_asked_for() -> None:
    include = {"include": ["item.input_audio_transcription.logprobs"]}
    sim = Sim(pace="fast", session=WHISPER | include)
    frames = sim.append(spoken("Hello you"))
    deltas = of(frames, "conversation.item.input_audio_transcription.delta")
    probs = [frame["logprobs"] for frame in deltas]
    assert probs[0] == [{"token": "Hello", "logprob": 0.0, "bytes": list(b"Hello")}]
    completed = one(frames, "conversation.item.input_audio_transcription.completed")
    assert completed["logprobs"] == [prob for (prob,) in probs]
    frames = sim.append(np.concatenate([silence(500), noise(1000), silence(600)]))
    completed = one(frames, "conversation.item.input_audio_transcription.completed")
    assert all(prob["logprob"] < -0.5 for prob in completed["logprobs"])


def test_no_logprobs_where_nobody_asked() -> None:
    frames = Sim(pace="fast", session=WHISPER).append(spoken("Hello you"))
    written = [frame for frame in frames if "input_audio_transcription" in frame["type"]]
    assert len(written) == 3
    assert not [frame for frame in written if "logprobs" in frame]


@pytest.mark.parametrize("after", [0.0, 2.0])
def test_a_transcription_that_fails(after: float) -> None:
    sim = Sim(pace="fast", transcription_fails=True, transcription_after=after, session=WHISPER)
    frames = sim.append(spoken("Hello"))
    if after:
        assert not [name for name in types(frames) if "transcription" in name]
        assert sim.run(1.9) == []
        sim.run(0.2)
    written = [frame for frame in sim.frames if "input_audio_transcription" in frame["type"]]
    assert written == [
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "event_id": written[0]["event_id"],
            "item_id": one(sim.frames, "input_audio_buffer.committed")["item_id"],
            "content_index": 0,
            "error": {
                "type": "transcription_error",
                "code": "audio_unintelligible",
                "message": "The audio could not be transcribed.",
                "param": None,
            },
        }
    ]
    # The model has heard it, and the item has no transcript.
    said = one(sim.frames, "response.output_audio_transcript.done")["transcript"]
    assert said == "You said: Hello"
    item_id = written[0]["item_id"]
    (retrieved,) = sim.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"][0]["transcript"] is None


def test_nothing_fails_where_transcription_is_off() -> None:
    frames = Sim(pace="fast", transcription_fails=True).append(spoken("Hello"))
    assert not [name for name in types(frames) if "input_audio_transcription" in name]


def test_retrieved_audio_is_what_was_said() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    audio = spoken("Hello")
    sim.append(audio)
    item_id = sim.send("input_audio_buffer.commit")[0]["item_id"]
    (retrieved,) = sim.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"][0]["audio"] == base64(audio)
    assert listen(audio, 24_000).text == "Hello"


# --- audio that comes as an item -------------------------------------------------------

PREFIX = "conversation.item.input_audio_transcription"


def restore(sim: Sim, *words: str, role: str = "user") -> list[dict[str, Any]]:
    """Put a message of a text and these recordings into the conversation."""
    clips = [{"type": "input_audio", "audio": base64(sing(one_))} for one_ in words]
    content = [{"type": "input_text", "text": "Listen:"}, *clips]
    item = {"type": "message", "role": role, "id": "a", "content": content}
    return sim.send("conversation.item.create", item=item)


def test_audio_in_an_item_is_written_down_as_that_of_a_turn_is() -> None:
    sim = Sim(pace="fast", session=WHISPER)
    frames = restore(sim, "one", "two words")
    assert types(frames)[:2] == ["conversation.item.added", "conversation.item.done"]
    completed = of(frames, f"{PREFIX}.completed")
    written = [(done["item_id"], done["content_index"], done["transcript"]) for done in completed]
    assert sorted(written) == [("a", 1, "one"), ("a", 2, "two words")]
    deltas = [(delta["content_index"], delta["delta"]) for delta in of(frames, f"{PREFIX}.delta")]
    assert sorted(deltas) == [(1, "one"), (2, " words"), (2, "two")]
    (retrieved,) = sim.send("conversation.item.retrieve", item_id="a")
    shown = [part.get("transcript") for part in retrieved["item"]["content"]]
    assert shown == [None, "one", "two words"]
    assert retrieved["item"]["content"][0] == {"type": "input_text", "text": "Listen:"}
    assert sim.session.hearing.heard == [], "it is no turn"


@pytest.mark.parametrize("policy", [{"transcribes_items": False}, {}])
def test_audio_in_an_item_is_heard_in_any_case(policy: dict[str, Any]) -> None:
    sim = Sim(pace="fast", session=WHISPER if policy else {}, **policy)
    assert types(restore(sim, "one")) == ["conversation.item.added", "conversation.item.done"]
    assert sim.session.conversation.told == (("user", "Listen: one"),)


def test_the_transcription_of_an_item_takes_its_time_and_can_fail() -> None:
    sim = Sim(pace="fast", transcription_fails=True, transcription_after=2.0, session=WHISPER)
    assert len(restore(sim, "one")) == 2
    (failed,) = sim.run(2.1)
    assert (failed["type"], failed["item_id"]) == (f"{PREFIX}.failed", "a")
    assert failed["content_index"] == 1


def test_a_transcript_does_not_get_into_an_item_that_took_the_place() -> None:
    sim = Sim(pace="fast", duplicate_item_id="accept", transcription_after=2.0, session=WHISPER)
    restore(sim, "one")
    text = [{"type": "input_text", "text": "x"}, {"type": "input_text", "text": "y"}]
    item = {"type": "message", "role": "user", "id": "a", "content": text}
    sim.send("conversation.item.create", item=item)
    assert types(sim.run(3))[-1] == f"{PREFIX}.completed"
    assert sim.session.conversation.told == (("user", "x y"),)


# --- what was appended in all ----------------------------------------------------------


def test_samples_are_counted_whatever_becomes_of_them() -> None:
    sim = Sim(pace="fast", session=BY_HAND)
    sim.append(silence(200))
    sim.send("input_audio_buffer.commit")
    sim.append(silence(100))
    sim.send("input_audio_buffer.clear")
    sim.update(audio={"input": {"format": {"type": "audio/pcmu"}}})
    sim.append(silence(100, 8_000), WireFormat("audio/pcmu", 8_000))
    assert sim.session.hearing.appended == 300 * 24 + 100 * 8


def test_hours_of_silence_are_not_kept() -> None:
    sim = Sim(pace="fast", keep_received=1, session=vad(create_response=False))
    minute = base64(silence(60_000))
    for _ in range(30):
        sim.send("input_audio_buffer.append", audio=minute)
    frames = sim.append(spoken("Still there"))
    assert [heard.text for heard in sim.session.hearing.heard] == ["Still there"]
    assert one(frames, "input_audio_buffer.speech_started")["audio_start_ms"] == 1_800_200
    assert sim.session.hearing.appended == (1_800_000 * 24) + len(spoken("Still there"))
    sim.send("input_audio_buffer.commit")  # what is left after the turn
    for ms in (500, 50_000, 50_000):
        sim.append(silence(ms))
    committed = sim.send("input_audio_buffer.commit")[0]
    (retrieved,) = sim.send("conversation.item.retrieve", item_id=committed["item_id"])
    kept = PCM.decode(pybase64.b64decode(retrieved["item"]["content"][0]["audio"]))
    assert len(kept) == 100_000 * 24, "a minute at least, in whole pieces as they came"


def test_silence_in_the_middle_of_a_turn_is_kept() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, silence_duration_ms=90_000))
    sim.append(np.concatenate([silence(500), sing("Hello")]))
    for _ in range(4):
        sim.append(silence(20_000))
    sim.append(sing("again"))
    sim.append(silence(60_000))
    sim.append(silence(40_000))
    assert [heard.text for heard in sim.session.hearing.heard] == ["Hello again"]


def test_a_padding_longer_than_what_is_kept_is_what_is_kept() -> None:
    sim = Sim(pace="fast", session=vad(create_response=False, prefix_padding_ms=90_000))
    for _ in range(10):
        sim.append(silence(30_000))
    sim.append(spoken("Hello"))
    assert [heard.text for heard in sim.session.hearing.heard] == ["Hello"]
    (entry,) = sim.session.conversation.entries
    assert 60_000 < entry.clips[0].duration_ms < 65_000


def test_without_detection_everything_is_kept() -> None:
    sim = Sim(pace="fast", keep_received=1, session=BY_HAND)
    for _ in range(4):
        sim.append(silence(30_000))
    sim.send("input_audio_buffer.commit")
    (entry,) = sim.session.conversation.entries
    assert entry.clips[0].duration_ms == 120_000
