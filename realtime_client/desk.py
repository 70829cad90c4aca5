"""Where commands become frames: each is named, handed to its machine, and queued.

A request is asked of the machine that will find its answer, under an `event_id` by which the
server's refusal is found. `session.update` and `response.create` wait for their turn, which is
a machine's to say; everything else goes out in the order in which it was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from realtime_client import events
from realtime_client.acknowledgement import Intent
from realtime_client.carrying import Pending
from realtime_client.codec import client_event_from_dict, encode
from realtime_client.config import asked_by
from realtime_client.creates import appended, keyed
from realtime_client.dialects import Dialect
from realtime_client.errors import InvalidClientEvent
from realtime_client.frames import Frame
from realtime_client.lives import Asked, ResponseRecord, WhenBusy
from realtime_client.machines import ASKING, Machine, Machines, text, with_item_id
from realtime_client.outbox import APPENDS, Outbox
from realtime_client.outcome import Outcome
from realtime_client.playback import Cut

__all__ = ["Desk"]


class Desk:
    """The commands of one connection. `nonce` makes its ids unlike everybody else's."""

    __slots__ = (
        "_asked",
        "_counter",
        "_creates",
        "_dialect",
        "_machines",
        "_nonce",
        "_surface",
        "outbox",
        "outcomes",
    )

    def __init__(
        self, nonce: str, machines: Machines, surface: events.Surface, dialect: Dialect
    ) -> None:
        self.outbox = Outbox(dialect)
        self.outcomes: list[Outcome] = []
        """Of what the server will not answer."""
        self._dialect = dialect
        self._machines = machines
        self._surface = surface
        self._nonce = nonce
        self._counter = 0
        self._asked: dict[str, Machine | None] = {}
        self._creates: dict[str, tuple[Any, Any]] = {}

    def new_id(self, kind: str) -> str:
        """A fresh id for something of ours, unique across connections."""
        self._counter += 1
        return f"{kind}_{self._nonce}_{self._counter}"

    @property
    def correlates_errors(self) -> bool:
        """Whether a refusal names the request that it refuses."""
        return self._dialect.correlates_errors

    @property
    def open_requests(self) -> tuple[str, ...]:
        """The requests that have no end yet, oldest first."""
        return tuple(self._asked)

    def machine_of(self, event_id: str) -> Machine | None:
        """Who knows the answer to a request; None for a create, or where nobody waits."""
        return self._asked.get(event_id)

    def is_ours(self, event_id: str) -> bool:
        """Whether an id is of our making, or somebody waits under it."""
        return event_id in self._asked or f"_{self._nonce}_" in event_id

    def is_create(self, event_id: str) -> bool:
        """Whether somebody waits for a response under this name."""
        return self._asked.get(event_id, self._machines.config) is None

    def forget(self, event_id: str) -> None:
        """The request has its end, or nobody waits for it any more."""
        self._asked.pop(event_id, None)
        self._creates.pop(event_id, None)

    def pending(self) -> tuple[Pending, ...]:
        """The items that somebody is creating, and nobody has answered."""
        unsent = self.outbox.unsent
        return tuple(
            Pending(event_id, event, raw, event_id not in unsent)
            for event_id, (event, raw) in self._creates.items()
        )

    # -- asking -----------------------------------------------------------------------------

    def put(self, event: Any, command: Any) -> None:
        """Queue what has no answer."""
        self.outbox.put(event, encode(command))
        if type(event) in APPENDS:
            self._machines.input.on_append(event.audio)

    def append(self, audio: bytes | str) -> None:
        """Queue audio, as a session of this kind takes it."""
        translates = self._surface is events.TRANSLATION
        kind = events.SessionInputAudioBufferAppend if translates else events.InputAudioBufferAppend
        event = kind(audio=audio)
        self.put(event, event)

    def ask(self, event: Any, command: Any) -> str:
        """Hand a command to the machine that will find its answer, and queue it."""
        is_item = type(event) is events.ConversationItemCreate
        if is_item and text(event.item, "id") is None:
            item_id = self.new_id("item")
            event, command = with_item_id(event, item_id), with_item_id(command, item_id)
        event_id, event, command = self._named(event, command)
        asked = ASKING[type(event)](self._machines, event, command, event_id)
        self._asked[event_id] = asked.machine
        if is_item:
            self._creates[event_id] = asked.event, asked.raw
        self._put(asked.event, encode(asked.raw))
        return event_id

    def ask_own(self, event: events.ClientEvent) -> str:
        """Ask on our own behalf: nobody waits for it, so it goes with its connection."""
        event_id = self.ask(event, event)
        self._creates.pop(event_id, None)
        return event_id

    def ask_as_is(
        self,
        event: events.SessionUpdate | events.TranslationSessionUpdate,
        command: Any,
        expires: float,
    ) -> str:
        """A `session.update` of the caller's own making."""
        if isinstance(event.session, events.UnknownVariant):
            raise InvalidClientEvent(
                "session.update needs a session whose `type` is 'realtime' or 'transcription'"
            )
        event_id, _, command = self._named(event, command)
        self.ask_config(Intent(event_id, asked_by(event.session), expires, command=command))
        return event_id

    def ask_config(self, intent: Intent) -> None:
        """Ask for a change of the session."""
        self._machines.config.ask(intent)
        self._asked[intent.event_id] = self._machines.config
        self._next_update()

    def ask_response(
        self,
        event: events.ResponseCreate,
        command: Any,
        now: float,
        when_busy: WhenBusy = "send",
        expires: float = math.inf,
        extra: str | None = None,
    ) -> str:
        """Ask for a response, when its turn comes."""
        encode({"extra": extra})  # what cannot be written is refused before it waits
        event_id, event, command = self._named(event, command)
        asked = Asked(event_id, event, command, when_busy, expires, extra, now)
        self._machines.router.ask(asked)
        # One with an `input` of its own, as every `say`, does not see what tools have put out.
        own_input = event.response and event.response.input not in (events.UNSET, None)
        if asked.in_conversation and not own_input:
            self._machines.calls.on_asked(event_id)
        self._asked[event_id] = None
        self.next(now)
        return event_id

    def _named(self, event: Any, command: Any) -> tuple[str, Any, Any]:
        """A request with the id by which its refusal is found: id, typed event, what goes out.

        What cannot be written is refused here, before anything knows of it.
        """
        encode(command)
        event_id = text(event, "event_id") or self.new_id("event")
        event = msgspec.structs.replace(event, event_id=event_id)
        if isinstance(command, dict):
            return event_id, event, {**command, "event_id": event_id}
        return event_id, event, event

    # -- whose turn it is -------------------------------------------------------------------

    def next(self, now: float) -> None:
        """Whatever has its turn goes out: an update, a create, the cancels and the cuts."""
        machines = self._machines
        self._next_update()
        while (record := machines.router.next_create(now)) is not None:
            self._queue_create(record)
        for record in machines.router.take_cancels():
            record.cancel_id = self.new_id("event")
            cancel = events.ResponseCancel(event_id=record.cancel_id, response_id=record.id or "")
            self.outbox.put(cancel)
        if machines.cuts:
            for event in self._cutting():
                self._put(event)
        if machines.memories:
            self._correct(now)

    def _put(self, event: Any, raw: bytes | None = None) -> None:
        """Queue a command about an item; a truncation that nobody will answer is done with that."""
        self.outbox.put(event, raw)
        if (
            type(event) is events.ConversationItemTruncate
            and not self._dialect.acknowledges_truncation
        ):
            done = events.ConversationItemTruncated(
                item_id=event.item_id,
                content_index=event.content_index,
                audio_end_ms=event.audio_end_ms,
            )
            outcome = self._machines.conversation.on_truncated(done)
            self.outcomes += [outcome] if outcome is not None else []

    def take(self) -> Iterator[Frame]:
        """The frames that are ready, oldest first; each one taken is the caller's to write."""
        return self.outbox.take()

    def _next_update(self) -> None:
        router, config = self._machines.router, self._machines.config
        while (command := config.next_update(between_turns=router.is_idle)) is not None:
            event: Any = command
            if isinstance(command, dict):
                event = client_event_from_dict(command, self._surface)
            self.outbox.put(event, encode(command))

    def _queue_create(self, record: ResponseRecord) -> None:
        asked, key = record.asked, record.key
        assert asked is not None
        assert key is not None
        event, raw = keyed(asked.event, key), keyed(asked.raw, key)
        if asked.extra is not None:
            session = self._machines.config.acknowledged
            event = raw = appended(event, getattr(session, "instructions", None), asked.extra)
        self.outbox.put(event, encode(raw))

    def _cutting(self) -> Iterator[events.ClientEvent]:
        """What was not heard leaves the conversation. Some servers never answer a truncate."""
        cuts, self._machines.cuts = self._machines.cuts, []
        for cut in cuts:
            self._machines.conversation.note_heard(cut.item_id, cut.content_index, cut.transcript)
            if self._machines.memories.on_cut(cut):
                continue
            if cut.deletes:
                yield events.ConversationItemDelete(item_id=cut.item_id)
            else:
                yield _truncate(cut)

    def _correct(self, now: float) -> None:
        """What came back while it was played is remembered as it was heard."""
        memories, machines = self._machines.memories, self._machines
        due = memories.corrections(machines.conversation, machines.playback, now)
        for item_id, event in list(due):
            memories.on_asked(self.ask_own(event), item_id)


def _truncate(cut: Cut) -> events.ConversationItemTruncate:
    return events.ConversationItemTruncate(
        item_id=cut.item_id, content_index=cut.content_index, audio_end_ms=cut.audio_end_ms
    )
