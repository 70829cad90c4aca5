"""An item that somebody was creating when the connection went gets its one end on the next."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client.calls import Dispatch
from realtime_client.errors import ConnectionLost, RealtimeError, ServerError
from realtime_client.events import (
    ConversationItemAdded,
    ConversationItemCreate,
    FunctionCallOutputItem,
    MessageItem,
    user_message,
)
from realtime_client.outcome import Outcome
from realtime_client.protocol import Protocol
from tests import wire
from tests.inheriting import add, call, opened, sent, tell, text

LOST = ConnectionLost("it dropped")
DUPLICATE = "item_create_duplicate_item_id"


def create(item_id: str = "i") -> ConversationItemCreate:
    item = MessageItem(id=item_id, role="user", content=user_message("hello").content)
    return ConversationItemCreate(item=item)


def asked(protocol: Protocol, command: Any = None) -> str:
    """A create of which the server has heard; returns its name."""
    event_id = protocol.send(command or create())
    assert event_id is not None
    sent(protocol)
    return event_id


def following(old: Protocol, *, resumes: bool = False, nonce: str = "new") -> Protocol:
    """The connection after one that was lost, in force."""
    if old.is_open and not old.pending:
        old.lost(LOST, comes_back=True)
    new = opened(nonce=nonce, before=old.estate(0.0), resumes=resumes)
    new.take_over(old.input.unheard(ms=0, is_lost=True), old.pending)
    return new


def ends(protocol: Protocol) -> dict[str, Any]:
    """What the requests came to that have got their end."""
    found = protocol.outcomes()
    assert len({one.event_id for one in found}) == len(found)
    return {one.event_id: one.error or one.answer for one in found}


def ids(protocol: Protocol) -> list[str | None]:
    return [getattr(item, "id", None) for item in protocol.conversation.items]


# -- in a new conversation -----------------------------------------------------------------------


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("as_dict", [False, True])
def test_it_is_created_anew_and_its_caller_gets_the_answer(written: bool, as_dict: bool) -> None:
    old = opened()
    command: Any = create()
    if as_dict:
        item = {**text("i", "hello"), "extra": 7}
        command = {"type": "conversation.item.create", "item": item, "also": 8}
    event_id = old.send(command)
    first = sent(old) if written else None
    old.lost(LOST, comes_back=True)
    assert ends(old) == {}
    (pending,) = old.pending
    assert (pending.event_id, pending.was_sent) == (event_id, written)
    new = following(old)
    again = sent(new)
    assert first is None or again == first
    assert again[0]["item"].get("extra") == (7 if as_dict else None)
    assert ends(new) == {}
    add(new, text("i", "hello"))
    (answer,) = ends(new).values()
    assert isinstance(answer, ConversationItemAdded)
    assert ids(new) == ["i"]


def test_an_id_that_was_given_here_stays() -> None:
    old = opened()
    command = ConversationItemCreate(item=user_message("hello"))
    event_id = old.send(command)
    (first,) = sent(old)
    new = following(old)
    assert sent(new) == [first]
    assert first["item"]["id"].startswith("item_old_")
    tell(new, "conversation.item.added", item=first["item"])
    assert list(ends(new)) == [event_id]


def test_whose_answer_had_come_is_done_already() -> None:
    old = opened()
    event_id = asked(old)
    add(old, text("i", "hello"))
    old.lost(LOST, comes_back=True)
    assert old.pending == ()
    assert isinstance(ends(old)[event_id], ConversationItemAdded)
    assert ends(old) == {}


def test_a_refusal_is_the_callers() -> None:
    old = opened()
    event_id = asked(old)
    new = following(old)
    new.receive(wire.error(event_id, "item_create_invalid_previous_item_id"), 0.0)
    (error,) = ends(new).values()
    assert isinstance(error, ServerError)
    assert new.strays == []


def test_that_it_is_there_already_is_its_success() -> None:
    old = opened()
    event_id = asked(old)
    new = following(old)
    new.receive(wire.error(event_id, DUPLICATE), 0.0)
    answer = ends(new)[event_id]
    assert isinstance(answer, ConversationItemAdded)
    assert isinstance(answer.item, MessageItem)
    assert answer.item.id == "i"
    assert (ids(new), new.strays) == (["i"], [])


def test_of_a_create_of_this_connection_a_duplicate_is_an_error() -> None:
    new = following(opened())
    event_id = asked(new)
    new.receive(wire.error(event_id, DUPLICATE), 0.0)
    assert isinstance(ends(new)[event_id], ServerError)


def test_several_come_in_their_order_and_each_has_its_own_end() -> None:
    old = opened()
    names = [asked(old, create(item_id)) for item_id in "abc"]
    new = following(old)
    assert [one["item"]["id"] for one in sent(new)] == ["a", "b", "c"]
    add(new, text("b", "hello"))
    new.receive(wire.error(names[0], "no"), 0.0)
    new.receive(wire.error(names[2], DUPLICATE), 0.0)
    found = ends(new)
    assert list(found) == [names[1], names[0], names[2]]
    assert [type(found[name]) for name in names] == [
        ServerError, ConversationItemAdded, ConversationItemAdded,
    ]  # fmt: skip


def test_whoever_gave_up_is_not_waited_for() -> None:
    old = opened()
    event_id = asked(old)
    old.give_up(event_id, 0.0)
    old.lost(LOST, comes_back=True)
    assert old.pending == ()


# -- lost again --------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [False, True])
def test_it_outlives_any_number_of_connections(written: bool) -> None:
    protocol = opened()
    event_id = asked(protocol)
    for number in range(3):
        protocol = following(protocol, nonce=f"n{number}")
        if written:
            assert [one["event_id"] for one in sent(protocol)] == [event_id]
        protocol.lost(LOST, comes_back=True)
        assert ends(protocol) == {}
    new = following(protocol)
    sent(new)
    add(new, text("i", "hello"))
    assert list(ends(new)) == [event_id]


@pytest.mark.parametrize("written", [False, True])
def test_when_nothing_comes_back_its_caller_is_told_what_is_certain(written: bool) -> None:
    old = opened()
    event_id = old.send(create())
    if written:
        sent(old)
    old.lost(LOST, comes_back=True)
    old.lost(ConnectionLost("for good", close_code=1011))
    error = ends(old)[event_id or ""]
    assert isinstance(error, ConnectionLost)
    assert (str(error), error.close_code, error.uncertain) == ("for good", 1011, written)
    assert old.pending == ()
    assert ends(old) == {}


# -- where the conversation goes on -------------------------------------------------------------


def test_one_that_was_written_is_looked_for_first() -> None:
    old = opened()
    add(old, text("before", "x"))
    event_id = asked(old)
    new = following(old, resumes=True)
    assert sent(new) == [
        {"type": "conversation.item.retrieve", "event_id": event_id, "item_id": "i"}
    ]
    tell(new, "conversation.item.retrieved", item=text("i", "hello"))
    answer = ends(new)[event_id]
    assert isinstance(answer, ConversationItemAdded)
    assert ids(new) == ["before", "i"], "it came while nobody here could see that"
    assert ends(new) == {}


def test_one_that_the_server_does_not_have_is_created() -> None:
    old = opened()
    event_id = asked(old)
    new = following(old, resumes=True)
    sent(new)
    new.receive(wire.error(event_id, "item_retrieve_invalid_item_id"), 0.0)
    assert ends(new) == {}
    (again,) = sent(new)
    assert (again["type"], again["event_id"]) == ("conversation.item.create", event_id)
    add(new, text("i", "hello"))
    assert isinstance(ends(new)[event_id], ConversationItemAdded)
    assert new.strays == []


def test_one_that_was_never_written_is_created_at_once() -> None:
    old = opened()
    event_id = old.send(create())
    new = following(old, resumes=True)
    (again,) = sent(new)
    assert (again["type"], again["event_id"]) == ("conversation.item.create", event_id)


def test_lost_while_it_is_looked_for() -> None:
    old = opened()
    event_id = asked(old)
    new = following(old, resumes=True)
    new.lost(LOST, comes_back=True)  # the question was not written; the create was, long ago
    (pending,) = new.pending
    assert (pending.event_id, pending.was_sent, ends(new)) == (event_id, True, {})
    third = following(new, resumes=True, nonce="third")
    assert [one["type"] for one in sent(third)] == ["conversation.item.retrieve"]
    tell(third, "conversation.item.retrieved", item=text("i", "hello"))
    assert list(ends(third)) == [event_id]


@pytest.mark.parametrize("written", [False, True])
def test_lost_for_good_while_it_is_looked_for(written: bool) -> None:
    old = opened()
    event_id = asked(old)
    new = following(old, resumes=True)
    if written:
        sent(new)
    new.lost(LOST)
    error = ends(new)[event_id]
    assert isinstance(error, ConnectionLost)
    assert error.uncertain, "the server may have the item, whether it was asked for that or not"


# -- the outputs of calls -------------------------------------------------------------------------


def with_a_call() -> tuple[Protocol, str]:
    """A call whose output is on its way when the connection goes; and the name of that."""
    old = opened()
    created = {"id": "r", "status": "in_progress", "conversation_id": "conv"}
    tell(old, "response.created", response=created)
    tell(old, "conversation.item.added", item=call("c", "x", "in_progress"))
    tell(old, "response.output_item.done", response_id="r", item=call("c", "x"))
    resource = {"id": "r", "status": "completed", "output": [call("c", "x")],
                "conversation_id": "conv"}  # fmt: skip
    tell(old, "response.done", response=resource)
    (dispatch,) = [one for one in old.calls.drain() if isinstance(one, Dispatch)]
    assert old.calls.claim("r", dispatch.call_id)
    old.calls.drain()
    item = FunctionCallOutputItem(id="o", call_id="x", output="42")
    return old, asked(old, ConversationItemCreate(item=item))


@pytest.mark.parametrize("how", ["added", "duplicate", "retrieved"])
def test_an_output_is_known_to_be_there_however_that_is_learned(how: str) -> None:
    old, event_id = with_a_call()
    old.lost(LOST, comes_back=True)
    new = Protocol(nonce="new", now=0.0, before=old.estate(0.0), resumes=how == "retrieved")
    tell(new, "session.created", session=wire.session())
    sent(new)
    if how != "retrieved":
        add(new, call("c", "x"))
    assert ends(new)[new.opening] is not None
    new.take_over(old.input.unheard(ms=0, is_lost=True), old.pending)
    sent(new)
    output = {"type": "function_call_output", "id": "o", "call_id": "x", "output": "42"}
    assert new.calls._echoes
    if how == "duplicate":
        new.receive(wire.error(event_id, DUPLICATE), 0.0)
    elif how == "added":
        tell(new, "conversation.item.added", item=output)
    else:
        tell(new, "conversation.item.retrieved", item=output)
    assert isinstance(ends(new)[event_id], ConversationItemAdded)
    assert not new.calls._echoes
    assert ids(new) == ["c", "o"]


def test_an_end_of_somebody_else_is_passed_on() -> None:
    new = following(opened())
    restoring = new.restoring
    assert restoring is not None
    for outcome in (Outcome("x", 1), Outcome("y", error=RealtimeError("no"))):
        assert restoring.settling.see(outcome) is outcome
        assert restoring.see([outcome]) == [outcome]
