"""Whose event is this? Every kind of asker, and every order of events."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import events
from realtime_client.creates import METADATA_KEY
from realtime_client.dialects import Dialect
from realtime_client.errors import (
    NotSupported,
    ResponseAbandoned,
    ResponseWithdrawn,
    ServerError,
    UsageError,
)
from realtime_client.lives import State
from realtime_client.router import OVER, PATIENCE, Router
from realtime_client.verdicts import Verdict
from tests.routing import (
    BUSY,
    NONCE,
    OUT_OF_BAND,
    PLAIN,
    Bench,
    asked,
    audio,
    audio_done,
    item_added,
    mcp,
)

THEIRS = {METADATA_KEY: "ffff-1"}
NOT_ACTIVE = ServerError("no", code="response_cancel_not_active")


# -- beginning and ending -------------------------------------------------------------------


def test_a_response_of_ours_begins_for_its_caller() -> None:
    bench = Bench()
    bench.ask("a")
    key = bench.record("a").key
    route = bench.answer("a", "resp_a", 3.0)
    record = route.record
    assert record is not None
    assert route.verdict is Verdict.DELIVERED
    assert (record.id, record.key, record.initiator) == ("resp_a", key, "client")
    assert (record.created, record.heard, record.state) == (True, 3.0, State.ACTIVE)
    assert route.outcome is not None
    assert (route.outcome.event_id, route.outcome.error) == ("a", None)
    assert isinstance(route.outcome.answer, events.ResponseCreated)
    assert bench.router.active == ("resp_a",)
    assert bench.router.find("resp_a") is record


@pytest.mark.parametrize(("metadata", "initiator"), [(None, "server"), (THEIRS, "other")])
@pytest.mark.parametrize("dialect", [Dialect("ga"), PLAIN])
def test_what_we_did_not_ask_for_surfaces_and_is_never_touched(
    metadata: Any, initiator: str, dialect: Dialect
) -> None:
    bench = Bench(dialect, patience=5.0)
    route = bench.created("resp_x", metadata)
    assert (route.verdict, route.outcome) == (Verdict.DELIVERED, None)
    assert route.record is not None
    assert route.record.initiator == initiator
    assert bench.hear("resp_x").verdict is Verdict.DELIVERED
    bench.wait(5.0)
    assert bench.cancels() == []
    assert [one.record.id for one in bench.router.abandoned] == ["resp_x"]


def test_without_metadata_the_server_started_it_whoever_waits() -> None:
    bench = Bench()
    bench.ask("a")
    bench.created("resp_vad")
    assert bench.record("a").state is State.REQUESTED


def test_two_responses_at_once_end_on_their_own_done() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    bench.created("resp_vad")
    assert bench.router.active == ("resp_a", "resp_vad")
    ended = bench.done("resp_a").record
    assert ended is not None
    assert ended.state is State.GONE
    assert bench.hear("resp_a").verdict is Verdict.ORPHAN
    route = bench.hear("resp_vad")
    assert route.verdict is Verdict.DELIVERED
    assert route.record is bench.router.find("resp_vad")


@pytest.mark.parametrize("metadata", [None, THEIRS, "ours"])
def test_an_end_without_a_beginning_is_both(metadata: Any) -> None:
    bench = Bench()
    bench.ask("a")
    route = bench.done("resp_1", bench.metadata("a") if metadata == "ours" else metadata)
    assert route.verdict is Verdict.DELIVERED
    assert route.record is not None
    assert (route.record.id, route.record.state) == ("resp_1", State.GONE)
    assert not route.record.created
    if metadata == "ours":
        assert route.outcome is not None
        assert route.outcome.event_id == "a"
        assert isinstance(route.outcome.answer, events.ResponseDone)
        assert bench.is_empty()
    else:
        assert route.outcome is None
    assert bench.created("resp_1", metadata).verdict is Verdict.DUPLICATE
    assert bench.hear("resp_1").verdict is Verdict.ORPHAN


def test_an_end_without_a_beginning_where_metadata_is_not_echoed() -> None:
    bench = Bench(PLAIN)
    bench.ask("a")
    route = bench.done("resp_1")
    assert route.outcome is not None
    assert route.outcome.event_id == "a"


@pytest.mark.parametrize("late", [False, True])
def test_an_end_without_a_beginning_of_what_nobody_wants_is_discarded(late: bool) -> None:
    bench = Bench()
    bench.ask("a", expires=1.0)
    metadata = {METADATA_KEY: "abcd-77"} if late else bench.metadata("a")
    bench.wait(1.0)
    assert len(bench.outcomes()) == 1
    route = bench.done("resp_1", metadata)
    assert (route.verdict, route.outcome) == (Verdict.DISCARDED, None)
    assert route.record is not None
    assert (route.record.id, route.record.state) == ("resp_1", State.GONE)
    assert bench.cancels() == []
    assert bench.router.active == ()


def test_a_late_one_is_cancelled_by_its_id_and_discarded() -> None:
    bench = Bench()
    bench.ask("a")
    metadata = bench.metadata("a")
    bench.wait(PATIENCE)
    bench.created("resp_vad", now=100.0)
    route = bench.created("resp_late", metadata, now=1e6)
    assert route == (Verdict.DISCARDED, bench.router.find("resp_late"), None)
    assert bench.is_given_up("resp_late")
    assert bench.cancels() == ["resp_late"]
    assert bench.hear("resp_late").verdict is Verdict.DISCARDED
    assert bench.hear("resp_vad").verdict is Verdict.DELIVERED
    assert bench.done("resp_late").verdict is Verdict.DISCARDED
    assert bench.hear("resp_late").verdict is Verdict.ORPHAN
    assert bench.cancels() == []


# -- repetitions ----------------------------------------------------------------------------


def test_a_second_beginning_or_end_is_a_duplicate() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    metadata = {METADATA_KEY: "abcd-1"}
    again = bench.created("resp_a", metadata)
    assert again == (Verdict.DUPLICATE, None, None)
    assert bench.hear("resp_a").verdict is Verdict.DELIVERED
    assert bench.done("resp_a").verdict is Verdict.DELIVERED
    for _ in range(2):
        assert bench.done("resp_a") == (Verdict.DUPLICATE, None, None)
        assert bench.created("resp_a", metadata) == (Verdict.DUPLICATE, None, None)
    assert (bench.cancels(), bench.is_empty()) == ([], True)


def test_the_ended_ones_are_remembered_for_a_while() -> None:
    bench = Bench()
    for n in range(OVER):
        bench.created(f"resp_{n}")
        bench.done(f"resp_{n}")
    assert bench.created("resp_0").verdict is Verdict.DUPLICATE
    bench.created("resp_last")
    bench.done("resp_last")
    assert len(bench.router._over) == OVER
    for name in ("1", f"{OVER - 1}", "last"):
        assert bench.created(f"resp_{name}").verdict is Verdict.DUPLICATE
    assert bench.created("resp_0").verdict is Verdict.DELIVERED


def test_one_of_ours_that_was_forgotten_is_late_and_disturbs_nobody() -> None:
    bench = Bench()
    bench.begin("first", "resp_first")
    metadata = {METADATA_KEY: "abcd-1"}
    bench.done("resp_first")
    for n in range(OVER):
        bench.begin(f"e{n}", f"resp_{n}")
        bench.done(f"resp_{n}")
    bench.ask("last")
    route = bench.done("resp_first", metadata)
    assert (route.verdict, route.outcome) == (Verdict.DISCARDED, None)
    bench.answer("last", "resp_last")
    bench.done("resp_last")
    assert bench.done("resp_first", metadata).verdict is Verdict.DUPLICATE
    assert (bench.cancels(), bench.is_empty()) == ([], True)


def test_an_event_that_came_before_is_a_duplicate() -> None:
    bench = Bench()
    bench.created("resp_1")
    router = bench.router
    for n in range(3):
        assert router.on_event(audio("resp_1", f"ev_{n}"), 1.0).verdict is Verdict.DELIVERED
    for n in range(3):
        route = router.on_event(audio("resp_1", f"ev_{n}"), 1.0)
        assert route == (Verdict.DUPLICATE, router.find("resp_1"), None)
    assert router.on_event(audio("resp_1", "ev_3"), 1.0).verdict is Verdict.DELIVERED


def test_a_repetition_is_one_within_its_response() -> None:
    bench = Bench()
    for response_id in ("resp_1", "resp_2"):
        bench.created(response_id)
        route = bench.router.on_event(audio(response_id, "ev_1"), 1.0)
        assert route.verdict is Verdict.DELIVERED


def test_every_kind_of_event_can_be_a_repetition() -> None:
    bench = Bench()
    bench.created("resp_1")
    router = bench.router
    for verdict in (Verdict.DELIVERED, Verdict.DUPLICATE):
        assert router.on_item(item_added("resp_1", "ev_1"), "item_1", 1.0).verdict is verdict
        assert router.on_item_event(mcp("item_1", "ev_2"), 1.0).verdict is verdict
        assert router.on_event(audio_done("resp_1", "ev_3"), 1.0).verdict is verdict


@pytest.mark.parametrize("nothing", [None, "", events.UNSET])
def test_without_an_id_nothing_is_a_repetition(nothing: Any) -> None:
    bench = Bench()
    bench.created("resp_1")
    for _ in range(3):
        route = bench.router.on_event(audio("resp_1", nothing), 1.0)
        assert route.verdict is Verdict.DELIVERED
    bench.router.on_event(audio("resp_1", "ev_1"), 1.0)
    assert bench.router.on_event(audio("resp_1", "ev_1"), 1.0).verdict is Verdict.DUPLICATE


@pytest.mark.parametrize(
    "others",
    [
        {"delta": b"b"},
        {"delta": b"aa"},
        {"delta": b"a", "item_id": "item_2"},
        {"delta": b"a", "content_index": 1},
        {"delta": b"a", "output_index": 1},
    ],
)
def test_ids_that_name_nothing_cost_no_byte(others: dict[str, Any]) -> None:
    bench = Bench()
    bench.created("resp_1")
    events_ = [audio("resp_1", "event_TODO"), audio("resp_1", "event_TODO", **others)]
    for event in events_ * 3:
        assert bench.router.on_event(event, 1.0).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("differs", ["head", "tail"])
def test_long_deltas_are_told_apart(differs: str) -> None:
    bench = Bench()
    bench.created("resp_1")
    silence = bytes(4800)
    spoken = b"\1" + silence[1:] if differs == "head" else silence[1:] + b"\1"
    for delta in (silence, spoken):
        event = audio("resp_1", "event_TODO", delta)
        assert bench.router.on_event(event, 1.0).verdict is Verdict.DELIVERED


def test_an_id_that_the_beginning_had_names_nothing() -> None:
    bench = Bench()
    whole = events.ResponseResource(id="resp_1")
    created = events.ResponseCreated(response=whole, event_id="event_TODO")
    bench.router.on_created(created, 0.0)
    for _ in range(3):  # silence, which is always the same
        event = audio("resp_1", "event_TODO", bytes(960))
        assert bench.router.on_event(event, 1.0).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("event_id", [None, "", events.UNSET])
def test_a_beginning_without_an_id_says_nothing_about_ids(event_id: Any) -> None:
    bench = Bench()
    whole = events.ResponseResource(id="resp_1")
    bench.router.on_created(events.ResponseCreated(response=whole, event_id=event_id), 0.0)
    record = bench.router.find("resp_1")
    assert record is not None
    assert record.seen == {}


def test_two_kinds_with_one_id_show_that_ids_name_nothing() -> None:
    bench = Bench()
    bench.created("resp_1")
    part_done = events.ResponseContentPartDone(response_id="resp_1", event_id="same")
    for _ in range(2):
        for event in (audio_done("resp_1", "same"), part_done):
            assert bench.router.on_event(event, 1.0).verdict is Verdict.DELIVERED


# -- by item --------------------------------------------------------------------------------


def test_events_without_a_response_id_go_by_their_item() -> None:
    bench = Bench()
    for n in "ab":
        bench.created(f"resp_{n}")
        bench.router.on_item(item_added(f"resp_{n}"), f"item_{n}", 1.0)
    route = bench.router.on_item_event(mcp("item_b"), 2.0)
    record = bench.router.find("resp_b")
    assert record is not None
    assert (route.verdict, route.record, record.heard) == (Verdict.DELIVERED, record, 2.0)
    bench.done("resp_b")
    assert bench.router.on_item_event(mcp("item_b"), 2.0).verdict is Verdict.ORPHAN
    assert bench.router.on_item_event(mcp("item_a"), 2.0).verdict is Verdict.DELIVERED
    for nobodys in ("item_9", None, events.UNSET):
        assert bench.router.on_item_event(mcp(nobodys), 2.0).verdict is Verdict.ORPHAN


def test_an_item_belongs_to_the_first_that_shows_it() -> None:
    bench = Bench()
    for n in "ab":
        bench.created(f"resp_{n}")
        bench.router.on_item(item_added(f"resp_{n}"), "item_1", 1.0)
    first = bench.router.find("resp_a")
    assert first is not None
    bench.router.on_item(item_added("resp_a"), "item_1", 1.0)
    assert first.items == ["item_1"]
    bench.done("resp_b")
    assert bench.router.on_item_event(mcp("item_1"), 2.0).record is first
    bench.done("resp_a")
    assert (first.items, bench.router._by_item) == (["item_1"], {})


@pytest.mark.parametrize("item_id", [None, events.UNSET, 3])
def test_an_item_without_a_name_owns_nothing(item_id: object) -> None:
    bench = Bench()
    bench.created("resp_1")
    assert bench.router.on_item(item_added("resp_1"), item_id, 1.0).verdict is Verdict.DELIVERED
    assert bench.router._by_item == {}


def test_an_item_of_nobody_is_an_orphan_and_not_kept() -> None:
    bench = Bench()
    assert bench.router.on_item(item_added("resp_9"), "item_9", 1.0).verdict is Verdict.ORPHAN
    assert bench.router._by_item == {}


def test_items_of_what_is_given_up_are_known_too() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    bench.router.give_up("a")
    bench.router.on_item(item_added("resp_a"), "item_1", 1.0)
    assert bench.router.on_item_event(mcp("item_1"), 2.0).verdict is Verdict.DISCARDED


# -- giving up and cancelling ---------------------------------------------------------------


def test_giving_up_what_waits_takes_it_out_and_tells_nobody() -> None:
    bench = Bench()
    bench.created("resp_vad")
    bench.ask("a")
    bench.router.give_up("a")
    bench.done("resp_vad")
    assert (bench.sent(), bench.outcomes(), bench.is_empty()) == ([], [], True)


@pytest.mark.parametrize("heard", [False, True])
def test_giving_up_what_is_on_its_way_cancels_it_when_it_has_an_id(heard: bool) -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    bench.router.give_up("a", heard=heard)
    assert (bench.sent(), bench.cancels()) == ([], [])
    assert not bench.router.is_idle
    route = bench.answer("a", "resp_a")
    assert (route.verdict, route.outcome) == (Verdict.DISCARDED, None)
    assert bench.cancels() == ["resp_a"]
    assert bench.sent() == []
    bench.done("resp_a")
    assert bench.sent() == ["b"]


def test_giving_up_an_active_one_cancels_it_once_and_discards_the_rest() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    bench.created("resp_vad")
    assert not bench.is_given_up("resp_a")
    for _ in range(2):
        bench.router.give_up("a")
    assert bench.is_given_up("resp_a")
    assert bench.cancels() == ["resp_a"]
    bench.router.give_up("a")
    assert bench.cancels() == []
    for event in (audio("resp_a"), audio_done("resp_a")):
        assert bench.router.on_event(event, 1.0).verdict is Verdict.DISCARDED
    assert bench.hear("resp_vad").verdict is Verdict.DELIVERED
    assert bench.done("resp_a").verdict is Verdict.DISCARDED
    assert bench.router.active == ("resp_vad",)


def test_giving_up_what_somebody_else_hears_ends_it_before_his_ears() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    bench.router.give_up("a", heard=True)
    assert bench.cancels() == ["resp_a"]
    assert not bench.is_given_up("resp_a")
    assert bench.hear("resp_a").verdict is Verdict.DISCARDED
    assert bench.router.on_event(audio_done("resp_a"), 1.0).verdict is Verdict.DELIVERED
    assert bench.done("resp_a").verdict is Verdict.DELIVERED


def test_giving_up_what_is_not_there_does_nothing() -> None:
    bench = Bench()
    bench.created("resp_vad")
    bench.router.give_up("zzz")
    assert bench.hear("resp_vad").verdict is Verdict.DELIVERED
    assert bench.cancels() == []


def test_a_cancel_before_the_id_is_kept_for_it() -> None:
    bench = Bench()
    bench.ask("a")
    record = bench.record("a")
    bench.router.cancel(record)
    assert (record.state, bench.cancels(), bench.outcomes()) == (State.REVOKED, [], [])
    route = bench.answer("a", "resp_a")
    assert (route.verdict, record.state) == (Verdict.DELIVERED, State.CANCELLING)
    assert route.outcome is not None
    assert bench.cancels() == ["resp_a"]
    bench.router.cancel(record)
    assert bench.cancels() == []


def test_a_cancel_after_the_id_is_sent_once_and_its_end_is_told() -> None:
    bench = Bench()
    record = bench.begin("a", "resp_a").record
    assert record is not None
    bench.router.cancel(record)
    bench.router.cancel(record)
    assert bench.cancels() == ["resp_a"]
    for _ in range(2):
        bench.router.cancel(record)
        assert bench.cancels() == []
    for n in range(14):
        assert bench.hear("resp_a", float(n)).verdict is Verdict.DISCARDED
    assert bench.router.on_event(audio_done("resp_a"), 20.0).verdict is Verdict.DELIVERED
    assert bench.done("resp_a").verdict is Verdict.DELIVERED
    bench.router.cancel(record)
    assert (bench.cancels(), bench.is_empty()) == ([], True)


def test_any_response_can_be_cancelled_when_somebody_says_so() -> None:
    bench = Bench()
    record = bench.created("resp_vad").record
    assert record is not None
    bench.router.cancel(record)
    assert bench.cancels() == ["resp_vad"]


def test_what_was_cancelled_can_be_given_up_and_is_not_cancelled_again() -> None:
    bench = Bench()
    record = bench.begin("a", "resp_a").record
    assert record is not None
    bench.router.cancel(record)
    bench.cancels()
    bench.router.give_up("a")
    assert bench.cancels() == []
    assert bench.done("resp_a").verdict is Verdict.DISCARDED


def test_a_refused_cancel_ends_its_response() -> None:
    bench = Bench()
    record = bench.begin("a", "resp_a").record
    bench.created("resp_vad")
    assert record is not None
    bench.router.cancel(record)
    bench.cancels()
    assert bench.refuse("cancel resp_a", NOT_ACTIVE)
    (ended,) = bench.router.abandoned
    assert ended.record is record
    assert isinstance(ended.error, ResponseAbandoned)
    assert ended.error.response_id == "resp_a"
    assert str(ended.error).startswith(
        "the server never ended the response: the server says that it is not active"
    )
    assert bench.router.active == ("resp_vad",)
    assert bench.cancels() == []
    assert bench.done("resp_a").verdict is Verdict.DUPLICATE
    assert not bench.refuse("cancel resp_a", NOT_ACTIVE)


def test_a_refused_cancel_of_what_has_ended_says_nothing() -> None:
    bench = Bench()
    record = bench.begin("a", "resp_a").record
    assert record is not None
    bench.router.cancel(record)
    bench.cancels()
    bench.done("resp_a")
    assert not bench.refuse("cancel resp_a", NOT_ACTIVE)
    assert bench.router.abandoned == []


# -- asking ---------------------------------------------------------------------------------


def test_where_there_is_nothing_out_of_band_nothing_is_sent() -> None:
    router = Router(NONCE, Dialect("plain", out_of_band=False))
    with pytest.raises(NotSupported) as caught:
        router.ask(asked(conversation=OUT_OF_BAND))
    assert str(caught.value) == (
        "the plain dialect has no out-of-band responses (conversation='none'); nothing was sent"
    )
    assert router.is_idle
    router.ask(asked())
    assert not router.is_idle


def test_a_create_that_cannot_be_has_no_deadline() -> None:
    bench = Bench()
    with pytest.raises(UsageError):
        bench.ask("a", metadata={METADATA_KEY: "x"}, expires=5.0)
    assert (bench.router.next_deadline(), bench.is_empty()) == (None, True)


def test_idle_is_when_nothing_is_active_and_nothing_is_asked_for() -> None:
    bench = Bench()
    idle = [bench.router.is_idle]
    bench.ask("a", conversation=OUT_OF_BAND)
    idle.append(bench.router.is_idle)
    bench.answer("a", "resp_a", conversation_id=None)
    idle.append(bench.router.is_idle)
    bench.created("resp_vad")
    bench.ask("b")
    bench.done("resp_a")
    bench.done("resp_vad")
    idle.append(bench.router.is_idle)
    bench.sent()
    bench.answer("b", "resp_b")
    bench.done("resp_b")
    assert [*idle, bench.router.is_idle] == [True, False, False, False, True]


def test_the_conversation_is_held_by_what_is_there_or_on_its_way() -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    bench.begin("c", "resp_c", conversation=OUT_OF_BAND)
    bench.created("resp_d", conversation_id=None)
    bench.created("resp_e")
    assert [one.event_id or one.id for one in bench.router.occupants] == ["a", "resp_e"]


@pytest.mark.parametrize("state", ["revoked", "unwanted", "cancelling", "discarded"])
def test_what_is_to_end_holds_its_place_until_it_has(state: str) -> None:
    bench = Bench()
    bench.ask("a")
    record = bench.record("a")
    if state in ("cancelling", "discarded"):
        bench.answer("a", "resp_a")
    if state in ("revoked", "cancelling"):
        bench.router.cancel(record)
    else:
        bench.router.give_up("a")
    assert record.state.value == state
    assert bench.ask("b") == []
    if state in ("revoked", "unwanted"):
        bench.answer("a", "resp_a")
    assert bench.sent() == []
    bench.done("resp_a")
    assert bench.sent() == ["b"]


def test_a_create_cancelled_while_it_waits_ends_nobody_elses_turn() -> None:
    bench = Bench()
    for name in "abc":
        bench.ask(name)
    bench.router.cancel(bench.record("b"))
    (outcome,) = bench.outcomes()
    assert (outcome.event_id, type(outcome.error)) == ("b", ResponseWithdrawn)
    bench.answer("a", "resp_a")
    bench.done("resp_a")
    assert bench.sent() == ["c"]


# -- counting -------------------------------------------------------------------------------


def test_every_event_is_counted_by_what_became_of_it() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    bench.created("resp_a")
    bench.hear("resp_a")
    bench.router.on_event(audio("resp_a", "e"), 1.0)
    bench.router.on_event(audio("resp_a", "e"), 1.0)
    bench.hear("resp_z")
    bench.router.on_item_event(mcp("item_z"), 1.0)
    bench.router.give_up("a")
    bench.hear("resp_a")
    bench.done("resp_a")
    bench.done("resp_a")
    bench.created(None)
    bench.done(None)
    bench.done("resp_b")
    bench.created("resp_late", {METADATA_KEY: "abcd-77"})
    assert bench.router.stats == {
        "delivered": {"response.created": 1, "response.output_audio.delta": 2, "response.done": 1},
        "discarded": {
            "response.output_audio.delta": 1,
            "response.done": 1,
            "response.created": 1,
        },
        "orphan": {
            "response.output_audio.delta": 1,
            "response.mcp_call.completed": 1,
            "response.created": 1,
            "response.done": 1,
        },
        "duplicate": {
            "response.created": 1,
            "response.output_audio.delta": 1,
            "response.done": 1,
        },
    }


def test_before_anything_came_every_count_is_there_and_empty() -> None:
    assert Router(NONCE).stats == {
        "delivered": {},
        "discarded": {},
        "orphan": {},
        "duplicate": {},
    }


def test_nothing_is_left_behind() -> None:
    bench = Bench()
    for n in range(OVER + 50):
        record = bench.begin(f"event_{n}", f"resp_{n}").record
        bench.router.on_item(item_added(f"resp_{n}", "e"), f"item_{n}", 1.0)
        bench.done(f"resp_{n}")
        assert record is not None
        assert (record.finished, record.seen) == (set(), {})
    assert (bench.is_empty(), len(bench.router._over)) == (True, OVER)


def test_only_what_is_not_active_any_more_ends_by_the_refusal_of_its_cancel() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    record = bench.router.find("resp_a")
    assert record is not None
    bench.router.cancel(record)
    for one in bench.router.take_cancels():
        one.cancel_id = "cancel_1"
    other = ServerError("not now", code="rate_limit_exceeded")
    assert bench.router.on_refused("cancel_1", other, 1.0)
    assert bench.router.find("resp_a") is record
    not_active = ServerError("no", code="response_cancel_not_active")
    assert bench.router.on_refused("cancel_1", not_active, 1.0)
    assert bench.router.find("resp_a") is None
    assert [one.record for one in bench.router.abandoned] == [record]


def test_what_was_cancelled_before_it_began_is_withdrawn_where_it_comes_too_late() -> None:
    bench = Bench()
    bench.ask("a")
    (record,) = bench.router.creates.on_wire
    bench.router.cancel(record)
    assert bench.router.on_refused("a", BUSY, 1.0)
    (outcome,) = bench.outcomes()
    assert isinstance(outcome.error, ResponseWithdrawn)
    assert str(outcome.error) == "it was cancelled before it began"


def test_what_is_said_in_an_item_that_is_over_belongs_to_nobody() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    record = bench.router.find("resp_a")
    assert record is not None
    bench.router.on_item_done(item_added("resp_a", "done"), "item_1", 7.0)
    assert (record.heard, record.finished) == (7.0, {"item_1"})
    bench.router.on_item_done(item_added("resp_9", "done"), "item_9", 8.0)
    bench.router.on_item_done(item_added("resp_a", "nameless"), None, 8.0)
    assert record.finished == {"item_1"}
    late = bench.router.on_event(audio("resp_a", "late", item_id="item_1"), 1.0)
    other = bench.router.on_event(audio("resp_a", "other", item_id="item_2"), 1.0)
    assert (late.verdict, other.verdict) == (Verdict.ORPHAN, Verdict.DELIVERED)
    ends = events.ResponseOutputAudioDone(response_id="resp_a", item_id="item_1")
    assert bench.router.on_event(ends, 1.0).verdict is Verdict.DELIVERED
    bench.router.cancel(record)
    late = bench.router.on_event(audio("resp_a", "later", item_id="item_1"), 1.0)
    assert late.verdict is Verdict.ORPHAN
    bench.done("resp_a")
    assert record.finished == set()


def test_what_the_server_interrupts_by_itself_is_not_cancelled_again() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    bench.begin("b", "resp_b", conversation=OUT_OF_BAND)
    bench.router.interrupted()
    assert bench.cancels() == []
    assert bench.hear("resp_a").verdict is Verdict.DISCARDED
    assert bench.hear("resp_b").verdict is Verdict.DELIVERED
    record = bench.router.find("resp_a")
    assert record is not None
    bench.router.cancel(record)  # whoever asks for it gets it
    assert bench.cancels() == ["resp_a"]
    assert bench.done("resp_a").verdict is Verdict.DELIVERED


def test_what_was_delivered_can_be_discarded_after_all() -> None:
    bench = Bench()
    record = bench.begin("a", "resp_a").record
    assert record is not None
    event = audio("resp_a", "e")
    assert bench.router.on_event(event, 1.0).verdict is Verdict.DELIVERED
    route = bench.router.discard(event, record)
    assert (route.verdict, route.record) == (Verdict.DISCARDED, record)
    name = "response.output_audio.delta"
    stats = bench.router.stats
    assert (stats["delivered"][name], stats["discarded"][name]) == (0, 1)
