"""Where commands become frames: names, copies, turns, and what is asked on our own behalf."""

from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_client import events
from realtime_client.acknowledgement import Intent
from realtime_client.desk import Desk
from realtime_client.dialects import BETA, GA, Dialect
from realtime_client.errors import InvalidClientEvent, InvalidConfig, UsageError
from realtime_client.machines import Limits, Machines
from realtime_client.memories import Memories, Memory, spoken
from realtime_client.outcome import Outcome
from realtime_client.playback import Cut
from tests import wire


class Bench:
    """A desk with its machines, and what has gone out."""

    def __init__(self, dialect: Dialect = GA) -> None:
        self.machines = Machines("n", dialect, Limits())
        self.desk = Desk("n", self.machines, events.REALTIME, dialect)

    def born(self) -> Bench:
        """There is a session."""
        session = events.SessionConfig(model="m", instructions="Be brief.")
        self.machines.config.on_created(session, 0.0)
        return self

    def sent(self) -> list[dict[str, Any]]:
        return [wire.read(frame.raw) for frame in self.desk.take()]

    def types(self) -> list[str]:
        return [one["type"] for one in self.sent()]


def create(item_id: str | None = "i", **fields: Any) -> events.ConversationItemCreate:
    item = events.MessageItem(
        id=events.UNSET if item_id is None else item_id,
        role="user",
        content=events.user_message("hello").content,
    )
    return events.ConversationItemCreate(item=item, **fields)


def ask(bench: Bench, command: Any) -> str:
    return bench.desk.ask(command, command)


# -- names ------------------------------------------------------------------------------------


def test_every_request_has_a_name_and_no_two_have_one() -> None:
    bench = Bench()
    names = [ask(bench, create(item_id)) for item_id in "abc"]
    assert names == ["event_n_1", "event_n_2", "event_n_3"]
    assert [one["event_id"] for one in bench.sent()] == names
    assert bench.desk.open_requests == tuple(names)
    assert all(map(bench.desk.is_ours, names))
    assert not bench.desk.is_ours("event_other_1")
    assert bench.desk.machine_of(names[0]) is bench.machines.conversation


def test_a_name_of_the_callers_own_stays() -> None:
    bench = Bench()
    assert ask(bench, create(event_id="mine")) == "mine"
    wanted = {"type": "input_audio_buffer.commit", "event_id": "its"}
    assert bench.desk.ask(events.InputAudioBufferCommit(event_id="its"), wanted) == "its"
    assert [one["event_id"] for one in bench.sent()] == ["mine", "its"]
    assert bench.desk.is_ours("mine")


def test_an_item_without_an_id_gets_one_in_the_struct_and_in_the_dict() -> None:
    bench = Bench()
    ask(bench, create(None))
    raw = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "x": 1}}
    event = events.ConversationItemCreate(item=events.MessageItem(role="user"))
    bench.desk.ask(event, raw)
    unknown = events.UnknownVariant(raw={"type": "new"})
    ask(bench, events.ConversationItemCreate(item=unknown))
    items = [one["item"] for one in bench.sent()]
    assert [item["id"] for item in items] == ["item_n_1", "item_n_3", "item_n_5"]
    assert items[1]["x"] == 1
    assert "id" not in raw["item"], "the caller's own is not touched"
    assert "event_id" not in raw


def test_what_cannot_be_written_leaves_no_trace() -> None:
    bench = Bench().born()
    bad: dict[str, Any] = {
        "type": "conversation.item.create",
        "item": {"type": "message", "x": object()},
    }
    with pytest.raises(InvalidClientEvent):
        bench.desk.ask(create(), bad)
    with pytest.raises(InvalidClientEvent):
        bench.desk.ask_response(
            events.ResponseCreate(), {"type": "response.create", "x": object()}, 0.0
        )
    with pytest.raises(InvalidClientEvent):
        bench.desk.ask_response(events.ResponseCreate(), {}, 0.0, extra="\ud800")
    with pytest.raises(UsageError):
        command = events.ResponseCreate(
            response=events.ResponseCreateParams(metadata={"realtime_client": "x"})
        )
        bench.desk.ask_response(command, command, 0.0)
    with pytest.raises(InvalidConfig):
        bench.desk.ask_config(Intent("x", {("model",): "other"}, math.inf))
    assert bench.desk.open_requests == ()
    assert bench.desk.pending() == ()
    assert bench.machines.router.is_idle
    assert bench.sent() == []


# -- whose turn it is -------------------------------------------------------------------------


def test_an_update_waits_for_the_session_and_for_the_one_before() -> None:
    bench = Bench()
    for number in "12":
        bench.desk.ask_config(Intent(number, {("instructions",): number}, math.inf))
    assert bench.sent() == []
    bench.born().desk.next(0.0)
    assert [one["event_id"] for one in bench.sent()] == ["1"]
    session = events.SessionConfig(model="m", instructions="1")
    bench.machines.config.on_updated(session, 0.0)
    bench.desk.next(0.0)
    assert [one["event_id"] for one in bench.sent()] == ["2"]


def test_an_update_of_the_callers_own_goes_out_as_it_is() -> None:
    bench = Bench().born()
    raw = {"type": "session.update", "session": {"type": "realtime", "new_field": {"a": 1}}}
    event = events.SessionUpdate(session=events.SessionConfig())
    event_id = bench.desk.ask_as_is(event, raw, 5.0)
    assert bench.sent() == [{**raw, "event_id": event_id}]
    assert bench.machines.config.next_deadline() == 5.0
    unknown = events.SessionUpdate(session=events.UnknownVariant(raw={"type": "odd"}))
    with pytest.raises(InvalidClientEvent, match="realtime"):
        bench.desk.ask_as_is(unknown, unknown, 5.0)


def test_a_response_has_its_instructions_when_it_goes_out() -> None:
    bench = Bench().born()
    first = bench.desk.ask_response(events.ResponseCreate(), events.ResponseCreate(), 0.0, "wait")
    bench.desk.ask_response(
        events.ResponseCreate(), events.ResponseCreate(), 0.0, "wait", extra="And friendly."
    )
    (one,) = bench.sent()
    assert "instructions" not in one["response"]
    assert bench.desk.is_create(first)
    assert bench.desk.machine_of(first) is None
    session = events.SessionConfig(model="m", instructions="Be long.")
    bench.machines.config.on_updated(session, 0.0)
    bench.machines.router.lost()
    bench.desk.ask_response(
        events.ResponseCreate(), events.ResponseCreate(), 0.0, "wait", extra="And friendly."
    )
    (two,) = bench.sent()
    assert two["response"]["instructions"] == "Be long.\n\nAnd friendly."


def test_a_cancel_goes_out_by_its_id_and_once() -> None:
    bench = Bench().born()
    router = bench.machines.router
    router.on_created(events.ResponseCreated(response=events.ResponseResource(id="r")), 0.0)
    record = router.find("r")
    assert record is not None
    router.cancel(record)
    bench.desk.next(0.0)
    bench.desk.next(0.0)
    (cancel,) = bench.sent()
    assert (cancel["type"], cancel["response_id"]) == ("response.cancel", "r")
    assert record.cancel_id == cancel["event_id"]
    assert bench.desk.is_ours(cancel["event_id"])


# -- what is cut, and what is corrected -------------------------------------------------------


def cut(item_id: str = "m", words: str = "one", *, deletes: bool = False) -> Cut:
    return Cut(item_id, 0, 120, words, False, deletes)


def test_what_was_not_heard_is_truncated_or_deleted_and_remembered() -> None:
    bench = Bench().born()
    message = events.MessageItem(
        id="m",
        role="assistant",
        content=(events.ContentPart(type="output_audio", transcript="one two"),),
    )
    bench.machines.conversation.on_added(events.ConversationItemAdded(item=message))
    bench.machines.cuts = [cut(), cut("n", "", deletes=True)]
    bench.desk.next(0.0)
    assert bench.sent() == [
        {"type": "conversation.item.truncate", "item_id": "m",
         "content_index": 0, "audio_end_ms": 120},
        {"type": "conversation.item.delete", "item_id": "n"},
    ]  # fmt: skip
    assert bench.machines.conversation.interrupted["m", 0].heard == "one"
    assert bench.desk.open_requests == (), "some servers never answer a truncate"
    bench.desk.next(0.0)
    assert bench.sent() == []


def remembered(bench: Bench, words: str = "one") -> None:
    """A message that came back while it was played."""
    item = spoken("m", (words,))
    assert item is not None
    bench.machines.conversation.on_added(events.ConversationItemAdded(item=item))
    bench.machines.memories = Memories({"m": Memory(("one two three",), "root")}, ["gone"])
    bench.machines.playback.played(0)
    bench.machines.playback.on_audio("m", 0, 480)
    bench.machines.playback.on_finished("m", 0.0)
    bench.machines.playback.on_handed("m", 0, 480, 0.0)


def test_what_came_back_as_text_is_written_anew_and_not_truncated() -> None:
    bench = Bench().born()
    remembered(bench)
    bench.machines.cuts = [cut(words="one two"), cut("gone", "x")]
    bench.desk.next(0.0)
    delete, create_ = bench.sent()
    assert delete.items() >= {"type": "conversation.item.delete", "item_id": "m"}.items()
    assert create_["previous_item_id"] == "root"
    assert create_["item"]["content"] == [{"type": "output_text", "text": "one two"}]
    bench.desk.next(0.0)
    assert bench.sent() == []


def test_what_was_heard_to_its_end_is_written_anew_at_the_next_turn() -> None:
    bench = Bench().born()
    remembered(bench)
    bench.desk.next(0.0)
    assert bench.sent() == []
    bench.machines.playback.played(10)
    bench.desk.next(0.0)
    assert bench.types() == ["conversation.item.delete", "conversation.item.create"]


def test_what_is_asked_on_our_own_behalf_has_a_name_and_nobody_creates_it_again() -> None:
    bench = Bench().born()
    remembered(bench)
    bench.machines.playback.played(10)
    bench.desk.next(0.0)
    names = [one["event_id"] for one in bench.sent()]
    assert bench.desk.open_requests == tuple(names)
    assert bench.desk.pending() == ()
    own = bench.desk.ask_own(create())
    assert bench.desk.pending() == ()
    assert bench.desk.machine_of(own) is bench.machines.conversation


# -- what is pending, and what no answer comes to ---------------------------------------------


def test_the_items_that_are_being_created() -> None:
    bench = Bench()
    written, waits = ask(bench, create("a")), None
    bench.sent()
    raw = {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "id": "b"},
    }
    event = events.ConversationItemCreate(item=events.MessageItem(id="b", role="user"))
    waits = bench.desk.ask(event, raw)
    ask(bench, events.ConversationItemDelete(item_id="a"))
    first, second = bench.desk.pending()
    assert (first.event_id, first.was_sent, first.event.event_id) == (written, True, written)
    assert (second.event_id, second.was_sent, second.event.event_id) == (waits, False, waits)
    assert second.raw == {**raw, "event_id": waits}
    bench.desk.forget(written)
    bench.desk.forget("nobody")
    assert [one.event_id for one in bench.desk.pending()] == [waits]


@pytest.mark.parametrize(("dialect", "told"), [(GA, False), (BETA, True)])
def test_a_truncation_that_nobody_answers_is_done_when_it_goes_out(
    dialect: Dialect, told: bool
) -> None:
    bench = Bench(dialect)
    truncate = events.ConversationItemTruncate(item_id="m", content_index=0, audio_end_ms=7)
    event_id = ask(bench, truncate)
    done = events.ConversationItemTruncated(item_id="m", content_index=0, audio_end_ms=7)
    assert bench.desk.outcomes == ([Outcome(event_id, done)] if told else [])
    assert bench.desk.correlates_errors is not told


def test_appended_audio_is_counted_by_whom_it_concerns_and_until_it_has_gone() -> None:
    bench = Bench()
    bench.desk.put(append := events.InputAudioBufferAppend(audio=bytes(30)), append)
    as_text = {"type": "input_audio_buffer.append", "audio": "AAAA"}
    bench.desk.put(events.InputAudioBufferAppend(audio="AAAA"), as_text)
    bench.desk.put(cancel := events.ResponseCancel(), cancel)
    assert (bench.machines.input.appended, bench.desk.outbox.audio) == (33, 33)
    frames = bench.desk.take()
    next(frames)
    assert bench.desk.outbox.audio == 3
    next(frames)
    assert (bench.desk.outbox.audio, bench.desk.outbox.size > 0) == (0, True)
    bench.desk.put(append, append)
    bench.desk.outbox.clear()
    assert (bench.desk.outbox.audio, bench.desk.outbox.size) == (0, 0)
