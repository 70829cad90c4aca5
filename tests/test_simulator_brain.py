"""What the default brain answers, and what a brain is told."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.events import ContentPart, MessageItem
from realtime_client.simulator import (
    Answer,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    echo,
    sing,
)
from tests.simulated import Sim, base64, one


def question(**fields: Any) -> Question:
    base: dict[str, Any] = {"source": "none", "text": None, "duration_ms": 0}
    return Question(**(base | {"instructions": "Be brief.", "items": ()} | fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"source": "text", "text": "Hello"}, "You said: Hello"),
        ({"source": "audio", "text": "Hello", "duration_ms": 900}, "You said: Hello"),
        ({"source": "audio", "duration_ms": 2449}, "I heard 2.4 seconds of speech."),
        ({"source": "tool", "text": "42"}, "The tool said: 42"),
        ({}, "Nobody has said anything yet."),
        ({"source": "image"}, "I have been shown an image."),
        ({"instructions": "Say exactly the following: Your call  is recorded."},
         "Your call  is recorded."),
        ({"instructions": "Say exactly the following:\nOne.\nTwo.", "source": "text",
          "text": "x"}, "One.\nTwo."),
        ({"instructions": "Never say exactly the following: x", "source": "text",
          "text": "y"}, "You said: y"),
    ],
)  # fmt: skip
def test_echo(fields: dict[str, Any], said: str) -> None:
    assert echo(question(**fields)) == [Say(said)]


def test_say_exactly_in_a_response() -> None:
    sim = Sim(pace="fast")
    sim.user_says("Hello")
    frames = sim.respond(instructions="Say exactly the following: Ümläute, too!", input=[])
    transcript = one(frames, "response.output_audio_transcript.done")["transcript"]
    assert transcript == "Ümläute, too!"


def told(sim: Sim, questions: list[Question]) -> Question:
    sim.respond()
    return questions[-1]


def test_the_last_words_that_are_not_the_models_are_the_question() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return []

    sim = Sim(brain, pace="fast")
    assert told(sim, questions).source == "none"
    sim.user_says("first")
    assert (told(sim, questions).source, questions[-1].text) == ("text", "first")
    for role, kind in [("assistant", "output_text"), ("system", "input_text")]:
        part = {"type": kind, "text": role}
        item = {"type": "message", "role": role, "content": [part]}
        sim.send("conversation.item.create", item=item)
    assert (told(sim, questions).text, len(questions[-1].items)) == ("first", 3)
    part = {"type": "input_audio", "audio": base64(sing("second"))}
    item = {"type": "message", "role": "user", "content": [part]}
    sim.send("conversation.item.create", item=item)
    assert (told(sim, questions).source, questions[-1].text) == ("audio", "second")
    assert questions[-1].duration_ms == 480
    call = {"type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"}
    sim.send("conversation.item.create", item=call)
    output = {"type": "function_call_output", "call_id": "c", "output": "third"}
    sim.send("conversation.item.create", item=output)
    assert (told(sim, questions).source, questions[-1].text) == ("tool", "third")
    assert questions[-1].duration_ms == 0


IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}


def test_an_image_reaches_the_brain() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return echo(question)

    sim = Sim(brain, pace="fast")
    item = {"type": "message", "role": "user", "content": [IMAGE]}
    added = sim.send("conversation.item.create", item=item)[0]
    assert added["item"]["content"] == [IMAGE]
    said = one(sim.respond(), "response.output_audio_transcript.done")["transcript"]
    assert said == "I have been shown an image."
    assert (questions[0].source, questions[0].text) == ("image", None)
    (shown,) = questions[0].items
    assert isinstance(shown, MessageItem)
    assert shown.content == (
        ContentPart(type="input_image", image_url="data:image/png;base64,AA==", detail="low"),
    )


def test_words_with_an_image_are_the_question() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return []

    sim = Sim(brain, pace="fast")
    text = {"type": "input_text", "text": "What is this?"}
    audio = {"type": "input_audio", "audio": base64(sing("And this?"))}
    for part in (text, audio):
        item = {"type": "message", "role": "user", "content": [IMAGE, part]}
        sim.respond(input=[item], conversation="none")
    assert [(question.source, question.text) for question in questions] == [
        ("text", "What is this?"),
        ("audio", "And this?"),
    ]


def test_nothing_at_all_is_no_image() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return []

    Sim(brain, pace="fast").respond(input=[{"type": "message", "role": "user", "content": []}])
    assert (questions[0].source, questions[0].text) == ("text", None)


def test_an_image_needs_a_url_and_a_user() -> None:
    sim = Sim(pace="fast")
    for role, part, param in [
        ("user", {"type": "input_image"}, "item.content[0].image_url"),
        ("system", IMAGE, "item.content[0].type"),
        ("assistant", IMAGE, "item.content[0].type"),
    ]:
        item = {"type": "message", "role": role, "content": [part]}
        sim.send("conversation.item.create", item=item)
        assert sim.error()[1] == param
    assert sim.session.conversation.items == ()


def test_a_brain_that_raises_is_not_hidden() -> None:
    def brain(question: Question) -> Answer:
        raise LookupError("no idea")

    session = SimulatedSession(SimulatorPolicy(), brain)
    session.start(0.0)
    with pytest.raises(LookupError, match="no idea"):
        session.receive('{"type":"response.create"}', 0.0)
