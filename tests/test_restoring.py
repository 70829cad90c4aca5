"""A new connection is made to know what the old one knew: in order, each step acknowledged, and
never more than is needed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_client import events
from realtime_client.conversation import Change
from realtime_client.dialects import BETA
from realtime_client.errors import ConnectionLost, SessionSilent, SessionUpdateRejected
from realtime_client.machines import Limits
from realtime_client.memories import Memories, Memory
from realtime_client.playback import Cut
from realtime_client.protocol import Protocol
from realtime_client.recalling import SILENT
from realtime_client.restoring import Restoring
from tests import wire
from tests.inheriting import (
    WORD_MS,
    Speech,
    add,
    call,
    carried_texts,
    heard_as,
    message,
    opened,
    output,
    said,
    sent,
    tell,
    text,
)

LOST = ConnectionLost("it dropped")
SESSION = {("instructions",): "Be brief.", ("audio", "output", "speed"): 1.25}


def configured(**options: Any) -> Protocol:
    return opened(session=dict(SESSION), **options)


def successor(old: Protocol, *, now: float = 0.0, **options: Any) -> Protocol:
    """The connection after another one; nothing has been heard on it."""
    return Protocol(**{"nonce": "new", "now": now, "before": old.estate(now), **options})


def born(new: Protocol, now: float = 0.0, **fields: Any) -> Protocol:
    session = wire.session(**fields)
    session["audio"]["input"]["turn_detection"] = None
    tell(new, "session.created", now, session=session)
    return new


def reply(new: Protocol, frame: dict[str, Any], now: float = 0.0, *, refuses: Any = ()) -> None:
    """The server takes a command, or refuses what is named, by its type or by its item."""
    item = frame.get("item", {})
    item_id = item.get("id", frame.get("item_id"))
    if frame["type"] in refuses or item_id in refuses:
        new.receive(wire.error(frame["event_id"], "nope", "it says no"), now)
    elif frame["type"] == "session.update":
        tell(new, "session.updated", now, session={**wire.session(), **frame["session"]})
    elif frame["type"] == "conversation.item.create":
        previous = frame.get("previous_item_id")
        for part in item.get("content", ()):
            part.pop("audio", None)  # "without its audio"
        added = {"item": {**item, "status": "completed"}, "previous_item_id": previous}
        tell(new, "conversation.item.added", now, **added)
    elif frame["type"] == "conversation.item.delete":
        tell(new, "conversation.item.deleted", now, item_id=item_id)


def serve(new: Protocol, now: float = 0.0, *, refuses: Any = ()) -> list[dict[str, Any]]:
    """The server answers until nothing more comes; returns what came."""
    heard: list[dict[str, Any]] = []
    while frames := sent(new):
        for frame in frames:
            heard.append(frame)
            reply(new, dict(frame), now, refuses=refuses)
        new.outcomes()
    return heard


def restored(old: Protocol, *, refuses: Any = (), **options: Any) -> Protocol:
    """The connection after another one, open."""
    new = born(successor(old, **options))
    serve(new, refuses=refuses)
    assert new.is_open
    return new


def caught_up(old: Protocol, new: Protocol, *, refuses: Any = ()) -> list[dict[str, Any]]:
    """What a connection is told until it knows what the old one knows; the commands alone."""
    heard: list[dict[str, Any]] = []
    for _ in range(10):
        if new.catch_up(old.estate(0.0), 0.0):
            return heard
        heard += serve(new, refuses=refuses)
    raise AssertionError("it does not come to an end")


def over(old: Protocol, new: Protocol) -> Protocol:
    """The new one takes the place of the old one."""
    new.take_over(old.input.unheard(ms=0, is_lost=True), old.pending)
    return new


def report(new: Protocol) -> Restoring:
    assert new.restoring is not None
    return new.restoring


def ids(new: Protocol) -> list[str]:
    return [str(getattr(item, "id", None)) for item in new.conversation.items]


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"].rpartition(".")[2] for frame in frames]


# -- the order of things ------------------------------------------------------------------------


def test_the_configuration_comes_first_then_the_items_and_each_is_acknowledged() -> None:
    old = configured()
    for item in (text("a", "hello"), call("b", "x"), output("c", "x"), text("d", "hm", "system")):
        add(old, item)
    new = successor(old)
    assert sent(new) == []
    born(new)
    (update,) = sent(new)
    session = {"instructions": "Be brief.", "audio": {"output": {"speed": 1.25}}}
    assert update["session"] == {"type": "realtime", **session}
    assert update["event_id"] == new.opening
    reply(new, update)
    assert new.outcomes() == [], "the conversation is not there yet"
    creates = sent(new)
    assert [one["item"]["id"] for one in creates] == ["a", "b", "c", "d"]
    assert all("previous_item_id" not in one for one in creates)
    for create in creates:
        assert not new.is_open
        reply(new, create)
    assert new.is_open
    (outcome,) = new.outcomes()
    assert outcome.event_id == new.opening
    assert outcome.answer.effective is not None
    assert ids(new) == ["a", "b", "c", "d"]
    assert [one.item_id for one in report(new).restored] == ["a", "b", "c", "d"]
    assert report(new).left == ()


def test_where_there_is_nothing_to_restore_it_is_open_when_configured() -> None:
    new = born(successor(configured()))
    assert [one["type"] for one in sent(new)] == ["session.update"]
    assert not new.is_open
    bare = born(successor(opened()))
    assert bare.is_open, "nobody has ever asked for anything"


def test_what_was_asked_for_in_the_meantime_lies_over_what_was_in_force() -> None:
    new = born(successor(configured(), session={("instructions",): "Be long."}))
    (update,) = sent(new)
    assert update["session"]["instructions"] == "Be long."
    assert update["session"]["audio"] == {"output": {"speed": 1.25}}


def test_a_configuration_that_is_refused_is_no_connection() -> None:
    old = configured()
    add(old, text("a", "hello"))
    new = born(successor(old))
    (update,) = sent(new)
    reply(new, update, refuses=["session.update"])
    (outcome,) = new.outcomes()
    assert isinstance(outcome.error, SessionUpdateRejected)
    assert (new.is_open, sent(new)) == (False, [])


def test_a_session_that_remembers_nothing_is_told_nothing() -> None:
    old = configured()
    add(old, message("a", heard_as("hello")))
    add(old, message("b", heard_as(None)))
    new = successor(old)
    transcription = {"type": "transcription", "id": "s", "audio": {"input": {}}}
    tell(new, "session.created", session=transcription)
    tell(new, "session.updated", session=transcription)
    assert new.is_open
    assert kinds(sent(new)) == ["update"]
    assert (report(new).restored, report(new).left) == ((), ())
    assert new.catch_up(old.estate(0.0), 0.0)


# -- time ---------------------------------------------------------------------------------------


def test_every_answer_gives_the_next_one_its_time() -> None:
    old = configured()
    for name in "abc":
        add(old, text(name, "x"))
    new = born(successor(old, open_timeout=10.0), now=1.0)
    assert new.next_deadline() == 11.0
    (update,) = sent(new)
    reply(new, update, now=9.0)
    assert new.next_deadline() == 19.0
    creates = sent(new)
    for now, create in zip((18.0, 27.0), creates, strict=False):
        new.on_deadline(now)
        reply(new, create, now=now)
        assert new.next_deadline() == now + 10.0
    tell(new, "rate_limits.updated", 30.0, rate_limits=[])
    assert new.next_deadline() == 37.0, "that was no answer"
    new.on_deadline(37.0)
    (outcome,) = new.outcomes()
    assert isinstance(outcome.error, SessionSilent)
    assert "restored of the conversation" in str(outcome.error)


# -- refusals -----------------------------------------------------------------------------------


def test_what_is_refused_takes_nothing_else_with_it() -> None:
    old = configured()
    for name in "abc":
        add(old, text(name, name))
    new = restored(old, refuses=["b"])
    assert ids(new) == ["a", "c"]
    assert [one.item_id for one in report(new).restored] == ["a", "c"]
    (left,) = report(new).left
    assert left.item_id == "b"
    assert left.why == "the server did not take it: nope: it says no"
    assert left.item == old.estate(0.0).carried.items[1][0]
    assert new.strays == [], "it is told there, and not as an error of nobody's"
    assert [one.event_id for one in new.outcomes()] == []


def test_what_was_refused_is_not_tried_again_though_everything_else_goes_on() -> None:
    old = configured()
    for name in "abc":
        add(old, text(name, name))
    new = restored(old, refuses=["b"])
    assert caught_up(old, new) == []
    add(old, text("d", "d"))
    assert [one["item"]["id"] for one in caught_up(old, new)] == ["d"]
    assert [one.item_id for one in report(new).left] == ["b"]


def test_an_output_that_comes_later_stays_behind_with_its_call() -> None:
    old = configured()
    add(old, call("b", "x"))
    add(old, text("c", "c"))
    new = restored(old, refuses=["b"])
    add(old, output("d", "x"))
    assert caught_up(old, new) == []
    assert [(one.item_id, one.why) for one in report(new).left] == [
        ("b", "the server did not take it: nope: it says no"),
        ("d", "its call was not restored"),
    ]


def test_what_was_refused_and_cannot_be_carried_any_more_is_told_once() -> None:
    old = configured()
    add(old, message("a", heard_as("hello")))
    new = restored(old, refuses=["a"])
    tell(old, "conversation.item.truncated", item_id="a", content_index=0, audio_end_ms=0)
    caught_up(old, new)
    assert [one.item_id for one in report(new).left] == ["a"]


def test_a_delete_that_is_refused_is_not_tried_again() -> None:
    old = configured()
    for name in "ab":
        add(old, text(name, name))
    new = restored(old)
    tell(old, "conversation.item.deleted", item_id="a")
    assert kinds(caught_up(old, new, refuses=["a"])) == ["delete"]
    (left,) = report(new).left
    assert left.item_id == "a"
    assert left.why.startswith("the server did not take out what it had of it")
    assert [one.item_id for one in report(new).restored] == ["b"]


def test_what_was_there_and_is_refused_in_its_new_form_is_not_there_any_more() -> None:
    old = configured()
    add(old, text("a", "old"))
    new = restored(old)
    tell(old, "conversation.item.deleted", item_id="a")
    add(old, text("a", "new"))
    heard = caught_up(old, new, refuses=["conversation.item.create"])
    assert kinds(heard) == ["delete", "create"]
    assert (report(new).restored, [one.item_id for one in report(new).left]) == ((), ["a"])


def test_an_update_that_is_refused_is_told_and_not_tried_again() -> None:
    old = configured()
    new = restored(old)
    old.update({("instructions",): "New."}, now=0.0, timeout=9.0)
    serve(old)
    assert kinds(caught_up(old, new, refuses=["session.update"])) == ["update"]
    (error,) = new.strays
    assert isinstance(error, SessionUpdateRejected)
    old.update({("instructions",): "Newer."}, now=0.0, timeout=9.0)
    serve(old)
    assert kinds(caught_up(old, new)) == ["update"]
    assert new.config.obtained["instructions",] == "Newer."


# -- servers that do not say what they refuse ----------------------------------------------------


def test_where_a_refusal_names_nothing_the_items_go_out_one_by_one() -> None:
    old = opened(dialect=BETA)
    for name in "abc":
        add(old, text(name, name))
    new = born(successor(old, dialect=BETA))
    for name, refuses in (("a", False), ("b", True), ("c", False)):
        (create,) = sent(new)
        assert create["item"]["id"] == name
        assert not new.is_open
        if refuses:
            new.receive(wire.error(None, "nope"), 0.0)
        else:
            reply(new, create)
    assert new.is_open
    assert ids(new) == ["a", "c"]
    assert [one.item_id for one in report(new).left] == ["b"]
    assert new.strays == []


def test_one_by_one_each_has_its_time() -> None:
    old = opened(dialect=BETA)
    for name in "abc":
        add(old, text(name, name))
    new = born(successor(old, dialect=BETA))
    for now in (9.0, 18.0):
        new.on_deadline(now)
        (create,) = sent(new)
        reply(new, create, now)
        assert new.next_deadline() == now + 10.0


def test_one_by_one_ends_with_the_connection() -> None:
    old = opened(dialect=BETA)
    for name in "abc":
        add(old, text(name, name))
    new = born(successor(old, dialect=BETA))
    sent(new)
    new.lost(LOST)
    assert [one.event_id for one in new.outcomes()] == [new.opening]
    assert sent(new) == []
    assert new.next_deadline() is None


# -- catching up ---------------------------------------------------------------------------------


def test_where_nothing_has_changed_nothing_is_sent() -> None:
    old = configured()
    add(old, text("a", "hello"))
    add(old, message("b", heard_as("spoken")))
    Speech(old).say("one two").done().take().play(2)
    new = restored(old)
    assert caught_up(old, new) == []
    assert caught_up(old, new) == []


def test_what_came_and_went_meanwhile() -> None:
    old = configured()
    for name in "abc":
        add(old, text(name, name))
    new = restored(old)
    tell(old, "conversation.item.deleted", item_id="b")
    add(old, text("d", "d"))
    first = text("first", "0")
    tell(old, "conversation.item.added", item=first, previous_item_id="a")
    heard = caught_up(old, new)
    assert kinds(heard) == ["delete", "create", "create"]
    assert ids(new) == ids(old) == ["a", "first", "c", "d"]
    assert [one.item_id for one in report(new).restored] == ids(old)


def test_a_transcript_that_came_meanwhile_brings_its_message() -> None:
    old = configured()
    add(old, message("a", heard_as(None)))
    add(old, text("b", "b"))
    new = restored(old)
    assert [one.item_id for one in report(new).left] == ["a"]
    completed = "conversation.item.input_audio_transcription.completed"
    tell(old, completed, item_id="a", content_index=0, transcript="hello")
    (create,) = caught_up(old, new)
    assert create["previous_item_id"] == "root"
    assert (ids(new), report(new).left) == (["a", "b"], ())


def test_the_configuration_is_asked_for_as_far_as_it_has_changed() -> None:
    old = configured()
    new = restored(old)
    for words in ("One.", "Two."):
        old.update({("instructions",): words}, now=0.0, timeout=9.0)
        serve(old)
    (update,) = caught_up(old, new)
    assert update["session"] == {"type": "realtime", "instructions": "Two."}
    assert update["event_id"] not in new.opening
    assert new.outcomes() == [], "nobody here has asked for that"
    for words in ("One.", "Two.", "One.", "Two."):  # there and back
        old.update({("instructions",): words}, now=0.0, timeout=9.0)
        serve(old)
        assert kinds(caught_up(old, new)) == ["update"]


def test_while_something_is_on_its_way_nothing_more_is_sent() -> None:
    old = configured()
    new = restored(old)
    add(old, text("a", "a"))
    assert not new.catch_up(old.estate(0.0), 0.0)
    assert kinds(sent(new)) == ["create"]
    add(old, text("b", "b"))
    assert not new.catch_up(old.estate(0.0), 0.0)
    assert sent(new) == []


def test_what_is_being_played_is_let_be_however_far_it_has_come() -> None:
    old = configured()
    speech = Speech(old).say("one two three").done().take().play(1)
    new = restored(old)
    assert carried_texts(old.estate(0.0)) == {"m": "one"}
    speech.play(2)
    assert caught_up(old, new) == []
    assert [said(item) for item in new.conversation.items] == ["one"]


def test_what_is_being_made_and_played_is_let_be() -> None:
    """A connection that is replaced in the middle of a sentence must find an end."""
    old = configured()
    speech = Speech(old).say("one two three").take().play(2)
    new = restored(old)
    old.lost(LOST, comes_back=True)
    speech.play(2.5)
    assert caught_up(old, new) == []
    speech.play(3)
    caught_up(old, new)
    assert caught_up(old, new) == []


def test_what_begins_to_be_heard_meanwhile_comes_with_its_first_words() -> None:
    old = configured()
    speech = Speech(old).say("one two three").done().take().play(0)
    new = restored(old)
    assert ids(new) == []
    speech.play(1)
    assert kinds(caught_up(old, new)) == ["create"]
    assert [said(item) for item in new.conversation.items] == ["one"]
    speech.play(2)
    assert caught_up(old, new) == []


def test_what_was_heard_to_its_end_meanwhile_has_all_its_words() -> None:
    old = configured()
    speech = Speech(old).say("one two three").done().take().play(1)
    new = restored(old)
    speech.play(3)
    assert kinds(caught_up(old, new)) == ["delete", "create"]
    assert [said(item) for item in new.conversation.items] == ["one two three"]
    assert report(new).restored == (("m", "text"),)


def test_what_was_interrupted_meanwhile_has_the_words_that_were_heard() -> None:
    old = configured()
    Speech(old).say("one two three").done().take().play(1)
    new = restored(old)
    old.playback.played(2 * WORD_MS)
    old.interrupt(0.0)
    assert kinds(caught_up(old, new)) == ["delete", "create"]
    assert [said(item) for item in new.conversation.items] == ["one two"]


def test_the_tools_of_others_that_the_new_session_has_found_stay_there() -> None:
    old = configured()
    listing = {"type": "mcp_list_tools", "id": "old_list", "server_label": "s", "tools": []}
    add(old, listing)
    add(old, text("a", "a"))
    new = restored(old)
    add(new, {**listing, "id": "new_list"})
    assert caught_up(old, new) == []
    assert ids(new) == ["a", "new_list"]


def test_what_the_new_session_is_making_by_itself_is_let_be() -> None:
    old = configured()
    add(old, text("a", "a"))
    new = restored(old)
    tell(new, "conversation.item.added", item=wire.message("own", status="in_progress"))
    assert caught_up(old, new) == []
    assert ids(new) == ["a", "own"]


def test_what_the_mirror_of_the_new_one_has_let_go_is_not_put_there_again() -> None:
    limits = Limits(max_items=3)
    old = configured()
    for name in "abcde":
        add(old, text(name, name))
    new = restored(old, limits=limits)
    assert ids(new) == ["c", "d", "e"]
    assert caught_up(old, new) == []
    add(old, text("f", "f"))
    assert [one["item"]["id"] for one in caught_up(old, new)] == ["f"]
    assert [one.item_id for one in report(new).restored] == list("abcdef")
    assert report(new).left == ()


def longest_common(have: list[tuple[str, str]], want: list[tuple[str, str]]) -> int:
    """How many items can stay where they are."""
    best = [[0] * (len(want) + 1) for _ in range(len(have) + 1)]
    for row, one in enumerate(have):
        for column, other in enumerate(want):
            longer = best[row][column] + 1 if one == other else 0
            best[row + 1][column + 1] = max(longer, best[row][column + 1], best[row + 1][column])
    return best[-1][-1]


lists = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@settings(max_examples=100, deadline=None)
@given(before=lists, after=lists, changed=st.sets(st.sampled_from("abcdef"), max_size=2))
def test_catching_up_takes_the_fewest_deletes_and_creates(
    before: list[str], after: list[str], changed: set[str]
) -> None:
    old = opened()
    for name in before:
        add(old, text(name, name))
    new = restored(old)
    for name in before:
        tell(old, "conversation.item.deleted", item_id=name)
    for name in after:
        add(old, text(name, name.upper() if name in changed else name))
    heard = caught_up(old, new)
    want = [(name, name.upper() if name in changed else name) for name in after]
    assert [(str(getattr(one, "id", "")), said(one)) for one in new.conversation.items] == want
    stay = longest_common([(name, name) for name in before], want)
    assert len(heard) == len(before) + len(after) - 2 * stay
    assert caught_up(old, new) == []


# -- in force -----------------------------------------------------------------------------------


def notes(new: Protocol) -> list[tuple[str, str, str | None]]:
    found = list(new.conversation.notes)
    new.conversation.notes.clear()
    return [(one.kind, one.item_id, one.previous_item_id) for one in found]


def test_whoever_watches_is_told_how_the_conversation_differs() -> None:
    old = opened()
    add(old, {"type": "message", "id": "same", "role": "user", "status": "completed",
              "content": [{"type": "input_text", "text": "x"}]})  # fmt: skip
    add(old, message("spoken", heard_as("hello")))
    add(old, message("lost", heard_as(None)))
    before = old.conversation.get("spoken")
    new = restored(old)
    add(new, {"type": "mcp_list_tools", "id": "list", "server_label": "s", "tools": []})
    over(old, new)
    changes = list(new.conversation.notes)
    assert notes(new) == [
        ("deleted", "lost", None),
        ("added", "spoken", "same"),
        ("added", "list", "spoken"),
    ]
    assert changes[0].item == old.conversation.get("lost")
    assert (changes[1].before, changes[1].item) == (before, new.conversation.get("spoken"))
    assert changes[2].before is None
    assert isinstance(changes[0], Change)


def test_not_one_of_many_changes_is_lost() -> None:
    old = opened()
    for index in range(1_200):
        add(old, message(str(index), heard_as("x")))
    old.conversation.notes.clear()
    new = restored(old)
    over(old, new)
    assert [item_id for _, item_id, _ in notes(new)] == [str(index) for index in range(1_200)]


def test_before_it_is_in_force_it_corrects_nothing() -> None:
    old = configured()
    speech = Speech(old).say("one two three").done().take().play(1)
    new = restored(old)
    speech.play(3)
    tell(new, "rate_limits.updated", rate_limits=[])
    assert sent(new) == []


def in_force(words: float = 1, **options: Any) -> tuple[Protocol, Speech]:
    """A connection that has taken over while a message of four words is played."""
    old = configured()
    add(old, text("u", "hello"))
    speech = Speech(old).say("one two three four").done().take().play(words)
    new = restored(old, **options)
    old.lost(LOST, comes_back=True)
    assert caught_up(old, new) == []
    over(old, new)
    assert serve(new) == []
    return new, speech


def test_in_force_it_corrects_what_is_heard_to_its_end() -> None:
    new, speech = in_force()
    speech.play(4)
    assert sent(new) == []
    tell(new, "rate_limits.updated", rate_limits=[])
    assert kinds(serve(new)) == ["delete", "create"]
    assert [said(item) for item in new.conversation.items] == ["hello", "one two three four"]
    assert (new.outcomes(), new.strays) == ([], [])
    tell(new, "rate_limits.updated", rate_limits=[])
    assert sent(new) == []


def test_in_force_it_corrects_what_is_interrupted() -> None:
    new, speech = in_force()
    speech.play(3)
    new.interrupt(0.0)
    assert kinds(serve(new)) == ["delete", "create"]
    assert [said(item) for item in new.conversation.items] == ["hello", "one two three"]
    assert (new.outcomes(), new.strays) == ([], [])


def test_a_correction_is_never_an_error_of_nobodys() -> None:
    for refuses in (["conversation.item.delete"], ["m"], ["conversation.item.create"]):
        new, speech = in_force()
        speech.play(3)
        new.interrupt(0.0)
        serve(new, refuses=refuses)
        assert (new.outcomes(), new.strays) == ([], [])
        assert new.is_quiet(0.0)


def test_what_came_back_with_no_word_is_put_there_when_it_was_heard() -> None:
    old = configured()
    add(old, text("u", "hello"))
    speech = Speech(old).say("one two").done().take().play(0)
    new = restored(old)
    over(old, new)
    assert [(one.item_id, one.why) for one in report(new).left] == [("m", SILENT)]
    assert new.estate(0.0).carried.left == (), "it is not there to be left behind once more"
    add(new, text("v", "more"))
    speech.play(2)
    tell(new, "rate_limits.updated", rate_limits=[])
    (create,) = serve(new)
    assert create["previous_item_id"] == "u"
    assert ids(new) == ["u", "m", "v"]


def test_what_came_back_with_no_word_and_is_interrupted_is_nobodys_affair() -> None:
    old = configured()
    Speech(old).say("one two").done().take().play(0)
    new = restored(old)
    over(old, new)
    new.interrupt(0.0)
    assert sent(new) == []


def test_what_the_server_did_not_take_is_neither_corrected_nor_truncated() -> None:
    old = configured()
    speech = Speech(old).say("one two").done().take().play(1)
    new = restored(old, refuses=["m"])
    over(old, new)
    speech.play(2)
    tell(new, "rate_limits.updated", rate_limits=[])
    assert sent(new) == []
    other = opened()
    Speech(other).say("one two").done().take().play(1)
    new = restored(other, refuses=["m"])
    over(other, new)
    new.interrupt(0.0)
    assert sent(new) == []


def test_what_somebody_deletes_while_it_is_played_is_not_put_back() -> None:
    new, speech = in_force()
    new.send(events.ConversationItemDelete(item_id="m"))
    serve(new)
    speech.play(4)
    tell(new, "rate_limits.updated", rate_limits=[])
    assert sent(new) == []


# -- and the next one ---------------------------------------------------------------------------


def test_what_is_still_played_goes_on_to_the_third_connection() -> None:
    new, speech = in_force()
    speech.play(2)
    new.lost(LOST, comes_back=True)
    found = new.estate(0.0)
    assert carried_texts(found) == {"u": "hello", "m": "one two"}
    assert len(found.carried.items) == 2
    assert found.carried.playing["m"].words == ("one two three four",)
    third = restored(new, nonce="third")
    over(new, third)
    speech.play(4)
    tell(third, "rate_limits.updated", rate_limits=[])
    serve(third)
    assert [said(item) for item in third.conversation.items] == ["hello", "one two three four"]


@pytest.mark.parametrize("answered", [0, 1])
@pytest.mark.parametrize("interrupts", [False, True])
def test_a_correction_that_was_cut_off_is_made_by_the_next(answered: int, interrupts: bool) -> None:
    new, speech = in_force()
    speech.play(3 if interrupts else 4)
    if interrupts:
        new.interrupt(0.0)
    tell(new, "rate_limits.updated", rate_limits=[])
    for frame in sent(new)[:answered]:
        reply(new, frame)
    new.lost(LOST, comes_back=True)
    assert new.outcomes() == []
    assert new.pending == ()
    words = "one two three" if interrupts else "one two three four"
    found = new.estate(0.0)
    assert list(carried_texts(found).items()) == [("u", "hello"), ("m", words)]
    assert found.carried.playing == {}


@pytest.mark.parametrize("after", ["root", "u", "nowhere"])
def test_what_is_only_just_being_put_there_has_its_place(after: str) -> None:
    old = opened()
    for name in "uv":
        add(old, text(name, name))
    memories = {
        "m": Memory(("one",), after, is_over=True),
        "n": Memory(("two",), "m", is_over=True),
    }
    old._machines.memories = Memories(memories)
    order = {"root": "mnuv", "u": "umnv", "nowhere": "uvmn"}[after]
    assert list(carried_texts(old.estate(0.0))) == list(order)


def test_what_was_interrupted_before_a_word_stays_behind_for_that() -> None:
    new, _ = in_force()
    new.playback.flushed(0.0)
    new._machines.memories.on_cut(Cut("m", 0, 0, "", is_estimate=False))
    new.lost(LOST, comes_back=True)
    (left,) = new.estate(0.0).carried.left
    assert (left.item_id, left.why) == ("m", SILENT)


def test_interrupted_while_there_is_no_connection() -> None:
    new, speech = in_force()
    new.lost(LOST, comes_back=True)
    speech.play(2)
    new.interrupt(0.0)
    found = new.estate(0.0)
    assert (carried_texts(found)["m"], found.carried.playing) == ("one two", {})


def test_dropped_by_its_holder_it_stays_as_it_came_back() -> None:
    new, speech = in_force()
    speech.play(2)
    new.playback.forget("m")
    tell(new, "rate_limits.updated", rate_limits=[])
    assert sent(new) == []
    found = new.estate(0.0)
    assert (carried_texts(found)["m"], found.carried.playing) == ("one", {})


# -- audio that comes back ----------------------------------------------------------------------


def test_audio_that_comes_back_is_no_turn_of_the_user() -> None:
    old = opened(limits=Limits(keep_user_audio=True))
    old.append(bytes(96))
    old.send(events.InputAudioBufferCommit())
    tell(old, "input_audio_buffer.committed", item_id="a")
    add(old, message("a", heard_as(None)))
    new = restored(old, limits=Limits(keep_user_audio=True))
    over(old, new)
    completed = "conversation.item.input_audio_transcription.completed"
    tell(new, completed, item_id="a", content_index=0, transcript="hello")
    assert (new.turns.notes, new.turns.open) == ([], ())
    assert new.is_quiet(0.0)
    (part,) = getattr(new.conversation.get("a"), "content", [])
    assert (part.type, part.transcript) == ("input_audio", "hello")
    tell(new, "input_audio_buffer.committed", item_id="b")
    assert {note.item_id for note in new.turns.notes} == {"b"}
    assert new.input.said("a") == bytes(96), "and may come back once more"


# -- a conversation that goes on ----------------------------------------------------------------


def test_where_the_conversation_goes_on_nothing_is_put_into_it_and_nothing_is_forgotten() -> None:
    old = opened()
    add(old, text("a", "hello"))
    add(old, {"type": "brand_new", "id": "x"})
    old.conversation.notes.clear()
    speech = Speech(old).say("one two").done().take().play(1)
    new = born(successor(old, resumes=True))
    assert (new.is_open, sent(new)) == (True, [])
    assert new.catch_up(old.estate(0.0), 0.0)
    old.lost(LOST, comes_back=True)
    old.conversation.notes.clear()
    over(old, new)
    assert (ids(new), notes(new)) == (["a", "x", "m"], [])
    assert (report(new).restored, report(new).left) == ((), ())
    speech.play(2)
    tell(new, "rate_limits.updated", rate_limits=[])
    assert sent(new) == [], "the server has its audio, and knows all its words"


def test_where_the_conversation_goes_on_audio_is_truncated_as_ever() -> None:
    old = opened()
    Speech(old).say("one two").done().take().play(1)
    old.lost(LOST, comes_back=True)
    new = over(old, born(successor(old, resumes=True)))
    new.interrupt(0.0)
    assert kinds(sent(new)) == ["truncate"]
