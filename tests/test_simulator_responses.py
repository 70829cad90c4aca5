"""Which responses run at once, and how they are stopped."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.simulator import Answer, CallFunction, Question, Say, echo, listen
from tests.simulated import Sim, audio, of, one, scripted, spoken, types

LONG = "This is an answer that takes a good while to say."


def talking(**policy: Any) -> Sim:
    """A session in the middle of a long answer, a second after it began."""
    sim = Sim(scripted([Say(LONG)], [Say("next")]), pace="realtime", **policy)
    sim.respond()
    sim.run(1)
    return sim


# --- cancel ----------------------------------------------------------------------------


def test_cancel_tells_what_was_generated() -> None:
    sim = talking(deltas_after_cancel=0)
    before = list(sim.frames)
    frames = sim.send("response.cancel")
    assert types(frames) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    said = "".join(d["delta"] for d in of(before, "response.output_audio_transcript.delta"))
    assert said
    assert said != LONG
    assert LONG.startswith(said)
    assert one(frames, "response.output_audio_transcript.done")["transcript"] == said
    assert one(frames, "conversation.item.done")["item"]["status"] == "incomplete"
    response = frames[-1]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    # 100 + 390 + 410 + 400 ms were sent by then: 26 tokens
    assert response["usage"]["output_token_details"]["audio_tokens"] == 26
    assert sim.run(60) == []


@pytest.mark.parametrize("count", [0, 1, 5])
def test_deltas_in_flight_still_come_after_a_cancel(count: int) -> None:
    sim = talking(deltas_after_cancel=count)
    frames = sim.send("response.cancel")
    deltas = [frame for frame in frames if frame["type"].endswith(".delta")]
    assert len(deltas) == count
    assert types(frames)[:count] == types(deltas)
    said = "".join(d["delta"] for d in of(sim.frames, "response.output_audio_transcript.delta"))
    assert one(frames, "response.output_audio_transcript.done")["transcript"] == said
    assert sim.run(60) == []


def test_more_deltas_in_flight_than_there_are() -> None:
    sim = talking(deltas_after_cancel=1000)
    frames = sim.send("response.cancel")
    assert listen(audio(sim.frames), 24_000).text == LONG
    response = one(frames, "response.done")["response"]
    assert response["status"] == "cancelled"
    assert response["output"][0]["status"] == "completed"


def test_cancel_by_id_and_by_a_wrong_id() -> None:
    sim = talking()
    response_id = one(sim.frames, "response.created")["response"]["id"]
    sim.send("response.cancel", response_id="resp_other", event_id="e1")
    assert sim.error() == ("response_cancel_not_active", None)
    assert sim.frames[-1]["error"]["event_id"] == "e1"
    assert of(sim.send("response.cancel", response_id=response_id), "response.done")


def test_cancel_without_a_response() -> None:
    sim = Sim(pace="fast")
    sim.send("response.cancel")
    assert sim.error() == ("response_cancel_not_active", None)
    sim.respond()
    sim.send("response.cancel")  # it is over already
    assert sim.error() == ("response_cancel_not_active", None)


def test_cancel_before_created_is_an_error_and_the_response_is_created() -> None:
    sim = Sim(scripted([Say("Hi")]), pace="fast", created_after=0.5)
    assert sim.respond() == []
    sim.send("response.cancel")
    assert sim.error() == ("response_cancel_not_active", None)
    assert sim.run(0.49) == []
    frames = sim.run(0.02)
    assert types(frames)[0] == "response.created"
    assert frames[-1]["response"]["status"] == "completed"


def test_a_cancelled_call_has_cut_off_arguments() -> None:
    call = CallFunction("f", {"one": 1, "two": 2, "three": 3})
    sim = Sim(scripted([call]), pace="realtime", deltas_after_cancel=0)
    sim.respond()
    sim.run(0.03)
    frames = sim.send("response.cancel")
    item = one(frames, "response.output_item.done")["item"]
    assert item["status"] == "incomplete"
    assert item["arguments"] == '{"one": 1,'
    assert one(frames, "response.function_call_arguments.done")["arguments"] == '{"one": 1,'


def test_cancel_between_two_items_keeps_the_first() -> None:
    sim = Sim(scripted([Say("ab"), Say("cd")]), pace="realtime")
    sim.respond()
    sim.run(0.2)  # "ab" has been sent and is still playing
    frames = sim.send("response.cancel")
    assert types(frames) == ["response.done"]
    output = frames[0]["response"]["output"]
    assert [item["status"] for item in output] == ["completed"]


# --- one at a time ---------------------------------------------------------------------


def test_a_second_default_response_is_refused() -> None:
    sim = talking()
    frames = sim.send("response.create", event_id="second")
    assert types(frames) == ["error"]
    assert sim.error() == ("conversation_already_has_active_response", None)
    assert frames[0]["error"]["event_id"] == "second"
    sim.run(60)
    assert len(of(sim.frames, "response.created")) == 1
    assert of(sim.respond(), "response.created")


def test_a_requested_response_occupies_the_conversation_before_it_is_created() -> None:
    sim = Sim(scripted([Say("Hi")]), pace="fast", created_after=0.5)
    sim.respond()
    sim.respond()
    assert sim.error() == ("conversation_already_has_active_response", None)
    assert len(of(sim.run(1), "response.created")) == 1


def test_a_cancelled_response_makes_room() -> None:
    sim = talking()
    sim.send("response.cancel")
    assert of(sim.respond(), "response.created")


# --- out of band -----------------------------------------------------------------------


def test_out_of_band_leaves_the_conversation_untouched() -> None:
    sim = Sim(pace="fast")
    sim.user_says("Hello")
    before = sim.session.conversation.items
    frames = sim.respond(conversation="none", metadata={"topic": "x"})
    assert types(frames)[:3] == [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert not [name for name in types(frames) if name.startswith("conversation.")]
    created = one(frames, "response.created")["response"]
    assert created["conversation_id"] is None
    assert created["metadata"] == {"topic": "x"}
    assert one(frames, "response.done")["response"]["metadata"] == {"topic": "x"}
    assert sim.session.conversation.items == before
    # a positive control: the same answer in the conversation is kept there
    in_band = sim.respond()
    assert one(in_band, "response.created")["response"]["conversation_id"] == "conv_1"
    assert len(sim.session.conversation.items) == len(before) + 1


def test_out_of_band_items_may_be_announced() -> None:
    sim = Sim(pace="fast", out_of_band_item_events=True)
    frames = sim.respond(conversation="none")
    added = one(frames, "conversation.item.added")
    assert added["previous_item_id"] is None
    assert one(frames, "conversation.item.done")["item"]["id"] == added["item"]["id"]
    assert sim.session.conversation.items == ()


def test_several_run_beside_the_default_response_and_each_other() -> None:
    sim = Sim(scripted([Say(LONG)], [Say("Side one")], [Say("Side two")]), pace="realtime")
    sim.respond()
    for _ in range(2):
        sim.respond(conversation="none")
    sim.run(60)
    ids = [frame["response"]["id"] for frame in of(sim.frames, "response.created")]
    done = [frame["response"] for frame in of(sim.frames, "response.done")]
    assert [response["id"] for response in done] == [ids[1], ids[2], ids[0]]
    assert {response["status"] for response in done} == {"completed"}
    for response_id, text in zip(ids, [LONG, "Side one", "Side two"], strict=True):
        own = [frame for frame in sim.frames if frame.get("response_id") == response_id]
        assert listen(audio(own), 24_000).text == text


def test_cancel_without_an_id_never_hits_an_out_of_band_response() -> None:
    sim = Sim(scripted([Say(LONG)]), pace="realtime")
    frames = sim.respond(conversation="none")
    sim.send("response.cancel")
    assert sim.error() == ("response_cancel_not_active", None)
    response_id = one(frames, "response.created")["response"]["id"]
    frames = sim.send("response.cancel", response_id=response_id)
    assert frames[-1]["response"]["status"] == "cancelled"


def test_cancelling_a_side_response_keeps_the_conversation_occupied() -> None:
    sim = talking()
    frames = sim.respond(conversation="none")
    sim.send("response.cancel", response_id=one(frames, "response.created")["response"]["id"])
    sim.respond()
    assert sim.error() == ("conversation_already_has_active_response", None)


# --- what the brain is told ------------------------------------------------------------


def listening(questions: list[Question]) -> Any:
    def brain(question: Question) -> Answer:
        questions.append(question)
        return echo(question)

    return brain


def test_input_replaces_the_conversation() -> None:
    questions: list[Question] = []
    sim = Sim(listening(questions), pace="fast")
    item_id = sim.user_says("Hello")[0]["item"]["id"]
    text = {"type": "input_text", "text": "Only this"}
    message = {"type": "message", "role": "user", "content": [text]}
    sim.respond(conversation="none", input=[])
    sim.respond(conversation="none", input=[message])
    reference = {"type": "item_reference", "id": item_id}
    sim.respond(conversation="none", input=[message, reference])
    sim.respond()
    assert [(question.source, question.text) for question in questions] == [
        ("none", None),
        ("text", "Only this"),
        ("text", "Hello"),
        ("text", "Hello"),
    ]
    assert [len(question.items) for question in questions] == [0, 1, 2, 1]
    assert [question.out_of_band for question in questions] == [True, True, True, False]


def test_input_in_the_default_conversation_answers_there() -> None:
    sim = Sim(pace="fast")
    sim.user_says("Hello")
    frames = sim.respond(input=[], output_modalities=["text"])
    assert one(frames, "response.output_text.done")["text"] == "Nobody has said anything yet."
    assert len(sim.session.conversation.items) == 2


def test_an_item_reference_to_nothing_is_refused() -> None:
    sim = Sim(pace="fast")
    sim.respond(input=[{"type": "item_reference", "id": "item_x"}])
    assert sim.error() == ("invalid_value", "response.input[0].id")
    assert len(of(sim.frames, "response.created")) == 0


def test_a_call_in_the_input_can_be_answered_there() -> None:
    questions: list[Question] = []
    sim = Sim(listening(questions), pace="fast")
    call = {"type": "function_call", "name": "f", "call_id": "call_x", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_x", "output": "42"}
    sim.respond(conversation="none", input=[call, output])
    assert (questions[0].source, questions[0].text) == ("tool", "42")
    sim.respond(conversation="none", input=[output, call])
    assert sim.error() == ("invalid_tool_call_id", "response.input[0].call_id")


def test_the_instructions_of_a_response_replace_the_sessions() -> None:
    questions: list[Question] = []
    sim = Sim(listening(questions), pace="fast", session={"instructions": "Session."})
    sim.respond()
    sim.respond(instructions="Response.")
    sim.respond(instructions=None)
    assert [p.instructions for p in questions] == ["Session.", "Response.", "Session."]


def test_tools_and_metadata_reach_the_brain() -> None:
    questions: list[Question] = []
    tool = {"type": "function", "name": "f"}
    sim = Sim(listening(questions), pace="fast", session={"tools": [tool]})
    sim.respond(metadata={"a": "b"})
    sim.respond(tools=[])
    assert [len(question.tools) for question in questions] == [1, 0]
    assert [question.metadata for question in questions] == [{"a": "b"}, None]


def test_muted_sessions_stay_silent() -> None:
    sim = Sim(pace="fast", mute_after_bad_truncate=True)
    frames = sim.respond()
    item_id = one(frames, "response.output_item.added")["item"]["id"]
    truncate = {"item_id": item_id, "content_index": 0, "audio_end_ms": 99_000}
    sim.send("conversation.item.truncate", **truncate)
    assert sim.respond() == []
    assert sim.run(60) == []
    assert sim.append(spoken("Hello"))[-1]["type"] == "conversation.item.done"


def test_only_a_truncate_past_the_end_mutes() -> None:
    sim = Sim(pace="fast", mute_after_bad_truncate=True)
    truncate = {"item_id": "ghost", "content_index": 0, "audio_end_ms": 1}
    sim.send("conversation.item.truncate", **truncate)
    assert sim.error() == ("item_truncate_invalid_item_id", "item_id")
    assert of(sim.respond(), "response.done")


def test_a_bad_truncate_mutes_nobody_by_default() -> None:
    sim = Sim(pace="fast")
    frames = sim.respond()
    item_id = one(frames, "response.output_item.added")["item"]["id"]
    truncate = {"item_id": item_id, "content_index": 0, "audio_end_ms": 99_000}
    sim.send("conversation.item.truncate", **truncate)
    assert sim.error() == ("invalid_value", "audio_end_ms")
    assert of(sim.respond(), "response.done")


# --- requests that are refused ---------------------------------------------------------

TOO_MANY = {str(i): "x" for i in range(17)}


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"colour": "red"}, "unknown_parameter", "response.colour"),
        ({"temperature": 0.7}, "unknown_parameter", "response.temperature"),
        ({"output_modalities": ["text", "audio"]}, "invalid_value", "response.output_modalities"),
        ({"output_modalities": []}, "invalid_value", "response.output_modalities"),
        ({"conversation": "other"}, "invalid_value", "response.conversation"),
        ({"metadata": TOO_MANY}, "invalid_value", "response.metadata"),
        ({"metadata": {"k" * 65: "v"}}, "string_above_max_length", "response.metadata"),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "response.metadata.k"),
        ({"metadata": {"k": 1}}, "invalid_value", "response.metadata.k"),
        ({"max_output_tokens": 0}, "integer_below_min_value", "response.max_output_tokens"),
        ({"max_output_tokens": 5000}, "invalid_value", "response.max_output_tokens"),
        ({"instructions": 3}, "invalid_value", "response.instructions"),
        ({"input": [{"type": "message"}]}, "invalid_value", "response.input"),
        ({"input": [{"type": "strange"}]}, "invalid_value", "response.input[0].type"),
        ({"reasoning": {"effort": "low"}}, "unknown_parameter", "response.reasoning"),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 8000}}}},
         "invalid_value", "response.audio.output.format.rate"),
    ],
)  # fmt: skip
def test_a_response_that_cannot_be(response: dict[str, Any], code: str, param: str) -> None:
    sim = Sim(pace="fast")
    frames = sim.respond(**response)
    assert types(frames) == ["error"]
    assert sim.error() == (code, param)
    assert of(sim.respond(), "response.done"), "a refused request must occupy nothing"


def test_the_voice_is_frozen_for_responses_too() -> None:
    sim = Sim(pace="fast")
    voiced = {"audio": {"output": {"voice": "marin"}}}
    assert of(sim.respond(conversation="none", **voiced), "response.done")
    sim.respond(**voiced)
    assert sim.error() == ("cannot_update_voice", "response.audio.output.voice")
    assert of(sim.respond(audio={"output": {"voice": "alloy"}}), "response.done")


def test_metadata_up_to_its_limits() -> None:
    metadata = {"k" * 63 + chr(97 + i): "v" * 512 for i in range(16)}
    sim = Sim(pace="fast")
    created = one(sim.respond(metadata=metadata), "response.created")
    assert created["response"]["metadata"] == metadata


# --- beginning together ----------------------------------------------------------------


def deltas_by_response(frames: list[Any]) -> list[str]:
    """The response of each delta, in order."""
    return [frame["response_id"] for frame in frames if frame["type"].endswith(".delta")]


@pytest.mark.parametrize("pace", ["fast", "wire"])
def test_responses_that_begin_together_alternate_delta_by_delta(pace: str) -> None:
    first, second = [Say("ab cd"), Say("ef")], [Say("gh ij"), Say("kl")]
    sim = Sim(scripted(first, second), pace=pace, begin_together=2)
    assert sim.respond() == []
    sim.respond(conversation="none")
    sim.run(60)
    assert types(sim.frames)[1:3] == ["response.created"] * 2
    ids = [frame["response"]["id"] for frame in of(sim.frames, "response.created")]
    order = deltas_by_response(sim.frames)
    # Texts of the same lengths have the same deltas, so they alternate to the end.
    assert len(order) > 12
    assert order == ids * (len(order) // 2)
    for response_id, answer in zip(ids, [first, second], strict=True):
        own = [frame for frame in sim.frames if frame.get("response_id") == response_id]
        items = [frame["item"]["id"] for frame in of(own, "response.output_item.added")]
        said = [
            listen(audio([frame for frame in own if frame.get("item_id") == item]), 24_000).text
            for item in items
        ]
        assert said == [say.text for say in answer]
    assert len(sim.session.conversation.items) == 2


def test_three_take_turns_whatever_their_lengths() -> None:
    texts = ["a b c d e f", "g h", "i j k l"]
    sim = Sim(scripted(*([Say(text)] for text in texts)), pace="fast", begin_together=3)
    for _ in texts:
        frames = sim.respond(conversation="none", output_modalities=["text"])
    assert [frame["delta"] for frame in of(frames, "response.output_text.delta")] == [
        "a", "g", "i", " b", " h", " j", " c", " k", " d", " l", " e", " f",
    ]  # fmt: skip


def test_they_wait_for_as_many_as_the_policy_says_each_time() -> None:
    sim = Sim(pace="fast", begin_together=2)
    asked = [sim.respond(conversation="none") for _ in range(5)]
    assert [len(of(frames, "response.created")) for frames in asked] == [0, 2, 0, 2, 0]
    assert sim.run(60) == []


def test_one_that_waits_occupies_the_conversation_and_cannot_be_cancelled() -> None:
    sim = Sim(pace="fast", begin_together=2)
    sim.respond()
    sim.respond()
    assert sim.error() == ("conversation_already_has_active_response", None)
    sim.send("response.cancel")
    assert sim.error() == ("response_cancel_not_active", None)
    assert len(of(sim.respond(conversation="none"), "response.done")) == 2
    assert sim.respond() == []  # there is room for the next one


def test_they_begin_when_the_last_of_them_is_ready() -> None:
    sim = Sim(pace="fast", begin_together=2, created_after=1.0)
    sim.respond(conversation="none")
    assert sim.run(0.6) == []
    sim.respond(conversation="none")
    assert sim.run(0.9) == []
    assert types(sim.run(0.2))[:2] == ["response.created"] * 2


def test_beside_each_other_they_take_turns_without_beginning_together() -> None:
    """By default nobody waits: the first is over before the second is asked for."""
    sim = Sim(scripted([Say("ab")], [Say("cd")]), pace="fast")
    for _ in range(2):
        sim.respond(conversation="none")
    order = deltas_by_response(sim.frames)
    assert order == sorted(order)


# --- the race with the voice activity detection ----------------------------------------


@pytest.mark.parametrize("policy", [{"created_after": 0.5}, {"begin_together": 2}])
def test_a_turn_occupies_the_conversation_before_its_response_is_created(
    policy: dict[str, Any],
) -> None:
    sim = Sim(pace="fast", **policy)
    frames = sim.append(spoken("Hello"))
    assert types(frames)[-1] == "conversation.item.done"
    frames = sim.send("response.create", event_id="mine")
    assert types(frames) == ["error"]
    assert sim.error() == ("conversation_already_has_active_response", None)
    assert frames[0]["error"]["event_id"] == "mine"
    sim.respond(conversation="none", metadata={"side": "1"})  # which is no part of the race
    sim.run(1)
    said = of(sim.frames, "response.output_audio_transcript.done")
    assert [frame["transcript"] for frame in said] == ["You said: Hello"] * 2
    created = [frame["response"]["metadata"] for frame in of(sim.frames, "response.created")]
    assert created == [None, {"side": "1"}]
