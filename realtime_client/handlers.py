"""What each server event concerns: one handler for each type, in one table.

The machines do not know each other. An event reaches them through `HANDLERS`, from its type to
the machines that have to know, and a handler is all that is known of two of them at once.
Adding a kind of event is adding a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypedDict

from realtime_client import events
from realtime_client.frames import detects, heard_format, interrupts, output_format, transcribes
from realtime_client.lives import ResponseRecord, State
from realtime_client.machines import Machines, text
from realtime_client.outcome import Outcome
from realtime_client.verdicts import SESSION_ROUTE, Route, Verdict

__all__ = ["HANDLERS", "Shown", "adopted", "called", "over"]

Handler = Callable[[Machines, Any, float], Route]


def _item(*concerned: Callable[[Machines, Any, float], Outcome | None]) -> Handler:
    """A handler of an event that belongs to no response, but may answer somebody."""

    def handle(machines: Machines, event: Any, now: float) -> Route:
        answers = [tell(machines, event, now) for tell in concerned]
        outcome = next((answer for answer in answers if answer is not None), None)
        return Route(Verdict.SESSION, outcome=outcome) if outcome else SESSION_ROUTE

    return handle


def _by_response(machines: Machines, event: Any, now: float) -> Route:
    return machines.router.on_event(event, now)


def _by_item(machines: Machines, event: Any, now: float) -> Route:
    return machines.router.on_item_event(event, now)


def _on_audio(machines: Machines, event: events.ResponseOutputAudioDelta, now: float) -> Route:
    machines.config.spoken = True  # whoever hears it: the server has frozen the voice
    route = machines.router.on_event(event, now)
    record, item_id = route.record, event.item_id
    if record is None or not isinstance(item_id, str):
        return route
    index, inside = event.content_index or 0, record.in_conversation
    if route.verdict is Verdict.DELIVERED:
        size, form = len(event.delta), record.audio_format
        if not machines.playback.on_audio(item_id, index, size, form, in_conversation=inside):
            return machines.router.discard(event, record)
    elif route.verdict is Verdict.DISCARDED and inside:
        # What the server has generated past a cut is not to be remembered as said.
        cut = machines.playback.on_late(item_id, index)
        machines.cuts += [cut] if cut is not None else []
    return route


def _on_words(
    machines: Machines, event: events.ResponseOutputAudioTranscriptDelta, now: float
) -> Route:
    route = machines.router.on_event(event, now)
    record, item_id = route.record, event.item_id
    if route.verdict is Verdict.DELIVERED and record is not None and isinstance(item_id, str):
        time = event.start_time if isinstance(event.start_time, float) else None
        machines.playback.on_words(
            item_id,
            event.content_index or 0,
            event.delta,
            time,
            in_conversation=record.in_conversation,
        )
    return route


def _on_all_words(
    machines: Machines, event: events.ResponseOutputAudioTranscriptDone, now: float
) -> Route:
    route = machines.router.on_event(event, now)
    if isinstance(event.item_id, str) and isinstance(event.transcript, str):
        machines.playback.on_transcript(event.item_id, event.content_index or 0, event.transcript)
    return route


def _on_speech_started(
    machines: Machines, event: events.InputAudioBufferSpeechStarted, now: float
) -> None:
    """Over WebSocket the client must stop its own playback and truncate at what was heard.

    Whoever takes no audio here plays it in a way that the ledger does not know of, and
    truncates himself.
    """
    machines.turns.on_speech_started(event, now)
    machines.input.on_speech_started(event)
    if interrupts(machines.config.acknowledged) and machines.playback.has_listener:
        machines.router.interrupted()
        machines.cuts += machines.playback.interrupt(now)


def _on_output_added(
    machines: Machines, event: events.ResponseOutputItemAdded, now: float
) -> Route:
    item_id = text(event.item, "id")
    route = machines.router.on_item(event, item_id, now)
    if route.record is not None and not route.record.in_conversation and item_id is not None:
        machines.conversation.keep_out(item_id)
    return route


def _on_output_done(machines: Machines, event: events.ResponseOutputItemDone, now: float) -> Route:
    item_id = text(event.item, "id")
    if item_id is not None:
        is_whole = text(event.item, "status") == "completed"
        machines.playback.on_finished(item_id, now, is_whole=is_whole)
    route = machines.router.on_item_done(event, item_id, now)
    machines.conversation.on_done(event)  # servers leave `conversation.item.done` out
    record = route.record
    if record is not None and isinstance(event.item, events.FunctionCallItem):
        machines.calls.on_call(record.id or "", event.item, **called(record))
    return route


def _on_created(machines: Machines, event: events.ResponseCreated, now: float) -> Route:
    route = machines.router.on_created(event, now)
    record = route.record
    if record is not None:
        record.audio_format = output_format(machines.config.acknowledged, event.response)
        if record.in_conversation and record.initiator != "client":
            machines.calls.on_asked()
    return route


def _on_done(machines: Machines, event: events.ResponseDone, now: float) -> Route:
    machines.usage.on_done(event)
    route = machines.router.on_done(event)
    record = route.record
    if record is not None:
        if not record.created:
            record.audio_format = output_format(machines.config.acknowledged, event.response)
        output = event.response.output or ()
        over(machines, record, output, now)
        status = text(event.response, "status") or "completed"
        facts = called(record, given_up=route.verdict is Verdict.DISCARDED)
        machines.calls.on_response_done(record.id or "", status, output, **facts)
        for item_id in () if record.in_conversation else (text(item, "id") for item in output):
            machines.conversation.let_go(item_id or "")
    return route


def over(
    machines: Machines, record: ResponseRecord, output: Iterable[events.Item], now: float
) -> None:
    """A response has ended, and with it every item of it; `output` is what the server shows."""
    for item in output:
        machines.conversation.on_done(events.ResponseOutputItemDone(item=item))
        is_whole = text(item, "status") == "completed"
        machines.playback.on_finished(text(item, "id") or "", now, is_whole=is_whole)
    for item_id in record.items:
        machines.conversation.on_over(item_id)
        machines.playback.on_over(item_id, now)


class Called(TypedDict):
    """What the calls of a response depend on."""

    out_of_band: bool
    foreign: bool
    tools_off: bool
    offered: frozenset[str]
    request: str | None


def called(record: ResponseRecord, *, given_up: bool = False) -> Called:
    """What may become of the calls of a response.

    Those of another party on the session are theirs to answer, and those of a response that
    nobody wants any more are not carried out.
    """
    asked = record.asked
    unwanted = given_up or record.state is State.DISCARDED
    return {
        "out_of_band": not record.in_conversation,
        "foreign": record.initiator == "other",
        "tools_off": unwanted or (asked is not None and asked.tools_off),
        "offered": asked.offered if asked is not None else frozenset(),
        "request": record.event_id,
    }


def _on_output_item(machines: Machines, event: events.ConversationItemAdded, now: float) -> None:
    if isinstance(event.item, events.FunctionCallOutputItem):
        machines.calls.on_output_added(event.item.call_id)


def _on_translated(
    machines: Machines,
    event: events.SessionOutputAudioDelta | events.SessionOutputTranscriptDelta,
    now: float,
) -> None:
    machines.input.on_translated(event.elapsed_ms)


def _on_closed(machines: Machines, event: events.SessionClosed, now: float) -> Outcome | None:
    outcome = machines.closing.on_closed(event)
    if outcome is not None:
        machines.input.on_flushed(machines.closing.position)
    return outcome


Shown = (
    events.SessionCreated
    | events.SessionUpdated
    | events.TranslationSessionCreated
    | events.TranslationSessionUpdated
)
"""The events that have the session object."""


def adopted(
    machines: Machines,
    event: Shown,
    now: float,
    shown: dict[str, Any] | None,
) -> None:
    """The server's word about the session, `shown` as it wrote it."""
    session = event.session
    if isinstance(event, (events.SessionUpdated, events.TranslationSessionUpdated)):
        machines.config.on_updated(session, now, shown)
    else:
        machines.config.on_created(session, now, shown)
    machines.turns.transcribes = transcribes(session)
    machines.input.on_format(heard_format(session), detects=detects(session))


HANDLERS: Final[Mapping[type, Handler]] = {
    events.ResponseOutputAudioDelta: _on_audio,
    events.ResponseOutputAudioTranscriptDelta: _on_words,
    events.ResponseOutputTextDelta: _by_response,
    events.ResponseFunctionCallArgumentsDelta: _by_response,
    events.ResponseOutputAudioDone: _by_response,
    events.ResponseOutputAudioTranscriptDone: _on_all_words,
    events.ResponseOutputTextDone: _by_response,
    events.ResponseFunctionCallArgumentsDone: _by_response,
    events.ResponseContentPartAdded: _by_response,
    events.ResponseContentPartDone: _by_response,
    events.ResponseMcpCallArgumentsDelta: _by_response,
    events.ResponseMcpCallArgumentsDone: _by_response,
    events.ResponseMcpCallInProgress: _by_item,
    events.ResponseMcpCallCompleted: _by_item,
    events.ResponseMcpCallFailed: _by_item,
    events.ResponseOutputItemAdded: _on_output_added,
    events.ResponseOutputItemDone: _on_output_done,
    events.ResponseCreated: _on_created,
    events.ResponseDone: _on_done,
    events.RateLimitsUpdated: _item(lambda m, e, now: m.usage.on_rate_limits(e)),
    events.ConversationItemAdded: _item(
        lambda m, e, now: m.conversation.on_added(e),
        lambda m, e, now: m.turns.on_item(e, now),
        lambda m, e, now: m.input.on_item(e),
        _on_output_item,
    ),
    events.ConversationItemCreated: _item(
        lambda m, e, now: m.conversation.on_added(e),
        lambda m, e, now: m.turns.on_item(e, now),
        lambda m, e, now: m.input.on_item(e),
        _on_output_item,
    ),
    events.ConversationItemDone: _item(
        lambda m, e, now: m.conversation.on_done(e),
        lambda m, e, now: m.turns.on_item(e, now),
    ),
    events.ConversationItemDeleted: _item(
        lambda m, e, now: m.conversation.on_deleted(e),
        lambda m, e, now: m.turns.on_deleted(e, now),
        lambda m, e, now: m.input.on_deleted(e),
        lambda m, e, now: m.memories.on_deleted(e),
    ),
    events.ConversationItemRetrieved: _item(lambda m, e, now: m.conversation.on_retrieved(e)),
    events.ConversationItemTruncated: _item(lambda m, e, now: m.conversation.on_truncated(e)),
    events.ConversationItemInputAudioTranscriptionDelta: _item(
        lambda m, e, now: m.turns.on_delta(e, now)
    ),
    events.ConversationItemInputAudioTranscriptionSegment: _item(
        lambda m, e, now: m.turns.on_segment(e, now)
    ),
    events.ConversationItemInputAudioTranscriptionUpdated: _item(
        lambda m, e, now: m.turns.on_updated(e, now)
    ),
    events.ConversationItemInputAudioTranscriptionCompleted: _item(
        lambda m, e, now: m.conversation.on_transcribed(e),
        lambda m, e, now: m.turns.on_completed(e, now),
        lambda m, e, now: m.usage.on_completed(e),
    ),
    events.ConversationItemInputAudioTranscriptionFailed: _item(
        lambda m, e, now: m.turns.on_failed(e, now)
    ),
    events.SessionOutputAudioDelta: _item(_on_translated),
    events.SessionOutputTranscriptDelta: _item(_on_translated),
    events.SessionClosed: _item(_on_closed),
    events.InputAudioBufferCommitted: _item(
        lambda m, e, now: m.input.on_committed(e),
        lambda m, e, now: m.turns.on_committed(e, now),
    ),
    events.InputAudioBufferCleared: _item(
        lambda m, e, now: m.input.on_cleared(e),
        lambda m, e, now: m.turns.on_cleared(e, now),
    ),
    events.InputAudioBufferSpeechStarted: _item(_on_speech_started),
    events.InputAudioBufferSpeechStopped: _item(
        lambda m, e, now: m.input.on_speech_stopped(e),
        lambda m, e, now: m.turns.on_speech_stopped(e, now),
    ),
    events.InputAudioBufferTimeoutTriggered: _item(
        lambda m, e, now: m.input.on_timeout_triggered(e),
        lambda m, e, now: m.turns.on_timeout_triggered(e, now),
    ),
}
"""What is not here concerns the session's owner alone, who sees it in `events()`."""
