"""What the simulated model makes of being asked to say a text word for word."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.simulator import Answer, Question, Say, listen
from realtime_client.simulator.saying import SAY_EXACTLY, paraphrase, refusal, text_to_say
from tests.simulated import Frame, Sim, audio, of, one, types

ASKED = "Your call is recorded for training and quality."
EXACTLY = f"Say exactly the following: {ASKED}"
ASSISTANT = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": ASKED}],
}
NOTHING_SAID = "Nobody has said anything yet."


def never(question: Question) -> Answer:
    raise AssertionError("the brain was asked")


def plain(text: str) -> list[str]:
    """The words alone."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def error_rate(asked: str, said: str) -> float:
    """The word error rate: the edit distance in words, for each word that was asked."""
    reference, row = plain(asked), list(range(len(plain(asked)) + 1))
    for i, word in enumerate(plain(said), 1):
        last, row[0] = row[0], i
        for j, other in enumerate(reference, 1):
            best = min(last + (word != other), row[j] + 1, row[j - 1] + 1)
            last, row[j] = row[j], best
    return row[-1] / len(reference)


def heard(frames: list[Frame]) -> str | None:
    """What the audio says, which must be what the transcript says."""
    text = listen(audio(frames), 24_000).text
    assert text == one(frames, "response.output_audio_transcript.done")["transcript"]
    return text


# --- the text alone --------------------------------------------------------------------


def test_the_wording_is_the_documented_one() -> None:
    assert SAY_EXACTLY == "Say exactly the following:"


@pytest.mark.parametrize(
    ("instructions", "text"),
    [
        ("Say exactly the following: Hello.", "Hello."),
        ("Say exactly the following:\n  One.\nTwo. ", "One.\nTwo."),
        ("Say exactly the following:", ""),
        ("Please. Say exactly the following: Hello.", None),
        ("say exactly the following: Hello.", None),
        ("", None),
    ],
)
def test_what_is_asked(instructions: str, text: str | None) -> None:
    assert text_to_say(instructions) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Your call is recorded.", "Your conversation is taped."),
        ("Say  (something) now, Something else!", "Say  (anything) now, Anything else!"),
        ("Hello - World", "Hello - Something"),
        ("Oh Hello!", "Oh Greetings!"),
        ("one\ntwo\nthree", "one\nsomething\nthree"),
        ("It costs 12.50 today", "It something 12.50 something"),
        # One word is cut in half, whatever stands around it.
        ("Hello!", "He!"),
        ("你好世界。", "你好。"),
        ("a!", "something!"),
        ("", "something"),
        ("...", "something"),
    ],
)
def test_a_paraphrase(text: str, said: str) -> None:
    assert paraphrase(text) == said


words = st.text(st.characters(categories=["Ll", "Lu", "Nd"], max_codepoint=0x7F), min_size=1)
marks = st.sampled_from(["", ".", ",", "?", '"', "("])


@given(st.lists(st.tuples(marks, words, marks).map("".join), min_size=2))
def test_some_words_of_a_paraphrase_are_the_same_and_some_are_not(asked: list[str]) -> None:
    text = " ".join(asked)
    assert 0 < error_rate(text, paraphrase(text)) < 1


@given(st.text())
def test_a_paraphrase_never_is_the_text(text: str) -> None:
    assert paraphrase(text) != text


@pytest.mark.parametrize(
    "text",
    [ASKED, "Sorry, nothing today.", "Sorry, and unfortunately not.", "", "I can't help."],
)
def test_a_refusal_shares_no_word(text: str) -> None:
    said = refusal(text)
    assert plain(said)
    assert not set(plain(said)) & set(plain(text))


def test_a_refusal_shares_as_little_as_it_can() -> None:
    assert refusal("Nope, sorry: unfortunately I can't say no.") == "Nope."


# --- each habit, in the audio ----------------------------------------------------------


def test_verbatim_is_the_default_whatever_the_brain() -> None:
    assert heard(Sim(never, pace="fast").respond(instructions=EXACTLY, input=[])) == ASKED


def test_the_instructions_of_the_session_ask_as_well() -> None:
    sim = Sim(never, pace="fast", session={"instructions": EXACTLY})
    assert heard(sim.respond()) == ASKED


def test_paraphrase_says_it_in_other_words() -> None:
    sim = Sim(never, pace="fast", say_exactly="paraphrase")
    said = heard(sim.respond(instructions=EXACTLY)) or ""
    assert said == "Your conversation is taped for something and something."
    assert 0 < error_rate(ASKED, said) < 1


def test_refusal_says_something_else() -> None:
    sim = Sim(never, pace="fast", say_exactly="refusal")
    assert heard(sim.respond(instructions=EXACTLY)) == "Sorry, I can't help with that."
    frames = sim.respond(instructions="Say exactly the following: I can't.")
    assert heard(frames) == "Unfortunately, no."


@pytest.mark.parametrize(
    ("session", "response", "name"),
    [
        ({}, {}, "lookup"),
        ({}, {"tools": []}, "lookup"),
        ({"tools": [{"type": "function", "name": "ours"}]}, {}, "ours"),
        ({"tools": [{"type": "function", "name": "ours"}]},
         {"tools": [], "tool_choice": "none"}, "ours"),
        ({"tools": [{"type": "function", "name": "ours"}]},
         {"tools": [{"type": "mcp", "server_label": "m"}, {"type": "function", "name": "this"},
                    {"type": "function", "name": "that"}]}, "this"),
    ],
)  # fmt: skip
def test_tool_call_calls_and_says_nothing(
    session: dict[str, Any], response: dict[str, Any], name: str
) -> None:
    sim = Sim(never, pace="fast", say_exactly="tool_call", session=session)
    frames = sim.respond(instructions=EXACTLY, **response)
    (item,) = one(frames, "response.done")["response"]["output"]
    assert (item["type"], item["name"]) == ("function_call", name)
    assert msgspec.json.decode(item["arguments"]) == {"text": ASKED}
    assert not [frame for frame in frames if "audio" in frame["type"] or "text" in frame["type"]]


@pytest.mark.parametrize("habit", ["paraphrase", "refusal", "tool_call"])
def test_a_habit_is_for_such_requests_only(habit: str) -> None:
    sim = Sim(pace="fast", say_exactly=habit)
    sim.user_says("Hello")
    assert heard(sim.respond()) == "You said: Hello"


def test_brain_leaves_it_to_the_brain() -> None:
    def stubborn(question: Question) -> Answer:
        return [Say(f"Not: {question.instructions[-8:]}")]

    sim = Sim(stubborn, pace="fast", say_exactly="brain")
    assert heard(sim.respond(instructions=EXACTLY)) == "Not: quality."
    assert heard(Sim(pace="fast", say_exactly="brain").respond(instructions=EXACTLY)) == ASKED


# --- an item is context ----------------------------------------------------------------


@pytest.mark.parametrize("conversation", ["auto", "none"])
def test_an_assistant_item_in_the_input_is_never_spoken(conversation: str) -> None:
    sim = Sim(pace="fast")
    said = heard(sim.respond(conversation=conversation, input=[ASSISTANT]))
    assert said == NOTHING_SAID


def test_an_assistant_item_in_the_conversation_is_never_spoken() -> None:
    sim = Sim(pace="fast")
    sim.send("conversation.item.create", item=ASSISTANT)
    assert heard(sim.respond()) == NOTHING_SAID
    sim.user_says("Hello")
    sim.send("conversation.item.create", item=ASSISTANT)
    assert heard(sim.respond()) == "You said: Hello"


@pytest.mark.parametrize("role", ["assistant", "system", "user"])
def test_an_item_that_says_the_wording_asks_for_nothing(role: str) -> None:
    kind = "output_text" if role == "assistant" else "input_text"
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": EXACTLY}]}
    frames = Sim(pace="fast").respond(input=[item])
    said = f"You said: {EXACTLY}" if role == "user" else NOTHING_SAID
    assert heard(frames) == said
    assert types(of(frames, "response.done")) == ["response.done"]
