"""The core: bytes in, what happened out; commands in, bytes out. No I/O, no clock.

Four verbs are all that an embedder needs, with any socket library::

    protocol = Protocol(nonce=..., now=clock())
    for frame in protocol.data_to_send():      # write each `frame.raw` as one text frame
    happened = protocol.receive(data, now)     # one text frame in, one `Happened` out
    event_id = protocol.send(command)          # a client event; raises before it queues
    protocol.next_deadline(), protocol.on_deadline(now)

and after any of them `protocol.outcomes()`: the requests that have got their end.

State first, bytes second: an illegal command raises and queues nothing. A surprising server
event never raises: it becomes a value (`UnknownEvent`, `InvalidEvent`, an orphan).

A connection is open once the server has acknowledged the configuration. The request named
by `opening` stands for that: its outcome is the first thing that an embedder waits for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from realtime_client import events
from realtime_client.acknowledgement import Intent
from realtime_client.calls import Calls
from realtime_client.codec import client_event_from_dict, decode, encode
from realtime_client.config import Configuration, asked_by
from realtime_client.conversation import Conversation
from realtime_client.creates import appended, keyed
from realtime_client.dialects import GA, Dialect
from realtime_client.errors import InvalidClientEvent, RealtimeError
from realtime_client.frames import Frame, Happened, ending, server_error, shown, transcribes
from realtime_client.input import InputLedger
from realtime_client.leaves import Leaves
from realtime_client.lives import Asked, ResponseRecord, WhenBusy
from realtime_client.machines import (
    ASKING,
    HANDLERS,
    Command,
    Limits,
    Machine,
    Machines,
    called,
    over,
    text,
    with_item_id,
)
from realtime_client.opening import Opening
from realtime_client.outbox import Outbox
from realtime_client.outcome import Outcome
from realtime_client.playback import PlaybackLedger
from realtime_client.router import Abandoned, Router
from realtime_client.turns import Turns
from realtime_client.usage import UsageLedger
from realtime_client.verdicts import DELTAS, SESSION_ROUTE, Route, Verdict

__all__ = ["Protocol"]

RAW_PATIENCE: Final = 10.0
"""Seconds for the answer to a `session.update` that was sent as it is."""


class Protocol:
    """One connection's side of the Realtime protocol. See the module for the contract.

    `nonce` is a short random text that tells this connection's responses and ids from
    everybody else's. `session` is the configuration to be acknowledged before the
    connection counts as open (see `leaves`), within `open_timeout` seconds of `now`.
    `limits` says how far it goes before it gives up or forgets.
    """

    def __init__(
        self,
        *,
        nonce: str,
        now: float,
        session: Leaves | None = None,
        open_timeout: float = 10.0,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        surface: events.Surface = events.REALTIME,
        dialect: Dialect = GA,
    ) -> None:
        self._opening = Opening(f"{nonce}-open", open_timeout, now)
        self._outbox = Outbox()
        self._machines = Machines(nonce, dialect, limits)
        self._surface = surface
        self._nonce = nonce
        self._counter = 0
        self._now = now
        self._asked: dict[str, Machine | None] = {}
        self._outcomes: list[Outcome] = []
        if session is not None:
            self._ask_config(Intent(self.opening, session, expires=math.inf, opening=True))

    @property
    def config(self) -> Configuration:
        """What the server acknowledged about the session."""
        return self._machines.config

    @property
    def conversation(self) -> Conversation:
        """The server's items."""
        return self._machines.conversation

    @property
    def router(self) -> Router:
        """The responses."""
        return self._machines.router

    @property
    def calls(self) -> Calls:
        """The function calls, and what is to be done about them."""
        return self._machines.calls

    @property
    def turns(self) -> Turns:
        """What the user says."""
        return self._machines.turns

    @property
    def usage(self) -> UsageLedger:
        """What it has cost."""
        return self._machines.usage

    @property
    def input(self) -> InputLedger:
        """What the server has been sent of the user's audio."""
        return self._machines.input

    @property
    def playback(self) -> PlaybackLedger:
        """How far each message has come."""
        return self._machines.playback

    @property
    def is_open(self) -> bool:
        """Whether the server has acknowledged the configuration."""
        return self._opening.is_open

    @property
    def is_opening(self) -> bool:
        """Whether that is still to be seen."""
        return self._opening.by is not None

    @property
    def opening(self) -> str:
        """The request whose outcome is the first thing that an embedder waits for."""
        return self._opening.name

    @property
    def outbox_bytes(self) -> int:
        """How much is ready to be written."""
        return self._outbox.size

    def connected(self, now: float) -> None:
        """The socket is open: the time for the acknowledgement begins."""
        self._opening.connected(now)

    # -- commands out ---------------------------------------------------------------

    def send(self, command: Command, now: float | None = None) -> str | None:
        """Queue a client event. Returns the request's `event_id`, or None where no answer comes.

        A dict goes out as it is, plus the ids that the answer is found by. A `session.update`
        goes out as it is, when its turn comes; `now` starts the time for its answer, and
        without it there is no limit to that. A `response.create` goes out at once, whatever is
        active; without `now` its silence is counted from the last event.

        Raises:
            InvalidClientEvent: The dict does not fit the protocol. Nothing was queued.
            UsageError: The command cannot be, for a reason it names. Nothing was queued.
        """
        event: Any = command
        if isinstance(command, dict):
            event = client_event_from_dict(command, self._surface)
            # A copy, so that nobody can change it while it waits for its turn.
            command = msgspec.json.decode(encode(command))
        if type(event) is events.SessionUpdate:
            return self._ask_update(event, command, now)
        if type(event) is events.ResponseCreate:
            return self._ask_response(event, command, self._now if now is None else now)
        if type(event) not in ASKING:
            self._outbox.put(event, encode(command))
            if type(event) is events.InputAudioBufferAppend:
                self._machines.input.on_append(event.audio)
            return None
        if type(event) is events.ConversationItemCreate and text(event.item, "id") is None:
            item_id = self.new_id("item")
            event, command = with_item_id(event, item_id), with_item_id(command, item_id)
        return self._ask(event, command)

    def update(
        self, asked: Leaves, *, now: float, timeout: float, between_turns: bool = False
    ) -> str:
        """Ask for a change of the session: the smallest update goes out when its turn comes.

        `timeout` seconds after `now` its caller is told: withdrawn where it has not gone out,
        uncertain where it has. With `between_turns` it waits until no response is active.

        Raises:
            InvalidConfig: The server has fixed what it would change, or could never take it.
        """
        intent = Intent(self.new_id("event"), asked, now + timeout, between_turns)
        self._ask_config(intent)
        return intent.event_id

    def respond(
        self,
        command: events.ResponseCreate,
        *,
        now: float,
        when_busy: WhenBusy = "wait",
        timeout: float = math.inf,
        extra: str | None = None,
    ) -> str:
        """Ask for a response, when its turn comes; returns the request's `event_id`.

        `when_busy` says what to do while the conversation has an active one. `timeout` seconds
        after `now` its caller is told that it has not begun, and it is given up. `extra` is
        appended to the instructions that are in force when it goes out.

        Raises:
            ConversationBusy: It was not to wait, and has to.
            NotSupported: The endpoint has no out-of-band responses.
            UsageError: Its metadata leaves no room for ours. Nothing was queued.
        """
        return self._ask_response(command, command, now, when_busy, now + timeout, extra)

    def outcomes(self) -> list[Outcome]:
        """The requests that have got their end since the last call."""
        sources = (
            self._outcomes,
            self.config.outcomes,
            self.router.creates.outcomes,
            self.input.outcomes,
        )
        if not any(sources):
            return []
        ended = [outcome for source in sources for outcome in source]
        for source in sources:
            source.clear()
        for outcome in ended:
            self._asked.pop(outcome.event_id, None)
        return ended

    def abandoned(self) -> list[Abandoned]:
        """The responses that have ended without a `response.done` since the last call."""
        ended, self.router.abandoned = self.router.abandoned, []
        for record, _ in ended:
            over(self._machines, record, (), self._now)
            facts = called(record)
            self.calls.on_response_done(record.id or "", "cancelled", (), **facts)
        return ended

    def new_id(self, kind: str) -> str:
        """A fresh id for something of ours, unique across connections."""
        self._counter += 1
        return f"{kind}_{self._nonce}_{self._counter}"

    def cancel(self, record: ResponseRecord, now: float) -> None:
        """A response is to end: by its id, as soon as that is known."""
        self.router.cancel(record)
        self._next(now)

    def interrupt(self, now: float) -> tuple[ResponseRecord, ...]:
        """Stop what is said in the conversation, and cut what was not heard.

        Returns the responses that are to end: by their ids, as soon as those are known. A
        create that waits for its turn is withdrawn, and what tools are at work on is not
        followed up.
        """
        self.calls.on_interrupted()
        waiting = [one for one in self.router.creates.waiting if one.in_conversation]
        records = (*waiting, *self.router.occupants)
        for record in records:
            self.router.cancel(record)
        self._machines.cuts += self.playback.interrupt(now)
        self._next(now)
        return records

    def give_up(self, event_id: str, now: float, *, heard: bool = False) -> None:
        """Nobody waits for this request any more.

        A response that it starts is cancelled, and what it says discarded, unless it is
        `heard` by somebody else. An update that has not gone out is withdrawn; one that has
        is tracked to its end.
        """
        self.router.give_up(event_id, heard=heard)
        self._machines.input.give_up(event_id)
        created = self._asked.get(event_id, self.config) is None
        if created or self.config.withdraw(event_id) or self.conversation.give_up(event_id):
            self._asked.pop(event_id, None)
        self._next(now)

    def data_to_send(self) -> Iterator[Frame]:
        """The frames that are ready, oldest first; each one taken is the caller's to write."""
        return self._outbox.take()

    # -- frames in ------------------------------------------------------------------

    def receive(self, data: bytes | str, now: float) -> Happened:
        """One text frame from the server. Never raises, whatever it holds."""
        self._now = now
        event = decode(data, self._surface)
        route = SESSION_ROUTE
        if type(event) is events.SessionUpdated:
            self.config.on_updated(event.session, now, shown(data))
            self.turns.transcribes = transcribes(event.session)
        elif type(event) is events.SessionCreated:
            self.config.on_created(event.session, now, shown(data))
            self.turns.transcribes = transcribes(event.session)
        elif type(event) is events.ErrorEvent:
            route = self._on_error(event, now)
        else:
            handler = HANDLERS.get(type(event))
            route = handler(self._machines, event, now) if handler else SESSION_ROUTE
        if route.outcome is not None:
            self._outcomes.append(route.outcome)
        if type(event) not in DELTAS or self._machines.cuts:
            self._next(now)  # what is being said makes it nobody's turn
        if self.is_opening:
            self._see_whether_open(event)
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        return Happened(event, raw, route.verdict, route.record)

    def lost(self, error: RealtimeError) -> None:
        """The connection is over: every question gets its end.

        What was written and never answered is uncertain: the server may have acted on it.
        """
        self.config.lost()
        waiting = {one.event_id for one in self.router.creates.waiting}
        unsent = self._outbox.unsent | self.config.unsent | waiting
        questions = dict.fromkeys(self._asked)
        if self.is_opening:
            questions[self.opening] = None
        told = (self._outcomes, self.config.outcomes, self.router.creates.outcomes)
        ended = {outcome.event_id for outcomes in told for outcome in outcomes}
        self._opening.by = None
        self._outcomes += [
            Outcome(event_id, error=ending(error, event_id not in unsent))
            for event_id in questions
            if event_id not in ended
        ]

    # -- time -----------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `on_deadline` wants to be called, on the clock of `now`; None for never."""
        deadlines = (self._opening.by, self.config.next_deadline(), self.router.next_deadline())
        return min((when for when in deadlines if when is not None), default=None)

    def on_deadline(self, now: float) -> None:
        """Time has passed: what waited too long is told."""
        self._now = now
        self.config.on_deadline(now)
        self.router.on_deadline(now)
        self._next(now)
        outcome = self._opening.on_deadline(now, self.config)
        if outcome is not None:
            self._outcomes.append(outcome)

    # -- within ---------------------------------------------------------------------

    def _named(self, event: Any, command: Any) -> tuple[str, Any, Any]:
        """A request with the id by which its refusal is found: id, typed event, what goes out.

        What cannot be written is refused here, before anything knows of it.
        """
        encode(command)
        event_id = text(event, "event_id") or self.new_id("event")
        if isinstance(command, dict):
            command = {**command, "event_id": event_id}
        elif event.event_id != event_id:
            event = command = msgspec.structs.replace(event, event_id=event_id)
        return event_id, event, command

    def _ask_update(self, event: events.SessionUpdate, command: Any, now: float | None) -> str:
        """A `session.update` of the caller's own making."""
        if not isinstance(event.session, (events.SessionConfig, events.TranscriptionSessionConfig)):
            raise InvalidClientEvent(
                "session.update needs a session whose `type` is 'realtime' or 'transcription'"
            )
        event_id, _, command = self._named(event, command)
        expires = math.inf if now is None else now + RAW_PATIENCE
        self._ask_config(Intent(event_id, asked_by(event.session), expires, command=command))
        return event_id

    def _ask(self, event: Any, command: Any) -> str:
        """Hand a command to the machine that will find its answer, and queue it."""
        event_id, event, command = self._named(event, command)
        asked = ASKING[type(event)](self._machines, event, command, event_id)
        self._asked[event_id] = asked.machine
        self._outbox.put(asked.event, encode(asked.raw))
        return event_id

    def _ask_config(self, intent: Intent) -> None:
        self.config.ask(intent)
        self._asked[intent.event_id] = self.config
        self._next_update()

    def _next_update(self) -> None:
        command: Any = self.config.next_update(between_turns=self.router.is_idle)
        if command is None:
            return
        event = command
        if isinstance(command, dict):
            event = client_event_from_dict(command, self._surface)
        self._outbox.put(event, encode(command))

    def _ask_response(
        self,
        event: events.ResponseCreate,
        command: Any,
        now: float,
        when_busy: WhenBusy = "send",
        expires: float = math.inf,
        extra: str | None = None,
    ) -> str:
        encode({"extra": extra})  # what cannot be written is refused before it waits
        event_id, event, command = self._named(event, command)
        asked = Asked(event_id, event, command, when_busy, expires, extra, now)
        self.router.ask(asked)
        # One with an `input` of its own, as every `say`, does not see what tools have put out.
        own_input = event.response and event.response.input not in (events.UNSET, None)
        if asked.in_conversation and not own_input:
            self.calls.on_asked(event_id)
        self._asked[event_id] = None
        self._next(now)
        return event_id

    def _next(self, now: float) -> None:
        """Whatever has its turn goes out: an update, a create, and the cancels."""
        self._next_update()
        while (record := self.router.next_create(now)) is not None:
            self._queue_create(record)
        for record in self.router.take_cancels():
            record.cancel_id = self.new_id("event")
            cancel = events.ResponseCancel(event_id=record.cancel_id, response_id=record.id or "")
            self._outbox.put(cancel)
        if self._machines.cuts:
            self._send_cuts()

    def _send_cuts(self) -> None:
        """What was not heard leaves the conversation. Some servers never answer a truncate."""
        cuts, self._machines.cuts = self._machines.cuts, []
        for cut in cuts:
            self.conversation.note_heard(cut.item_id, cut.content_index, cut.transcript)
            if cut.deletes:
                self._outbox.put(events.ConversationItemDelete(item_id=cut.item_id))
                continue
            truncate = events.ConversationItemTruncate(
                item_id=cut.item_id,
                content_index=cut.content_index,
                audio_end_ms=cut.audio_end_ms,
            )
            self._outbox.put(truncate)

    def _queue_create(self, record: ResponseRecord) -> None:
        asked, key = record.asked, record.key
        assert asked is not None
        assert key is not None
        event, raw = keyed(asked.event, key), keyed(asked.raw, key)
        if asked.extra is not None:
            session = self.config.acknowledged
            event = raw = appended(event, getattr(session, "instructions", None), asked.extra)
        self._outbox.put(event, encode(raw))

    def _see_whether_open(self, event: Any) -> None:
        ended = [*self._outcomes, *self.config.outcomes]
        asked = self.opening in self._asked
        outcome = self._opening.see(event, ended, self.config, asked=asked)
        if outcome is not None:
            self._outcomes.append(outcome)

    def _on_error(self, event: events.ErrorEvent, now: float) -> Route:
        """`error` is correlated by `error.event_id`, and by nothing else."""
        error = server_error(event)
        event_id = error.event_id or ""
        if self.router.on_refused(event_id, error, now):
            return SESSION_ROUTE
        # An update that was given up for uncertain is nobody's question any more, but the
        # configuration still wants to know.
        machine = self._asked.get(event_id) or self.config
        outcome = machine.on_refused(event_id, error)
        if outcome is None and self.is_opening:
            outcome = self._opening.refused(error, self.config)
        return Route(Verdict.SESSION, outcome=outcome)
