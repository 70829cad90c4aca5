"""The life of a function call, and the one follow-up of a response."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_client.calls import (
    TABLE,
    ByHand,
    Calls,
    Dispatch,
    FollowUp,
    Input,
    News,
    NoFollowUp,
    State,
    Why,
    Withdraw,
)
from realtime_client.calls.life import Turn
from realtime_client.calls.machine import MAX_OPEN, REMEMBERED
from realtime_client.events import UNSET, FunctionCallItem, MessageItem
from realtime_client.tools import tool

R = "resp_1"


def item(call_id: Any = "call_1", *, status: Any = "completed", arguments: Any = "{}") -> Any:
    return FunctionCallItem(call_id=call_id, name="f", status=status, arguments=arguments)


def dispatch(call_id: str = "call_1", *, response_id: str = R, **changed: Any) -> Dispatch:
    usual = {"name": "f", "arguments": "{}", "tools_off": False, "offered": frozenset[str]()}
    return Dispatch(response_id, call_id, **{**usual, **changed})


class Session:
    """A machine, with the inputs that most tests give it."""

    def __init__(self, **options: Any) -> None:
        self.calls = Calls(**options)

    def call(self, call_id: Any = "call_1", response_id: str = R, **facts: Any) -> list[News]:
        status, arguments = facts.pop("status", "completed"), facts.pop("arguments", "{}")
        usual = {"out_of_band": False, "foreign": False, "tools_off": False}
        given = item(call_id, status=status, arguments=arguments)
        self.calls.on_call(response_id, given, **{**usual, **facts})
        return self.calls.drain()

    def done(self, *items: Any, response_id: str = R, **facts: Any) -> list[News]:
        status = facts.pop("status", "completed")
        usual = {"out_of_band": False, "foreign": False, "tools_off": False}
        self.calls.on_response_done(response_id, status, items, **{**usual, **facts})
        return self.calls.drain()

    def output(self, call_id: str = "call_1", response_id: str = R) -> list[News]:
        """Ours goes out, and is echoed."""
        assert self.calls.claim(response_id, call_id)
        news = self.calls.drain()
        self.calls.on_output_added(call_id)
        assert self.calls.drain() == []
        return news

    def by_hand(self, call_id: str = "call_1") -> list[News]:
        self.calls.on_output_added(call_id)
        return self.calls.drain()

    def begun(self) -> list[News]:
        """The server starts a response."""
        self.calls.on_asked()
        return self.calls.drain()

    def asked(self, event_id: str = "event_0") -> list[News]:
        self.calls.on_asked(event_id)
        return self.calls.drain()

    def interrupted(self) -> list[News]:
        self.calls.on_interrupted()
        return self.calls.drain()


@pytest.fixture
def session() -> Session:
    return Session()


# -- the table ------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "happened"), list(itertools.product(State, Input)))
def test_every_pair_of_the_table(state: State, happened: Input) -> None:
    turn = Turn()
    turn.calls["call_1"] = state
    after = TABLE.get((state, happened))
    assert turn.step("call_1", happened) is (after is not None)
    assert turn.calls["call_1"] is (after or state)
    assert not turn.step("call_2", happened)
    assert turn.settled() is (turn.calls["call_1"] in (State.ANSWERED, State.VOID))


# -- dispatch -------------------------------------------------------------------------------


def test_a_finished_call_is_dispatched_once(session: Session) -> None:
    assert session.call(arguments='{"a": 1}') == [dispatch(arguments='{"a": 1}')]
    assert session.call() == []
    assert session.done(item(), item("call_2")) == [dispatch("call_2")]
    assert session.call() == []


def test_the_same_call_id_in_another_response_is_another_call(session: Session) -> None:
    assert session.call() == [dispatch()]
    assert session.call(response_id="resp_2") == [dispatch(response_id="resp_2")]


def test_our_output_of_one_is_not_taken_for_the_answer_of_its_namesake(session: Session) -> None:
    session.call()
    session.call(response_id="resp_2")
    session.output()  # and its echo
    assert session.calls.claim("resp_2", "call_1")


@pytest.mark.parametrize("status", ["incomplete", "in_progress", "anything"])
def test_a_call_that_is_not_completed_is_never_dispatched(session: Session, status: str) -> None:
    assert session.call(status=status, arguments='{"ci') == []
    cut = item(status=status, arguments='{"ci')
    assert session.done(cut, status="cancelled") == [NoFollowUp(R, Why.NOTHING_RUN)]
    assert session.done(cut, response_id="resp_2") == [NoFollowUp("resp_2", Why.NOTHING_RUN)]


@pytest.mark.parametrize("status", [UNSET, None])
def test_a_call_without_a_status_waits_for_the_end_of_its_response(
    session: Session, status: Any
) -> None:
    assert session.call(status=status) == []
    assert session.done(item(status=status), status="completed") == [dispatch()]
    assert session.call(status=status, response_id="resp_2") == []
    cut = session.done(item(status=status), response_id="resp_2", status="incomplete")
    assert cut == [NoFollowUp("resp_2", Why.NOTHING_RUN)]


def test_what_only_the_end_delivers_is_dispatched_then(session: Session) -> None:
    message = MessageItem(role="assistant")
    assert session.done(message, item()) == [dispatch()]
    assert session.output() == [FollowUp(R)]


@pytest.mark.parametrize("call_id", [UNSET, None])
def test_a_call_without_an_id_cannot_be_answered(session: Session, call_id: Any) -> None:
    assert session.call(call_id) == []
    assert session.done(item(call_id)) == [NoFollowUp(R, Why.NOTHING_RUN)]


@pytest.mark.parametrize("arguments", [UNSET, None])
def test_no_arguments_are_an_empty_text(session: Session, arguments: Any) -> None:
    assert session.call(arguments=arguments) == [dispatch(arguments="")]


def test_calls_of_another_party_are_nobodys(session: Session) -> None:
    assert session.call(foreign=True) == []
    assert session.done(item(), foreign=True) == [NoFollowUp(R, Why.NOTHING_RUN)]
    assert session.call(foreign=True, out_of_band=True, response_id="resp_2") == []
    assert not session.calls.claim(R, "call_1")


def test_an_out_of_band_call_is_the_users_and_told_once(session: Session) -> None:
    assert session.call(out_of_band=True) == [ByHand(R, "call_1", "f")]
    assert session.call(out_of_band=True) == []
    assert not session.calls.claim(R, "call_1")
    late = session.done(item(), item("call_2"), out_of_band=True)
    assert late == [ByHand(R, "call_2", "f"), NoFollowUp(R, Why.NOTHING_RUN)]
    assert session.call("call_3", out_of_band=True) == []
    assert session.call("cut", "resp_2", out_of_band=True, status="incomplete") == []


def test_a_response_has_its_own_functions_until_it_is_over(session: Session) -> None:
    @tool
    def f() -> None: ...

    session.calls.lend("event_1", {"f": f})
    assert session.call(request="event_1") == [dispatch(own=f)]
    assert session.call("call_2", "resp_2", request="event_2") == [
        dispatch("call_2", response_id="resp_2")
    ]
    assert session.call("call_3", "resp_3") == [dispatch("call_3", response_id="resp_3")]
    assert session.done(item("call_4"), request="event_1") == [dispatch("call_4", own=f)]
    assert session.call("call_5", "resp_5", request="event_1") == [
        dispatch("call_5", response_id="resp_5")
    ]


@pytest.mark.parametrize("out_of_band", [True, False])
def test_what_was_lent_and_not_used_is_given_back(session: Session, out_of_band: bool) -> None:
    @tool
    def f() -> None: ...

    session.calls.lend("event_1", {"f": f})
    session.done(request="event_1", out_of_band=out_of_band)
    session.calls.lend("event_2", {"f": f})
    session.calls.take_back("event_2")
    session.calls.take_back("event_2")
    assert not session.calls._lent
    session.calls.lend("event_3", {"f": f})
    session.calls.lost()
    assert session.call(request="event_3") == [dispatch()]


def test_a_name_that_is_not_among_a_responses_own(session: Session) -> None:
    @tool
    def g() -> None: ...

    session.calls.lend("event_1", {"g": g})
    assert session.call(request="event_1") == [dispatch()]


def test_what_comes_after_the_end_of_its_response_is_nobodys(session: Session) -> None:
    session.done()
    assert session.call() == []
    assert session.done(item()) == []


def test_what_was_offered_is_told(session: Session) -> None:
    offered = frozenset({"g"})
    assert session.call(offered=offered) == [dispatch(offered=offered)]
    late = session.done(item("call_2"), offered=offered)
    assert late == [dispatch("call_2", offered=offered)]


def test_calls_of_a_response_without_tools_are_answered_but_not_followed_up(
    session: Session,
) -> None:
    assert session.call(tools_off=True) == [dispatch(tools_off=True)]
    session.output()
    assert session.done(tools_off=True) == [NoFollowUp(R, Why.NOTHING_RUN)]
    late = session.done(item(), response_id="resp_2", tools_off=True)
    assert late == [dispatch(response_id="resp_2", tools_off=True)]


# -- following up ---------------------------------------------------------------------------


def test_one_follow_up_when_the_response_is_done_and_all_outputs_are_in(session: Session) -> None:
    session.call("call_1")
    session.call("call_2")
    assert session.output("call_2") == []
    assert session.done() == []
    assert session.output("call_1") == [FollowUp(R)]
    assert session.by_hand("call_1") == []
    assert session.done() == []


def test_outputs_before_the_end_wait_for_the_end(session: Session) -> None:
    session.call()
    assert session.output() == []
    assert session.done() == [FollowUp(R)]


def test_a_response_that_calls_nothing_is_not_followed_up(session: Session) -> None:
    assert session.done() == [NoFollowUp(R, Why.NOTHING_RUN)]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_after_an_interruption_the_outputs_go_out_and_nothing_more(
    session: Session, status: str
) -> None:
    session.call()
    assert session.done(status=status) == []
    assert session.output() == [NoFollowUp(R, Why.INTERRUPTED)]


def test_after_an_incomplete_response_the_model_goes_on(session: Session) -> None:
    session.call()
    session.output()
    assert session.done(status="incomplete") == [FollowUp(R)]


def test_calls_by_hand_are_followed_up_by_hand(session: Session) -> None:
    session.call()
    session.calls.leave(R, "call_1")
    assert session.done() == [NoFollowUp(R, Why.NOTHING_RUN)]
    assert not session.calls.claim(R, "call_1")
    assert session.by_hand() == []


def test_a_call_left_to_the_user_after_the_end_is_followed_up_by_nobody(session: Session) -> None:
    session.call()
    session.done()
    session.calls.leave(R, "call_1")
    assert session.calls.drain() == [NoFollowUp(R, Why.NOTHING_RUN)]


@pytest.mark.parametrize("hand_first", [True, False])
def test_with_one_call_of_ours_the_follow_up_waits_for_the_one_by_hand(
    session: Session, hand_first: bool
) -> None:
    session.call("ours")
    session.call("hand")
    session.calls.leave(R, "hand")
    session.done()
    if hand_first:
        assert session.by_hand("hand") == []
        assert session.output("ours") == [FollowUp(R)]
    else:
        assert session.output("ours") == []
        assert session.by_hand("hand") == [FollowUp(R)]


def test_a_call_that_the_user_has_answered_meanwhile_is_not_answered_again(
    session: Session,
) -> None:
    session.call("call_1")
    session.call("call_2")
    session.by_hand("call_1")
    assert not session.calls.claim(R, "call_1")
    session.done()
    assert session.output("call_2") == [FollowUp(R)]
    assert not session.calls.claim(R, "call_2")


def test_where_the_user_answers_all_by_hand_nothing_follows(session: Session) -> None:
    session.call()
    session.done()
    assert session.by_hand() == [NoFollowUp(R, Why.NOTHING_RUN)]


def test_outputs_of_unknown_calls_change_nothing(session: Session) -> None:
    session.call()
    session.done()
    assert session.by_hand("call_2") == []
    assert session.output() == [FollowUp(R)]
    session.calls.leave("resp_2", "call_1")
    session.calls.on_output_refused("resp_2", "call_1")
    session.calls.leave(R, "call_2")
    assert session.calls.drain() == []


def test_an_output_that_is_refused_is_not_followed_up(session: Session) -> None:
    session.call()
    assert session.calls.claim(R, "call_1")
    session.calls.on_output_refused(R, "call_1")
    assert session.done() == [NoFollowUp(R, Why.NOTHING_RUN)]


def test_after_a_refusal_an_answer_by_hand_is_no_echo(session: Session) -> None:
    session.call()
    assert session.calls.claim(R, "call_1")
    session.calls.on_output_refused(R, "call_1")
    session.by_hand()
    assert session.done() == [FollowUp(R)]


def test_after_a_refusal_an_answer_by_hand_is_seen(session: Session) -> None:
    session.call("call_1")
    session.call("call_2")
    assert session.calls.claim(R, "call_1")
    session.calls.on_output_refused(R, "call_1")
    session.by_hand("call_1")
    session.calls.leave(R, "call_2")
    session.done()
    assert session.by_hand("call_2") == [FollowUp(R)]


# -- other responses ------------------------------------------------------------------------


def test_a_create_that_sees_all_outputs_makes_the_follow_up_needless(session: Session) -> None:
    session.call()
    session.output()
    session.asked()
    assert session.done() == [NoFollowUp(R, Why.ASKED_ALREADY)]


def test_a_create_before_the_outputs_does_not(session: Session) -> None:
    session.call()
    session.asked()
    session.output()
    assert session.done() == [FollowUp(R)]


def test_nor_does_one_before_a_later_call(session: Session) -> None:
    session.call("call_1")
    session.output("call_1")
    session.asked()
    session.call("call_2")
    session.output("call_2")
    assert session.done() == [FollowUp(R)]


def test_a_follow_up_that_waits_is_withdrawn_when_another_response_comes_first(
    session: Session,
) -> None:
    session.call()
    session.output()
    assert session.done() == [FollowUp(R)]
    assert session.asked() == [Withdraw(R, Why.ASKED_ALREADY)]
    assert session.asked() == []


def test_a_follow_up_is_not_in_its_own_way(session: Session) -> None:
    session.call()
    session.output()
    session.done()
    session.calls.follow(R, "event_1")
    assert session.asked("event_1") == []
    assert session.asked("event_2") == [Withdraw(R, Why.ASKED_ALREADY)]


def test_a_follow_up_that_has_begun_is_not_withdrawn(session: Session) -> None:
    session.call()
    session.output()
    session.done()
    session.calls.follow(R, "event_1")
    session.calls.followed(R)
    assert session.asked() == []
    session.calls.follow(R, "event_1")  # late: it is nobody's any more
    assert session.asked() == []


def test_a_response_of_the_server_has_seen_only_what_the_server_had_taken(
    session: Session,
) -> None:
    session.call()
    assert session.calls.claim(R, "call_1")
    session.begun()  # it crosses our output
    session.calls.on_output_added("call_1")
    assert session.done() == [FollowUp(R)]


def test_a_response_of_the_server_after_the_outputs_has_seen_them(session: Session) -> None:
    session.call()
    session.output()
    session.begun()
    assert session.done() == [NoFollowUp(R, Why.ASKED_ALREADY)]


def test_our_own_create_has_seen_what_was_sent_before_it(session: Session) -> None:
    session.call()
    assert session.calls.claim(R, "call_1")
    session.asked()
    session.begun()  # which takes nothing back
    assert session.done() == [NoFollowUp(R, Why.ASKED_ALREADY)]


def test_a_follow_up_waits_on_while_the_server_has_not_taken_its_outputs(
    session: Session,
) -> None:
    for response_id, call_id in (("resp_1", "call_1"), ("resp_2", "call_2")):
        session.call(call_id, response_id)
        assert session.calls.claim(response_id, call_id)
        session.done(response_id=response_id)
    assert session.begun() == []
    session.by_hand("call_2")  # our own, echoed
    assert session.begun() == [Withdraw("resp_2", Why.ASKED_ALREADY)]
    assert session.asked() == [Withdraw("resp_1", Why.ASKED_ALREADY)]


# -- interruptions --------------------------------------------------------------------------


@pytest.mark.parametrize("done_first", [True, False])
def test_who_interrupts_while_a_tool_runs_is_not_spoken_over(
    session: Session, done_first: bool
) -> None:
    session.call()
    if done_first:
        session.done()
    assert session.interrupted() == []
    if done_first:
        assert session.output() == [NoFollowUp(R, Why.INTERRUPTED)]
    else:
        assert session.output() == []
        assert session.done() == [NoFollowUp(R, Why.INTERRUPTED)]


def test_an_interruption_between_the_output_and_the_end(session: Session) -> None:
    session.call()
    session.output()
    session.interrupted()
    assert session.done() == [NoFollowUp(R, Why.INTERRUPTED)]


def test_a_follow_up_that_waits_is_withdrawn_by_an_interruption(session: Session) -> None:
    session.call()
    session.output()
    session.done()
    session.calls.follow(R, "event_1")
    assert session.interrupted() == [Withdraw(R, Why.INTERRUPTED)]
    assert session.interrupted() == []
    assert session.asked() == []


def test_what_is_called_after_an_interruption_is_followed_up(session: Session) -> None:
    session.call()
    session.interrupted()
    session.call("call_2", "resp_2")
    session.output("call_2", "resp_2")
    assert session.done(response_id="resp_2") == [FollowUp("resp_2")]


def test_where_nothing_was_run_an_interruption_changes_nothing(session: Session) -> None:
    assert session.interrupted() == []
    session.call()
    session.calls.leave(R, "call_1")
    session.interrupted()
    assert session.done() == [NoFollowUp(R, Why.NOTHING_RUN)]


def test_an_interruption_does_not_begin_a_new_row() -> None:
    session = Session(max_rounds=1)
    rounds(session, 1)
    session.interrupted()
    assert rounds(session, 1, start=5) == [NoFollowUp("resp_5", Why.TOO_MANY_ROUNDS)]


def rounds(session: Session, count: int, *, start: int = 0) -> list[News]:
    """A chain of responses that each call something."""
    news: list[News] = []
    for number in range(start, start + count):
        response_id = f"resp_{number}"
        session.call(response_id=response_id)
        session.output(response_id=response_id)
        news += session.done(response_id=response_id)
        session.calls.followed(response_id)
    return news


def test_rounds_in_a_row_are_bounded() -> None:
    session = Session(max_rounds=2)
    *followed, last = rounds(session, 3)
    assert followed == [FollowUp("resp_0"), FollowUp("resp_1")]
    assert last == NoFollowUp("resp_2", Why.TOO_MANY_ROUNDS)


def test_the_usual_bound_is_eight() -> None:
    news = rounds(Session(), 9)
    assert [type(one) for one in news] == [FollowUp] * 8 + [NoFollowUp]


def test_a_turn_of_somebody_else_begins_a_new_row() -> None:
    session = Session(max_rounds=2)
    rounds(session, 2)
    session.asked()
    assert [type(one) for one in rounds(session, 2, start=2)] == [FollowUp, FollowUp]


def test_our_own_create_does_not_begin_a_new_row() -> None:
    session = Session(max_rounds=1)
    session.call()
    session.output()
    session.done()
    session.calls.follow(R, "event_1")
    session.asked("event_1")
    assert rounds(session, 1, start=5) == [NoFollowUp("resp_5", Why.TOO_MANY_ROUNDS)]


def test_when_the_connection_is_lost_nothing_is_left(session: Session) -> None:
    session.call()
    session.call("call_2")
    session.done(response_id="resp_0")
    session.output()
    session.calls.on_call(R, item("call_3"), out_of_band=False, foreign=False, tools_off=False)
    session.calls.lost()
    assert session.calls.drain() == []
    assert not session.calls.claim(R, "call_2")
    assert session.asked() == []


# -- bounds ---------------------------------------------------------------------------------


def test_the_oldest_that_waits_for_the_user_is_forgotten_first(session: Session) -> None:
    session.call("ours", "resp_ours")
    for number in range(MAX_OPEN - 1):
        session.call(f"call_{number}", f"resp_{number}")
        session.calls.leave(f"resp_{number}", f"call_{number}")
    news = session.call("call_x", "resp_x")
    assert news == [
        NoFollowUp("resp_0", Why.FORGOTTEN),
        dispatch("call_x", response_id="resp_x"),
    ]
    assert session.calls.claim("resp_ours", "ours")
    assert session.calls.claim("resp_x", "call_x")


def test_where_all_are_ours_the_oldest_is_forgotten(session: Session) -> None:
    for number in range(MAX_OPEN):
        session.call(f"call_{number}", f"resp_{number}")
    news = session.call("call_x", "resp_x")
    assert news[0] == NoFollowUp("resp_0", Why.FORGOTTEN)
    assert not session.calls.claim("resp_0", "call_0")
    assert session.calls.claim("resp_1", "call_1")


def test_memory_is_flat_over_a_hundred_thousand_responses(session: Session) -> None:
    def run(start: int, count: int) -> int:
        for number in range(start, start + count):
            response_id = f"resp_{number}"
            session.call(f"call_{number}", response_id)
            assert session.calls.claim(response_id, f"call_{number}")  # never echoed
            session.done(response_id=response_id)
            session.calls.followed(response_id)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = run(100_000, 10_000)
        after = run(200_000, 90_000 // 3)
    finally:
        tracemalloc.stop()
    assert after - before < 30_000  # less than a byte for each
    held = (session.calls._open, session.calls._due, session.calls._done, session.calls._echoes)
    assert [len(one) for one in held] == [0, 0, REMEMBERED, REMEMBERED]


# -- in any order ---------------------------------------------------------------------------

_INPUTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["call", "done", "claim", "leave", "added", "refused", "asked", "interrupted"]
        ),
        st.sampled_from(["resp_1", "resp_2"]),
        st.sampled_from(["call_1", "call_2"]),
        st.sampled_from(["completed", "cancelled", "incomplete"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(_INPUTS)
def test_in_any_order_each_is_dispatched_and_followed_up_at_most_once(
    inputs: list[tuple[str, str, str, str, bool]],
) -> None:
    calls = Calls()
    news: list[News] = []
    claimed: list[tuple[str, str]] = []
    for what, response_id, call_id, status, flag in inputs:
        if what == "call":
            calls.on_call(response_id, item(call_id, status=status), out_of_band=False,
                          foreign=False, tools_off=flag)  # fmt: skip
        elif what == "done":
            items = [item(call_id)] if flag else []
            calls.on_response_done(response_id, status, items, out_of_band=False,
                                   foreign=False, tools_off=False)  # fmt: skip
        elif what == "claim":
            if calls.claim(response_id, call_id):
                claimed.append((response_id, call_id))
        elif what == "leave":
            calls.leave(response_id, call_id)
        elif what == "added":
            calls.on_output_added(call_id)
        elif what == "refused":
            calls.on_output_refused(response_id, call_id)
        elif what == "interrupted":
            calls.on_interrupted()
        else:
            calls.on_asked()
        news += calls.drain()
    dispatched = [(one.response_id, one.call_id) for one in news if isinstance(one, Dispatch)]
    assert len(dispatched) == len(set(dispatched))
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= set(dispatched)
    over = [one.response_id for one in news if isinstance(one, (FollowUp, NoFollowUp))]
    assert len(over) == len(set(over))
    ended = {response_id for what, response_id, *_ in inputs if what == "done"}
    assert set(over) <= ended
    followed = {one.response_id for one in news if isinstance(one, FollowUp)}
    assert followed <= {response_id for response_id, _ in claimed}
