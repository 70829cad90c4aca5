"""The machines of one connection, and the two tables that say which of them is concerned.

The machines do not know each other. Events reach them through `HANDLERS`, from the type of
a server event to the machine that has to know; commands through `ASKING`, from the type of
a client event to the machine that will find its answer. Adding a kind of event is adding a
line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypedDict

import msgspec

from realtime_client import events
from realtime_client.calls import Calls
from realtime_client.carrying import Survivors
from realtime_client.config import Configuration
from realtime_client.conversation import Conversation
from realtime_client.dialects import Dialect
from realtime_client.errors import ServerError
from realtime_client.frames import detects, heard_format, interrupts, output_format, transcribes
from realtime_client.input import InputLedger
from realtime_client.lives import ResponseRecord, State
from realtime_client.outcome import Outcome
from realtime_client.playback import Cut, PlaybackLedger, Unheard
from realtime_client.router import PATIENCE, Router
from realtime_client.turns import Turns
from realtime_client.usage import UsageLedger
from realtime_client.verdicts import SESSION_ROUTE, Route, Verdict

__all__ = [
    "ASKING",
    "HANDLERS",
    "Command",
    "Limits",
    "Machine",
    "Machines",
    "adopted",
    "called",
    "over",
    "text",
    "with_item_id",
]

Command = events.ClientEvent | dict[str, Any]


class Machine(Protocol):
    """What can hold a question that the server may refuse."""

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request; no success will come for it."""


class Limits(NamedTuple):
    """How far a connection goes before it gives up or forgets.

    `patience` is for how many seconds a response may be silent before it counts as abandoned,
    `max_items` how many items of the conversation are mirrored. `unheard` is what becomes, at an
    interruption, of an item that nobody has heard a word of. `replay_ms` is how much audio is
    kept that no turn holds yet, and with `keep_user_audio` that of the turns is kept, too: both
    are for the next connection.
    """

    patience: float = PATIENCE
    max_items: int = 2_000
    unheard: Unheard = "truncate"
    replay_ms: int = 30_000
    keep_user_audio: bool = False


class Machines:
    """One of each. What counts or watches beyond one connection comes from the one before."""

    __slots__ = (
        "calls",
        "config",
        "conversation",
        "cuts",
        "input",
        "memories",
        "playback",
        "router",
        "turns",
        "usage",
    )

    def __init__(
        self, nonce: str, dialect: Dialect, limits: Limits, before: Survivors | None = None
    ) -> None:
        self.config = Configuration(acknowledges=dialect.acknowledges_updates)
        self.router = Router(nonce, dialect, patience=limits.patience)
        self.conversation = Conversation(max_items=limits.max_items)
        self.turns = Turns()
        self.input = InputLedger(limit=limits.replay_ms, keeps=limits.keep_user_audio)
        self.cuts: list[Cut] = []
        """What is to be truncated or deleted, because it was not heard."""
        self.memories: dict[str, str] = {}
        """The messages that came back as text while they were played, and all their words."""
        self.calls = before.calls if before else Calls()
        self.playback = before.playback if before else PlaybackLedger(unheard=limits.unheard)
        self.usage = before.usage if before else UsageLedger()
        if before:
            self.router.counts = before.router.counts
            self.input.kept = before.input.kept

    def lost(self, *, comes_back: bool) -> None:
        """The connection is over: nothing more will be said of what was going on."""
        for record in self.router.begun:
            for item_id in record.items:
                self.playback.on_over(item_id, record.heard)
        self.router.lost()
        self.conversation.lost()
        if comes_back:
            self.calls.go_on()
        else:
            self.calls.lost()

    @property
    def survivors(self) -> Survivors:
        """What the next connection takes over."""
        return Survivors(
            self.calls, self.playback, self.usage, self.router, self.input, self.conversation
        )


def text(value: object, name: str) -> str | None:
    """A field where it is there and a text; null and UNSET are neither."""
    field = getattr(value, name, None)
    return field if isinstance(field, str) else None


# -- commands -------------------------------------------------------------------------------
#
# `event` is the typed command and `raw` what goes out, which is the same struct or the
# caller's own dict.


class Asked(NamedTuple):
    """Who will find the answer, and what goes out."""

    machine: Machine
    event: Any
    raw: Any


def _ask_item(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.conversation.ask(event, event_id)
    return Asked(machines.conversation, event, raw)


def _ask_commit(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.input.commit(event_id)
    return Asked(machines.input, event, raw)


def _ask_clear(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    machines.input.clear(event_id)
    return Asked(machines.input, event, raw)


ASKING: Final[Mapping[type, Callable[[Machines, Any, Any, str], Asked]]] = {
    events.ConversationItemCreate: _ask_item,
    events.ConversationItemDelete: _ask_item,
    events.ConversationItemRetrieve: _ask_item,
    events.ConversationItemTruncate: _ask_item,
    events.InputAudioBufferCommit: _ask_commit,
    events.InputAudioBufferClear: _ask_clear,
}
"""The commands that the server answers at once. `session.update` and `response.create` wait for
their turn, which is a machine's to say."""


# -- events ---------------------------------------------------------------------------------


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


def adopted(
    machines: Machines,
    event: events.SessionCreated | events.SessionUpdated,
    now: float,
    shown: dict[str, Any] | None,
) -> None:
    """The server's word about the session, `shown` as it wrote it."""
    session = event.session
    if isinstance(event, events.SessionUpdated):
        machines.config.on_updated(session, now, shown)
    else:
        machines.config.on_created(session, now, shown)
    machines.turns.transcribes = transcribes(session)
    rate, width = heard_format(session)
    machines.input.on_format(rate, width, detects=detects(session))


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
        _on_output_item,
    ),
    events.ConversationItemCreated: _item(
        lambda m, e, now: m.conversation.on_added(e),
        lambda m, e, now: m.turns.on_item(e, now),
        _on_output_item,
    ),
    events.ConversationItemDone: _item(
        lambda m, e, now: m.conversation.on_done(e),
        lambda m, e, now: m.turns.on_item(e, now),
    ),
    events.ConversationItemDeleted: _item(
        lambda m, e, now: m.conversation.on_deleted(e),
        lambda m, e, now: m.turns.on_deleted(e, now),
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


def with_item_id(command: Any, item_id: str) -> Any:
    """A `conversation.item.create` whose item has an id to be found again by."""
    if isinstance(command, dict):
        return {**command, "item": {**command["item"], "id": item_id}}
    if isinstance(command.item, events.UnknownVariant):
        item = events.UnknownVariant(raw={**command.item.raw, "id": item_id})
        return msgspec.structs.replace(command, item=item)
    item = msgspec.structs.replace(command.item, id=item_id)
    return msgspec.structs.replace(command, item=item)
