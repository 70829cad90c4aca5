"""The line of creates: whose turn it is, what a refusal means, and one end for every caller."""

from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_client import events
from realtime_client.codec import encode
from realtime_client.creates import (
    METADATA_KEY,
    RETRY,
    TRIES,
    Creates,
    appended,
    keyed,
    own_metadata,
)
from realtime_client.dialects import GA
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConversationBusy,
    ResponseRejected,
    ResponseWithdrawn,
    ServerError,
    UsageError,
)
from realtime_client.lives import Input, State, WhenBusy
from tests import wire
from tests.routing import BUSY, NONCE, OUT_OF_BAND, PLAIN, Bench, asked, resource

# -- the key --------------------------------------------------------------------------------


def test_every_create_has_a_key_of_its_own() -> None:
    creates = Creates(NONCE, GA)
    keys = [creates.add(asked(f"e{n}"), busy=None).key for n in range(3)]
    assert keys == ["abcd-1", "abcd-2", "abcd-3"]


def test_a_struct_is_keyed_beside_the_callers_metadata() -> None:
    assert keyed(events.ResponseCreate(), "k").response.metadata == {METADATA_KEY: "k"}
    params = events.ResponseCreateParams(metadata={"a": "b"}, instructions="x")
    sent = keyed(events.ResponseCreate(response=params, event_id="e"), "k")
    assert sent.response.metadata == {"a": "b", METADATA_KEY: "k"}
    assert (sent.response.instructions, sent.event_id) == ("x", "e")
    assert params.metadata == {"a": "b"}


def test_a_dict_is_keyed_like_a_struct_and_not_changed() -> None:
    command: dict[str, Any] = {
        "type": "response.create",
        "response": {"metadata": {"a": "b"}, "new": 1},
    }
    assert keyed(command, "k") == {
        "type": "response.create",
        "response": {"metadata": {"a": "b", METADATA_KEY: "k"}, "new": 1},
    }
    assert command["response"] == {"metadata": {"a": "b"}, "new": 1}


@pytest.mark.parametrize("response", [{}, None, {"metadata": None}])
def test_a_dict_with_nothing_in_it_is_keyed(response: Any) -> None:
    command = {"type": "response.create", "response": response}
    assert keyed(command, "k")["response"]["metadata"] == {METADATA_KEY: "k"}
    assert keyed({"type": "response.create"}, "k")["response"] == {"metadata": {METADATA_KEY: "k"}}


@pytest.mark.parametrize("metadata", [{}, {"a": "b"}, {str(n): "v" for n in range(15)}])
def test_fifteen_pairs_are_the_callers(metadata: dict[str, str]) -> None:
    record = Creates(NONCE, GA).add(asked(metadata=metadata), busy=None)
    assert record.asked is not None
    sent = keyed(record.asked.raw, record.key or "").response.metadata
    assert sent == {**metadata, METADATA_KEY: "abcd-1"}
    assert own_metadata(resource("r", sent)) == metadata


@pytest.mark.parametrize("wrong", [{str(n): "v" for n in range(16)}, {METADATA_KEY: "mine"}])
def test_sixteen_pairs_are_too_many_and_ours_is_ours(wrong: dict[str, str]) -> None:
    creates = Creates(NONCE, GA)
    told = (
        "^metadata takes 15 pairs of your own; got 16$"
        if len(wrong) > 1
        else "^metadata: the key 'realtime_client' is the client's own; name yours otherwise$"
    )
    with pytest.raises(UsageError, match=told):
        creates.add(asked(metadata=wrong), busy=None)
    assert list(creates) == []


@pytest.mark.parametrize("metadata", [None, events.UNSET, {}])
def test_a_response_without_metadata_has_none_of_the_callers(metadata: Any) -> None:
    assert own_metadata(resource("r", metadata)) == {}


@pytest.mark.parametrize("value", [1, None, [], {"a": 1}, 1.5, True, ""])
def test_a_key_that_is_no_text_is_nobodys(value: Any) -> None:
    bench = Bench()
    bench.ask()
    route = bench.created("resp_1", {METADATA_KEY: value, "n": 7})
    assert route.record is not None
    assert route.record.initiator == ("other" if value == "" else "server")
    assert bench.record("event_1").state is State.REQUESTED


def test_more_pairs_than_there_may_be_are_read() -> None:
    bench = Bench()
    bench.ask()
    echoed = {**{str(n): n for n in range(40)}, **bench.metadata("event_1")}
    assert bench.created("resp_1", echoed).outcome is not None


# -- whose turn it is -----------------------------------------------------------------------


def test_creates_of_the_conversation_go_one_by_one_in_the_order_of_asking() -> None:
    bench = Bench()
    assert [bench.ask(name) for name in "abc"] == [["a"], [], []]
    for name, following in zip("abc", (["b"], ["c"], []), strict=True):
        bench.answer(name, name)
        assert bench.sent() == []
        bench.done(name)
        assert bench.sent() == following


def test_out_of_band_none_waits_and_none_holds_others_back() -> None:
    bench = Bench()
    assert bench.ask("a") == ["a"]
    assert bench.ask("b") == []
    assert bench.ask("c", conversation=OUT_OF_BAND) == ["c"]
    assert bench.ask("d", conversation=OUT_OF_BAND) == ["d"]
    bench.answer("a", "resp_a")
    bench.done("resp_a")
    assert bench.sent() == ["b"]


def test_out_of_band_alone_leaves_the_conversation_free() -> None:
    bench = Bench()
    bench.begin("a", "resp_a", conversation=OUT_OF_BAND)
    assert bench.ask("b") == ["b"]


def test_send_goes_out_whatever_is_active() -> None:
    bench = Bench()
    bench.begin("a", "resp_a")
    assert bench.ask("b") == []
    assert bench.ask("c", "send") == ["c"]
    assert [one.event_id for one in bench.router.creates.waiting] == ["b"]


@pytest.mark.parametrize("active", ["waiting", "requested", "active"])
def test_fail_fails_where_it_would_have_to_wait(active: str) -> None:
    bench = Bench()
    bench.created("resp_vad")
    if active != "active":
        bench.ask("a")
        bench.done("resp_vad")
    if active == "requested":
        assert bench.sent() == ["a"]
    with pytest.raises(
        ConversationBusy, match=r"^a response of the conversation is active"
    ) as caught:
        bench.ask("b", "fail")
    assert caught.value.active == (("resp_vad",) if active == "active" else ())
    assert bench.router.creates.named("b") is None


def test_fail_does_not_mind_what_is_out_of_band() -> None:
    bench = Bench()
    bench.begin("a", "resp_a", conversation=OUT_OF_BAND)
    assert bench.ask("b", "fail") == ["b"]
    assert bench.ask("c", "fail", conversation=OUT_OF_BAND) == ["c"]


def test_an_interrupt_goes_first_and_cancels_what_is_active() -> None:
    bench = Bench()
    bench.created("resp_vad")
    assert bench.ask("a") == []
    assert bench.ask("b", "interrupt") == []
    assert bench.cancels() == ["resp_vad"]
    bench.done("resp_vad")
    assert bench.sent() == ["b"]


def test_an_interrupt_cancels_nothing_out_of_band() -> None:
    bench = Bench()
    bench.begin("a", "resp_a", conversation=OUT_OF_BAND)
    bench.created("resp_vad")
    bench.ask("b", "interrupt")
    bench.ask("c", "interrupt", conversation=OUT_OF_BAND)
    assert bench.cancels() == ["resp_vad"]


def test_an_interrupt_out_of_band_interrupts_nothing() -> None:
    bench = Bench()
    bench.created("resp_vad")
    assert bench.ask("a", "interrupt", conversation=OUT_OF_BAND) == ["a"]
    assert bench.cancels() == []


def test_of_several_interrupts_the_last_one_has_the_last_word() -> None:
    bench = Bench()
    bench.created("resp_vad")
    bench.ask("a")
    bench.ask("b", "interrupt")
    bench.ask("c", "interrupt")
    assert [one.event_id for one in bench.router.creates.waiting] == ["b", "c", "a"]
    bench.cancels()
    bench.done("resp_vad")
    assert bench.sent() == ["b"]
    assert bench.record("b").state is State.REVOKED
    bench.answer("b", "resp_b")
    assert bench.cancels() == ["resp_b"]
    bench.done("resp_b")
    assert bench.sent() == ["c"]
    bench.answer("c", "resp_c")
    assert (bench.sent(), bench.cancels()) == ([], [])


def test_an_interrupt_of_what_is_on_its_way_waits_for_its_id() -> None:
    bench = Bench()
    bench.ask("a")
    assert bench.ask("b", "interrupt") == []
    assert (bench.record("a").state, bench.cancels()) == (State.REVOKED, [])
    route = bench.answer("a", "resp_a")
    assert route.outcome is not None
    assert bench.cancels() == ["resp_a"]
    bench.done("resp_a")
    assert bench.sent() == ["b"]


def test_one_that_waits_behind_an_interrupt_interrupts_nothing() -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    bench.sent()
    assert bench.record("a").state is State.REQUESTED


# -- whose response it is -------------------------------------------------------------------


def test_a_key_finds_its_create_in_any_order() -> None:
    bench = Bench()
    for name in "abc":
        bench.ask(name, "send")
    for name in "cab":
        route = bench.answer(name, f"resp_{name}")
        assert route.outcome is not None
        assert route.outcome.event_id == name
        assert route.record is not None
        assert (route.record.initiator, route.record.id) == ("client", f"resp_{name}")
    assert bench.router.creates.on_wire == ()


def test_where_metadata_is_not_echoed_the_oldest_one_that_fits_matches() -> None:
    bench = Bench(PLAIN)
    bench.ask("a", "send")
    bench.ask("b", "send", conversation=OUT_OF_BAND)
    bench.ask("c", "send")
    bench.ask("d", "send", conversation=OUT_OF_BAND)
    answers = [
        bench.created(f"resp_{n}", conversation_id=where).outcome
        for n, where in enumerate([None, "conv", events.UNSET, None, None, "conv"])
    ]
    assert [one.event_id if one else None for one in answers] == ["b", "a", "c", "d", None, None]


def test_a_key_that_is_echoed_after_all_counts() -> None:
    bench = Bench(PLAIN)
    bench.ask("a", "send")
    bench.ask("b", "send")
    outcome = bench.answer("b", "resp_b").outcome
    assert outcome is not None
    assert outcome.event_id == "b"
    route = bench.created("resp_x", {METADATA_KEY: "ffff-1"})
    assert route.record is not None
    assert route.record.initiator == "other"
    assert bench.record("a").state is State.REQUESTED


def test_what_answers_has_left_the_line() -> None:
    bench = Bench()
    bench.ask("a")
    metadata = bench.metadata("a")
    claimed = bench.router.creates.claim(resource("r", metadata), Input.CREATED)
    assert claimed is not None
    assert claimed.state is State.ACTIVE
    assert bench.router.creates.claim(resource("r", metadata), Input.CREATED) is None
    assert bench.router.creates.claim(resource("r"), Input.CREATED) is None


@pytest.mark.parametrize(
    ("metadata", "initiator", "state"),
    [
        (None, "server", State.ACTIVE),
        ({}, "server", State.ACTIVE),
        ({"a": "b"}, "server", State.ACTIVE),
        ({METADATA_KEY: "ffff-1"}, "other", State.ACTIVE),
        ({METADATA_KEY: "no dash"}, "other", State.ACTIVE),
        ({METADATA_KEY: "abcd-x-1"}, "other", State.ACTIVE),
        ({METADATA_KEY: "abcd-99"}, "client", State.DISCARDED),
    ],
)
@pytest.mark.parametrize("conversation_id", [None, "conv_1", events.UNSET])
def test_who_asked_for_what_nobody_waits_for(
    metadata: Any, initiator: str, state: State, conversation_id: Any
) -> None:
    whole = resource("resp_1", metadata, conversation_id=conversation_id)
    record = Creates(NONCE, GA).requester(whole, Input.CREATED)
    assert (record.initiator, record.state) == (initiator, state)
    assert record.in_conversation is (conversation_id is not None)
    assert record.key == (metadata or {}).get(METADATA_KEY) or initiator == "other"


def test_a_nonce_may_have_dashes() -> None:
    creates = Creates("ab-cd", GA)
    record = creates.requester(resource("r", {METADATA_KEY: "ab-cd-9"}), Input.CREATED)
    assert record.initiator == "client"
    assert record.key == "ab-cd-9"


# -- refusals -------------------------------------------------------------------------------


def test_a_refusal_frees_its_caller_and_no_other() -> None:
    bench = Bench()
    bench.ask("a", "send")
    bench.ask("b", "send")
    error = ServerError("no good", code="c", type="t", param="p", event_id="a")
    assert bench.refuse("a", error)
    (outcome,) = bench.outcomes()
    assert outcome.event_id == "a"
    assert isinstance(outcome.error, ResponseRejected)
    told = outcome.error
    assert (told.message, told.code, told.type, told.param, told.event_id) == (
        "no good",
        "c",
        "t",
        "p",
        "a",
    )
    assert not bench.refuse("a", error)
    assert bench.answer("b", "resp_b").outcome is not None


def test_a_refusal_of_what_waits_or_is_unknown_is_none() -> None:
    bench = Bench()
    bench.created("resp_vad")
    bench.ask("a")
    assert not bench.refuse("a")
    assert not bench.refuse("zzz")
    assert (bench.outcomes(), bench.record("a").state) == ([], State.WAITING)


@pytest.mark.parametrize("where", [{"code": BUSY.code}, {"type": BUSY.code}])
def test_a_busy_conversation_is_waited_for_where_it_is_seen(where: dict[str, Any]) -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    bench.created("resp_vad", now=1.0)
    assert bench.refuse("a", ServerError("busy", **where), 1.0)
    assert bench.outcomes() == []
    assert bench.wait(50.0) == []
    bench.done("resp_vad")
    assert bench.sent(50.0) == ["a"]
    assert bench.record("b").state is State.WAITING


def test_one_that_waits_for_its_turn_again_is_not_silent() -> None:
    bench = Bench(patience=60.0)
    bench.ask("a")
    bench.created("resp_vad", now=1.0)
    bench.refuse("a", now=1.0)
    for now in (30.0, 60.0, 61.0, 80.0):
        bench.hear("resp_vad", now)
        assert bench.wait(now) == []
        assert (bench.router.next_deadline() or 0.0) > now
    bench.done("resp_vad")
    assert bench.sent(81.0) == ["a"]
    assert bench.outcomes() == []


def test_an_unseen_one_is_tried_again_until_the_caller_is_told() -> None:
    bench = Bench()
    sent = bench.ask("a", now=0.0)
    now = 0.0
    for _ in range(TRIES):
        assert bench.refuse("a", now=now)
        assert bench.sent(now) == []
        assert bench.router.next_deadline() == now + RETRY
        assert bench.wait(now + RETRY - 0.01) == []
        now += RETRY
        again = bench.wait(now)
        assert again == ["a"]
        sent += again
        assert bench.outcomes() == []
    assert len(sent) == TRIES + 1 == 21
    assert bench.refuse("a", now=now)
    (outcome,) = bench.outcomes()
    assert isinstance(outcome.error, ResponseRejected)
    assert outcome.error.code == BUSY.code
    assert (bench.wait(now + 100.0), bench.is_empty()) == ([], True)


def test_one_that_is_seen_after_all_starts_the_count_again() -> None:
    bench = Bench()
    bench.ask("a")
    for n in range(TRIES):
        bench.refuse("a", now=float(n))
        bench.wait(n + RETRY)
    bench.created("resp_vad", now=50.0)
    bench.refuse("a", now=50.0)
    record = bench.record("a")
    assert (record.state, record.tries, record.retry_at) == (State.WAITING, 0, -math.inf)
    bench.done("resp_vad")
    assert bench.sent(50.0) == ["a"]
    bench.refuse("a", now=51.0)
    assert (record.state, record.tries) == (State.WAITING, 1)


def test_one_that_is_tried_again_goes_before_those_behind_it() -> None:
    bench = Bench()
    for name in "abc":
        bench.ask(name)
    bench.refuse("a", now=0.0)
    assert [one.event_id for one in bench.router.creates.waiting] == ["a", "b", "c"]
    assert bench.sent(0.1) == []
    assert bench.ask("d", conversation=OUT_OF_BAND, now=0.1) == ["d"]
    assert bench.ask("e", "send", now=0.1) == ["e"]
    bench.answer("e", "resp_e", 0.2)
    assert bench.wait(RETRY) == []
    bench.done("resp_e")
    assert bench.sent(RETRY) == ["a"]


@pytest.mark.parametrize(
    ("when_busy", "kind"), [("fail", ConversationBusy), ("send", ResponseRejected)]
)
def test_who_is_not_to_wait_is_told_at_once(when_busy: WhenBusy, kind: type) -> None:
    bench = Bench()
    bench.ask("a", when_busy)
    bench.refuse("a")
    (outcome,) = bench.outcomes()
    assert type(outcome.error) is kind
    assert str(BUSY.message) in str(outcome.error)
    assert bench.is_empty()


@pytest.mark.parametrize("when_busy", ["wait", "interrupt", "fail"])
def test_another_refusal_is_not_waited_out(when_busy: WhenBusy) -> None:
    bench = Bench()
    bench.ask("a", when_busy)
    bench.refuse("a", ServerError("wrong", code="invalid_value"))
    (outcome,) = bench.outcomes()
    assert type(outcome.error) is ResponseRejected
    assert bench.is_empty()


def test_an_interrupt_that_is_refused_interrupts_again() -> None:
    bench = Bench()
    bench.ask("a", "interrupt")
    bench.created("resp_vad")
    bench.refuse("a")
    assert bench.sent() == []
    assert bench.cancels() == ["resp_vad"]


@pytest.mark.parametrize("error", [BUSY, ServerError("wrong", code="x")])
def test_a_refusal_ends_what_was_cancelled_meanwhile(error: ServerError) -> None:
    bench = Bench()
    bench.ask("a")
    bench.router.cancel(bench.record("a"))
    assert bench.refuse("a", error)
    (outcome,) = bench.outcomes()
    assert outcome.error is not None
    assert (bench.sent(100.0), bench.is_empty()) == ([], True)


@pytest.mark.parametrize("error", [BUSY, ServerError("wrong", code="x")])
@pytest.mark.parametrize("when_busy", ["wait", "fail"])
def test_a_refusal_of_what_was_given_up_tells_nobody(
    error: ServerError, when_busy: WhenBusy
) -> None:
    bench = Bench()
    bench.ask("a", when_busy)
    bench.router.give_up("a")
    assert bench.refuse("a", error)
    assert (bench.outcomes(), bench.sent(100.0), bench.is_empty()) == ([], [], True)


# -- time -----------------------------------------------------------------------------------


def test_who_waits_too_long_for_his_turn_is_told_that_nothing_was_sent() -> None:
    bench = Bench()
    bench.created("resp_vad")
    bench.ask("a", expires=5.0)
    assert (bench.wait(4.9), bench.outcomes()) == ([], [])
    bench.wait(5.0)
    (outcome,) = bench.outcomes()
    assert isinstance(outcome.error, AcknowledgementTimeout)
    assert outcome.error.uncertain is False
    assert outcome.error.what == "response.create waited for its turn and was withdrawn"
    bench.done("resp_vad")
    assert (bench.sent(5.0), bench.is_empty()) == ([], True)


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_waits_too_long_for_the_server_is_told_that_it_may_still_come(
    cancelled: bool,
) -> None:
    bench = Bench()
    bench.ask("a", expires=5.0)
    bench.ask("b")
    if cancelled:
        bench.router.cancel(bench.record("a"))
    bench.wait(5.0)
    (outcome,) = bench.outcomes()
    assert isinstance(outcome.error, AcknowledgementTimeout)
    assert outcome.error.uncertain is True
    assert outcome.error.what == "response.created"
    assert bench.record("a").state is State.UNWANTED
    assert bench.wait(6.0) == []  # it holds its place
    assert bench.outcomes() == []
    route = bench.answer("a", "resp_a", 7.0)
    assert (route.verdict.value, route.outcome) == ("discarded", None)
    assert bench.cancels() == ["resp_a"]
    bench.done("resp_a")
    assert bench.sent(8.0) == ["b"]


def test_time_ends_only_those_whose_time_it_is() -> None:
    bench = Bench()
    bench.created("resp_vad")
    for n, name in enumerate("abc"):
        bench.ask(name, expires=5.0 + n)
    bench.wait(6.0)
    assert [one.event_id for one in bench.outcomes()] == ["a", "b"]
    assert [one.event_id for one in bench.router.creates] == ["c"]
    assert bench.router.next_deadline() == 7.0


def test_a_create_cancelled_before_it_went_out_was_never_sent() -> None:
    bench = Bench()
    bench.created("resp_vad")
    bench.ask("a")
    bench.router.cancel(bench.record("a"))
    (outcome,) = bench.outcomes()
    assert outcome.event_id == "a"
    assert isinstance(outcome.error, ResponseWithdrawn)
    assert str(outcome.error) == "it was cancelled before it went out"
    bench.done("resp_vad")
    assert (bench.sent(), bench.is_empty()) == ([], True)


# -- without an id --------------------------------------------------------------------------


@pytest.mark.parametrize("response_id", [None, events.UNSET])
@pytest.mark.parametrize("what", ["created", "done"])
def test_a_response_without_an_id_is_refused_for_its_caller(response_id: Any, what: str) -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    record = bench.record("a")
    metadata = bench.metadata("a")
    begins = bench.created if what == "created" else bench.done
    route = begins(response_id, metadata)
    assert (route.verdict.value, route.record) == ("orphan", None)
    assert route.outcome is not None
    assert route.outcome.event_id == "a"
    assert isinstance(route.outcome.error, ResponseRejected)
    assert route.outcome.error.message == "the server created the response without an id"
    assert record.state is State.GONE
    assert bench.sent() == ["b"]
    assert begins(response_id, metadata).outcome is None
    assert begins(response_id).outcome is None


def test_a_response_without_an_id_that_nobody_wants_tells_nobody() -> None:
    bench = Bench()
    bench.ask("a")
    metadata = bench.metadata("a")
    bench.router.give_up("a")
    assert bench.created(None, metadata).outcome is None
    assert bench.is_empty()


# -- the rest -------------------------------------------------------------------------------


def test_iterating_gives_the_line_before_the_wire() -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    assert [one.event_id for one in bench.router.creates] == ["b", "a"]
    bench.ask("c", "send")
    assert [one.event_id for one in bench.router.creates.on_wire] == ["a", "c"]


def test_dropping_takes_it_out_of_the_line_wherever_it_is() -> None:
    bench = Bench()
    bench.ask("a")
    bench.ask("b")
    for name in "ab":
        bench.router.creates.drop(bench.record(name))
    assert bench.is_empty()


@pytest.mark.parametrize(
    ("own", "session", "whole"),
    [
        (events.UNSET, "Be brief.", "Be brief.\n\nSay hello."),
        ("Be kind.", "Be brief.", "Be kind.\n\nSay hello."),
        (events.UNSET, None, "Say hello."),
        (None, events.UNSET, "Say hello."),
        (None, 7, "Say hello."),
        ("", "", "Say hello."),
        ("", "Be brief.", "Say hello."),
    ],
)
def test_extra_instructions_are_appended_to_those_in_force(
    own: Any, session: object, whole: str
) -> None:
    params = events.ResponseCreateParams(instructions=own, metadata={"a": "b"})
    command = events.ResponseCreate(response=params, event_id="e")
    sent = appended(command, session, "Say hello.")
    assert wire.read(encode(sent)) == {
        "type": "response.create",
        "event_id": "e",
        "response": {"instructions": whole, "metadata": {"a": "b"}},
    }
    bare = appended(events.ResponseCreate(), session, "x").response
    assert bare
    assert isinstance(bare.instructions, str)
    assert bare.instructions.endswith("x")


@pytest.mark.parametrize("own", [events.UNSET, None, "", "Be kind."])
def test_extra_instructions_that_are_empty_add_nothing(own: Any) -> None:
    command = events.ResponseCreate(response=events.ResponseCreateParams(instructions=own))
    assert appended(command, "Be brief.", "") == command
    assert appended(events.ResponseCreate(), "Be brief.", "") == events.ResponseCreate()
