"""The machines of one connection, and the two tables that say which of them is concerned.

The machines do not know each other. Events reach them through `HANDLERS`, from the type of
a server event to the machine that has to know; commands through `ASKING`, from the type of
a client event to the machine that will find its answer. Adding a kind of event is adding a
line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from realtime_client import events
from realtime_client.config import Configuration
from realtime_client.conversation import Conversation
from realtime_client.dialects import Dialect
from realtime_client.errors import ServerError
from realtime_client.input import InputLedger
from realtime_client.outcome import Outcome
from realtime_client.playback import PlaybackLedger
from realtime_client.router import SESSION_ROUTE, Route, Router, Verdict, keyed

__all__ = ["ASKING", "HANDLERS", "Command", "Machine", "Machines", "text"]

Command = events.ClientEvent | dict[str, Any]


class Machine(Protocol):
    """What can hold a question that the server may refuse."""

    def on_refused(self, event_id: str, error: ServerError) -> Outcome | None:
        """An `error` named this request; no success will come for it."""


class Machines:
    """One of each."""

    __slots__ = ("config", "conversation", "input", "playback", "router")

    def __init__(self, nonce: str, dialect: Dialect) -> None:
        self.config = Configuration()
        self.router = Router(nonce, dialect)
        self.conversation = Conversation()
        self.input = InputLedger()
        self.playback = PlaybackLedger()


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


def _ask_response(machines: Machines, event: Any, raw: Any, event_id: str) -> Asked:
    key = machines.router.ask(event, event_id)
    return Asked(machines.router, keyed(event, key), keyed(raw, key))


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
    events.ResponseCreate: _ask_response,
    events.ConversationItemCreate: _ask_item,
    events.ConversationItemDelete: _ask_item,
    events.ConversationItemRetrieve: _ask_item,
    events.ConversationItemTruncate: _ask_item,
    events.InputAudioBufferCommit: _ask_commit,
    events.InputAudioBufferClear: _ask_clear,
}
"""The commands that the server answers, save `session.update`, which has to wait its turn."""


# -- events ---------------------------------------------------------------------------------


def _session(find: Callable[[Machines, Any], Outcome | None]) -> Callable[[Machines, Any], Route]:
    """A handler of an event that belongs to no response but may answer somebody."""

    def handle(machines: Machines, event: Any) -> Route:
        outcome = find(machines, event)
        return Route(Verdict.SESSION, outcome=outcome) if outcome else SESSION_ROUTE

    return handle


def _by_response(machines: Machines, event: Any) -> Route:
    return machines.router.on_event(event.response_id)


def _by_item(machines: Machines, event: Any) -> Route:
    return machines.router.on_event(None, event.item_id)


def _on_audio(machines: Machines, event: events.ResponseOutputAudioDelta) -> Route:
    machines.config.spoken = True  # whoever hears it: the server has frozen the voice
    route = machines.router.on_event(event.response_id)
    if route.verdict is Verdict.DELIVERED and isinstance(event.item_id, str):
        machines.playback.on_audio(event.item_id, event.content_index or 0, len(event.delta))
    return route


def _on_output_added(machines: Machines, event: events.ResponseOutputItemAdded) -> Route:
    return machines.router.on_item(event.response_id, text(event.item, "id"))


def _on_output_done(machines: Machines, event: events.ResponseOutputItemDone) -> Route:
    item_id = text(event.item, "id")
    if item_id is not None:
        machines.playback.forget(item_id)
    return machines.router.on_event(event.response_id)


HANDLERS: Final[Mapping[type, Callable[[Machines, Any], Route]]] = {
    events.ResponseOutputAudioDelta: _on_audio,
    events.ResponseOutputAudioTranscriptDelta: _by_response,
    events.ResponseOutputTextDelta: _by_response,
    events.ResponseFunctionCallArgumentsDelta: _by_response,
    events.ResponseOutputAudioDone: _by_response,
    events.ResponseOutputAudioTranscriptDone: _by_response,
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
    events.ResponseCreated: lambda m, e: m.router.on_created(e),
    events.ResponseDone: lambda m, e: m.router.on_done(e),
    events.ConversationItemAdded: _session(lambda m, e: m.conversation.on_added(e)),
    events.ConversationItemDone: _session(lambda m, e: m.conversation.on_done(e)),
    events.ConversationItemDeleted: _session(lambda m, e: m.conversation.on_deleted(e)),
    events.ConversationItemRetrieved: _session(lambda m, e: m.conversation.on_retrieved(e)),
    events.ConversationItemTruncated: _session(lambda m, e: m.conversation.on_truncated(e)),
    events.ConversationItemInputAudioTranscriptionCompleted: _session(
        lambda m, e: m.conversation.on_transcribed(e)
    ),
    events.InputAudioBufferCommitted: _session(lambda m, e: m.input.on_committed(e)),
    events.InputAudioBufferCleared: _session(lambda m, e: m.input.on_cleared(e)),
}
"""What is not here concerns the session's owner alone, who sees it in `events()`."""


def with_item_id(command: Any, item_id: str) -> Any:
    """A `conversation.item.create` whose item has an id to be found again by."""
    if isinstance(command, dict):
        return {**command, "item": {**command["item"], "id": item_id}}
    item = msgspec.structs.replace(command.item, id=item_id)
    return msgspec.structs.replace(command, item=item)
