"""Items: created, echoed, retrieved, deleted, truncated, and each refused where it must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from realtime_client.events import MessageItem
from realtime_client.simulator import Answer, CallFunction, Question, Say, echo, sing
from realtime_client.simulator.items import item_text
from tests.simulated import Frame, Sim, audio, base64, of, one, scripted, types

CREATE = "conversation.item.create"
ACKNOWLEDGED = ["conversation.item.added", "conversation.item.done"]


def message(role: str, part: Frame, **fields: Any) -> Frame:
    return {"type": "message", "role": role, "content": [part], **fields}


def text(words: str, kind: str = "input_text") -> Frame:
    return {"type": kind, "text": words}


def order(sim: Sim) -> list[str]:
    return [entry.id for entry in sim.session.conversation.entries]


def said(sim: Sim) -> list[str | None]:
    return [item_text(entry) for entry in sim.session.conversation.entries]


# --- create ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("user", text("Hello")),
        ("system", text("Be kind.")),
        ("assistant", text("Hello!", "output_text")),
        ("user", {"type": "input_image", "image_url": "data:image/png;base64,AA=="}),
    ],
)
def test_a_message_is_echoed_complete(role: str, part: Frame) -> None:
    sim = Sim()
    item = message(role, part, id="mine", object="realtime.item")
    frames = sim.send(CREATE, item=item)
    assert types(frames) == ACKNOWLEDGED
    for frame in frames:
        assert frame["previous_item_id"] is None
        assert frame["item"] == message(role, part, id="mine", status="completed")


def test_ids_are_given_where_none_came() -> None:
    sim = Sim()
    first = sim.user_says("a")[0]["item"]["id"]
    added = sim.user_says("b")[0]
    assert added["item"]["id"] not in (first, None)
    assert added["previous_item_id"] == first


def test_an_item_goes_where_it_is_told() -> None:
    sim = Sim()
    for item_id in "abc":
        sim.send(CREATE, item=message("user", text(item_id), id=item_id))
    first = sim.send(CREATE, item=message("user", text("x"), id="x"), previous_item_id="root")
    middle = sim.send(CREATE, item=message("user", text("y"), id="y"), previous_item_id="a")
    end = sim.send(CREATE, item=message("user", text("z"), id="z"), previous_item_id=None)
    assert [frames[0]["previous_item_id"] for frames in (first, middle, end)] == [None, "a", "c"]
    assert [frames[1]["previous_item_id"] for frames in (first, middle, end)] == [None, "a", "c"]
    assert order(sim) == ["x", "a", "y", "b", "c", "z"]


def test_an_unknown_predecessor_is_refused() -> None:
    sim = Sim()
    sim.send(CREATE, item=message("user", text("x")), previous_item_id="ghost", event_id="e")
    assert sim.error() == ("item_create_invalid_previous_item_id", "previous_item_id")
    assert sim.frames[-1]["error"]["event_id"] == "e"
    assert order(sim) == []


def test_a_duplicate_id_by_policy() -> None:
    sim = Sim()
    sim.send(CREATE, item=message("user", text("one"), id="a"))
    sim.send(CREATE, item=message("user", text("two"), id="a"))
    assert sim.error() == ("item_create_duplicate_item_id", "item.id")
    assert said(sim) == ["one"]

    sim = Sim(duplicate_item_id="accept")
    for item_id, words in [("a", "one"), ("b", "other"), ("a", "two")]:
        frames = sim.send(CREATE, item=message("user", text(words), id=item_id))
        assert types(frames) == ACKNOWLEDGED
    assert order(sim) == ["a", "b"]
    assert said(sim) == ["two", "other"]


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        (message("assistant", text("x")), "invalid_value", "item.content[0].type"),
        (message("assistant", text("x", "text")), "invalid_value", "item.content[0].type"),
        (message("user", text("x", "output_text")), "invalid_value", "item.content[0].type"),
        (message("system", {"type": "input_audio", "audio": "AAAA"}),
         "invalid_value", "item.content[0].type"),
        (message("user", {"text": "x"}), "invalid_value", "item.content[0].type"),
        (message("user", {"type": "input_text"}),
         "missing_required_parameter", "item.content[0].text"),
        (message("user", {"type": "input_audio"}),
         "missing_required_parameter", "item.content[0].audio"),
        (message("user", {"type": "input_audio", "audio": "?"}),
         "invalid_value", "item.content[0].audio"),
        (message("user", {"type": "input_audio", "audio": "Ā"}),
         "invalid_value", "item.content[0].audio"),
        (message("user", {"type": "input_audio", "audio": ""}),
         "invalid_value", "item.content[0].audio"),
        (message("user", {"type": "input_audio", "audio": "AA=="}),
         "invalid_value", "item.content[0].audio"),
        (message("tool", text("x")), "invalid_value", "item.role"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "function_call_output", "call_id": "call_x", "output": ""},
         "invalid_tool_call_id", "item.call_id"),
        ({"type": "item_reference", "id": "x"}, "invalid_value", "item.type"),
        ({"type": "surprise"}, "invalid_value", "item.type"),
        (message("user", text("x" * 256_001)),
         "string_above_max_length", "item.content[0].text"),
    ],
)  # fmt: skip
def test_items_that_are_refused(item: Frame, code: str, param: str) -> None:
    sim = Sim()
    frames = sim.send(CREATE, item=item)
    assert types(frames) == ["error"]
    assert sim.error() == (code, param)
    assert order(sim) == []


def test_the_longest_text_is_accepted() -> None:
    assert types(Sim().user_says("x" * 256_000)) == ACKNOWLEDGED


@pytest.mark.parametrize(
    ("role", "value"),
    [("assistant", "output_text"), ("system", "input_text"), ("user", "input_text")],
)
def test_the_wrong_part_is_named_in_the_servers_words(role: str, value: str) -> None:
    (error,) = Sim().send(CREATE, item=message(role, text("x", "text")))
    assert error["error"]["message"] == f"Invalid value: 'text'. Value must be '{value}'."


def test_the_output_of_a_call_is_echoed_without_status() -> None:
    sim = Sim(scripted([CallFunction("f", {})]), pace="fast")
    call_id = one(sim.respond(), "response.function_call_arguments.done")["call_id"]
    output = {"type": "function_call_output", "call_id": call_id, "output": "42"}
    frames = sim.send(CREATE, item=output | {"id": "out", "status": "completed"})
    assert types(frames) == ACKNOWLEDGED
    assert frames[0]["item"] == output | {"id": "out"}


def test_a_call_of_the_past_can_be_answered() -> None:
    sim = Sim()
    call = {"type": "function_call", "name": "f", "call_id": "c1", "arguments": "{}"}
    frames = sim.send(CREATE, item=call)
    assert frames[0]["item"] == call | {"id": "item_1", "status": "completed"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "42"}
    assert types(sim.send(CREATE, item=output)) == ACKNOWLEDGED


def test_a_deleted_call_cannot_be_answered() -> None:
    sim = Sim()
    call = {"type": "function_call", "name": "f", "call_id": "c1", "arguments": "{}", "id": "i"}
    sim.send(CREATE, item=call)
    sim.send("conversation.item.delete", item_id="i")
    sim.send(CREATE, item={"type": "function_call_output", "call_id": "c1", "output": "42"})
    assert sim.error() == ("invalid_tool_call_id", "item.call_id")


def test_audio_in_an_item_is_heard_and_not_echoed() -> None:
    sim = Sim(pace="fast")
    data = base64(sing("Recorded"))
    frames = sim.send(CREATE, item=message("user", {"type": "input_audio", "audio": data}, id="a"))
    assert frames[0]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    said = one(sim.respond(), "response.output_audio_transcript.done")["transcript"]
    assert said == "You said: Recorded"
    (retrieved,) = sim.send("conversation.item.retrieve", item_id="a")
    assert retrieved["item"]["content"][0]["audio"] == data


def test_text_and_audio_of_one_message_are_both_heard() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return echo(question)

    sim = Sim(brain, pace="fast")
    clips = [{"type": "input_audio", "audio": base64(sing(word))} for word in ("one", "two")]
    item = {"type": "message", "role": "user", "content": [text("zero"), *clips]}
    sim.send(CREATE, item=item)
    sim.respond()
    assert (questions[0].source, questions[0].text) == ("audio", "zero one two")
    assert questions[0].duration_ms == 600
    (shown,) = questions[0].items
    assert isinstance(shown, MessageItem)
    assert [part.transcript for part in (shown.content or ())[1:]] == ["one two", None]


# --- delete and retrieve ---------------------------------------------------------------


def test_delete() -> None:
    sim = Sim()
    for item_id in "ab":
        sim.send(CREATE, item=message("user", text(item_id), id=item_id))
    (deleted,) = sim.send("conversation.item.delete", item_id="a")
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", "a")
    assert order(sim) == ["b"]
    added = sim.send(CREATE, item=message("user", text("c")), previous_item_id="a")
    assert types(added) == ["error"]


@pytest.mark.parametrize("verb", ["delete", "retrieve", "truncate"])
def test_an_unknown_item(verb: str) -> None:
    sim = Sim()
    extra = {"content_index": 0, "audio_end_ms": 0} if verb == "truncate" else {}
    (error,) = sim.send(f"conversation.item.{verb}", item_id="ghost", event_id="e", **extra)
    assert sim.error() == (f"item_{verb}_invalid_item_id", "item_id")
    assert error["error"]["event_id"] == "e"


def test_retrieve_brings_the_assistants_audio() -> None:
    sim = Sim(scripted([Say("Hi")]), pace="fast")
    frames = sim.respond()
    item_id = one(frames, "response.output_item.added")["item"]["id"]
    (retrieved,) = sim.send("conversation.item.retrieve", item_id=item_id)
    (part,) = retrieved["item"]["content"]
    assert part == {
        "type": "output_audio",
        "transcript": "Hi",
        "audio": base64(audio(frames)),
    }


def test_retrieve_of_a_text() -> None:
    sim = Sim()
    sim.send(CREATE, item=message("user", text("x"), id="a"))
    (retrieved,) = sim.send("conversation.item.retrieve", item_id="a")
    assert retrieved["type"] == "conversation.item.retrieved"
    assert retrieved["item"] == message("user", text("x"), id="a", status="completed")


# --- who said what ---------------------------------------------------------------------


def test_what_was_told_is_who_said_what() -> None:
    answers: list[Answer] = [
        [Say("Hi"), CallFunction("f", {"a": 1})],
        [Say("Written.", modality="text")],
    ]
    sim = Sim(scripted(*answers), pace="fast")
    sim.send(CREATE, item=message("system", text("Be kind.")))
    recorded = {"type": "input_audio", "audio": base64(sing("Recorded"))}
    sim.send(CREATE, item=message("user", recorded))
    call_id = one(sim.respond(), "response.function_call_arguments.done")["call_id"]
    output = {"type": "function_call_output", "call_id": call_id, "output": "42"}
    sim.send(CREATE, item=output)
    sim.respond()
    noise = base64(np.full(2_400, 9_000, dtype=np.int16))
    sim.send(CREATE, item=message("user", {"type": "input_audio", "audio": noise}))
    assert sim.session.conversation.told == (
        ("system", "Be kind."),
        ("user", "Recorded"),
        ("assistant", "Hi"),
        ("function_call", 'f({"a": 1})'),
        ("function_call_output", "42"),
        ("assistant", "Written."),
        ("user", None),
    )


@pytest.mark.parametrize(("heard_ms", "words"), [(0, None), (700, "Hello my f")])
def test_what_was_told_of_an_answer_is_what_was_heard(heard_ms: int, words: str | None) -> None:
    sim = Sim(scripted([Say("Hello my friend")]), pace="fast")
    truncate(sim, spoken_item(sim), heard_ms)
    assert sim.session.conversation.told == (("assistant", words),)


# --- truncate --------------------------------------------------------------------------


def spoken_item(sim: Sim) -> str:
    return str(one(sim.respond(), "response.output_item.added")["item"]["id"])


def truncate(sim: Sim, item_id: str, end_ms: int, index: int = 0) -> list[Frame]:
    command = {"item_id": item_id, "content_index": index, "audio_end_ms": end_ms}
    return sim.send("conversation.item.truncate", **command)


def test_truncate_removes_what_nobody_heard() -> None:
    sim = Sim(scripted([Say("Hello")], [Say("x")]), pace="fast")  # 7 symbols: 420 ms
    item_id = spoken_item(sim)
    (truncated,) = truncate(sim, item_id, 200)
    assert truncated | {"event_id": ""} == {
        "type": "conversation.item.truncated",
        "event_id": "",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": 200,
    }
    (retrieved,) = sim.send("conversation.item.retrieve", item_id=item_id)
    (part,) = retrieved["item"]["content"]
    assert part == {"type": "output_audio", "audio": base64(sing("Hello")[:4800])}
    # and the context costs what is left: 200 ms are 4 tokens
    sim.update(instructions=".")
    usage = one(sim.respond(), "response.done")["response"]["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 4


def test_truncate_at_the_very_end_and_past_it() -> None:
    sim = Sim(scripted([Say("Hello")]), pace="fast")
    item_id = spoken_item(sim)
    assert types(truncate(sim, item_id, 420)) == ["conversation.item.truncated"]
    (error,) = truncate(sim, item_id, 421)
    assert sim.error() == ("invalid_value", "audio_end_ms")
    assert error["error"]["message"] == "Audio content of 420ms is already shorter than 421ms"


def test_what_is_cut_stays_cut() -> None:
    sim = Sim(scripted([Say("Hello")]), pace="fast")
    item_id = spoken_item(sim)
    truncate(sim, item_id, 100)
    (error,) = truncate(sim, item_id, 200)
    assert error["error"]["message"] == "Audio content of 100ms is already shorter than 200ms"
    assert types(truncate(sim, item_id, 0)) == ["conversation.item.truncated"]


def test_only_what_was_sent_can_be_kept_of_an_item_in_progress() -> None:
    sim = Sim(scripted([Say("A longer sentence.")]), pace="realtime")
    sim.respond()
    sim.run(0.2)  # 100 + 390 ms have been sent
    item_id = one(sim.frames, "response.output_item.added")["item"]["id"]
    (error,) = truncate(sim, item_id, 491)
    assert error["error"]["message"] == "Audio content of 490ms is already shorter than 491ms"
    truncate(sim, item_id, 300)
    sim.run(30)
    (retrieved,) = sim.send("conversation.item.retrieve", item_id=item_id)
    (part,) = retrieved["item"]["content"]
    assert part["audio"] == base64(sing("A longer sentence.")[: 300 * 24])
    assert "transcript" not in part


@pytest.mark.parametrize(
    ("end_ms", "index", "code", "param"),
    [
        (-1, 0, "integer_below_min_value", "audio_end_ms"),
        (100, 1, "invalid_value", "content_index"),
        (1.5, 0, "invalid_value", "audio_end_ms"),
    ],
)
def test_a_truncate_that_cannot_be(end_ms: Any, index: int, code: str, param: str) -> None:
    sim = Sim(scripted([Say("Hello")]), pace="fast")
    truncate(sim, spoken_item(sim), end_ms, index)
    assert sim.error() == (code, param)


def test_only_audio_of_the_model_can_be_truncated() -> None:
    sim = Sim(scripted([Say("x", modality="text"), CallFunction("f", {})]), pace="fast")
    said, call = (frame["item"]["id"] for frame in of(sim.respond(), "conversation.item.done"))
    sim.send(CREATE, item=message("user", text("x"), id="mine"))
    clip = {"type": "input_audio", "audio": base64(sing("x"))}
    sim.send(CREATE, item=message("user", clip, id="my voice"))
    for item_id in (said, call, "mine", "my voice"):
        (error,) = truncate(sim, item_id, 0)
        assert sim.error() == ("invalid_value", "item_id")
        words = "Only model output audio messages can be truncated."
        assert error["error"]["message"] == words


def test_an_item_deleted_while_it_is_made_stays_deleted() -> None:
    sim = Sim(scripted([Say("A longer sentence.")]), pace="realtime")
    sim.respond()
    item_id = one(sim.frames, "response.output_item.added")["item"]["id"]
    sim.send("conversation.item.delete", item_id=item_id)
    assert one(sim.run(30), "response.done")["response"]["output"][0]["id"] == item_id
    assert order(sim) == []
