"""The core, by its four verbs: every request gets exactly one end, and nothing is half done."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import events
from realtime_client.calls import Dispatch
from realtime_client.creates import METADATA_KEY
from realtime_client.errors import (
    AcknowledgementTimeout,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    InvalidClientEvent,
    KeyRefused,
    ModelRefused,
    PolicyRefused,
    RealtimeError,
    ResponseRejected,
    ServerError,
    SessionRefused,
    SessionSilent,
    SessionUpdateRejected,
    UsageError,
)
from realtime_client.outcome import Outcome
from realtime_client.protocol import Protocol
from realtime_client.verdicts import Verdict
from tests import wire


def sent(protocol: Protocol) -> list[dict[str, Any]]:
    return [wire.read(frame.raw) for frame in protocol.data_to_send()]


def opened(**options: Any) -> Protocol:
    protocol = Protocol(nonce="n", now=0.0, **options)
    protocol.receive(wire.frame("session.created", session=wire.session()), 0.0)
    assert protocol.is_open
    protocol.outcomes()
    return protocol


def outcomes(protocol: Protocol, data: bytes) -> list[Outcome]:
    protocol.receive(data, 1.0)
    return protocol.outcomes()


def outcome(protocol: Protocol, data: bytes) -> Outcome:
    (found,) = outcomes(protocol, data)
    return found


def lost(protocol: Protocol, error: RealtimeError) -> list[Outcome]:
    protocol.lost(error)
    return protocol.outcomes()


def expired(protocol: Protocol, now: float) -> list[Outcome]:
    protocol.on_deadline(now)
    return protocol.outcomes()


# -- opening --------------------------------------------------------------------------------


def test_without_a_configuration_it_is_open_when_the_session_exists() -> None:
    protocol = Protocol(nonce="n", now=0.0)
    before = protocol.is_open
    end = outcome(protocol, wire.frame("session.created", session=wire.session()))
    assert (end.event_id, end.error) == (protocol.opening, None)
    assert (before, protocol.is_open) == (False, True)
    assert sent(protocol) == []


def test_with_one_it_is_open_when_the_server_acknowledged_it() -> None:
    protocol = Protocol(nonce="n", now=0.0, session={("instructions",): "Be brief."})
    assert sent(protocol) == []
    assert outcomes(protocol, wire.frame("session.created", session=wire.session())) == []
    before = protocol.is_open
    (update,) = sent(protocol)
    assert update == {
        "type": "session.update",
        "event_id": protocol.opening,
        "session": {"type": "realtime", "instructions": "Be brief."},
    }
    end = outcome(protocol, wire.frame("session.updated", session=wire.session()))
    assert (end.event_id, end.error) == (protocol.opening, None)
    assert (before, protocol.is_open) == (False, True)


def test_a_second_session_created_does_not_open_twice() -> None:
    protocol = opened()
    assert outcomes(protocol, wire.frame("session.created", session=wire.session())) == []


@pytest.mark.parametrize(
    ("code", "close_code", "kind", "retryable"),
    [
        ("invalid_api_key", 3000, KeyRefused, False),
        ("no_such_code", 3000, KeyRefused, False),
        ("model_not_found", 4000, ModelRefused, False),
        ("no_such_code", 4000, ModelRefused, False),
        ("no_such_code", 1008, PolicyRefused, True),
        ("insufficient_quota", 1008, PolicyRefused, False),
        ("server_error", 1011, SessionRefused, True),
        ("server_error", None, SessionRefused, True),
    ],
)
def test_an_error_as_the_first_word_is_told_with_the_close_that_follows(
    code: str, close_code: int | None, kind: type[SessionRefused], retryable: bool
) -> None:
    protocol = Protocol(nonce="n", now=0.0, session={("instructions",): "x"})
    assert outcomes(protocol, wire.error(None, code, "In the server's words.")) == []
    assert outcomes(protocol, wire.error(None, "afterthought", "Not the reason.")) == []
    (end,) = lost(protocol, ConnectionLost("closed", close_code=close_code))
    assert end.event_id == protocol.opening
    assert type(end.error) is kind
    assert (end.error.code, end.error.close_code) == (code, close_code)
    assert "In the server's words." in str(end.error)
    assert end.error.retryable is retryable
    assert not protocol.is_open
    assert sent(protocol) == []
    assert lost(protocol, ConnectionLost("closed again")) == []


def test_a_close_that_does_not_follow_is_not_waited_for_long() -> None:
    protocol = Protocol(nonce="n", now=0.0, open_timeout=50.0)
    assert outcomes(protocol, wire.error(None, "invalid_api_key", "Bad key.")) == []  # at 1.0
    assert protocol.next_deadline() == 2.0
    assert outcomes(protocol, wire.error(None, "afterthought")) == []
    assert expired(protocol, 1.9) == []
    (end,) = expired(protocol, 2.0)
    assert end.event_id == protocol.opening
    assert type(end.error) is KeyRefused
    assert (end.error.code, end.error.close_code) == ("invalid_api_key", None)
    assert protocol.next_deadline() is None
    assert lost(protocol, ConnectionLost("closed", close_code=3000)) == []


@pytest.mark.parametrize(
    ("close_code", "kind"),
    [(3000, KeyRefused), (4000, ModelRefused), (1008, PolicyRefused), (1011, ConnectFailed)],
)
def test_a_close_before_there_is_a_session_says_why_by_its_code(
    close_code: int, kind: type[ConnectFailed]
) -> None:
    protocol = Protocol(nonce="n", now=0.0)
    (end,) = lost(protocol, ConnectionLost("Such a word.", close_code=close_code))
    assert type(end.error) is kind
    assert "Such a word." in str(end.error)


def test_a_rejected_configuration_never_opens() -> None:
    protocol = Protocol(nonce="n", now=0.0, session={("instructions",): "x"})
    protocol.receive(wire.frame("session.created", session=wire.session()), 0.0)
    end = outcome(protocol, wire.error(protocol.opening, "invalid_value", param="session.x"))
    assert isinstance(end.error, SessionUpdateRejected)
    assert end.error.param == "session.x"


def test_silence_is_over_at_its_deadline_and_not_before() -> None:
    protocol = Protocol(nonce="n", now=100.0, open_timeout=5.0)
    assert protocol.next_deadline() == 105.0
    assert expired(protocol, 104.9) == []
    (end,) = expired(protocol, 105.0)
    assert end.event_id == protocol.opening
    assert isinstance(end.error, SessionSilent)
    assert isinstance(end.error, AcknowledgementTimeout)
    assert isinstance(end.error, ConnectFailed)
    assert end.error.what == "it sent no session.created"
    assert protocol.next_deadline() is None
    assert expired(protocol, 200.0) == []


def test_silence_about_the_configuration_is_told_as_that() -> None:
    protocol = Protocol(nonce="n", now=0.0, open_timeout=5.0, session={("instructions",): "x"})
    protocol.connected(100.0)
    assert outcomes(protocol, wire.frame("session.created", session=wire.session())) == []
    (end,) = expired(protocol, 105.0)
    assert isinstance(end.error, SessionSilent)
    assert end.error.what == "it sent no session.updated"
    assert not protocol.is_open


def test_an_open_connection_has_no_deadline() -> None:
    assert opened().next_deadline() is None


# -- requests -------------------------------------------------------------------------------

REQUESTS: list[tuple[Any, bytes]] = [
    (
        events.SessionUpdate(session=events.SessionConfig(instructions="x")),
        wire.frame("session.updated", session=wire.session()),
    ),
    (
        events.ConversationItemCreate(item=events.MessageItem(id="i", role="user", content=())),
        wire.frame("conversation.item.added", item=wire.message("i")),
    ),
    (
        events.ConversationItemDelete(item_id="i"),
        wire.frame("conversation.item.deleted", item_id="i"),
    ),
    (
        events.ConversationItemRetrieve(item_id="i"),
        wire.frame("conversation.item.retrieved", item=wire.message("i")),
    ),
    (
        events.ConversationItemTruncate(item_id="i", content_index=0, audio_end_ms=1),
        wire.frame("conversation.item.truncated", item_id="i", content_index=0, audio_end_ms=1),
    ),
    (events.InputAudioBufferCommit(), wire.frame("input_audio_buffer.committed", item_id="i")),
    (events.InputAudioBufferClear(), wire.frame("input_audio_buffer.cleared")),
    (events.ResponseCreate(), wire.created("resp_1", {METADATA_KEY: "n-1"})),
]


@pytest.mark.parametrize(("command", "answer"), REQUESTS)
def test_a_request_is_answered_once(command: Any, answer: bytes) -> None:
    protocol = opened()
    event_id = protocol.send(command)
    (raw,) = sent(protocol)
    assert raw["event_id"] == event_id
    end = outcome(protocol, answer)
    assert (end.event_id, end.error) == (event_id, None)
    assert outcomes(protocol, answer) == []
    assert lost(protocol, ConnectionLost("gone")) == []


@pytest.mark.parametrize(("command", "answer"), REQUESTS)
def test_a_request_is_refused_by_its_event_id_and_no_other(command: Any, answer: bytes) -> None:
    protocol = opened()
    event_id = protocol.send(command)
    assert outcomes(protocol, wire.error("event_other", "x")) == []
    assert outcomes(protocol, wire.error(None, "x")) == []
    end = outcome(protocol, wire.error(event_id, "some_code", "words", param="p"))
    assert end.event_id == event_id
    assert isinstance(end.error, ServerError)
    assert (end.error.code, end.error.message, end.error.param) == ("some_code", "words", "p")
    assert outcomes(protocol, answer) == []
    assert lost(protocol, ConnectionLost("gone")) == []


@pytest.mark.parametrize(("command", "answer"), REQUESTS)
def test_a_lost_connection_ends_it_and_says_whether_it_was_written(
    command: Any, answer: bytes
) -> None:
    for write in (True, False):
        protocol = opened()
        event_id = protocol.send(command)
        if write:
            sent(protocol)
        (end,) = lost(protocol, ConnectionLost("gone", close_code=1011))
        assert end.event_id == event_id
        assert isinstance(end.error, ConnectionLost)
        assert (end.error.uncertain, end.error.close_code) == (write, 1011)
        assert lost(protocol, ConnectionLost("again")) == []


def test_an_update_that_waits_for_its_turn_is_certain_not_to_have_gone_out() -> None:
    protocol = opened()
    update = events.SessionUpdate(session=events.SessionConfig(instructions="x"))
    first, second = protocol.send(update), protocol.send(update)
    assert len(sent(protocol)) == 1
    ends = {end.event_id: end.error for end in lost(protocol, ConnectionLost("gone"))}
    assert {event_id: getattr(error, "uncertain", None) for event_id, error in ends.items()} == {
        first: True,
        second: False,
    }


def test_a_clean_close_is_not_a_loss() -> None:
    protocol = opened()
    protocol.send(events.InputAudioBufferCommit())
    (end,) = lost(protocol, ClientClosed("closed"))
    assert isinstance(end.error, ClientClosed)


def test_a_raw_update_that_is_never_answered_does_not_block_the_others() -> None:
    protocol = opened()
    update = {"type": "session.update", "session": {"type": "realtime", "brand_new": 1}}
    raw = protocol.send(update, 100.0)
    other = protocol.update({("instructions",): "x"}, now=100.0, timeout=60.0)
    assert len(sent(protocol)) == 1
    assert protocol.next_deadline() == 110.0
    (end,) = expired(protocol, 110.0)
    assert end.event_id == raw
    assert isinstance(end.error, AcknowledgementTimeout)
    (following,) = sent(protocol)
    assert following["event_id"] == other


def test_a_create_that_is_given_up_and_never_comes_lets_what_waits_for_quiet_go() -> None:
    protocol = opened()
    create = protocol.send(events.ResponseCreate(), 1.0)
    assert create is not None
    sent(protocol)
    protocol.update({("instructions",): "x"}, now=0.0, timeout=90.0, between_turns=True)
    assert sent(protocol) == []
    protocol.give_up(create, 1.0)
    assert sent(protocol) == []  # the server may still create it, and it is speaking then
    protocol.on_deadline(61.0)
    (update,) = sent(protocol)
    assert update["type"] == "session.update"


def test_the_next_update_goes_out_when_the_first_is_refused() -> None:
    protocol = opened()
    for words in ("1", "2"):
        protocol.send(events.SessionUpdate(session=events.SessionConfig(instructions=words)))
    (first,) = sent(protocol)
    protocol.receive(wire.error(first["event_id"], "invalid_value"), 1.0)
    (second,) = sent(protocol)
    assert second["session"]["instructions"] == "2"


def test_a_create_that_is_given_up_is_cancelled_by_id_when_it_comes() -> None:
    protocol = opened()
    event_id = protocol.send(events.ResponseCreate())
    assert event_id is not None
    (create,) = sent(protocol)
    protocol.give_up(event_id, 0.0)
    assert sent(protocol) == []
    late = protocol.receive(wire.created("resp_1", create["response"]["metadata"]), 60.0)
    assert (late.verdict, protocol.outcomes()) == (Verdict.DISCARDED, [])
    (cancel,) = sent(protocol)
    assert (cancel["type"], cancel["response_id"]) == ("response.cancel", "resp_1")


def test_a_refused_create_is_told_at_once() -> None:
    protocol = opened()
    event_id = protocol.send(events.ResponseCreate())
    end = outcome(protocol, wire.error(event_id, "conversation_already_has_active_response"))
    assert isinstance(end.error, ResponseRejected)


def test_the_vads_commit_answers_nobody() -> None:
    protocol = opened()
    assert outcomes(protocol, REQUESTS[5][1]) == []


# -- dicts ----------------------------------------------------------------------------------


def test_a_dict_goes_out_with_every_field_it_has_and_the_ids_it_needs() -> None:
    protocol = opened()
    protocol.send({"type": "response.create", "response": {"brand_new": 1}, "also_new": None})
    (create,) = sent(protocol)
    assert create["response"] == {"brand_new": 1, "metadata": {METADATA_KEY: "n-1"}}
    assert create["also_new"] is None
    protocol.send({"type": "session.update", "session": {"type": "realtime", "new": [1]}})
    (update,) = sent(protocol)
    assert update["session"] == {"type": "realtime", "new": [1]}
    item = {"type": "message", "role": "user", "content": []}
    command: dict[str, Any] = {"type": "conversation.item.create", "item": item}
    event_id = protocol.send(command)
    (create,) = sent(protocol)
    assert "id" not in item
    added = wire.frame("conversation.item.added", item=wire.message(create["item"]["id"]))
    assert outcome(protocol, added).event_id == event_id


def test_an_event_id_of_the_callers_own_is_kept() -> None:
    protocol = opened()
    assert protocol.send({"type": "input_audio_buffer.commit", "event_id": "mine"}) == "mine"
    assert protocol.send(events.InputAudioBufferClear(event_id="mine too")) == "mine too"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"type": 3},
        {"type": "conversation.item.delete"},
        {"type": "session.update", "session": {"type": "realtime", "instructions": 3}},
        {"type": "session.update", "session": {"type": "something"}},
    ],
)
def test_a_dict_that_does_not_fit_queues_nothing(wrong: dict[str, Any]) -> None:
    protocol = opened()
    with pytest.raises(InvalidClientEvent):
        protocol.send(wrong)
    assert sent(protocol) == []
    assert lost(protocol, ConnectionLost("gone")) == []


def test_a_command_that_cannot_be_queues_nothing() -> None:
    protocol = opened()
    metadata = {str(number): "" for number in range(16)}
    params = events.ResponseCreateParams(metadata=metadata)
    with pytest.raises(UsageError):
        protocol.send(events.ResponseCreate(response=params))
    assert (sent(protocol), protocol.outbox_bytes) == ([], 0)
    assert lost(protocol, ConnectionLost("gone")) == []


def test_an_event_of_another_kind_of_server_passes_through() -> None:
    protocol = opened()
    assert protocol.send({"type": "heartbeat", "n": 1}) is None
    assert sent(protocol) == [{"type": "heartbeat", "n": 1}]


# -- frames in ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", '{"type":"new"}', "\ud800", b"null"])
def test_no_frame_raises(data: bytes | str) -> None:
    protocol = opened()
    happened = protocol.receive(data, 1.0)
    assert isinstance(happened.event, (events.UnknownEvent, events.InvalidEvent))
    assert isinstance(happened.raw, bytes)
    assert (happened.verdict, protocol.outcomes()) == (Verdict.SESSION, [])


@pytest.mark.parametrize("kind", ["session.created", "session.updated"])
@pytest.mark.parametrize("value", [b"1e999", b"1" * 5_000, b'"\xff"', b"[" * 900 + b"]" * 900])
def test_a_field_that_only_the_server_can_read_costs_nothing(kind: str, value: bytes) -> None:
    protocol = opened()
    raw = wire.frame(kind, session=wire.session(instructions="theirs", new="here"))
    protocol.receive(raw.replace(b'"here"', value), 1.0)
    acknowledged = protocol.config.acknowledged
    assert isinstance(acknowledged, events.SessionConfig)
    assert acknowledged.instructions == "theirs"
    assert protocol.config.desired["instructions"] == "theirs"


def test_an_error_that_is_a_plain_string_is_survived() -> None:
    protocol = opened()
    assert outcomes(protocol, wire.frame("error", error="overloaded")) == []


def test_audio_is_counted_until_it_is_played_whatever_is_generated() -> None:
    protocol = opened()
    protocol.receive(wire.created("resp_1"), 1.0)
    item = {"response_id": "resp_1", "output_index": 0, "item": wire.message("m")}
    protocol.receive(wire.frame("response.output_item.added", **item), 1.0)
    delta = {"item_id": "m", "output_index": 0, "content_index": 0, "delta": "AAAAAAAA"}
    for response_id in ("resp_1", "resp_1", "resp_2"):
        protocol.receive(
            wire.frame("response.output_audio.delta", response_id=response_id, **delta), 1.0
        )
    assert protocol.playback.received("m") == 12
    protocol.receive(wire.frame("response.output_item.done", **item), 1.0)
    protocol.receive(wire.done("resp_1"), 1.0)
    assert protocol.playback.received("m") == 12
    protocol.playback.on_handed("m", 0, 12, 1.0)
    protocol.playback.played(1)
    assert protocol.playback.received("m") == 0


def test_audio_freezes_the_voice_whoever_it_is_for() -> None:
    protocol = opened()
    assert not protocol.config.spoken
    delta = {"item_id": "m", "output_index": 0, "content_index": 0, "delta": "AAAA"}
    protocol.receive(wire.frame("response.output_audio.delta", response_id="r", **delta), 1.0)
    assert protocol.config.spoken


def test_the_outbox_knows_its_size() -> None:
    protocol = opened()
    protocol.send(events.InputAudioBufferAppend(audio=bytes(4800)))
    assert protocol.outbox_bytes > 6400
    sent(protocol)
    assert protocol.outbox_bytes == 0


def test_an_item_of_a_kind_that_we_do_not_know_can_be_created() -> None:
    protocol = opened()
    item = events.UnknownVariant(raw={"type": "hologram", "beam": 3})
    assert protocol.send(events.ConversationItemCreate(item=item)) is not None
    (create,) = sent(protocol)
    assert create["item"]["beam"] == 3
    assert create["item"]["id"]


def test_a_finished_output_completes_its_item_where_the_conversation_is_not_told() -> None:
    protocol = opened()
    protocol.receive(wire.created("resp_1"), 1.0)
    growing = wire.message("m", status="in_progress")
    for kind in ("response.output_item.added", "conversation.item.added"):
        protocol.receive(wire.frame(kind, response_id="resp_1", item=growing), 1.0)
    content = [{"type": "output_text", "text": "Hello."}]
    whole = wire.message("m", status="completed", content=content)
    done = wire.frame("response.output_item.done", response_id="resp_1", item=whole)
    protocol.receive(done, 1.0)
    (item,) = protocol.conversation.items
    assert isinstance(item, events.MessageItem)
    assert item.status == "completed"


def test_a_request_has_one_end_though_the_connection_is_lost_before_it_was_told() -> None:
    protocol = opened()
    event_id = protocol.respond(events.ResponseCreate(), now=0.0, timeout=5.0)
    protocol.on_deadline(5.0)
    protocol.lost(ConnectionLost("gone"))
    (end,) = [one for one in protocol.outcomes() if one.event_id == event_id]
    assert isinstance(end.error, AcknowledgementTimeout)


def test_the_calls_of_a_response_that_comes_too_late_are_not_carried_out() -> None:
    protocol = opened()
    event_id = protocol.respond(events.ResponseCreate(), now=0.0)
    (create,) = sent(protocol)
    protocol.give_up(event_id, 1.0)
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "look"}
    output = [{**call, "arguments": "{}", "status": "completed"}]
    metadata = create["response"]["metadata"]
    late = protocol.receive(wire.done("resp_1", metadata=metadata, output=output), 2.0)
    assert late.verdict is Verdict.DISCARDED
    (dispatch, *_) = protocol.calls.drain()
    assert isinstance(dispatch, Dispatch)
    assert dispatch.tools_off


def test_instructions_that_cannot_be_written_are_refused_before_they_wait() -> None:
    protocol = opened()
    protocol.receive(wire.created("resp_1"), 1.0)
    with pytest.raises(InvalidClientEvent):
        protocol.respond(events.ResponseCreate(), now=1.0, extra="half a smile \ud83d")
    protocol.receive(wire.done("resp_1"), 2.0)
    assert sent(protocol) == []
    assert protocol.router.is_idle


@pytest.mark.parametrize("ends", ["done", "silent"])
def test_an_item_that_nobody_finishes_is_over_with_its_response(ends: str) -> None:
    protocol = opened()
    protocol.receive(wire.created("resp_1"), 1.0)
    growing = wire.message("m", status="in_progress")
    for kind in ("response.output_item.added", "conversation.item.added"):
        protocol.receive(wire.frame(kind, response_id="resp_1", item=growing), 1.0)
    delta = {"item_id": "m", "content_index": 0, "delta": "AAAAAAAA"}
    protocol.receive(wire.frame("response.output_audio.delta", response_id="resp_1", **delta), 1.0)
    if ends == "done":
        protocol.receive(wire.done("resp_1"), 2.0)
    else:
        protocol.on_deadline(70.0)
        assert [one.record.id for one in protocol.abandoned()] == ["resp_1"]
    (item,) = protocol.conversation.items
    assert isinstance(item, events.MessageItem)
    assert item.status == "incomplete"
    protocol.playback.on_handed("m", 0, 6, 80.0)
    protocol.playback.played(1)
    assert protocol.playback.received("m") == 0


def test_items_of_a_kind_that_we_do_not_know_are_told_apart_and_kept_out() -> None:
    protocol = opened()
    event_id = protocol.respond(events.ResponseCreate(response=OUTSIDE), now=1.0)
    (create,) = sent(protocol)
    assert event_id == create["event_id"]
    metadata = create["response"]["metadata"]
    response = {"id": "resp_1", "metadata": metadata, "conversation_id": None}
    protocol.receive(wire.frame("response.created", response=response), 1.0)
    item = {"type": "hologram", "id": "h"}
    protocol.receive(wire.frame("response.output_item.added", response_id="resp_1", item=item), 1.0)
    protocol.receive(wire.frame("conversation.item.added", item=item), 1.0)
    assert protocol.conversation.items == ()


OUTSIDE = events.ResponseCreateParams(conversation="none")
