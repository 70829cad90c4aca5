"""Whose event is this? Every (state, input) pair, and every kind of asker."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from realtime_client import events
from realtime_client.codec import decode
from realtime_client.dialects import Dialect
from realtime_client.errors import ResponseRejected, ServerError, UsageError
from realtime_client.router import (
    MAX_METADATA,
    METADATA_KEY,
    TRANSITIONS,
    Input,
    ResponseRecord,
    Route,
    Router,
    State,
    Verdict,
    keyed,
    own_metadata,
)
from tests import wire


def begin(router: Router, response_id: str, metadata: dict[str, str] | None = None) -> Route:
    event = decode(wire.created(response_id, metadata))
    assert isinstance(event, events.ResponseCreated)
    return router.on_created(event)


def finish(router: Router, response_id: str) -> Route:
    event = decode(wire.done(response_id))
    assert isinstance(event, events.ResponseDone)
    return router.on_done(event)


def ask(router: Router, event_id: str = "event_1", **metadata: str) -> dict[str, str]:
    params = events.ResponseCreateParams(metadata=metadata) if metadata else None
    command = events.ResponseCreate(response=params) if params else events.ResponseCreate()
    key = router.ask(command, event_id)
    sent = keyed(command, key).response.metadata
    assert isinstance(sent, dict)
    return sent


LIFE = {
    (State.REQUESTED, Input.CREATED): State.ACTIVE,
    (State.REQUESTED, Input.REFUSED): State.GONE,
    (State.REQUESTED, Input.GIVEN_UP): State.GONE,
    (State.ACTIVE, Input.GIVEN_UP): State.DISCARDED,
    (State.ACTIVE, Input.DONE): State.GONE,
    (State.DISCARDED, Input.DONE): State.GONE,
}


@pytest.mark.parametrize(("state", "happened"), list(itertools.product(State, Input)))
def test_every_state_and_input(state: State, happened: Input) -> None:
    record = ResponseRecord(state, "client", key="k", event_id=None)
    record.step(happened)
    assert record.state is LIFE.get((state, happened), state)


def test_the_table_has_no_pair_that_the_life_does_not_have() -> None:
    moving = {pair: to for pair, to in TRANSITIONS.items() if pair[0] is not to}
    assert moving == LIFE


def test_a_create_is_found_by_its_key() -> None:
    router = Router("abcd")
    first, second = ask(router, "event_1"), ask(router, "event_2")
    assert first[METADATA_KEY] != second[METADATA_KEY]
    route = begin(router, "resp_2", second)
    assert route.verdict is Verdict.DELIVERED
    assert route.outcome is not None
    assert route.outcome.event_id == "event_2"
    assert route.record is not None
    assert (route.record.initiator, route.record.id) == ("client", "resp_2")


def test_the_callers_metadata_survives_and_comes_back_without_ours() -> None:
    router = Router("abcd")
    sent = ask(router, purpose="greeting")
    assert sent["purpose"] == "greeting"
    assert own_metadata(events.ResponseResource(metadata=sent)) == {"purpose": "greeting"}


def test_a_dict_is_keyed_like_a_struct_and_not_changed() -> None:
    command: dict[str, Any] = {"type": "response.create", "response": {"metadata": {"a": "b"}}}
    assert keyed(command, "k")["response"] == {"metadata": {"a": "b", METADATA_KEY: "k"}}
    assert command["response"] == {"metadata": {"a": "b"}}
    assert keyed({"type": "response.create"}, "k")["response"]["metadata"] == {METADATA_KEY: "k"}


def test_fifteen_pairs_are_the_callers_and_sixteen_are_too_many() -> None:
    fits = {f"k{n}": "v" for n in range(MAX_METADATA - 1)}
    assert len(ask(Router("abcd"), **fits)) == MAX_METADATA
    for wrong in ({**fits, "one": "more"}, {METADATA_KEY: "mine"}):
        router = Router("abcd")
        command = events.ResponseCreate(response=events.ResponseCreateParams(metadata=wrong))
        with pytest.raises(UsageError, match="15 pairs"):
            router.ask(command, "event_1")
        assert router.on_refused("event_1", ServerError("no")) is None


def test_without_metadata_the_server_started_it_whoever_waits() -> None:
    router = Router("abcd")
    ask(router)
    route = begin(router, "resp_vad")
    assert route.verdict is Verdict.DELIVERED
    assert route.outcome is None
    assert route.record is not None
    assert route.record.initiator == "server"


def test_somebody_elses_key_surfaces_and_is_not_touched() -> None:
    route = begin(Router("abcd"), "resp_x", {METADATA_KEY: "ffff-1"})
    assert (route.verdict, route.late) == (Verdict.DELIVERED, None)
    assert route.record is not None
    assert route.record.initiator == "other"


def test_where_metadata_is_not_echoed_the_oldest_create_matches() -> None:
    router = Router("abcd", Dialect("plain", echoes_metadata=False))
    ask(router, "event_1")
    ask(router, "event_2")
    outcomes = [begin(router, f"resp_{n}").outcome for n in range(3)]
    assert [outcome.event_id if outcome else None for outcome in outcomes] == [
        "event_1",
        "event_2",
        None,
    ]


def test_a_response_that_nobody_waits_for_any_more_is_cancelled_by_id_and_discarded() -> None:
    router = Router("abcd")
    metadata = ask(router)
    assert router.give_up("event_1") is None
    route = begin(router, "resp_late", metadata)
    assert (route.verdict, route.late, route.outcome) == (Verdict.DISCARDED, "resp_late", None)
    assert router.on_event("resp_late").verdict is Verdict.DISCARDED
    assert finish(router, "resp_late").verdict is Verdict.DISCARDED
    assert router.on_event("resp_late").verdict is Verdict.ORPHAN


def test_giving_up_an_active_one_names_it_and_discards_the_rest() -> None:
    router = Router("abcd")
    begin(router, "resp_1", ask(router))
    assert router.on_event("resp_1").verdict is Verdict.DELIVERED
    assert router.give_up("event_1") == "resp_1"
    assert router.on_event("resp_1").verdict is Verdict.DISCARDED


def test_giving_up_what_is_not_there_does_nothing() -> None:
    router = Router("abcd")
    begin(router, "resp_vad")
    assert router.give_up("event_9") is None
    assert router.on_event("resp_vad").verdict is Verdict.DELIVERED


def test_a_refusal_frees_its_caller_and_no_other() -> None:
    router = Router("abcd")
    ask(router, "event_1")
    metadata = ask(router, "event_2")
    outcome = router.on_refused("event_1", ServerError("busy", code="x", param="p"))
    assert outcome is not None
    assert isinstance(outcome.error, ResponseRejected)
    assert (outcome.error.code, outcome.error.param) == ("x", "p")
    assert router.on_refused("event_1", ServerError("busy")) is None
    assert begin(router, "resp_2", metadata).outcome is not None


def test_two_responses_at_once_end_on_their_own_done() -> None:
    router = Router("abcd")
    begin(router, "resp_1")
    begin(router, "resp_2")
    assert router.active == ("resp_1", "resp_2")
    finish(router, "resp_1")
    assert router.on_event("resp_1").verdict is Verdict.ORPHAN
    assert router.on_event("resp_2").verdict is Verdict.DELIVERED


def test_events_without_a_response_id_go_by_their_item() -> None:
    router = Router("abcd")
    begin(router, "resp_1")
    router.on_item("resp_1", "item_1")
    route = router.on_event(None, "item_1")
    assert route.record is not None
    assert route.record.id == "resp_1"
    finish(router, "resp_1")
    assert router.on_event(None, "item_1").verdict is Verdict.ORPHAN
    assert router.on_event(None, "item_9").verdict is Verdict.ORPHAN


def test_what_nobody_expected_is_an_orphan_and_counted() -> None:
    router = Router("abcd")
    assert finish(router, "resp_1").verdict is Verdict.ORPHAN
    assert router.on_event(events.UNSET).verdict is Verdict.ORPHAN
    begin(router, "resp_1")
    assert begin(router, "resp_1").verdict is Verdict.ORPHAN
    assert router.on_item("resp_7", "item_7").verdict is Verdict.ORPHAN
    assert router.counts == {Verdict.ORPHAN: 4, Verdict.DELIVERED: 1}


def test_nothing_is_left_behind() -> None:
    router = Router("abcd")
    for n in range(50):
        begin(router, f"resp_{n}", ask(router, f"event_{n}"))
        router.on_item(f"resp_{n}", f"item_{n}")
        finish(router, f"resp_{n}")
    assert (router._requested, router._by_id, router._by_item) == ({}, {}, {})
