"""What it cost: every number that a server gives is counted once, under its own name."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.usage import REMEMBERED, Totals, UsageLedger
from tests import simulated, wire

OPENAI = {
    "total_tokens": 205,
    "input_tokens": 41,
    "output_tokens": 164,
    "input_token_details": {
        "text_tokens": 14,
        "audio_tokens": 27,
        "image_tokens": 3,
        "cached_tokens": 12,
        "cached_tokens_details": {"text_tokens": 5, "audio_tokens": 6, "image_tokens": 1},
    },
    "output_token_details": {"text_tokens": 28, "audio_tokens": 136, "reasoning_tokens": 9},
}
XAI = {
    "input_tokens": 5,
    "input_token_details": {"text_tokens": 5, "audio_tokens": 0, "grok_tokens": 2},
    "output_tokens": 42,
    "output_token_details": {"text_tokens": 3, "audio_tokens": 39, "grok_tokens": 4},
    "total_tokens": 47,
    "output_audio_seconds": 0.75,
    "billable_audio_seconds": 1,
}
OPENAI_TOTALS = Totals(
    responses=1,
    total_tokens=205,
    input_tokens=41,
    input_text_tokens=14,
    input_audio_tokens=27,
    input_image_tokens=3,
    cached_tokens=12,
    cached_text_tokens=5,
    cached_audio_tokens=6,
    cached_image_tokens=1,
    output_tokens=164,
    output_text_tokens=28,
    output_audio_tokens=136,
    output_reasoning_tokens=9,
)
XAI_TOTALS = Totals(
    responses=1,
    total_tokens=47,
    input_tokens=5,
    input_text_tokens=5,
    input_grok_tokens=2,
    output_tokens=42,
    output_text_tokens=3,
    output_audio_tokens=39,
    output_grok_tokens=4,
    output_audio_seconds=0.75,
    billable_audio_seconds=1,
)


def done(id: str | None = "resp_1", inside: Any = None, **beside: Any) -> bytes:  # noqa: A002 - the wire's own name
    response = {"id": id, "status": "completed", "usage": inside}
    return wire.frame("response.done", response=response, **beside)


def written(event_id: str | None = None, transcript: str = "x", **fields: Any) -> bytes:
    kind = "conversation.item.input_audio_transcription.completed"
    return wire.frame(kind, event_id=event_id, item_id="a", transcript=transcript, **fields)


def limits(*rate_limits: dict[str, Any] | None) -> bytes:
    return wire.frame("rate_limits.updated", rate_limits=list(rate_limits))


def ledger(*frames: bytes) -> UsageLedger:
    usage = UsageLedger()
    for frame in frames:
        match decode(frame):
            case events.ResponseDone() as event:
                usage.on_done(event)
            case events.ConversationItemInputAudioTranscriptionCompleted() as event:
                usage.on_completed(event)
            case events.RateLimitsUpdated() as event:
                usage.on_rate_limits(event)
            case other:
                pytest.fail(f"{other}")
    return usage


@pytest.mark.parametrize(
    ("frame", "totals"),
    [
        (done(inside=OPENAI), OPENAI_TOTALS),
        (done(inside=XAI), XAI_TOTALS),
        (done(inside={}, usage=XAI), XAI_TOTALS),
        (done(inside=None, usage=XAI), XAI_TOTALS),
        (done(inside=OPENAI, usage=XAI), OPENAI_TOTALS),
        (done(inside={"total_tokens": 0}, usage=XAI), XAI_TOTALS),
        (done(), Totals(responses=1)),
        (done(inside={}, usage={}), Totals(responses=1)),
    ],
)
def test_usage_counts_wherever_it_is(frame: bytes, totals: Totals) -> None:
    assert ledger(frame).totals == totals


@pytest.mark.parametrize("nothing", [None, {}])
def test_what_is_missing_or_null_counts_as_nothing(nothing: Any) -> None:
    details: dict[str, Any] = {
        **OPENAI,
        "output_tokens": None,
        "input_token_details": nothing,
        "output_token_details": {"text_tokens": None, "audio_tokens": 136},
    }
    assert ledger(done(inside=details)).totals == Totals(
        responses=1, total_tokens=205, input_tokens=41, output_audio_tokens=136
    )
    deeper = {"input_token_details": {"text_tokens": 14, "cached_tokens_details": nothing}}
    assert ledger(done(inside=deeper)).totals == Totals(responses=1, input_text_tokens=14)


def test_usage_may_be_missing_altogether() -> None:
    usage = UsageLedger()
    for nothing in (None, events.UNSET):
        usage.on_response(nothing)
        usage.on_transcription(nothing)
    assert usage.totals == Totals(responses=2, transcriptions=2)


def test_a_negative_count_is_none() -> None:
    inside = {"total_tokens": -7, "output_tokens": 3}
    assert ledger(done(inside=inside)).totals == Totals(responses=1, output_tokens=3)


def test_responses_add_up() -> None:
    usage = ledger(done("resp_1", OPENAI), done("resp_2", {}, usage=XAI), done("resp_3"))
    assert usage.totals == OPENAI_TOTALS + XAI_TOTALS + Totals(responses=1)
    assert usage.totals.total_tokens == 252
    assert usage.totals.responses == 3


def test_adding_adds_every_field() -> None:
    names = [one.name for one in dataclasses.fields(Totals)]
    first = Totals(**{name: number for number, name in enumerate(names)})
    second = Totals(**dict.fromkeys(names, 100))
    assert dataclasses.astuple(first + second) == tuple(range(100, 100 + len(names)))
    assert Totals() + first == first


def test_a_response_that_ends_twice_counts_once() -> None:
    usage = ledger(done("resp_1", OPENAI), done("resp_2"), done("resp_1", OPENAI))
    assert usage.totals == OPENAI_TOTALS + Totals(responses=1)


def test_a_response_is_recognised_by_the_id_beside_it_too() -> None:
    beside = done(None, {}, response_id="resp_1", usage=XAI)
    assert ledger(beside, beside).totals == XAI_TOTALS


def test_responses_without_an_id_all_count() -> None:
    assert ledger(done(None), done(None), done("")).totals.responses == 3


def test_memory_of_what_was_counted_is_bounded() -> None:
    frames = [done(f"resp_{number}") for number in range(REMEMBERED + 1)]
    usage = ledger(*frames, frames[1])
    assert usage.totals.responses == REMEMBERED + 1
    assert len(usage._counted) == REMEMBERED
    assert ledger(*frames, frames[0]).totals.responses == REMEMBERED + 2


def test_transcriptions_are_apart_by_tokens_and_by_seconds() -> None:
    tokens = {
        "type": "tokens",
        "total_tokens": 22,
        "input_tokens": 13,
        "output_tokens": 9,
        "input_token_details": {"text_tokens": 1, "audio_tokens": 12},
    }
    usage = ledger(
        written(usage=tokens),
        written(usage={"type": "duration", "seconds": 3}),
        written(usage={"type": "duration", "seconds": 0.5}),
        written(usage=None),
    )
    assert usage.totals == Totals(
        transcriptions=4,
        transcription_tokens=22,
        transcription_input_tokens=13,
        transcription_input_text_tokens=1,
        transcription_input_audio_tokens=12,
        transcription_output_tokens=9,
        transcription_seconds=3.5,
    )


def test_a_transcription_that_comes_twice_counts_once_and_another_word_anew() -> None:
    second = {"usage": {"type": "duration", "seconds": 1}}
    frames = [written("event_1", "x", **second), written("event_1", "x", **second)]
    assert ledger(*frames).totals.transcriptions == 1
    assert ledger(*frames, written("event_2", "x", **second)).totals.transcription_seconds == 2
    # Some servers give all their events one literal id.
    assert ledger(*frames, written("event_1", "y", **second)).totals.transcription_seconds == 2


def test_totals_that_were_taken_stay_as_they_were() -> None:
    usage = ledger(done("resp_1", OPENAI))
    taken = usage.totals
    usage.on_response(None)
    assert taken == OPENAI_TOTALS
    with pytest.raises(dataclasses.FrozenInstanceError):
        taken.responses = 0  # type: ignore[misc]  # that it is refused is the point


def test_the_last_word_on_each_limit() -> None:
    tokens = {"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}
    usage = ledger(
        limits({"name": "requests", "limit": 10, "remaining": 9}, {**tokens, "remaining": 5}),
        limits(tokens),
        limits({"name": None, "limit": 1}, {"limit": 2}, {"name": ""}),
        limits(),
        wire.frame("rate_limits.updated", rate_limits=None),
        wire.frame("rate_limits.updated"),
    )
    assert dict(usage.rate_limits) == {
        "requests": events.RateLimit(name="requests", limit=10, remaining=9),
        "tokens": events.RateLimit(
            name="tokens", limit=40_000, remaining=39_000, reset_seconds=1.5
        ),
    }


def test_limits_that_were_taken_stay_as_they_were() -> None:
    usage = ledger(limits({"name": "tokens", "remaining": 5}))
    taken: Any = usage.rate_limits
    event = decode(limits({"name": "tokens", "remaining": 4}))
    assert isinstance(event, events.RateLimitsUpdated)
    usage.on_rate_limits(event)
    assert taken["tokens"].remaining == 5
    with pytest.raises(TypeError):
        taken["tokens"] = None
    empty: Any = UsageLedger().rate_limits
    with pytest.raises(TypeError):
        empty["tokens"] = None


@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("openai-server-vad-audio-turn.jsonl", Totals(
            responses=1, total_tokens=205, input_tokens=41, input_text_tokens=14,
            input_audio_tokens=27, output_tokens=164, output_text_tokens=28,
            output_audio_tokens=136, transcriptions=1, transcription_seconds=3,
        )),
        ("xai-text-in-audio-out.jsonl", Totals(
            responses=1, total_tokens=47, input_tokens=5, input_text_tokens=5, output_tokens=42,
            output_text_tokens=3, output_audio_tokens=39,
            output_audio_seconds=0.7699999999999999, billable_audio_seconds=1,
        )),
    ],
)  # fmt: skip
def test_what_real_sessions_cost(name: str, totals: Totals) -> None:
    costs = ("response.done", "input_audio_transcription.completed", "rate_limits.updated")
    frames = [line["frame"] for line in simulated.recording(name)]
    usage = ledger(*(wire.frame(**frame) for frame in frames if frame["type"].endswith(costs)))
    assert usage.totals == totals
