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
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from realtime_client import events
from realtime_client.acknowledgement import Intent
from realtime_client.codec import client_event_from_dict, decode, encode
from realtime_client.config import Configuration, asked_by
from realtime_client.conversation import Conversation
from realtime_client.dialects import GA, Dialect
from realtime_client.errors import (
    AcknowledgementTimeout,
    InvalidClientEvent,
    RealtimeError,
    ServerError,
    SessionRefused,
)
from realtime_client.frames import Frame, Happened, ending, server_error, shown
from realtime_client.leaves import Leaves
from realtime_client.machines import (
    ASKING,
    HANDLERS,
    Command,
    Machine,
    Machines,
    text,
    with_item_id,
)
from realtime_client.outcome import Outcome
from realtime_client.playback import PlaybackLedger
from realtime_client.router import SESSION_ROUTE, Route, Router, Verdict

__all__ = ["Protocol"]

RAW_PATIENCE: Final = 10.0
"""Seconds for the answer to a `session.update` that was sent as it is."""


class Protocol:
    """One connection's side of the Realtime protocol. See the module for the contract.

    `nonce` is a short random text that tells this connection's responses and ids from
    everybody else's. `session` is the configuration to be acknowledged before the
    connection counts as open (see `leaves`), within `open_timeout` seconds of `now`.
    """

    def __init__(
        self,
        *,
        nonce: str,
        now: float,
        session: Leaves | None = None,
        open_timeout: float = 10.0,
        surface: events.Surface = events.REALTIME,
        dialect: Dialect = GA,
    ) -> None:
        self.opening = f"{nonce}-open"
        self.outbox_bytes = 0
        self._machines = Machines(nonce, dialect)
        self._surface = surface
        self._nonce = nonce
        self._counter = 0
        self._outbox: deque[Frame] = deque()
        self._asked: dict[str, Machine] = {}
        self._outcomes: list[Outcome] = []
        self._open_timeout = open_timeout
        self._open_by: float | None = now + open_timeout
        self._opened = False
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
    def playback(self) -> PlaybackLedger:
        """How far each message has come."""
        return self._machines.playback

    @property
    def is_open(self) -> bool:
        """Whether the server has acknowledged the configuration."""
        return self._opened

    @property
    def is_opening(self) -> bool:
        """Whether that is still to be seen."""
        return self._open_by is not None

    def connected(self, now: float) -> None:
        """The socket is open: the time for the acknowledgement begins."""
        self._open_by = now + self._open_timeout

    # -- commands out ---------------------------------------------------------------

    def send(self, command: Command, now: float | None = None) -> str | None:
        """Queue a client event. Returns the request's `event_id`, or None where no answer comes.

        A dict goes out as it is, plus the ids that the answer is found by. A `session.update`
        goes out as it is, when its turn comes; `now` starts the time for its answer, and
        without it there is no limit to that.

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
        asking = ASKING.get(type(event))
        if asking is None:
            self._queue(event, encode(command))
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

    def outcomes(self) -> list[Outcome]:
        """The requests that have got their end since the last call."""
        if not self._outcomes and not self.config.outcomes:
            return []
        ended = self._outcomes + self.config.outcomes
        self._outcomes = []
        self.config.outcomes.clear()
        for outcome in ended:
            self._asked.pop(outcome.event_id, None)
        return ended

    def new_id(self, kind: str) -> str:
        """A fresh id for something of ours, unique across connections."""
        self._counter += 1
        return f"{kind}_{self._nonce}_{self._counter}"

    def give_up(self, event_id: str, *, heard: bool = False) -> None:
        """Nobody waits for this request any more.

        A response that it starts is cancelled, and what it says discarded, unless it is
        `heard` by somebody else. An update that has not gone out is withdrawn; one that has
        is tracked to its end.
        """
        if self._asked.get(event_id) is self.router:
            del self._asked[event_id]
        self._cancel(self.router.give_up(event_id, heard=heard))
        if self.config.withdraw(event_id):
            self._asked.pop(event_id, None)
        self._next_update()

    def data_to_send(self) -> Iterator[Frame]:
        """The frames that are ready, oldest first; each one taken is the caller's to write."""
        while self._outbox:
            frame = self._outbox.popleft()
            self.outbox_bytes -= len(frame.raw)
            yield frame

    # -- frames in ------------------------------------------------------------------

    def receive(self, data: bytes | str, now: float) -> Happened:
        """One text frame from the server. Never raises, whatever it holds."""
        event = decode(data, self._surface)
        route = SESSION_ROUTE
        if type(event) is events.SessionUpdated:
            self.config.on_updated(event.session, now, shown(data))
        elif type(event) is events.SessionCreated:
            self.config.on_created(event.session, now, shown(data))
        elif type(event) is events.ErrorEvent:
            route = self._on_error(event)
        else:
            handler = HANDLERS.get(type(event))
            route = handler(self._machines, event) if handler else SESSION_ROUTE
        if route.outcome is not None:
            self._outcomes.append(route.outcome)
        self._cancel(route.late)
        if self.config.in_flight:
            self._next_update()
        if self.is_opening:
            self._see_whether_open(event)
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        return Happened(event, raw, route.verdict, route.record)

    def lost(self, error: RealtimeError) -> None:
        """The connection is over: every question gets its end.

        What was written and never answered is uncertain: the server may have acted on it.
        """
        self.config.lost()
        unsent = {text(frame.event, "event_id") for frame in self._outbox} | self.config.unsent
        questions = dict.fromkeys(self._asked)
        if self.is_opening:
            questions[self.opening] = None
        ended = {outcome.event_id for outcome in (*self._outcomes, *self.config.outcomes)}
        self._open_by = None
        self._outcomes += [
            Outcome(event_id, error=ending(error, event_id not in unsent))
            for event_id in questions
            if event_id not in ended
        ]

    # -- time -----------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `on_deadline` wants to be called, on the clock of `now`; None for never."""
        deadlines = (self._open_by, self.config.next_deadline())
        return min((when for when in deadlines if when is not None), default=None)

    def on_deadline(self, now: float) -> None:
        """Time has passed: what waited too long is told."""
        self.config.on_deadline(now)
        self._next_update()
        if self._open_by is not None and now >= self._open_by:
            self._open_by = None
            what = "session.created" if self.config.acknowledged is None else "session.updated"
            error = AcknowledgementTimeout(f"it sent no {what}")
            self._outcomes.append(Outcome(self.opening, error=error))

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
        self._queue(asked.event, encode(asked.raw))
        return event_id

    def _queue(self, event: Any, raw: bytes) -> None:
        self._outbox.append(Frame(event, raw))
        self.outbox_bytes += len(raw)

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
        self._queue(event, encode(command))

    def _cancel(self, response_id: str | None) -> None:
        if response_id is not None:
            cancel = events.ResponseCancel(response_id=response_id)
            self._queue(cancel, encode(cancel))

    def _see_whether_open(self, event: Any) -> None:
        """Open is: the session exists and its configuration has been acknowledged."""
        ended = [*self._outcomes, *self.config.outcomes]
        ends = [outcome for outcome in ended if outcome.event_id == self.opening]
        if not ends and self.config.acknowledged is not None and self.opening not in self._asked:
            ends = [Outcome(self.opening, event)]
            self._outcomes += ends
        if ends:
            self._open_by = None
            self._opened = ends[0].error is None

    def _on_error(self, event: events.ErrorEvent) -> Route:
        """`error` is correlated by `error.event_id`, and by nothing else."""
        error = server_error(event)
        event_id = error.event_id or ""
        # An update that was given up for uncertain is nobody's question any more, but the
        # configuration still wants to know.
        machine = self._asked.get(event_id, self.config)
        outcome = machine.on_refused(event_id, error)
        if outcome is None and self.is_opening:
            outcome = self._refused_opening(error)
        return Route(Verdict.SESSION, outcome=outcome)

    def _refused_opening(self, error: ServerError) -> Outcome | None:
        """While a connection opens only one thing has been asked, so an error is about that.

        "A bad key, an unknown model or the beta header still upgrades with HTTP 101; then
        one `error` and a CLOSE follow at once."
        """
        if self.config.acknowledged is not None:
            return self.config.on_refused(self.opening, error)
        return Outcome(self.opening, error=SessionRefused(error.message, code=error.name))
