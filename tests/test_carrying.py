"""What a connection leaves to the next one: each kind of item, and nothing that nobody heard."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybase64 import b64encode

from realtime_client.codec import encode
from realtime_client.errors import ConnectionLost
from realtime_client.events import (
    ContentPart,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    InputAudioBufferCommit,
    Item,
    MessageItem,
)
from realtime_client.machines import Limits
from realtime_client.memories import Memory
from realtime_client.protocol import Protocol
from realtime_client.recalling import CUT, SILENT, UNFINISHED, WORDLESS
from realtime_client.restoring import Estate
from tests import wire
from tests.inheriting import (
    WORD,
    WORD_MS,
    Speech,
    add,
    call,
    carried_texts,
    forms,
    heard_as,
    left,
    message,
    opened,
    output,
    tell,
    text,
)

LOST = ConnectionLost("it dropped")
KEEPS = Limits(keep_user_audio=True)


def lost(protocol: Protocol) -> Protocol:
    protocol.lost(LOST, comes_back=True)
    return protocol


def estate(protocol: Protocol, now: float = 0.0) -> Estate:
    return protocol.estate(now)


def wires(found: Estate) -> list[dict[str, Any]]:
    """The items as they would go out."""
    return [msgspec.json.decode(encode(item)) for item, _ in found.carried.items]


def carries(item: dict[str, Any]) -> dict[str, Any]:
    """What is carried of a conversation of this one item."""
    protocol = opened()
    add(protocol, item)
    (found,) = wires(estate(protocol))
    return found


def leaves(item: dict[str, Any]) -> str:
    """Why a conversation of this one item is left behind."""
    protocol = opened()
    add(protocol, item)
    found = estate(protocol)
    assert wires(found) == []
    (one,) = found.carried.left
    assert one.item == protocol.conversation.get(one.item_id)
    return one.why


# -- what was written ---------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_texts_come_back_as_they_were(role: str) -> None:
    kind = "output_text" if role == "assistant" else "input_text"
    part = {"type": kind, "text": "hello"}
    again = carries(message("i", part, role=role))
    assert again == {"type": "message", "id": "i", "role": role, "content": [part]}


def test_a_text_of_several_parts() -> None:
    parts = [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}]
    assert carries(message("i", *parts))["content"] == parts


def test_a_picture_comes_back_where_it_is_here() -> None:
    parts = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
    ]
    assert carries(message("i", *parts))["content"] == parts
    assert leaves(message("i", parts[0], {"type": "input_image"})) == "its picture is not here"
    nothing = {"type": "input_image", "image_url": None}
    assert leaves(message("i", nothing)) == "its picture is not here"


@pytest.mark.parametrize("role", ["user", "system"])
def test_a_message_that_shows_no_content(role: str) -> None:
    assert leaves(message("i", role=role)) == "nothing is known of what it says"
    bare = {"type": "message", "id": "i", "role": role, "status": "completed"}
    assert leaves(bare) == "nothing is known of what it says"


# -- calls ------------------------------------------------------------------------------------


def test_calls_come_back_with_their_outputs_and_without() -> None:
    protocol = opened()
    for item in (call("1", "a"), output("2", "a"), call("3", "b")):
        add(protocol, item)
    bare = {"type": "function_call", "name": "look", "arguments": "{}"}
    assert wires(estate(protocol)) == [
        {**bare, "id": "1", "call_id": "a"},
        {"type": "function_call_output", "id": "2", "call_id": "a", "output": "42"},
        {**bare, "id": "3", "call_id": "b"},
    ]
    assert forms(estate(protocol)) == {"1": "whole", "2": "whole", "3": "whole"}


@pytest.mark.parametrize("status", ["in_progress", "incomplete"])
def test_a_call_that_was_cut_off_stays_behind_with_its_output(status: str) -> None:
    protocol = opened()
    for item in (call("1", "a", status), output("2", "a"), output("3", "never was")):
        tell(protocol, "conversation.item.added", item=item)
    assert left(estate(protocol)) == {
        "1": "the call was cut off",
        "2": "its call is not there",
        "3": "its call is not there",
    }


def test_an_output_does_not_come_before_its_call() -> None:
    protocol = opened()
    add(protocol, output("1", "a"))
    add(protocol, call("2", "a"))
    assert left(estate(protocol)) == {"1": "its call is not there"}
    assert forms(estate(protocol)) == {"2": "whole"}


# -- what only a server makes -------------------------------------------------------------------


def test_tools_of_others_are_asked_for_anew_and_nobody_misses_the_list() -> None:
    protocol = opened()
    add(protocol, {"type": "mcp_list_tools", "id": "i", "server_label": "s", "tools": []})
    found = estate(protocol)
    assert (found.carried.items, found.carried.left) == ((), ())


@pytest.mark.parametrize(
    "item",
    [
        {"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}", "output": "x"},
        {"type": "mcp_approval_request", "server_label": "s", "name": "n", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "r", "approve": True},
        {"type": "brand_new", "anything": 1},
        {"type": "message", "role": 7},
    ],
)
def test_what_a_client_cannot_create_is_named(item: dict[str, Any]) -> None:
    why = leaves({"id": "i", **item})
    assert why == f"a client cannot create an item of type {item['type']}"


# -- what the user said ---------------------------------------------------------------------------


def test_audio_of_the_user_comes_back_as_its_transcript() -> None:
    protocol = opened()
    add(protocol, message("i", heard_as("hello there")))
    found = estate(protocol)
    part = {"type": "input_text", "text": "hello there"}
    assert wires(found) == [{"type": "message", "id": "i", "role": "user", "content": [part]}]
    assert forms(found) == {"i": "text"}


def test_a_transcript_that_came_by_itself() -> None:
    protocol = opened()
    add(protocol, message("i", heard_as(None)))
    assert left(estate(protocol)) == {"i": "its audio is not kept here, and it has no transcript"}
    completed = "conversation.item.input_audio_transcription.completed"
    tell(protocol, completed, item_id="i", content_index=0, transcript="late")
    assert carried_texts(estate(protocol)) == {"i": "late"}


@pytest.mark.parametrize("transcript", [None, ""])
def test_audio_that_nobody_wrote_down_and_nobody_kept(transcript: str | None) -> None:
    why = leaves(message("i", {"type": "input_text", "text": "and"}, heard_as(transcript)))
    assert why == "its audio is not kept here, and it has no transcript"


def committed(protocol: Protocol, item_id: str, audio: bytes) -> None:
    """A turn by hand, as far as its message is committed."""
    protocol.send(InputAudioBufferAppend(audio=audio))
    protocol.send(InputAudioBufferCommit())
    tell(protocol, "input_audio_buffer.committed", item_id=item_id, previous_item_id=None)


def test_audio_that_was_kept_comes_back_as_it_was_said() -> None:
    protocol = opened(limits=KEEPS)
    committed(protocol, "i", b"0123456789")
    add(protocol, message("i", heard_as("never mind")))
    part = {"type": "input_audio", "audio": b64encode(b"0123456789").decode()}
    assert wires(estate(protocol))[0]["content"] == [part]
    assert forms(estate(protocol)) == {"i": "whole"}
    tell(protocol, "conversation.item.deleted", item_id="i")
    assert protocol.input.said("i") is None


def test_which_of_two_audios_was_kept_nobody_knows() -> None:
    protocol = opened(limits=KEEPS)
    committed(protocol, "i", b"0123456789")
    add(protocol, message("i", heard_as("one"), heard_as("two")))
    assert carried_texts(estate(protocol)) == {"i": "one two"}


def test_a_turn_whose_message_nobody_has_seen_is_named() -> None:
    protocol = opened()
    add(protocol, text("a", "hello"))
    committed(protocol, "i", bytes(10))
    (one,) = estate(protocol).carried.left
    assert (one.item_id, one.item) == ("i", None)
    assert one.why == "it was committed, and nobody had seen it yet"
    add(protocol, message("i", heard_as("here it is")))
    assert carried_texts(estate(protocol)) == {"a": "hello", "i": "here it is"}


def test_a_turn_whose_message_nobody_has_seen_comes_back_where_it_was_kept() -> None:
    protocol = opened(limits=KEEPS)
    add(protocol, text("a", "hello"))
    committed(protocol, "i", b"0123456789")
    found = estate(protocol)
    part = {"type": "input_audio", "audio": b64encode(b"0123456789").decode()}
    assert wires(found)[1] == {"type": "message", "id": "i", "role": "user", "content": [part]}
    assert (forms(found), left(found)) == ({"a": "whole", "i": "whole"}, {})


def test_a_turn_that_is_gone_is_not_named() -> None:
    protocol = opened()
    committed(protocol, "i", bytes(10))
    tell(protocol, "conversation.item.deleted", item_id="i")
    assert left(estate(protocol)) == {}


def test_a_turn_that_was_seen_before_it_was_committed_is_there() -> None:
    protocol = opened()
    add(protocol, message("i", heard_as("early")))
    committed(protocol, "i", bytes(10))
    assert (carried_texts(estate(protocol)), left(estate(protocol))) == ({"i": "early"}, {})


# -- what the model said --------------------------------------------------------------------------


def test_what_was_heard_to_its_end_comes_back_whole() -> None:
    protocol = opened()
    Speech(protocol).say("one two three").done().take().play(3)
    found = estate(protocol)
    part = {"type": "output_text", "text": "one two three"}
    assert wires(found) == [{"type": "message", "id": "m", "role": "assistant", "content": [part]}]
    assert (forms(found), dict(found.carried.playing)) == ({"m": "text"}, {})


def test_of_what_is_half_heard_that_half_comes_back() -> None:
    protocol = opened()
    add(protocol, text("u", "hello"))
    Speech(protocol).say("one two three four").done().take().play(2)
    found = estate(protocol)
    assert carried_texts(found) == {"u": "hello", "m": "one two"}
    assert forms(found) == {"u": "whole", "m": "heard"}
    assert found.carried.playing == {"m": Memory(("one two three four",), "u")}


def test_what_was_not_handed_to_the_player_was_not_heard() -> None:
    protocol = opened()
    Speech(protocol).say("one two three four").done().take(1).play(4)
    assert carried_texts(estate(protocol)) == {"m": "one"}


def test_of_what_nobody_has_heard_yet_nothing_comes_back_until_it_is_heard() -> None:
    protocol = opened()
    speech = Speech(protocol).say("one two").done().take().play(0)
    found = estate(protocol)
    assert (left(found), carried_texts(found)) == ({"m": SILENT}, {})
    assert found.carried.playing == {"m": Memory(("one two",), "root")}
    speech.play(1)
    assert carried_texts(estate(protocol)) == {"m": "one"}


def test_by_the_clock_too_the_end_is_the_end() -> None:
    protocol = opened()
    Speech(protocol).say("one two three").done()
    protocol.playback.on_handed("m", 0, 3 * WORD, 10.0)
    found = estate(protocol, 10.25)
    assert (carried_texts(found), forms(found)) == ({"m": "one two"}, {"m": "heard"})
    found = estate(protocol, 10.3)
    assert (carried_texts(found), forms(found)) == ({"m": "one two three"}, {"m": "text"})
    assert found.carried.playing == {}


def test_words_that_a_server_does_not_repeat_are_known_from_their_deltas() -> None:
    protocol = opened()
    speech = Speech(protocol).say("one two three").take().play(3)
    silent = wire.message("m", content=[{"type": "output_audio"}], status="completed")
    tell(protocol, "response.output_item.done", response_id=speech.response_id, item=silent)
    assert carried_texts(estate(protocol)) == {"m": "one two three"}


def test_what_a_server_shows_of_a_message_that_is_being_made_was_not_heard() -> None:
    protocol = opened()
    protocol.playback.played(0)
    part = {"type": "output_audio", "transcript": "one two three"}
    growing = wire.message("m", content=[part], status="in_progress")
    tell(protocol, "conversation.item.added", item=growing)
    assert left(estate(protocol)) == {"m": UNFINISHED}


def test_what_was_interrupted_comes_back_as_far_as_it_was_heard() -> None:
    protocol = opened()
    Speech(protocol).say("one two three four").take().play(2)
    protocol.interrupt(0.0)
    found = estate(protocol)
    assert (carried_texts(found), forms(found)) == ({"m": "one two"}, {"m": "heard"})
    assert found.carried.playing == {}


def test_what_was_interrupted_before_a_word_was_heard_stays_behind() -> None:
    protocol = opened()
    Speech(protocol).say("one two").take().play(0.5)
    protocol.interrupt(0.0)
    assert left(estate(protocol)) == {"m": SILENT}


def test_an_interruption_counts_for_good_whatever_the_server_shows_later() -> None:
    protocol = opened()
    speech = Speech(protocol).say("one two three four").take().play(2)
    protocol.interrupt(0.0)
    speech.done("incomplete")
    assert carried_texts(estate(protocol)) == {"m": "one two"}


def test_what_is_interrupted_while_there_is_no_connection() -> None:
    protocol = opened()
    Speech(protocol).say("one two three four").done().take().play(1)
    lost(protocol).playback.played(3 * WORD_MS)
    protocol.interrupt(0.0)
    found = estate(protocol)
    assert (carried_texts(found), found.carried.playing) == ({"m": "one two three"}, {})


def test_what_was_cut_by_hand_is_not_guessed_at() -> None:
    protocol = opened()
    Speech(protocol).say("one two three").done().take().play(1)
    protocol.send(ConversationItemTruncate(item_id="m", content_index=0, audio_end_ms=120))
    tell(protocol, "conversation.item.truncated", item_id="m", content_index=0, audio_end_ms=120)
    found = estate(protocol)
    assert (left(found), found.carried.playing) == ({"m": CUT}, {})


def test_what_is_being_generated_comes_back_as_far_as_it_was_heard() -> None:
    protocol = opened()
    speech = Speech(protocol).say("one two three").take().play(2)
    assert carried_texts(estate(lost(protocol))) == {"m": "one two"}
    speech.play(2.5)
    # Where the last word ends nobody has said, and nobody will.
    assert estate(protocol).carried.playing == {"m": Memory(("one two",), "root")}
    speech.play(3)
    found = estate(protocol)
    assert (carried_texts(found), found.carried.playing) == ({"m": "one two"}, {})


def test_words_that_ran_ahead_of_their_audio_are_not_heard() -> None:
    protocol = opened()
    Speech(protocol).say("one two").say("three four five", audio=False).take(2).play(2)
    lost(protocol)
    assert set(carried_texts(estate(protocol))["m"].split()) <= {"one", "two"}


def test_what_an_end_without_all_the_audio_has_cut_off() -> None:
    protocol = opened()
    speech = Speech(protocol).say("one two").say("three four", audio=False).take(2).play(2)
    speech.done("incomplete")
    assert set(carried_texts(estate(protocol))["m"].split()) <= {"one", "two"}


def test_where_nobody_has_ever_listened_it_is_heard_somewhere_else() -> None:
    protocol = opened()
    Speech(protocol, "a").say("one two").done()
    Speech(protocol, "b").say("three four")
    found = estate(lost(protocol))
    assert (carried_texts(found), forms(found)) == ({"a": "one two"}, {"a": "text"})
    assert left(found) == {"b": UNFINISHED}
    assert found.carried.playing == {}


def test_what_its_holder_has_dropped_is_as_it_was_said() -> None:
    protocol = opened()
    Speech(protocol, "a").say("one two").done().take().play(1)
    protocol.playback.forget("a")
    found = estate(protocol)
    assert (carried_texts(found), found.carried.playing) == ({"a": "one two"}, {})


def test_a_text_that_was_not_finished() -> None:
    protocol = opened()
    growing = wire.message(
        "i", status="in_progress", content=[{"type": "output_text", "text": "h"}]
    )
    tell(protocol, "conversation.item.added", item=growing)
    assert left(estate(protocol)) == {"i": UNFINISHED}
    assert leaves(message("i", role="assistant")) == WORDLESS
    unknown = {"type": "output_audio", "transcript": None}
    assert leaves(message("i", unknown, role="assistant")) == WORDLESS


def test_text_and_audio_in_one_message() -> None:
    protocol = opened()
    speech = Speech(protocol, parts=2).say("one", part=0).say("two three", part=1)
    parts = [
        {"type": "output_text", "text": "Written."},
        {"type": "output_audio", "transcript": "two three"},
    ]
    whole = wire.message("m", content=parts, status="completed")
    tell(protocol, "conversation.item.done", item=whole)
    assert carried_texts(estate(protocol)) == {"m": "Written. two three"}
    speech.take(2, part=1).play(1)
    found = estate(protocol)
    assert (carried_texts(found), forms(found)) == ({"m": "Written. two"}, {"m": "heard"})
    assert found.carried.playing["m"].words == ("Written.", "two three")


def test_each_part_of_a_message_counts_for_itself() -> None:
    protocol = opened()
    speech = Speech(protocol, parts=2).say("one two", part=0).say("three four", part=1)
    speech.done().take(part=0).take(part=1).play(3)
    assert carried_texts(estate(protocol)) == {"m": "one two three"}
    assert estate(protocol).carried.playing["m"].words == ("one two", "three four")


# -- order --------------------------------------------------------------------------------------


def test_everything_comes_in_the_servers_order() -> None:
    protocol = opened()
    for item in (text("a", "1"), call("b", "x"), text("c", "2", "system"), output("d", "x")):
        add(protocol, item)
    first = text("first", "0")
    tell(protocol, "conversation.item.added", item=first, previous_item_id="a")
    assert list(carried_texts(estate(protocol))) == ["a", "first", "b", "c", "d"]


def test_what_is_played_knows_its_place_among_what_is_carried_or_played() -> None:
    protocol = opened()
    add(protocol, text("u", "hello"))
    add(protocol, {"type": "brand_new", "id": "x"})
    one = Speech(protocol, "one").say("a b").done()
    two = Speech(protocol, "two").say("c d").done()
    three = Speech(protocol, "three").say("e f").done()
    for speech in (one, two, three):
        speech.take()
    one.play(1)
    playing = estate(protocol).carried.playing
    assert {item_id: memory.after for item_id, memory in playing.items()} == {
        "one": "u", "two": "one", "three": "two",
    }  # fmt: skip


def test_the_number_of_what_was_forgotten() -> None:
    protocol = opened(limits=Limits(max_items=2))
    for index in range(5):
        add(protocol, text(str(index), "x"))
    assert estate(protocol).carried.forgotten == 3


# -- purity, and I6 -----------------------------------------------------------------------------


def test_looking_at_the_estate_changes_nothing() -> None:
    protocol = opened(limits=KEEPS, session={("instructions",): "x"})
    committed(protocol, "i", b"0123456789")
    add(protocol, text("u", "hello"))
    Speech(protocol).say("one two three").done().take().play(1)
    Speech(protocol, "n").say("four").take()
    before = protocol.conversation.items
    first, second = estate(protocol, 1.0), estate(protocol, 1.0)
    assert first == second
    assert protocol.conversation.items == before
    assert first.carried.session == {("instructions",): "x"}
    protocol.config.obtained["other",] = 1
    assert first.carried.session == {("instructions",): "x"}, "it is a copy"


@settings(max_examples=200, deadline=None)
@given(
    generated=st.integers(0, 6),
    ahead=st.integers(0, 3),
    taken=st.integers(0, 8),
    played=st.floats(0, 9),
    ends=st.sampled_from(["", "completed", "incomplete"]),
    interrupts=st.booleans(),
    more=st.floats(0, 9),
)
def test_I6_no_word_is_carried_that_nobody_heard(
    generated: int,
    ahead: int,
    taken: int,
    played: float,
    ends: str,
    interrupts: bool,
    more: float,
) -> None:
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    protocol = opened()
    speech = Speech(protocol).say(" ".join(names[:generated]))
    speech.say(" ".join(names[generated : generated + ahead]), audio=ends == "completed")
    speech.take(taken).play(played)
    if ends:
        speech.done(ends)
    lost(protocol)
    if interrupts:
        protocol.interrupt(0.0)
    heard = min(played, taken, generated + (ahead if ends == "completed" else 0))
    if not interrupts:
        heard = min(max(played, more), taken, generated + (ahead if ends == "completed" else 0))
    speech.play(more)
    for now in (0.0, 5.0):
        words = carried_texts(estate(protocol, now)).get("m", "").split()
        assert words == names[: len(words)]
        assert len(words) <= heard + 0.01


def test_a_message_made_by_hand_is_what_it_was() -> None:
    item: Item = MessageItem(
        id="i", role="user", content=(ContentPart(type="input_text", text="x", format="odd"),)
    )
    protocol = opened()
    add(protocol, msgspec.json.decode(encode(item)))
    assert [one for one, _ in estate(protocol).carried.items] == [item]


def test_the_audio_of_a_word_is_what_it_is_taken_for() -> None:
    protocol = opened()
    Speech(protocol).say("one").take(1)
    assert protocol.playback.received("m") == WORD
