"""A translation in the core: what goes out on its surface, how far it has come, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_client import Protocol, events
from realtime_client.closing import Closing
from realtime_client.errors import (
    AcknowledgementTimeout,
    ConnectionLost,
    InvalidClientEvent,
    InvalidConfig,
    ServerError,
    UsageError,
)
from realtime_client.input import Span
from realtime_client.outcome import Outcome
from tests import wire

MS = 48
"""Bytes of a millisecond."""

SESSION: dict[str, Any] = {
    "id": "sess_1",
    "type": "translation",
    "model": "m",
    "audio": {"input": {"transcription": {"model": "w"}}, "output": {"language": "es"}},
}
CLOSED = events.SessionClosed()
REFUSAL = ServerError("no", code="invalid_value")


# -- the machine ------------------------------------------------------------------------------


def state(closing: Closing) -> tuple[bool, bool, int]:
    return closing.is_asked, closing.is_done, closing.position


def test_a_close_is_answered_once() -> None:
    closing = Closing()
    assert closing.on_closed(CLOSED) is None  # nobody has asked
    assert state(closing) == (False, False, 0)
    closing.ask("a", 7)
    assert state(closing) == (True, False, 7)
    assert closing.on_closed(CLOSED) == Outcome("a", CLOSED)
    assert state(closing) == (True, True, 7)
    assert closing.on_closed(CLOSED) is None
    assert closing.on_refused("a", REFUSAL) is None
    assert state(closing) == (True, True, 7)


def test_it_is_asked_for_once() -> None:
    closing = Closing()
    closing.ask("a", 1)
    with pytest.raises(UsageError, match="already"):
        closing.ask("b", 2)
    assert (closing.event_id, closing.position) == ("a", 1)


def test_where_it_is_refused_it_can_be_asked_for_again() -> None:
    closing = Closing()
    assert closing.on_refused("", REFUSAL) is None
    closing.ask("a", 1)
    assert closing.on_refused("b", REFUSAL) is None
    assert state(closing) == (True, False, 1)
    assert closing.on_refused("a", REFUSAL) == Outcome("a", error=REFUSAL)
    assert state(closing) == (False, False, 1)
    assert closing.on_refused("a", REFUSAL) is None
    closing.ask("b", 2)
    assert closing.on_closed(CLOSED) == Outcome("b", CLOSED)


# -- in the core ------------------------------------------------------------------------------


def opened(**options: Any) -> Protocol:
    core = Protocol(nonce="n", now=0.0, surface=events.TRANSLATION, **options)
    core.receive(wire.frame("session.created", session=SESSION), 0.0)
    assert list(core.data_to_send()) == []
    assert core.is_open
    core.outcomes()
    return core


def sent(core: Protocol) -> list[dict[str, Any]]:
    return [wire.read(frame.raw) for frame in core.data_to_send()]


def say(core: Protocol, kind: str, **fields: Any) -> list[Outcome]:
    core.receive(wire.frame(f"session.{kind}", **fields), 1.0)
    return core.outcomes()


def test_audio_goes_out_as_the_surface_has_it() -> None:
    core = opened()
    core.append(b"\1\0")
    core.append("AQA=")
    append = {"type": "session.input_audio_buffer.append", "audio": "AQA="}
    assert sent(core) == [append, append]
    assert core.input.appended == 4
    other = Protocol(nonce="n", now=0.0)
    other.append(b"\1\0")
    assert sent(other) == [{"type": "input_audio_buffer.append", "audio": "AQA="}]


def test_what_somebody_appends_by_hand_is_counted_too() -> None:
    core = opened()
    core.send(events.SessionInputAudioBufferAppend(audio=bytes(4)))
    core.send({"type": "session.input_audio_buffer.append", "audio": "AAAA"})
    assert core.input.appended == 7


def test_its_updates_have_no_type() -> None:
    core = opened()
    path = ("audio", "output", "language")
    event_id = core.update({path: "fr"}, now=1.0, timeout=9.0)
    (update,) = sent(core)
    assert update["session"] == {"audio": {"output": {"language": "fr"}}}
    audio = {**SESSION["audio"], "output": {"language": "fr"}}
    (outcome,) = say(core, "updated", session={**SESSION, "audio": audio})
    assert outcome.event_id == event_id
    assert outcome.answer.changed == ("audio.output.language",)
    assert outcome.answer.effective == core.config.acknowledged
    assert isinstance(core.config.acknowledged, events.TranslationSessionConfig)


def test_an_update_by_hand_goes_out_as_it_is_and_in_turn() -> None:
    core = opened()
    session = {"audio": {"output": {"language": "fr"}, "newer": 1}}
    first = core.send({"type": "session.update", "session": session}, 1.0)
    config = events.TranslationSessionConfig(audio=events.TranslationAudio())
    second = core.send(events.TranslationSessionUpdate(session=config), 1.0)
    assert [one["session"] for one in sent(core)] == [session]
    shown = {"audio": {**SESSION["audio"], "output": {"language": "fr"}}}
    assert [one.event_id for one in say(core, "updated", session={**SESSION, **shown})] == [first]
    assert [one["event_id"] for one in sent(core)] == [second]
    core.on_deadline(99.0)
    (outcome,) = core.outcomes()
    assert isinstance(outcome.error, AcknowledgementTimeout)


def test_what_a_translation_does_not_have_is_refused() -> None:
    core = opened()
    with pytest.raises(InvalidConfig, match="model is 'm' and cannot change"):
        core.update({("model",): "other"}, now=1.0, timeout=9.0)
    with pytest.raises(InvalidClientEvent):
        core.send({"type": "session.update", "session": {"audio": 1}})
    assert sent(core) == []


def test_the_close_comes_behind_the_audio_and_has_one_outcome() -> None:
    core = opened()
    core.append(bytes(100))
    event_id = core.send(events.SessionClose())
    assert [frame["type"] for frame in sent(core)][1:] == ["session.close"]
    assert not core.is_quiet(1.0)
    with pytest.raises(UsageError, match="already"):
        core.send({"type": "session.close"})
    assert sent(core) == []
    (outcome,) = say(core, "closed")
    assert outcome.event_id == event_id
    assert core.closing.is_done
    assert say(core, "closed") == []
    core.lost(ConnectionLost("gone"))
    assert core.outcomes() == []


def test_a_close_that_is_refused_or_lost_has_its_outcome() -> None:
    core = opened()
    first = core.send(events.SessionClose())
    core.receive(wire.error(first, "invalid_value"), 1.0)
    (outcome,) = core.outcomes()
    assert (outcome.event_id, type(outcome.error)) == (first, ServerError)
    second = core.send({"type": "session.close", "event_id": "mine"})
    assert second == "mine"
    sent(core)
    core.lost(ConnectionLost("gone"))
    (outcome,) = core.outcomes()
    assert isinstance(outcome.error, ConnectionLost)
    assert (outcome.event_id, outcome.error.uncertain) == ("mine", True)


# -- how far it has come --------------------------------------------------------------------------


def unheard(core: Protocol, *, ms: int = 60_000) -> Span:
    """What would be said again, in milliseconds."""
    rest = core.input.unheard(ms=ms, is_lost=True)
    return Span(rest.base // 24, rest.base // 24 + len(rest.audio) // MS)


@pytest.mark.parametrize("kind", ["output_audio", "output_transcript"])
def test_what_was_translated_is_not_heard_again(kind: str) -> None:
    core = opened()
    core.append(bytes(3_000 * MS))
    sent(core)
    assert unheard(core) == Span(0, 3_000)
    say(core, f"{kind}.delta", delta="AAAA", elapsed_ms=1_200)
    assert unheard(core) == Span(1_200, 3_000)
    say(core, f"{kind}.delta", delta="AAAA", elapsed_ms=1_000)  # it does not go back
    assert unheard(core) == Span(1_200, 3_000)
    say(core, f"{kind}.delta", delta="AAAA", elapsed_ms=9_000)  # nor beyond what there is
    assert unheard(core) == Span(3_000, 3_000)
    assert core.is_quiet(1.0)


def test_what_was_only_written_down_was_not_said() -> None:
    core = opened()
    core.append(bytes(3_000 * MS))
    say(core, "input_transcript.delta", delta="one", elapsed_ms=2_000)
    assert unheard(core) == Span(0, 3_000)
    assert not core.is_quiet(1.0)


@pytest.mark.parametrize("come", [{}, {"elapsed_ms": None}])
def test_a_server_that_does_not_say_how_far_is_a_second_behind(come: dict[str, Any]) -> None:
    core = opened()
    core.append(bytes(3_000 * MS))
    sent(core)
    core.append(bytes(500 * MS))  # it has not gone out
    say(core, "output_audio.delta", delta="AAAA", **come)
    assert unheard(core) == Span(2_000, 3_500)


def test_after_the_end_nothing_before_it_is_heard_again() -> None:
    core = opened()
    core.append(bytes(3_000 * MS))
    core.send(events.SessionClose())
    core.input.on_append(bytes(200 * MS))  # kept for the next connection
    say(core, "closed")
    assert unheard(core) == Span(3_000, 3_200)
    other = opened()
    other.append(bytes(3_000 * MS))
    refused = other.send(events.SessionClose())
    other.receive(wire.error(refused, "invalid_value"), 1.0)
    say(other, "closed")  # at nobody's word
    assert unheard(other) == Span(0, 3_000)


def test_the_next_connection_hears_the_rest_first() -> None:
    old = opened()
    path = ("audio", "output", "language")
    old.update({path: "fr"}, now=1.0, timeout=9.0)
    audio = {**SESSION["audio"], "output": {"language": "fr"}}
    say(old, "updated", session={**SESSION, "audio": audio})
    old.append(bytes(1_000 * MS) + b"\1\0" * 1_000)
    sent(old)
    say(old, "output_audio.delta", delta="AAAA", elapsed_ms=1_000)
    old.lost(ConnectionLost("gone"), comes_back=True)
    new = Protocol(nonce="o", now=1.0, surface=events.TRANSLATION, before=old.estate(1.0))
    new.receive(wire.frame("session.created", session=SESSION), 1.0)
    (update,) = sent(new)
    assert update["session"] == {"audio": {"output": {"language": "fr"}}}
    say(new, "updated", session={**SESSION, "audio": audio})
    assert new.is_open
    rest = old.input.unheard(ms=5_000, is_lost=True)
    new.take_over(rest, old.pending)
    (append,) = sent(new)
    assert append["type"] == "session.input_audio_buffer.append"
    assert new.input.base == 24_000
    say(new, "output_audio.delta", delta="AAAA", elapsed_ms=20)  # of its own clock
    assert unheard(new).start == 1_020
