"""The core in other dialects: machines see GA, the wire has theirs, and the flags hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime_client import events
from realtime_client.acknowledgement import Acknowledgement
from realtime_client.dialects import BETA, GA, VOICE_LIVE, XAI_GROK, Dialect
from realtime_client.errors import NotSupported, ResponseRejected, ServerError
from realtime_client.frames import Frame, Happened
from realtime_client.leaves import Leaves, leaves
from realtime_client.outcome import Outcome
from realtime_client.protocol import Protocol
from tests import wire

Tree = dict[str, Any]
LOOSE = replace(GA, name="loose", correlates_errors=False)
MUTE = replace(GA, name="mute", acknowledges_updates=False)
FLAT: Tree = {
    "id": "sess_1",
    "modalities": ["text", "audio"],
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "g711_ulaw",
    "turn_detection": {"type": "server_vad"},
}


class Bench:
    """A core that is open, and what it has written since."""

    def __init__(
        self, dialect: Dialect, shown: Tree = FLAT, *, asked: Leaves | None = None
    ) -> None:
        self.core = Protocol(nonce="n", now=0.0, dialect=dialect, session=asked)
        self.tell("session.created", session=shown)
        if asked is None:
            assert self.end_of(self.core.opening) is not None

    def tell(self, type_: str, **fields: Any) -> Happened:
        return self.core.receive(wire.frame(type_, **fields), 1.0)

    def refuse(self, code: str, event_id: str | None = None) -> None:
        self.core.receive(wire.error(event_id, code), 1.0)

    def frames(self) -> list[Frame]:
        return list(self.core.data_to_send())

    def written(self) -> list[Tree]:
        return [wire.read(frame.raw) for frame in self.frames()]

    def send(self, command: Any) -> str:
        event_id = self.core.send(command, 1.0)
        assert event_id is not None
        return event_id

    def end_of(self, event_id: str) -> Outcome | None:
        return next((one for one in self.core.outcomes() if one.event_id == event_id), None)


def created(item_id: str) -> events.ConversationItemCreate:
    return events.ConversationItemCreate(item=events.MessageItem(id=item_id, role="user"))


def truncate() -> events.ConversationItemTruncate:
    return events.ConversationItemTruncate(item_id="i", content_index=0, audio_end_ms=500)


# -- what goes in and out --------------------------------------------------------------------


def test_machines_see_ga_and_the_frame_stays_as_it_came() -> None:
    bench = Bench(BETA)
    session = bench.core.config.acknowledged
    assert isinstance(session, events.SessionConfig)
    assert session.audio == events.AudioConfig(
        input=events.AudioInput(
            format=events.AudioFormat(type="audio/pcm", rate=24000),
            turn_detection=events.ServerVad(),
        ),
        output=events.AudioOutput(voice="alloy", format=events.AudioFormat(type="audio/pcmu")),
    )
    raw = wire.frame("response.audio.delta", response_id="r", item_id="i", delta="AAA=")
    for data in (raw, raw.decode()):
        happened = bench.core.receive(data, 1.0)
        assert isinstance(happened.event, events.ResponseOutputAudioDelta)
        assert happened.raw == raw


def test_what_is_shown_and_has_no_name_here_is_kept() -> None:
    """A leaf has to go out whole, with the fields that only this server has."""
    detection = {"type": "server_vad", "threshold": 0.5, "auto_truncate": False}
    bench = Bench(VOICE_LIVE, {**FLAT, "turn_detection": detection})
    asked = leaves({"audio": {"input": {"turn_detection": {"silence_duration_ms": 300}}}})
    bench.core.update(asked, now=1.0, timeout=5.0)
    (update,) = bench.written()
    assert update["session"] == {"turn_detection": {**detection, "silence_duration_ms": 300}}


def test_updates_go_out_in_their_shape_and_are_answered_in_theirs() -> None:
    bench = Bench(BETA)
    asked = leaves({"output_modalities": ["text"], "audio": {"input": {"turn_detection": None}}})
    event_id = bench.core.update(asked, now=1.0, timeout=5.0)
    (frame,) = bench.frames()
    assert wire.read(frame.raw) == {
        "type": "session.update",
        "event_id": event_id,
        "session": {"modalities": ["text"], "turn_detection": None},
    }
    assert isinstance(frame.event, events.SessionUpdate)
    assert isinstance(frame.event.session, events.SessionConfig)
    assert frame.event.session.output_modalities == ("text",)
    bench.tell("session.updated", session={**FLAT, "modalities": ["text"], "turn_detection": None})
    outcome = bench.end_of(event_id)
    assert outcome is not None
    assert isinstance(outcome.answer, Acknowledgement)
    assert outcome.answer.confirmed
    assert outcome.answer.ignored == ()
    assert set(outcome.answer.changed) == {"output_modalities", "audio.input.turn_detection"}


def test_the_configuration_of_an_opening_is_theirs() -> None:
    asked = leaves({"audio": {"output": {"voice": "ara"}, "input": {"turn_detection": None}}})
    bench = Bench(XAI_GROK, {"voice": "eve", "turn_detection": {"type": "server_vad"}}, asked=asked)
    (update,) = bench.written()
    assert update["session"] == {"voice": "ara", "turn_detection": {"type": None}}
    assert bench.core.is_opening
    bench.tell("session.updated", session={"voice": "ara", "turn_detection": {"type": None}})
    assert bench.core.is_open
    outcome = bench.end_of(bench.core.opening)
    assert outcome is not None
    assert outcome.answer.ignored == ()


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_create_has_our_key_and_their_shape(as_dict: bool) -> None:
    bench = Bench(BETA)
    params = events.ResponseCreateParams(output_modalities=("text",), max_output_tokens=9)
    command: Any = events.ResponseCreate(response=params)
    if as_dict:
        response = {"output_modalities": ["text"], "max_output_tokens": 9}
        command = {"type": "response.create", "response": response}
    event_id = bench.send(command)
    (create,) = bench.written()
    assert create.pop("response") == {
        "modalities": ["text"],
        "max_response_output_tokens": 9,
        "metadata": {"realtime_client": "n-1"},
    }
    assert create == {"type": "response.create", "event_id": event_id}


def test_a_dict_in_the_servers_own_shape_goes_out_as_it_is() -> None:
    bench = Bench(VOICE_LIVE)
    session = {"voice": {"type": "azure-custom", "name": "x"}, "avatar": {"character": "lisa"}}
    event_id = bench.send({"type": "session.update", "session": session})
    assert bench.written() == [{"type": "session.update", "event_id": event_id, "session": session}]
    bench.tell("session.updated", session={**FLAT, **session})
    assert bench.end_of(event_id) is not None


def test_the_words_of_the_assistant_are_created_in_their_shape() -> None:
    bench = Bench(BETA)
    event_id = bench.send(events.ConversationItemCreate(item=events.assistant_message("Hello.")))
    (create,) = bench.written()
    item = create["item"]
    assert item["content"] == [{"type": "text", "text": "Hello."}]
    bench.tell("conversation.item.created", item=item)
    outcome = bench.end_of(event_id)
    assert outcome is not None
    assert isinstance(outcome.answer, events.ConversationItemAdded)
    (mirrored,) = bench.core.conversation.items
    assert isinstance(mirrored, events.MessageItem)
    assert mirrored.content == (events.ContentPart(type="output_text", text="Hello."),)


def test_the_size_of_the_outbox_is_that_of_the_wire() -> None:
    bench = Bench(BETA)
    bench.send(events.ConversationItemCreate(item=events.assistant_message("Hello.")))
    size = bench.core.outbox_bytes
    assert size == sum(len(frame.raw) for frame in bench.frames())
    assert bench.core.outbox_bytes == 0


# -- what a server leaves undone ----------------------------------------------------------------


def test_no_out_of_band_where_nobody_has_seen_it() -> None:
    for dialect in (BETA, VOICE_LIVE, XAI_GROK):
        bench = Bench(dialect)
        params = events.ResponseCreateParams(conversation="none")
        with pytest.raises(NotSupported, match=dialect.name):
            bench.core.respond(events.ResponseCreate(response=params), now=1.0)
        assert not bench.frames()


def test_a_truncation_that_nobody_answers_is_done_when_it_goes_out() -> None:
    bench = Bench(XAI_GROK)
    bench.tell("conversation.item.added", item=wire.message("i"))
    event_id = bench.send(truncate())
    outcome = bench.end_of(event_id)
    assert outcome is not None
    assert outcome.answer == events.ConversationItemTruncated(
        item_id="i", content_index=0, audio_end_ms=500
    )
    assert bench.core.conversation.truncations == {("i", 0): 500}
    assert [frame["type"] for frame in bench.written()] == ["conversation.item.truncate"]
    # Where it is answered after all, nothing happens twice.
    bench.tell("conversation.item.truncated", item_id="i", content_index=0, audio_end_ms=500)
    assert bench.core.outcomes() == []
    bench.core.lost(ServerError("gone"))
    assert bench.core.outcomes() == []


def test_a_truncation_that_was_not_told_of_ends_once() -> None:
    bench = Bench(XAI_GROK)
    event_id = bench.send(truncate())
    bench.core.lost(ServerError("gone"))
    assert [one.event_id for one in bench.core.outcomes()] == [event_id]


def test_a_truncation_waits_for_its_answer_where_there_is_one() -> None:
    bench = Bench(GA, wire.session())
    event_id = bench.send(truncate())
    assert bench.core.outcomes() == []
    bench.tell("conversation.item.truncated", item_id="i", content_index=0, audio_end_ms=500)
    assert bench.end_of(event_id) is not None


def test_an_interruption_is_mirrored_where_nobody_answers() -> None:
    bench = Bench(XAI_GROK, {"turn_detection": {"type": None}})
    response, place = {"id": "r", "output": []}, {"response_id": "r", "item_id": "i"}
    bench.tell("response.created", response=response)
    bench.tell("response.output_item.added", response_id="r", item=wire.message("i"))
    bench.tell("conversation.item.added", item=wire.message("i"))
    bench.tell("response.output_audio.delta", **place, content_index=0, delta="AAAA" * 8000)
    bench.core.interrupt(1.25)
    types = [frame["type"] for frame in bench.written()]
    assert "conversation.item.truncate" in types
    assert set(bench.core.conversation.truncations) == {("i", 0)}


# -- errors that name nothing ---------------------------------------------------------------------


@pytest.mark.parametrize("named", [None, "event_TODO"])
def test_an_error_that_names_nothing_refuses_the_only_request(named: str | None) -> None:
    bench = Bench(LOOSE, wire.session())
    event_id = bench.send(created("i"))
    bench.frames()
    bench.refuse("invalid_value", named)
    outcome = bench.end_of(event_id)
    assert outcome is not None
    assert isinstance(outcome.error, ServerError)
    assert outcome.error.code == "invalid_value"
    assert bench.core.strays == []


def test_it_refuses_a_create_an_update_and_a_commit_too() -> None:
    bench = Bench(LOOSE, wire.session())
    create = bench.send(events.ResponseCreate())
    bench.frames()
    bench.refuse("invalid_value")
    outcome = bench.end_of(create)
    assert outcome is not None
    assert isinstance(outcome.error, ResponseRejected)
    update = bench.core.update(leaves({"instructions": "x"}), now=1.0, timeout=5.0)
    bench.frames()
    bench.refuse("invalid_value")
    outcome = bench.end_of(update)
    assert outcome is not None
    assert outcome.error is not None


def test_it_refuses_none_of_several() -> None:
    bench = Bench(LOOSE, wire.session())
    asked = [bench.send(created("i")), bench.send(created("j"))]
    bench.frames()
    bench.refuse("invalid_value")
    assert bench.core.outcomes() == []
    assert [str(error) for error in bench.core.strays] == ["invalid_value: no"]
    bench.refuse("invalid_value", asked[1])
    assert [one.event_id for one in bench.core.outcomes()] == asked[1:]
    bench.refuse("invalid_value")
    assert [one.event_id for one in bench.core.outcomes()] == asked[:1]


def test_it_refuses_nothing_that_the_server_has_not_seen() -> None:
    bench = Bench(LOOSE, wire.session())
    bench.send(created("i"))
    bench.refuse("invalid_value")
    assert bench.core.outcomes() == []
    bench.frames()
    bench.core.respond(events.ResponseCreate(), now=1.0)
    bench.frames()
    waits = bench.core.respond(events.ResponseCreate(), now=1.0)
    bench.tell("conversation.item.added", item=wire.message("i", "user"))
    bench.tell("response.created", response={"id": "r", "metadata": {"realtime_client": "n-1"}})
    bench.core.outcomes()
    bench.refuse("invalid_value")
    assert bench.core.outcomes() == []
    assert waits in bench.core._desk.open_requests


def test_an_update_that_waits_for_its_turn_is_not_refused() -> None:
    bench = Bench(LOOSE, wire.session())
    asked = leaves({"instructions": "x"})
    first, second = (bench.core.update(asked, now=1.0, timeout=5.0) for _ in range(2))
    bench.frames()
    bench.refuse("invalid_value")
    assert [one.event_id for one in bench.core.outcomes()] == [first]
    assert second in bench.core._desk.open_requests


@pytest.mark.parametrize("event_id", ["event_n_77", None])
def test_it_is_not_the_only_requests_fault(event_id: str | None) -> None:
    """Another of ours was refused, or a cancel that came too late."""
    bench = Bench(LOOSE, wire.session())
    bench.send(created("i"))
    bench.frames()
    bench.refuse("invalid_value" if event_id else "response_cancel_not_active", event_id)
    assert bench.core.outcomes() == []


def test_where_errors_name_their_request_the_others_are_left_alone() -> None:
    bench = Bench(GA, wire.session())
    bench.send(created("i"))
    bench.frames()
    bench.refuse("invalid_value")
    assert bench.core.outcomes() == []
    assert [str(error) for error in bench.core.strays] == ["invalid_value: no"]


# -- updates that nobody answers ------------------------------------------------------------------


def test_an_update_that_nobody_answers_is_settled_and_not_confirmed() -> None:
    bench = Bench(MUTE, wire.session(instructions="old"))
    before = bench.core.config.acknowledged
    assert before is not None
    event_id = bench.core.update(leaves({"instructions": "new"}), now=1.0, timeout=5.0)
    outcome = bench.end_of(event_id)
    assert outcome is not None
    assert outcome.answer == Acknowledgement(before, (), (), confirmed=False)
    assert [frame["session"]["instructions"] for frame in bench.written()] == ["new"]
    assert bench.core.config.acknowledged is before
    assert bench.core.config.in_flight == ()
    assert bench.core.config.obtained == {("instructions",): "new"}


def test_nothing_is_compared_with_what_may_not_be_so() -> None:
    bench = Bench(MUTE, wire.session(instructions="old"))
    bench.core.update(leaves({"instructions": "new"}), now=1.0, timeout=5.0)
    bench.core.update(leaves({"instructions": "old"}), now=1.0, timeout=5.0)
    sent = [frame["session"]["instructions"] for frame in bench.written()]
    assert sent == ["new", "old"]
    bench.tell("session.updated", session=wire.session(instructions="old"))
    bench.core.update(leaves({"instructions": "old"}), now=1.0, timeout=5.0)
    assert not bench.frames()


def test_an_update_that_is_refused_after_all_is_reported() -> None:
    bench = Bench(MUTE, wire.session())
    event_id = bench.core.update(leaves({"instructions": "new"}), now=1.0, timeout=5.0)
    bench.core.config.notices.clear()
    bench.refuse("invalid_value", event_id)
    (notice,) = bench.core.config.notices
    assert (notice.kind, notice.event_id) == ("late_rejection", event_id)


def test_a_session_opens_where_nobody_answers_updates() -> None:
    core = Protocol(nonce="n", now=0.0, dialect=MUTE, session=leaves({"instructions": "x"}))
    core.update(leaves({"tools": []}), now=0.0, timeout=5.0)
    core.receive(wire.frame("session.created", session=wire.session()), 1.0)
    assert core.is_open
    ends = core.outcomes()
    assert [one.answer.confirmed for one in ends] == [False, False]
    assert core.opening in {one.event_id for one in ends}
    assert len(list(core.data_to_send())) == 2
