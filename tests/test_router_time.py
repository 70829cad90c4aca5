"""What time does to responses: silence ends them, and nobody waits longer than he wants to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_client import events
from realtime_client.creates import METADATA_KEY
from realtime_client.errors import (
    AcknowledgementTimeout,
    ResponseAbandoned,
)
from realtime_client.lives import State
from realtime_client.router import PATIENCE, Router
from realtime_client.verdicts import Verdict
from tests.routing import NONCE, Bench, audio, audio_done, item_added, mcp

# -- silence --------------------------------------------------------------------------------


def test_an_active_one_is_given_up_for_silence_after_its_last_word() -> None:
    bench = Bench(patience=10.0)
    record = bench.begin("a", "resp_a", 1.0).record
    bench.hear("resp_a", 5.0)
    assert bench.wait(14.9) == []
    assert bench.router.active == ("resp_a",)
    assert bench.router.next_deadline() == 15.0
    bench.wait(15.0)
    (ended,) = bench.router.abandoned
    assert record is not None
    assert (ended.record, record.state) == (record, State.GONE)
    assert str(ended.error) == (
        "the server never ended the response: nothing was heard of it for 10 seconds"
    )
    assert bench.cancels() == ["resp_a"]
    assert bench.hear("resp_a").verdict is Verdict.ORPHAN
    assert bench.done("resp_a").verdict is Verdict.DUPLICATE
    assert bench.router.next_deadline() is None


@pytest.mark.parametrize("how", ["cancelled", "given up", "late"])
def test_what_is_to_end_and_is_silent_ends_and_is_not_cancelled_twice(how: str) -> None:
    bench = Bench(patience=10.0)
    if how == "late":
        bench.created("resp_a", {METADATA_KEY: "abcd-77"}, 1.0)
    else:
        bench.begin("a", "resp_a", 1.0)
    if how == "given up":
        bench.router.give_up("a")
    elif how == "cancelled":
        record = bench.router.find("resp_a")
        assert record is not None
        bench.router.cancel(record)
    assert bench.cancels() == ["resp_a"]
    bench.hear("resp_a", 4.0)
    bench.wait(13.9)
    assert list(bench.router.active) == ["resp_a"]
    bench.wait(14.0)
    assert (list(bench.router.active), bench.cancels()) == ([], [])
    assert [one.record.id for one in bench.router.abandoned] == ["resp_a"]


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_create_without_any_answer_ends_and_is_no_more_in_the_way(cancelled: bool) -> None:
    bench = Bench(patience=10.0)
    bench.ask("a", now=1.0)
    bench.ask("b", now=2.0)
    record = bench.record("a")
    if cancelled:
        bench.router.cancel(record)
    metadata = bench.metadata("a")
    assert bench.wait(10.9) == []
    assert bench.wait(11.0) == ["b"]
    (outcome,) = bench.outcomes()
    assert outcome.event_id == "a"
    assert isinstance(outcome.error, ResponseAbandoned)
    assert outcome.error.response_id is None
    assert str(outcome.error) == (
        "the server never began the response: nothing was heard of it for 10 seconds; one that "
        "echoes no metadata needs a dialect that says so"
    )
    assert (record.state, bench.router.abandoned, bench.cancels()) == (State.GONE, [], [])
    route = bench.created("resp_late", metadata, 12.0)
    assert route.verdict is Verdict.DISCARDED


def test_what_was_given_up_and_never_begins_is_forgotten_without_a_word() -> None:
    bench = Bench(patience=10.0)
    bench.ask("a", now=1.0)
    bench.ask("b", now=2.0)
    bench.router.give_up("a")
    assert bench.wait(11.0) == ["b"]
    assert (bench.outcomes(), bench.router.abandoned) == ([], [])


def test_waiting_for_ones_turn_is_no_silence() -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_vad")
    bench.ask("a")
    for now in range(1, 100):
        bench.hear("resp_vad", float(now))
        assert bench.wait(float(now)) == []
    assert bench.outcomes() == []
    bench.wait(100.0)
    assert bench.router.next_deadline() == 109.0


@pytest.mark.parametrize("event", [item_added("resp_1"), audio("resp_1"), audio_done("resp_1")])
def test_any_word_about_it_ends_the_silence(event: Any) -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_1", now=0.0)
    bench.router.on_event(event, 9.0)
    bench.wait(10.0)
    assert list(bench.router.active) == ["resp_1"]
    bench.wait(19.0)
    assert list(bench.router.active) == []


def test_a_repetition_is_a_word_too() -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_1", now=0.0)
    for now in (1.0, 9.0):
        bench.router.on_event(audio("resp_1", "ev_1"), now)
    bench.wait(18.9)
    assert bench.router.active == ("resp_1",)


def test_one_that_is_silent_ends_alone() -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_1", now=0.0)
    bench.created("resp_2", now=5.0)
    bench.wait(10.0)
    assert bench.router.active == ("resp_2",)
    assert bench.router.next_deadline() == 15.0


def test_the_patience_is_a_minute_unless_said() -> None:
    router = Router(NONCE)
    router.on_created(events.ResponseCreated(response=events.ResponseResource(id="r")), 0.0)
    assert router.next_deadline() == PATIENCE == 60.0
    router.on_deadline(59.9)
    assert router.active == ("r",)
    router.on_deadline(60.0)
    assert "for 60 seconds" in str(router.abandoned[0].error)


# -- deadlines ------------------------------------------------------------------------------


def test_nothing_has_no_deadline() -> None:
    bench = Bench()
    assert bench.router.next_deadline() is None
    bench.wait(1e9)
    assert bench.router.next_deadline() is None


def test_a_deadline_is_never_later_than_it_has_to_be() -> None:
    bench = Bench(patience=10.0)
    bench.ask("a", now=1.0)
    assert bench.router.next_deadline() == 11.0
    bench.ask("b", now=2.0, expires=7.0)
    assert bench.router.next_deadline() == 7.0
    bench.answer("a", "resp_a", 6.0)
    bench.wait(7.0)
    assert bench.router.next_deadline() == 16.0
    bench.ask("c", now=8.0, expires=30.0)
    assert bench.router.next_deadline() == 16.0
    bench.hear("resp_a", 15.0)
    bench.wait(16.0)
    assert bench.router.next_deadline() == 25.0
    bench.done("resp_a")
    assert bench.sent(17.0) == ["c"]
    bench.wait(25.0)
    assert bench.router.next_deadline() == 27.0


def test_a_create_that_goes_out_has_a_deadline() -> None:
    bench = Bench(patience=10.0)
    record = bench.created("resp_vad", now=0.0).record
    bench.ask("a", now=0.0)
    bench.done("resp_vad")
    assert bench.sent(3.0) == ["a"]
    bench.wait(10.0)
    assert bench.router.next_deadline() == 13.0
    assert record is not None


def test_one_that_begins_has_a_deadline() -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_1", now=4.0)
    assert bench.router.next_deadline() == 14.0


def test_a_time_that_nobody_waits_for_is_no_deadline() -> None:
    bench = Bench(patience=100.0)
    bench.ask("a", now=1.0, expires=5.0)
    bench.wait(5.0)
    assert len(bench.outcomes()) == 1
    assert bench.router.next_deadline() == 101.0
    bench.wait(101.0)
    assert bench.router.next_deadline() is None


def test_a_retry_is_not_forgotten_when_something_else_is_due() -> None:
    bench = Bench(patience=100.0)
    bench.ask("a", now=0.0)
    bench.ask("b", now=0.0, expires=1.2)
    bench.refuse("a", now=1.0)
    bench.wait(1.2)
    assert len(bench.outcomes()) == 1
    assert bench.router.next_deadline() == 1.5
    assert bench.wait(1.5) == ["a"]


def test_a_word_by_the_item_ends_the_silence() -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_1", now=0.0)
    bench.router.on_item(item_added("resp_1"), "item_1", 9.0)
    record = bench.router.find("resp_1")
    assert record is not None
    heard = [record.heard]
    bench.router.on_item_event(mcp("item_1"), 12.0)
    assert [*heard, record.heard] == [9.0, 12.0]


def test_a_retry_is_a_deadline_once() -> None:
    bench = Bench(patience=100.0)
    bench.ask("a", now=0.0)
    bench.refuse("a", now=1.0)
    assert bench.router.next_deadline() == 1.5
    bench.created("resp_vad", now=1.2)
    assert bench.wait(1.5) == []
    assert bench.router.next_deadline() == 101.2
    bench.done("resp_vad")
    assert bench.sent(2.0) == ["a"]


@pytest.mark.parametrize("early", [0.0, 3.0, 9.999])
def test_asking_early_changes_nothing(early: float) -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_1", now=0.0)
    bench.ask("a", expires=20.0)
    for _ in range(3):
        bench.wait(early)
    assert bench.router.next_deadline() == 10.0
    assert (bench.outcomes(), bench.router.abandoned) == ([], [])
    assert bench.router.active == ("resp_1",)


def test_a_create_without_a_clock_waits_for_ever() -> None:
    bench = Bench(patience=10.0)
    bench.ask("a", now=math.inf)
    bench.wait(1e9)
    assert (bench.router.next_deadline(), bench.outcomes()) == (None, [])
    assert bench.answer("a", "resp_a", 1e9).outcome is not None


def test_who_waits_too_long_and_what_is_silent_end_at_the_same_time() -> None:
    bench = Bench(patience=10.0)
    bench.created("resp_vad", now=0.0)
    bench.ask("a", expires=10.0)
    assert bench.wait(10.0) == []
    (outcome,) = bench.outcomes()
    assert isinstance(outcome.error, AcknowledgementTimeout)
    assert len(bench.router.abandoned) == 1
