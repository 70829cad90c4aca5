"""What a response was asked for and what it came to, over a real socket: instructions, metadata,
time limits, tokens, timings.

What the model was told is read from the simulator's own question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from realtime_client import Client, Totals
from realtime_client.errors import AcknowledgementTimeout, UsageError
from realtime_client.simulator import Answer, Part, Question, Say, SimulatorPolicy
from tests.responding import OUT_OF_BAND, Gate, creators, heard, of_type, round_trip
from tests.scenarios import FAST, answers, connected, in_memory, says
from tests.simulated import spoken
from tests.test_scenarios_config_callers import virtual

SCRIPT: dict[str, Sequence[str | Part]] = {
    "first": ["The first says this,", "and then that."],
    "second": ["Something else."],
    "long": ["A long story, told at length. " * 12],
}


# -- what it was asked for --------------------------------------------------------------------


class Model:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Question] = []

    def __call__(self, question: Question) -> Answer:
        self.told.append(question)
        return [Say("Aha.")]


@pytest.mark.parametrize(
    ("session", "options", "told"),
    [
        ("Be brief.", {}, "Be brief."),
        ("Be brief.", {"instructions": "Sing."}, "Sing."),
        ("Be brief.", {"extra_instructions": "Hum."}, "Be brief.\n\nHum."),
        ("Be brief.", {"instructions": "Sing.", "extra_instructions": "Hum."}, "Sing.\n\nHum."),
    ],
)
@pytest.mark.parametrize("where", [{}, OUT_OF_BAND])
async def test_instructions_replace_and_extra_instructions_append(
    session: str, options: dict[str, Any], told: str, where: dict[str, Any]
) -> None:
    model = Model()
    async with connected(FAST, model, instructions=session) as (c, server):
        for _ in range(2):
            await (await c.response.create(**options, **where)).done()
        await (await c.response.create()).done()
        assert [question.instructions for question in model.told] == [told, told, session]
        assert server.settings.session.instructions == session


async def test_extra_instructions_append_to_those_in_force_when_it_goes_out() -> None:
    model = Model()
    async with connected(SimulatorPolicy(pace="wire"), model, instructions="Old.") as (c, _):
        active = await c.response.create()
        async with creators(c) as callers:
            await callers.ask("Asked.", extra_instructions="And more.")
            callers._tasks.start_soon(lambda: c.response.create(extra_instructions="Hum."))
            await round_trip(c)
            await c.session.update(instructions="New.")
            assert active.status == "in_progress"
        told = [question.instructions for question in model.told]
        assert told == ["Old.", "Asked.\n\nAnd more.", "New.\n\nHum."]


async def test_fifteen_pairs_of_metadata_survive_and_sixteen_are_refused_here() -> None:
    pairs = {f"key {n}" * 10: f"value {n}" * 50 for n in range(15)}
    pairs = {key[:64]: value[:512] for key, value in pairs.items()}
    assert len(pairs) == 15
    model = Model()
    async with connected(FAST, model) as (c, _):
        sent = c.sent()
        response = await c.response.create(metadata=pairs)
        await response.done()
        assert response.metadata == pairs
        assert model.told[0].metadata is not None
        assert {**model.told[0].metadata, **pairs} == model.told[0].metadata
        before = sent.held
        for wrong in ({**pairs, "one": "more"}, {"realtime_client": "mine"}):
            with pytest.raises(UsageError, match="metadata"):
                await c.response.create(metadata=wrong)
        for options in ({"when_busy": "perhaps"}, {"timeout": -1}, {"timeout": float("nan")}):
            with pytest.raises(UsageError, match="nothing was sent"):
                await c.response.create(**options)
        assert sent.held == before
        assert not c.active


@virtual
async def test_a_timeout_runs_from_the_call_to_the_beginning() -> None:
    async with in_memory(SimulatorPolicy(pace="realtime", created_after=5.0), says("Hi.")) as (
        c,
        _,
    ):
        start = anyio.current_time()
        response = await c.response.create(timeout=5.5)
        assert anyio.current_time() == start + 5
        with pytest.raises(AcknowledgementTimeout):
            await c.response.create(timeout=4.5)
        assert anyio.current_time() == start + 9.5
        assert response.status == "completed"


# -- numbers ----------------------------------------------------------------------------------


async def test_usage_sums_over_responses_and_transcriptions() -> None:
    policy = SimulatorPolicy(pace="fast", rate_limits=True)
    transcription = {"model": "gpt-4o-transcribe"}
    async with connected(policy, answers(SCRIPT), transcription=transcription) as (c, _):
        assert (c.usage, dict(c.rate_limits)) == (Totals(), {})
        happening, responses = c.events(), c.responses()
        await c.send_audio(spoken("Can you hear me?"))
        theirs = await anext(responses)
        ours = await c.response.create(instructions="first")
        side = await c.response.create(
            conversation="none", input=[], output_modalities=["text"], instructions="second"
        )
        for response in (theirs, ours, side):
            await response.done()
        await round_trip(c)
        costs = [event.response.usage for event in of_type(happening, "response.done")]
        assert len(costs) == 3
        total = c.usage
        assert total.responses == 3
        assert total.total_tokens == sum(cost.total_tokens for cost in costs) > 0
        assert total.input_tokens + total.output_tokens == total.total_tokens
        for kind in ("text", "audio"):
            for way in ("input", "output"):
                name = f"{kind}_tokens"
                parts = [getattr(getattr(cost, f"{way}_token_details"), name) for cost in costs]
                assert getattr(total, f"{way}_{name}") == sum(parts) > 0
        (spent,) = [
            event.usage
            for event in of_type(happening, "conversation.item.input_audio_transcription.completed")
        ]
        assert (total.transcriptions, total.transcription_tokens) == (1, spent.total_tokens)
        assert side.usage is not None
        assert side.usage.output_token_details.audio_tokens == 0  # type: ignore[union-attr]  # it counts
        limit = c.rate_limits["tokens"]
        assert limit.remaining == limit.limit - costs[-1].total_tokens
        assert list(c.rate_limits) == ["tokens"]


async def test_what_was_given_up_has_cost_something_as_well() -> None:
    gate = Gate()
    policy = SimulatorPolicy(pace="wire", tamper=gate)
    async with connected(policy, answers(SCRIPT)) as (c, _):
        happening = c.events()
        async with creators(c) as callers:
            (await callers.ask("long")).cancel()
            await gate.open(c)
            await callers.ask("second")
            await (await callers.response("second")).done()
        costs = [event.response.usage for event in of_type(happening, "response.done")]
        assert [one.output_tokens > 0 for one in costs] == [True, True]
        assert c.usage.responses == 2
        assert c.usage.total_tokens == sum(cost.total_tokens for cost in costs)


@virtual
async def test_timings_and_metrics_tell_when_it_began_spoke_and_ended() -> None:
    words = "This is said at its own pace."
    policy = SimulatorPolicy(pace="realtime", created_after=2.0)
    async with in_memory(policy, says(words)) as (c, _):
        start = anyio.current_time()
        response = await c.response.create()
        timings = response.timings
        assert (timings.asked, timings.created) == (start, start + 2)
        assert (timings.first_audio, timings.done) == (None, None)
        assert response.metrics.time_to_first_audio is None
        assert await heard(response) == words
        await response.done()
        timings, metrics = response.timings, response.metrics
        seconds = (len(words) + 2) * 0.060
        assert timings.created == start + 2
        assert timings.first_text == timings.first_audio == start + 2
        assert timings.done is not None
        assert metrics.duration == timings.done - (start + 2)
        assert seconds - 0.5 < metrics.duration <= seconds
        assert metrics.time_to_first_audio == metrics.time_to_first_text == 2
        assert not metrics.cancelled
        assert response.usage is not None
        assert metrics.usage == response.usage
        assert metrics.tokens_per_second == response.usage.output_tokens / metrics.duration  # type: ignore[operator]  # a number


async def test_a_response_of_the_servers_was_not_asked_for_and_a_cancelled_one_says_so() -> None:
    async with connected(SimulatorPolicy(pace="wire"), says("Hello there.")) as (c, _):
        responses = c.responses()
        await c.send_audio(spoken("Hi."))
        theirs = await anext(responses)
        await anext(theirs.audio)
        await theirs.cancel()
        timings, metrics = theirs.timings, theirs.metrics
        assert timings.asked is None
        assert timings.created is not None
        assert timings.first_audio is not None
        assert timings.done is not None
        assert timings.created <= timings.first_audio <= timings.done
        assert metrics.cancelled
        assert metrics.time_to_first_audio == timings.first_audio - timings.created


def is_active(c: Client) -> bool:
    """A call, so that it is looked at each time."""
    return c.active


async def test_active_is_from_the_create_to_the_end_of_the_last_one() -> None:
    gate = Gate()
    async with connected(SimulatorPolicy(pace="wire", tamper=gate), answers(SCRIPT)) as (c, _):
        assert not is_active(c)
        async with creators(c) as callers:
            await callers.ask("long")
            assert is_active(c), "asked for"
            await gate.open(c)
            long = await callers.response("long")
            assert is_active(c), "being said"
            side = await c.response.create(instructions="second", **OUT_OF_BAND)
            await long.cancel()
            assert is_active(c), "the other one"
            assert await heard(side) == "Something else."
            await side.done()
        assert not is_active(c)
