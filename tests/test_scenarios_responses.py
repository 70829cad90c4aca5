"""What goes wrong with responses elsewhere, and not here: what belongs to whom.

R1, R2 and R15: several messages, several responses at once, inside and outside the conversation.
What was said is read from the audio: each message has to say its own words, all of them, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import anyio
import pytest

from realtime_client import Call, Message, events
from realtime_client.simulator import Answer, CallFunction, Part, Question, Say, SimulatorPolicy
from tests.responding import OUT_OF_BAND, Gate, all_heard, creators, heard, of_type, round_trip
from tests.scenarios import answers, connected, plain, says

SCRIPT: dict[str, Sequence[str | Part]] = {
    "first": ["The first says this,", "and then that: 1, 2, 3.", "No more."],
    "second": ["Zweitens aber – äußerst laut –", "something else altogether!"],
    "third": ["Quite short."],
    "fourth": ["Four, for", "a", "change."],
}

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": name, "parameters": {}} for name in ("look", "wait")
]
"""Nobody here runs them: calls of them are for whoever holds the response."""

AUDIO = "response.output_audio.delta"


def together(number: int) -> SimulatorPolicy:
    """Responses begin when there are so many, and speak in turn, one delta each."""
    return SimulatorPolicy(pace="fast", begin_together=number)


# -- R1 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", ["audio/pcm", "audio/pcmu"])
async def test_R1_two_that_overlap_delta_by_delta_say_exactly_their_own_words(
    output_format: str,
) -> None:
    async with connected(together(2), answers(SCRIPT), output_format=output_format) as (c, _):
        happening, orphans = c.events(), c.orphans()
        async with creators(c) as callers:
            await callers.ask("first")
            await callers.ask("second", **OUT_OF_BAND)
        first, second = [await callers.response(name) for name in ("first", "second")]
        await second.done()
        await first.done()
        speakers = [event.response_id for event in of_type(happening, AUDIO)]
        runs = [(one, len(list(run))) for one, run in groupby(speakers)]
        shared = 2 * min(speakers.count(first.id), speakers.count(second.id))
        assert len(runs) >= shared / 2 > 10, "they do overlap, or this shows nothing"
        for name, response in (("first", first), ("second", second)):
            assert await all_heard(response) == SCRIPT[name]
            assert response.transcript == "\n".join(map(str, SCRIPT[name]))
            assert response.status == "completed"
        assert orphans.held == c.stats["discarded"].total() == c.stats["orphan"].total() == 0


@pytest.mark.parametrize("ends_last", ["first", "second"])
async def test_R1_each_ends_on_its_own_done(ends_last: str) -> None:
    gate = Gate(
        lambda event: (
            isinstance(event, events.ResponseDone)
            and (event.response.metadata or {}).get("name") == ends_last
        )
    )
    policy = SimulatorPolicy(pace="fast", begin_together=2, tamper=gate)
    async with connected(policy, answers(SCRIPT)) as (c, _):
        async with creators(c) as callers:
            await callers.ask("first", metadata={"name": "first"})
            await callers.ask("second", metadata={"name": "second"}, **OUT_OF_BAND)
        both = {name: await callers.response(name) for name in ("first", "second")}
        last = both.pop(ends_last)
        (other,) = both.values()
        with anyio.fail_after(5):
            assert (await other.done()).id == other.id
            await round_trip(c)
            assert (other.status, last.status) == ("completed", "in_progress")
            assert len(last.outputs) == len(SCRIPT[ends_last])
            assert not last._outputs.ended, "the other one's end is not its own"
            await gate.open(c)
            assert (await last.done()).id == last.id
        assert await all_heard(last) == SCRIPT[ends_last]
        assert last.status == "completed"


# -- R2 ---------------------------------------------------------------------------------------


async def test_R2_n_messages_are_n_streams_with_calls_between_them() -> None:
    parts: list[str | Part] = [
        "A warning first.",
        "Then the answer.",
        CallFunction("look", {"where": "here"}),
        "One moment.",
        CallFunction("look", {}),
        CallFunction("wait", {"s": 1}),
        "And that was it.",
    ]
    async with connected(brain=says(*parts), tools=TOOLS) as (c, session):
        response = await c.response.create()
        kinds, aloud, written = [], [], []
        async for output in response:
            kinds.append(type(output))
            if isinstance(output, Call):
                written.append((output.name, await output.arguments.read()))
                assert await heard(output) is None
                continue
            aloud.append(await heard(output))
            assert await output.transcript.read() == aloud[-1]
            item = await output.done()
            assert plain(item)["content"][0]["transcript"] == aloud[-1]
        assert kinds == [Message if isinstance(part, str) else Call for part in parts]
        assert aloud == [part for part in parts if isinstance(part, str)]
        assert written == [("look", '{"where": "here"}'), ("look", "{}"), ("wait", '{"s": 1}')]
        assert response.status == "completed"
        ids = [plain(item)["id"] for item in session.conversation.items]
        assert [output.id for output in response.outputs] == ids


async def test_R2_the_audio_of_a_response_runs_through_all_of_its_messages() -> None:
    parts = ("A warning.", CallFunction("look", {}), "The answer.", "The end.")
    async with connected(brain=says(*parts), tools=TOOLS) as (c, _):
        response = await c.response.create()
        assert await heard(response) == "A warning. The answer. The end."
        assert response.transcript == "A warning.\nThe answer.\nThe end."


async def test_R2_nothing_follows_a_message() -> None:
    async with connected(brain=says("Hello.")) as (c, _):
        response = await c.response.create()
        with anyio.fail_after(5):
            assert await response.follow_up() is None
        assert response.status == "completed"
        await round_trip(c)
        assert not c.active


async def test_R2_nothing_follows_a_call_that_is_not_run_here() -> None:
    async with connected(brain=says(CallFunction("look", {})), tools=TOOLS) as (c, _):
        response = await c.response.create()
        with anyio.fail_after(1):
            assert await response.follow_up() is None


# -- R15 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("item_events", [False, True])
async def test_R15_out_of_band_any_number_runs_beside_a_default_one(item_events: bool) -> None:
    """And stays out of the conversation, on both sides, whether the server shows it or not."""
    policy = SimulatorPolicy(pace="fast", begin_together=4, out_of_band_item_events=item_events)
    async with connected(policy, answers(SCRIPT)) as (c, session):
        happening = c.events()
        async with creators(c) as callers:
            await callers.ask("second", **OUT_OF_BAND)
            await callers.ask("first")
            await callers.ask("third", **OUT_OF_BAND)
            await callers.ask("fourth", **OUT_OF_BAND)
            responses = {name: await callers.response(name) for name in SCRIPT}
        for name, response in responses.items():
            assert await all_heard(response) == SCRIPT[name]
            assert response.out_of_band is (name != "first")
            await response.done()
        order = [frame.type for frame in happening._items]
        begun = [i for i, kind in enumerate(order) if kind == "response.created"]
        assert len(begun) == 4
        assert begun[-1] < order.index(AUDIO), "all of them at once"
        await round_trip(c)
        ours = [output.id for output in responses["first"].outputs]
        assert [plain(item)["id"] for item in session.conversation.items] == ours
        assert [plain(item)["id"] for item in c.conversation.items] == ours
        added = of_type(happening, "conversation.item.added")
        assert len(added) == sum(map(len, SCRIPT.values())) if item_events else len(ours)


async def test_R15_out_of_band_ones_neither_wait_nor_let_wait() -> None:
    script: dict[str, Sequence[str | Part]] = {"long": ["A long story. " * 40]}
    policy = SimulatorPolicy(pace="realtime")
    async with connected(policy, answers(script, otherwise="Hm.")) as (c, session):
        with anyio.fail_after(5):
            default = await c.response.create(instructions="long")
            beside = [
                await c.response.create(instructions="long", when_busy=busy, **OUT_OF_BAND)
                for busy in ("wait", "fail", "interrupt")
            ]
            assert session.responses.active is not None
            assert default.status == "in_progress"
            await default.cancel()
            following = await c.response.create(instructions="x", when_busy="fail")
            assert {one.status for one in (following, *beside)} == {"in_progress"}
            await c.response.cancel()
            assert (following.status, default.status) == ("cancelled", "cancelled")
            assert {one.status for one in beside} == {"in_progress"}
            for one in beside:
                assert session.responses.speaking
                await one.cancel()
        assert not session.responses.speaking
        assert not c.active


async def test_R15_its_context_is_its_own_and_its_words_are_remembered_by_nobody() -> None:
    questions: list[Question] = []

    def brain(question: Question) -> Answer:
        questions.append(question)
        return [Say("Noted.")]

    async with connected(brain=brain) as (c, session):
        await c.send_text("The word is plum.")
        inputs: list[dict[str, Any]] = [
            {"input": []},
            {},
            {"input": [events.user_message("Only this.")]},
        ]
        for options in inputs:
            response = await c.response.create(conversation="none", **options)
            assert await all_heard(response) == ["Noted."]
        await (await c.response.create()).done()
        texts = [[plain(item)["content"][0].get("text") for item in q.items] for q in questions]
        assert texts == [[], ["The word is plum."], ["Only this."], ["The word is plum."]]
        assert [q.out_of_band for q in questions] == [True, True, True, False]
        assert len(session.conversation.items) == len(c.conversation.items) == 2
