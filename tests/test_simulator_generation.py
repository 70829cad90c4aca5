"""Every kind of response, event by event, in the literal order of the protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from realtime_client.audio import WireFormat
from realtime_client.simulator import Answer, CallFunction, Fail, Say, Stop, listen, sing
from tests.simulated import Sim, audio, collapsed, of, one, scripted, types

HEAD = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
TAIL = [
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
AUDIO_TAIL = ["response.output_audio.done", "response.output_audio_transcript.done", *TAIL]
TEXT = [*HEAD, "response.output_text.delta", "response.output_text.done", *TAIL]
AUDIO = [*HEAD, "audio or transcript delta", *AUDIO_TAIL]
CALL = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]

FORMATS = [
    WireFormat("audio/pcm", 24_000),
    WireFormat("audio/pcmu", 8_000),
    WireFormat("audio/pcma", 8_000),
]


def test_a_written_answer() -> None:
    sim = Sim(pace="fast")
    sim.user_says("Hello there")
    frames = sim.respond(output_modalities=["text"])
    assert collapsed(types(frames)) == TEXT
    deltas = [frame["delta"] for frame in of(frames, "response.output_text.delta")]
    assert deltas == ["You", " said:", " Hello", " there"]
    assert one(frames, "response.output_text.done")["text"] == "You said: Hello there"
    done = one(frames, "response.done")["response"]
    part = {"type": "output_text", "text": "You said: Hello there"}
    assert done["output"][0]["content"] == [part]
    assert (done["status"], done["status_details"]) == ("completed", None)


def test_a_spoken_answer() -> None:
    sim = Sim(pace="fast")
    sim.user_says("Hello there")
    frames = sim.respond()
    assert collapsed(types(frames)) == AUDIO
    names = types(frames)
    first_audio = names.index("response.output_audio.delta")
    last_transcript = len(names) - 1 - names[::-1].index("response.output_audio_transcript.delta")
    # "transcript deltas begin before audio deltas, then they interleave"
    assert names.index("response.output_audio_transcript.delta") < first_audio < last_transcript
    transcript = "".join(d["delta"] for d in of(frames, "response.output_audio_transcript.delta"))
    assert transcript == "You said: Hello there"
    done = one(frames, "response.output_audio_transcript.done")
    assert done["transcript"] == transcript
    assert one(frames, "response.content_part.done")["part"] == {
        "type": "audio",
        "transcript": transcript,
    }
    content = one(frames, "response.done")["response"]["output"][0]["content"]
    assert content == [{"type": "output_audio", "transcript": transcript}]


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: str(format_.type))
def test_what_is_said_is_the_transcript_in_every_format(format_: WireFormat) -> None:
    wire: dict[str, Any] = {"type": format_.type}
    sim = Sim(scripted([Say("Grüße! 12 °C, näh?")]), pace="fast")
    sim.update(audio={"output": {"format": wire}})
    frames = sim.respond()
    samples = audio(frames, format_)
    assert listen(samples, format_.rate).text == "Grüße! 12 °C, näh?"
    assert len(samples) == len(sing("Grüße! 12 °C, näh?", format_.rate))


def test_a_format_of_one_response() -> None:
    sim = Sim(scripted([Say("Hi")]), pace="fast")
    frames = sim.respond(audio={"output": {"format": {"type": "audio/pcmu"}}})
    assert listen(audio(frames, FORMATS[1]), 8_000).text == "Hi"
    shown = one(frames, "response.created")["response"]["audio"]["output"]
    assert shown == {"format": {"type": "audio/pcmu"}, "voice": "alloy"}
    assert sim.session.settings.output.format == sim.session.settings.input.format


def test_a_function_call_has_no_content_parts() -> None:
    sim = Sim(scripted([CallFunction("get_weather", {"city": "London"})]), pace="fast")
    frames = sim.respond()
    assert collapsed(types(frames)) == CALL
    assert one(frames, "response.output_item.added")["item"]["arguments"] == ""
    done = one(frames, "response.function_call_arguments.done")
    assert (done["name"], done["arguments"]) == ("get_weather", '{"city": "London"}')
    item = one(frames, "response.done")["response"]["output"][0]
    assert item["arguments"] == '{"city": "London"}'
    assert item["call_id"] == done["call_id"]
    assert sim.session.conversation.calls == {done["call_id"]}


def test_arguments_may_be_any_text() -> None:
    sim = Sim(scripted([CallFunction("f", '{"a": ')]), pace="fast")
    done = one(sim.respond(), "response.function_call_arguments.done")
    assert done["arguments"] == '{"a": '


def test_messages_and_calls_mixed() -> None:
    answer: Answer = [Say("One moment."), CallFunction("look", {}), Say("Done.", modality="text")]
    sim = Sim(scripted(answer), pace="fast")
    frames = sim.respond()
    assert collapsed(types(frames)) == AUDIO[:-1] + CALL[1:-1] + TEXT[1:]
    added = of(frames, "response.output_item.added")
    assert [frame["output_index"] for frame in added] == [0, 1, 2]
    items = one(frames, "response.done")["response"]["output"]
    assert [item["type"] for item in items] == ["message", "function_call", "message"]
    chain = of(frames, "conversation.item.added")
    previous = [frame["previous_item_id"] for frame in chain]
    assert previous == [None, items[0]["id"], items[1]["id"]]


def test_done_names_the_predecessor_of_written_messages_only() -> None:
    answer: Answer = [Say("A"), CallFunction("f", {}), Say("B", modality="text")]
    sim = Sim(scripted(answer), pace="fast")
    frames = sim.respond()
    items = one(frames, "response.done")["response"]["output"]
    done = of(frames, "conversation.item.done")
    assert [frame["previous_item_id"] for frame in done] == [None, None, items[1]["id"]]


def test_every_event_of_a_response_names_its_place() -> None:
    sim = Sim(scripted([Say("A"), Say("B")]), pace="fast")
    frames = sim.respond()
    response_id = one(frames, "response.created")["response"]["id"]
    items = one(frames, "response.done")["response"]["output"]
    for frame in frames:
        if frame["type"] in ("response.created", "response.done"):
            continue
        if frame["type"].startswith("conversation."):
            assert frame["item"]["id"] in (items[0]["id"], items[1]["id"])
            continue
        assert frame["response_id"] == response_id
        item_id = frame.get("item_id") or frame["item"]["id"]
        assert item_id == items[frame["output_index"]]["id"]
        assert frame.get("content_index", 0) == 0


def test_a_failed_inference_is_a_response_that_failed() -> None:
    sim = Sim(scripted([Fail("rate_limit_exceeded", "Slow down.")]), pace="fast")
    frames = sim.respond()
    assert types(frames) == ["response.created", "response.done"]
    response = frames[-1]["response"]
    assert response["status"] == "failed"
    error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Slow down."}
    assert response["status_details"] == {"type": "failed", "error": error}
    assert response["output"] == []


def test_a_failure_after_a_message() -> None:
    sim = Sim(scripted([Say("So"), Fail("x", "y")]), pace="fast")
    response = one(sim.respond(), "response.done")["response"]
    assert (response["status"], len(response["output"])) == ("failed", 1)
    assert response["output"][0]["status"] == "completed"


def test_a_stopped_response_is_incomplete() -> None:
    sim = Sim(scripted([Say("So"), Stop("content_filter")]), pace="fast")
    response = one(sim.respond(), "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "content_filter"}


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_max_output_tokens_cuts_the_answer(modality: str) -> None:
    sim = Sim(scripted([Say("one two three four five six seven")]), pace="fast")
    frames = sim.respond(max_output_tokens=5, output_modalities=[modality])
    response = one(frames, "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert 0 < response["usage"]["output_tokens"] <= 5
    assert response["output"][0]["status"] == "incomplete"
    assert response["max_output_tokens"] == 5


def test_an_answer_within_max_output_tokens_is_complete() -> None:
    sim = Sim(scripted([Say("one two!")]), pace="fast")  # 8 characters: 2 tokens
    frames = sim.respond(max_output_tokens=2, output_modalities=["text"])
    assert one(frames, "response.done")["response"]["status"] == "completed"


def test_an_empty_answer() -> None:
    sim = Sim(scripted([], [Say("")], [Say("")]), pace="fast")
    assert types(sim.respond()) == ["response.created", "response.done"]
    frames = sim.respond(output_modalities=["text"])
    assert types(frames) == [*HEAD, "response.output_text.done", *TAIL]
    frames = sim.respond()
    assert listen(audio(frames), 24_000).text == ""


def test_usage_follows_the_token_arithmetic() -> None:
    sim = Sim(scripted([Say("12345")]), pace="fast")
    sim.update(instructions="123456789")  # 3 tokens
    sim.append(np.zeros(24_000 * 250 // 1000, dtype=np.int16))  # 250 ms: 3 tokens
    sim.send("input_audio_buffer.commit")
    sim.user_says("12345678")  # 2 tokens
    usage = one(sim.respond(), "response.done")["response"]["usage"]
    assert usage["input_token_details"]["text_tokens"] == 5
    assert usage["input_token_details"]["audio_tokens"] == 3
    assert usage["output_token_details"] == {"text_tokens": 2, "audio_tokens": 9}  # 420 ms
    assert usage["input_tokens"] == 8
    assert usage["output_tokens"] == 11
    assert usage["total_tokens"] == 19


def test_the_context_counts_calls_outputs_and_what_was_said() -> None:
    sim = Sim(scripted([CallFunction("abcd", "12345678"), Say("Hi")], [Say("x")]), pace="fast")
    sim.update(instructions="1234")  # 1 token
    frames = sim.respond()
    call_id = one(frames, "response.function_call_arguments.done")["call_id"]
    output = {"type": "function_call_output", "call_id": call_id, "output": "abcdefgh"}
    sim.send("conversation.item.create", item=output)
    usage = one(sim.respond(), "response.done")["response"]["usage"]
    # the call 3, its output 2; the spoken "Hi" is 240 ms of assistant audio
    assert usage["input_token_details"]["text_tokens"] == 1 + 3 + 2
    assert usage["input_token_details"]["audio_tokens"] == 5


# --- time ------------------------------------------------------------------------------


def deltas_with_times(pace: str) -> tuple[list[float], list[int]]:
    sim = Sim(scripted([Say("This takes a few seconds.")]), pace=pace)
    sim.respond()
    sim.run(10)
    start = sim.times[sim.frames.index(one(sim.frames, "response.created"))]
    pairs = [
        (time - start, len(audio([frame])))
        for time, frame in zip(sim.times, sim.frames, strict=True)
        if frame["type"] == "response.output_audio.delta"
    ]
    return [time for time, _ in pairs], [size for _, size in pairs]


@pytest.mark.parametrize(("pace", "factor"), [("realtime", 1.0), ("wire", 0.25), ("fast", 0.0)])
def test_each_delta_is_due_when_it_would_be_played(pace: str, factor: float) -> None:
    times, sizes = deltas_with_times(pace)
    starts = np.cumsum([0, *sizes[:-1]]) / 24_000 * factor
    assert times == pytest.approx(starts.tolist(), abs=1e-6)


def test_deltas_are_ragged_and_the_first_is_small() -> None:
    _, sizes = deltas_with_times("fast")
    assert sizes[0] == 2_400  # 100 ms
    middle = sizes[1:-1]
    assert len(set(middle)) > 1
    assert all(8_400 <= size <= 10_800 for size in middle)  # 350 to 450 ms


def test_the_end_comes_with_the_last_delta() -> None:
    sim = Sim(scripted([Say("This takes a few seconds.")]), pace="realtime")
    sim.respond()
    sim.run(10)
    last = of(sim.frames, "response.output_audio.delta")[-1]
    done = one(sim.frames, "response.done")
    assert sim.times[sim.frames.index(done)] == sim.times[sim.frames.index(last)]


def test_a_second_message_waits_until_the_first_was_played() -> None:
    sim = Sim(scripted([Say("ab"), Say("cd")]), pace="realtime")
    start = sim.now
    sim.respond()
    sim.run(5)
    second = of(sim.frames, "response.output_item.added")[1]
    assert sim.times[sim.frames.index(second)] - start == pytest.approx(0.24)  # 2 + 2 symbols


def test_text_comes_over_time() -> None:
    sim = Sim(scripted([Say("a b c")]), pace="realtime")
    frames = sim.respond(output_modalities=["text"])
    assert len(of(frames, "response.output_text.delta")) == 1
    frames = sim.run(0.021)
    assert [frame["delta"] for frame in of(frames, "response.output_text.delta")] == [" b"]
    assert of(sim.run(1), "response.done")


def test_a_late_caller_does_not_shift_what_follows() -> None:
    sim = Sim(scripted([Say("This takes a few seconds.")]), pace="realtime")
    start = sim.now
    sim.respond()
    sim.now += 0.6  # nobody called at 0.1 and 0.49
    sim.session.on_deadline(sim.now)
    sim.take()
    due = sim.session.next_deadline()
    assert due is not None
    assert due - start == pytest.approx(0.9)  # 100 + 390 + 410 ms


def test_what_was_due_comes_before_the_answer_to_what_came_late() -> None:
    sim = Sim(scripted([Say("Hi")]), pace="fast", created_after=0.5)
    sim.respond()
    sim.now += 1  # and nobody called at 0.5
    names = types(sim.send("input_audio_buffer.clear"))
    assert names[0] == "response.created"
    assert names[-2:] == ["response.done", "input_audio_buffer.cleared"]


def test_the_same_conversation_is_the_same_bytes() -> None:
    def play() -> list[bytes]:
        sim = Sim(pace="fast")
        sim.user_says("Hello")
        sim.session.receive('{"type":"response.create"}', sim.now)
        return sim.session.data_to_send()

    first = play()
    assert len(first) > 10
    assert first == play()
